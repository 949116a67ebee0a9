//! Rows 34 to 46: events, timers and health checks, where one slow job must never be another's trouble.

use std::time::Duration;

use crate::cgroup::Group;
use crate::strace::Strace;
use crate::support::process::{cpu_time, one_processor};
use crate::support::wait::{holds_for, let_pass};
use crate::support::{DEADLINE, Launch, Metronome, Pilot, Signal, count, run, wait_until};
use crate::told::{between, gaps, moments, times, wait_times};

/// Asserts that the starts of a check came each second: none is far off, and most are in step to 100 ms. (Not all: a
/// machine that runs many tests lets PID 1 wait now and then, and a start waits for its child to get the processor.)
#[track_caller]
fn assert_each_second(starts: &[Duration]) {
    let gaps = gaps(starts);
    assert!(gaps.len() >= 3 && gaps.iter().all(|gap| *gap < Duration::from_secs(3)), "{gaps:?}");
    let mut into = Duration::ZERO;
    let mut steps: Vec<u32> = vec![0];
    steps.extend(gaps.iter().map(|gap| {
        into += *gap;
        into.subsec_millis()
    }));
    let in_step = |step: u32| steps.iter().filter(|other| (step.abs_diff(**other) + 100) % 1000 < 200).count();
    assert!(steps.iter().any(|step| in_step(*step) * 2 > steps.len()), "{gaps:?}");
}

// Seen red with src/core/health.rs:
//- self.skipped_checks += 1;
//+ self.check = None;
#[test]
fn f34_a_check_slower_than_its_interval_delays_nobody() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, logging: { level: "DEBUG" }, stopTimeout: 5, jobs: [
            { name: "slow", exec: ["sleep", "1000"],
              health: { exec: ["sleep", "25"], interval: 1, ttl: 60, timeout: "30s" } },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
            { name: "noise", exec: "true", when: { interval: "5ms" }, timeout: "1s" },
        ] }"#,
    );
    let machine = Metronome::start(&pilot);
    // The original's channel of 1000 filled up and everything stood still.
    for runs in (100..=count(1100, 10_000)).step_by(100) {
        wait_times(&pilot, "event: {ExitSuccess noise}", runs);
    }
    wait_times(&pilot, "event: {StatusHealthy well}", 6);
    let starts = moments(&pilot, " check.well.Run start");
    let (allowed, gaps) = (machine.allowed_in_a_moment(), gaps(&starts));
    let is_fine = |gap: &Duration| gap.abs_diff(Duration::from_secs(1)) < allowed;
    assert!(gaps.len() >= 5 && gaps.iter().all(is_fine), "within {allowed:?} of a second: {gaps:?}");
    let slow = moments(&pilot, " check.slow.Run start").len();
    assert!((1..=1 + starts.len() / 25).contains(&slow), "{slow} slow checks beside {}", starts.len());
    pilot.wait_stdout("check.slow still runs when the next check is due: 1 skipped so far");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

// Seen red with src/core/start.rs:
//- self.skipped_ticks += 1;
//+ self.skipped_ticks += 1; self.due += 1;
#[test]
fn f35_a_period_shorter_than_the_run_is_skipped_not_queued() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "slow", exec: ["sh", "-c", "echo begin >> $LOG; sleep 1; echo end >> $LOG"],
              when: { interval: "5ms" }, timeout: "10s" },
            { name: "count", exec: ["sh", "-c", "echo count >> $LOG"], when: { source: "slow", each: "exitSuccess" } },
            { name: "once", exec: ["sh", "-c", "[ -e $DIR/once ] && exit; touch $DIR/once; sleep 2"],
              when: { interval: "100ms" }, timeout: "10s" },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
        ] }"#,
    );
    wait_times(&pilot, "event: {ExitSuccess count}", count(6, 60));
    assert_each_second(&moments(&pilot, " check.well.Run start"));
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "nothing waits to be run: {took:?}");
    let (begun, ended) = (pilot.logged("begin"), pilot.logged("end"));
    assert!(begun - ended <= 1, "one at a time: {begun} begun, {ended} ended");
    let told = times(&pilot, "event: {ExitSuccess slow}") + times(&pilot, "event: {ExitFailed slow}");
    assert_eq!(told, times(&pilot, " slow.Run start"), "each end is told once");
    pilot.wait_stdout("slow still runs when its next period begins: 128 skipped so far");
    // Twenty periods began during its first run. The second it takes up its pace again.
    let paced = in_the_second_after(&gaps(&moments(&pilot, " once.Run start")), 0);
    assert!(paced <= 14, "{paced} runs in the second after a long one");
}

#[test]
fn f35_events_during_a_run_wait_their_turn() {
    let pilot = Pilot::start(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "source", exec: "true", restarts: 19 },
            { name: "each", exec: ["sh", "-c", "echo begin >> $LOG; sleep 0.05; echo end >> $LOG"],
              when: { source: "source", each: "exitSuccess" } },
            { name: "main", exec: ["sleep", "1000"] },
        ] }"#,
    );
    pilot.wait_logged("end", 20);
    wait_times(&pilot, "event: {ExitSuccess source}", 20);
    let expected: Vec<&str> = ["begin", "end"].into_iter().cycle().take(40).collect();
    holds_for(Duration::from_millis(300), || pilot.log() == expected, "as many runs as events, one after the other");
}

// Seen red with src/core/shutdown.rs:
//- job.keeps = true;
//+
#[test]
fn f36_two_hundred_jobs_stop_at_any_moment() {
    let job = |n: usize| {
        format!(
            r#"{{ name: "job{n}", exec: ["sleep", "1000"], restarts: "unlimited" }},
               {{ name: "tail{n}", exec: "true", when: {{ source: "job{n}", once: "stopped" }} }},"#
        )
    };
    let jobs: String = (0..100).map(job).collect();
    let config = format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [ {jobs} ] }}"#);
    for when in [0, 1, 100] {
        let mut pilot = Launch::config(&config).zombie_grace(Duration::from_secs(5)).start();
        pilot.wait_stdout("loaded config");
        wait_times(&pilot, "Run start", when);
        let (code, took) = pilot.stop();
        assert_eq!(code, 0);
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(times(&pilot, "event: {Stopping job"), 100, "each tells its end");
        assert_eq!(times(&pilot, "event: {Stopped job"), 100);
        assert_eq!(times(&pilot, "event: {Stopped tail"), 100);
        if when == 100 {
            assert_eq!(times(&pilot, "event: {ExitSuccess tail"), 100, "and those who wait for it run");
        }
        pilot.finish();
    }
}

// Seen red with src/core/world.rs:
//- job.spaced = spaced;
//+ job.spaced = false;
#[test]
fn f37_jobs_that_wake_each_other_are_spaced() {
    // Two jobs of one name: the first one sets the other two off.
    let mut pilot = Pilot::start(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "ping", exec: "true" },
            { name: "ping", exec: "true", when: { source: "pong", each: "exitSuccess" } },
            { name: "pong", exec: "true", when: { source: "ping", each: "exitSuccess" } },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
        ] }"#,
    );
    wait_times(&pilot, "pong.Run start", 9);
    let gaps = gaps(&moments(&pilot, " pong.Run start"));
    for (gap, pause) in gaps.iter().skip(5).zip([100, 200, 400].map(Duration::from_millis)) {
        assert!(*gap >= pause / 2, "{gaps:?}");
    }
    let so_far = times(&pilot, "pong.Run start");
    holds_for(Duration::from_secs(2), || times(&pilot, "pong.Run start") <= so_far + 4, "few runs from here on");
    wait_times(&pilot, "check.well.Run start", 5);
    assert_each_second(&moments(&pilot, " check.well.Run start"));
    assert_eq!(pilot.stop().0, 0);
    let took = between(&pilot, " after each one's SIGTERM", "; exit 0");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

// Seen red with src/core/exec.rs:
//- turn.log(Level::Warn, format!("{} timeout after {timeout}: '[{args}]'", command.name));
//+ turn.publish(super::Event::new(crate::plan::EventCode::ExitFailed, command.name.as_str()), None);
#[test]
fn f38_exit_and_timeout_at_the_same_instant_are_one_exit() {
    let (jobs, restarts) = (count(10, 20), count(3, 19));
    let job = |n: usize| {
        format!(
            r#"{{ name: "job{n}x", exec: ["sleep", "0.5"], timeout: "{}ms", restarts: {restarts} }},"#,
            // From the moment of the start a sleep takes a little longer.
            500 + n % 10
        )
    };
    let config: String = (0..jobs).map(job).collect();
    let mut pilot = Pilot::start(&format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [ {config} ] }}"#));
    pilot.wait_exit();
    for n in 0..jobs {
        let told = |what: &str| times(&pilot, &format!("event: {{{what} job{n}x}}"));
        assert_eq!(times(&pilot, &format!(" job{n}x.Run start")), restarts + 1);
        assert_eq!(told("ExitSuccess") + told("ExitFailed"), restarts + 1, "job{n}x");
        assert_eq!(told("Stopped"), 1);
    }
}

#[test]
fn f39_a_time_limit_is_that_of_its_own_run() {
    // The limit of the first run would end in the middle of the second.
    let pilot = Pilot::start(
        r#"{ consul: false, jobs: [
            { name: "short", exec: ["sh", "-c", "echo begin >> $LOG; sleep 4; echo end >> $LOG"], timeout: "7s",
              restarts: 1 },
            { name: "main", exec: ["sleep", "1000"] },
        ] }"#,
    );
    pilot.wait_logged("end", 2);
    assert_eq!(pilot.log(), ["begin", "end", "begin", "end"]);
    assert_eq!(times(&pilot, "timeout"), 0);
}

// Seen red with src/driver.rs:
//- self.children.signal(child, signal);
//+ self.children.signal(child, if signal == Signal::KILL { Signal::TERM } else { signal });
#[test]
fn f40_a_check_that_ignores_everything_is_killed_with_its_family() {
    let job = |n: usize| {
        format!(
            r#"{{ name: "job{n}", exec: ["sleep", "1000"], health: {{ interval: 1, ttl: 5, timeout: "200ms",
                  exec: ["sh", "-c", "trap '' TERM; sleep 3000 & sleep 3000"] }} }},"#
        )
    };
    let jobs: String = (0..5).map(job).collect();
    let pilot = Pilot::start(&format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [ {jobs} ] }}"#));
    for n in 0..5 {
        wait_times(&pilot, &format!("event: {{StatusUnhealthy job{n}}}"), count(5, 200));
        assert_each_second(&moments(&pilot, &format!(" check.job{n}.Run start")));
    }
    // The jobs, and of each check at most this second's.
    assert!(pilot.processes().len() <= 5 + 5 * 3, "{:?}", pilot.processes());
    wait_until(DEADLINE, || pilot.find("sleep 3000").is_empty(), "between two checks nothing is left of them");
    let each_is_told = || {
        times(&pilot, "check.job0 timeout after 200ms") == times(&pilot, "check.job0 exited with error: signal: killed")
    };
    wait_until(DEADLINE, each_is_told, "each timeout is one end");
}

// Seen red with src/driver.rs:
//- const DRAIN: Duration = Duration::from_secs(1);
//+ const DRAIN: Duration = Duration::from_secs(5);
#[test]
fn f41_output_held_by_a_grandchild_delays_the_exit_for_a_second_at_most() {
    let away = "setsid sh -c 'echo away >> $LOG; exec sleep 3000' & until grep -q away $LOG; do sleep 0.01; done;";
    for (held, note) in [("sleep 3000 &", 0), (away, 1)] {
        let pilot = Pilot::start(&format!(
            r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [
                {{ name: "main", exec: ["sleep", "1000"] }},
                {{ name: "leaves", exec: ["sh", "-c", "{held} echo words; exit 0"] }},
                {{ name: "next", exec: ["sh", "-c", "echo next >> $LOG"],
                   when: {{ source: "leaves", once: "exitSuccess" }} }},
            ] }}"#
        ));
        pilot.wait_log("next");
        pilot.wait_stdout(" leaves exited without error");
        let took = between(&pilot, " leaves.Run start", " leaves exited without error");
        assert!(took < Duration::from_secs(5), "{took:?}");
        let text = pilot.stdout();
        assert!(text.find(" words\n") < text.find(" leaves exited without error"), "what it wrote comes first");
        let told = "leaves is dead, but a process that it started holds its output open: no longer listening to it";
        assert_eq!(times(&pilot, told), note);
        wait_until(DEADLINE, || pilot.find("sleep 3000").len() == note, "the group is gone, who left it is not");
        pilot.finish();
    }
}

/// The calls of PID 1's threads that have to do with time, while jobs, checks, limits and pauses are busy.
fn calls_about_time() -> String {
    let mut pilot = Launch::config(
        r#"{ consul: false, jobs: [
            { name: "tick", exec: "true", when: { interval: "100ms" }, timeout: "5s" },
            { name: "long", exec: ["sleep", "2000"], timeout: "300ms", restarts: "unlimited" },
            { name: "crash", exec: "false", restarts: "unlimited" },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
            { name: "wait", exec: "true", when: { source: "well", once: "stopped", timeout: "2s" } },
        ] }"#,
    )
    .untraced()
    .start();
    let waits = "nanosleep,clock_nanosleep,timerfd_create,timerfd_settime,timer_create,timer_settime,setitimer,alarm,\
        epoll_wait,epoll_pwait,epoll_pwait2,poll,ppoll,select,pselect6,futex,rt_sigtimedwait";
    let strace = Strace::attach(&pilot, &["-e", &format!("trace={waits}")]);
    wait_times(&pilot, "long timeout after", 3);
    wait_until(DEADLINE, || pilot.stdout().contains("crash ended quickly 8 times"), "pauses get long");
    let threads: Vec<String> = std::fs::read_dir(format!("/proc/{}/task", pilot.pid))
        .unwrap()
        .map(|entry| format!("{} ", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    pilot.stop();
    strace.finish();
    let ours = |line: &&str| threads.iter().any(|thread| line.starts_with(thread.as_str()));
    let calls = pilot.read("calls");
    let calls: Vec<&str> = calls.lines().filter(ours).collect();
    calls.join("\n")
}

/// Nothing here can shift the wall clock under one process: a time namespace has none of its own, faketime does not
/// reach a static binary, and `date -s` is everybody's. So this proves the cause, not the effect: what the program waits with
/// knows no wall clock, and nothing but the stamps of the log asks for it.
// Seen red with src/driver.rs:
//- let late = now.since(due);
//+ let late = now.since(due).max(std::time::SystemTime::now().elapsed().unwrap_or_default());
#[test]
fn f42_no_timer_knows_the_wall_clock() {
    let calls = calls_about_time();
    let timed = |name: &str, end: &str| calls.lines().filter(|line| line.contains(name) && line.contains(end)).count();
    assert!(timed("epoll_wait(", ", ") > 20, "it waits with a relative time: {calls}");
    assert!(!calls.contains("CLOCK_REALTIME"), "{calls}");

    let mut who = Vec::new();
    let mut dirs = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("SystemTime::now()") {
                let name = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
                who.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    who.sort();
    // The stamps of lines and events, metrics that are moments, and who is told of them or asks for them by one.
    let rooms = ["log/", "telemetry/", "kept/", "console/", "control/streams"];
    let files = ["driver/running.rs", "driver/observed.rs", "driver/views.rs"];
    let stamps = |name: &String| rooms.iter().any(|room| name.starts_with(room)) || files.contains(&name.as_str());
    assert!(who.iter().all(stamps), "only stamps ask for the wall clock: {who:?}");
}

/// How many starts there were in the second that begins with the one after this gap.
fn in_the_second_after(gaps: &[Duration], gap: usize) -> usize {
    let since = gaps.iter().skip(gap + 1).scan(Duration::ZERO, |since, gap| {
        *since += *gap;
        Some(*since)
    });
    1 + since.take_while(|since| *since <= Duration::from_secs(1)).count()
}

/// How many starts there were in the second that begins with the first one after the pause.
fn soon_after_the_pause(starts: &[Duration], pause: Duration) -> usize {
    let gaps = gaps(starts);
    in_the_second_after(&gaps, gaps.iter().position(|gap| *gap + Duration::from_secs(2) > pause).unwrap())
}

// Seen red with src/core/start.rs:
//- if next > turn.now { next } else { turn.now.after(period) }
//+ next
#[test]
fn f43_after_a_pause_there_is_one_tick_not_a_burst() {
    let group = Group::new("freezer");
    let pause = Duration::from_secs(6);
    let pilot = Launch::config(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "tick", exec: "true", when: { interval: "500ms" }, timeout: "5s" },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 20 } },
            { name: "work", exec: ["sleep", "2"], timeout: "4s", restarts: "unlimited" },
        ] }"#,
    )
    .setup(&group.enter())
    .zombie_grace(Duration::from_secs(9))
    .start();
    pilot.wait_stdout("well is healthy");
    let frozen = group.freeze();
    let before = [" tick.Run start", " check.well.Run start", "work timeout after"].map(|text| times(&pilot, text));
    let length = pilot.stdout().len();
    holds_for(pause, || pilot.stdout().len() == length, "nothing happens in a pause");
    drop(frozen);
    pilot.wait_stdout("late: this machine was paused, or has more to do than it can");
    wait_times(&pilot, " check.well.Run start", before[1] + 3);
    // The one that was due, and then the pace of before.
    assert!(soon_after_the_pause(&moments(&pilot, " tick.Run start"), pause) <= 4, "twelve were missed");
    assert!(soon_after_the_pause(&moments(&pilot, " check.well.Run start"), pause) <= 3, "six were missed");
    assert_eq!(times(&pilot, ": 4 skipped so far"), 0, "nor were they there and skipped");
    assert_eq!(times(&pilot, "well is unhealthy"), 0);
    assert!(times(&pilot, "work timeout after") <= before[2] + 1, "no run but that of the pause is killed for it");
    let runs = times(&pilot, " work.Run start");
    wait_times(&pilot, " work.Run start", runs + 1);
    assert!(times(&pilot, "work timeout after") <= before[2] + 1);
}

#[test]
fn f44_heartbeats_are_kept_when_the_processor_is_scarce() {
    // One processor for all, and a thirtieth of it for us: the spinner takes what there is.
    let mut pilot = Launch::config(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "spin", exec: ["nice", "-n", "-15", "sh", "-c", "while :; do :; done"] },
            { name: "well", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 6, timeout: "6s" } },
        ] }"#,
    )
    .prefix(&["taskset", "-c", &one_processor(), "nice", "-n", "15"])
    .zombie_grace(Duration::from_secs(5))
    .start();
    let spinner = pilot.wait_process("while :; do :; done").pid;
    for checks in 1..=6 {
        wait_times(&pilot, "check.well.Run start", checks);
    }
    let gaps = gaps(&moments(&pilot, " check.well.Run start"));
    assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(6)), "each within its time to live: {gaps:?}");
    let (spun, ours) = (cpu_time(spinner), pilot.cpu_time());
    assert!(ours < spun / 4, "it was scarce: {spun:?} for the spinner, {ours:?} for us");
    assert_eq!(times(&pilot, "unhealthy"), 0);
    assert_eq!(pilot.stop().0, 0);
}

// Seen red with src/core/start.rs:
//- if late > Duration::from_secs(1) {
//+ if late > Duration::from_secs(1000) {
#[test]
fn f44_a_late_timer_is_told() {
    let pilot = Launch::config(
        r#"{ consul: false, jobs: [
            { name: "well", exec: ["sleep", "1000"], port: 80, interfaces: "static:192.0.2.1",
              health: { exec: "true", interval: 1, ttl: 1 } },
        ] }"#,
    )
    .zombie_grace(Duration::from_secs(9))
    .start();
    pilot.wait_stdout("no longer than `health.interval`: Consul calls the job critical between two heartbeats");
    pilot.wait_stdout("well is healthy");
    pilot.signal(Signal::SIGSTOP);
    let_pass(Duration::from_millis(2500));
    pilot.signal(Signal::SIGCONT);
    pilot.wait_stdout("the health check of well was ");
    pilot.wait_stdout("s late: the machine or we were held up\n");
}

#[test]
fn f46_a_source_that_does_not_exist_is_told_and_refused_by_the_check() {
    let config = r#"{ consul: false, jobs: [
        { name: "database", exec: ["sleep", "1000"] },
        { name: "web", exec: ["sh", "-c", "echo web >> $LOG"], when: { source: "databse", once: "healthy" } },
    ] }"#;
    let mut pilot = Pilot::start(config);
    let told = "jobs[1].when.source: nothing is called `databse`: the job never starts";
    let near = r#"did you mean "database"?"#;
    pilot.wait_stdout(&format!("{told} ({near})"));
    pilot.wait_process("sleep 1000");
    let file = pilot.path("containerpilot.json5");
    let check = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(65));
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(said.contains(told) && said.contains(near), "{said}");
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.log(), [""; 0]);
}

#[test]
fn f46_an_event_and_the_end_of_the_wait_for_it_are_one_or_the_other() {
    let jobs = count(20, 200);
    let job = |n: usize| {
        format!(
            r#"{{ name: "job{n}x", exec: ["sh", "-c", "echo job{n}x >> $LOG"],
                  when: {{ source: "source", once: "exitSuccess", timeout: "{}ms" }} }},"#,
            500 + n % 20
        )
    };
    let config: String = (0..jobs).map(job).collect();
    let mut pilot = Pilot::start(&format!(
        r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [
            {{ name: "source", exec: ["sleep", "0.5"] }}, {config} ] }}"#
    ));
    assert_eq!(pilot.wait_exit(), 0);
    for n in 0..jobs {
        let name = format!("job{n}x");
        let expired = times(&pilot, &format!("event: {{TimerExpired {name}}}"));
        assert_eq!(pilot.logged(&name) + expired, 1, "{name}");
        assert_eq!(times(&pilot, &format!("event: {{Stopped {name}}}")), 1);
    }
}

// Seen red with src/core/start.rs:
//- if !self.starts_left {
//+ if false {
#[test]
fn f46_once_is_once_and_each_is_each_whoever_comes_first() {
    let pilot = Pilot::start(
        r#"{ consul: false, jobs: [
            { name: "source", exec: ["sh", "-c", "echo source >> $LOG"], restarts: 9 },
            { name: "each", exec: ["sh", "-c", "echo each >> $LOG"], when: { source: "source", each: "exitSuccess" } },
            { name: "once", exec: ["sh", "-c", "echo once >> $LOG"], when: { source: "source", once: "exitSuccess" } },
            { name: "main", exec: ["sleep", "1000"] },
        ] }"#,
    );
    pilot.wait_logged("each", 10);
    pilot.wait_log("once");
    let all = |pilot: &Pilot| ["source", "each", "once"].map(|line| pilot.logged(line));
    holds_for(Duration::from_millis(300), || all(&pilot) == [10, 10, 1], "ten events, ten runs, and one");
}
