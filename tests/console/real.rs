//! The verbs whose answer lasts or is the last one, against the real instance.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};
use std::time::Duration;

use crate::stand_in::{command, start, told};
use crate::support::wait::poll;
use crate::support::{DEADLINE, Launch, Pilot, Signal, wait_until};

const CONFIG: &str = r#"{
    control: { socket: "{{ .DIR }}/s" },
    stopTimeout: 2,
    jobs: [
        { name: "app", exec: ["sh", "-c", "trap 'echo bye; exit 3' TERM; echo hello; sleep 1000 & wait"],
          restarts: "unlimited" },
        { name: "more", exec: ["sleep", "1000"] },
    ],
}"#;

fn verb(pilot: &Pilot, line: &str) -> (i32, String, String) {
    let mut command = command(pilot.dir(), line);
    command.env("CONTAINERPILOT_SOCKET", pilot.path("s"));
    told(&command.output().unwrap())
}

/// Somebody who reads over our shoulder, as `logs -f` or `events -f`.
struct Follower {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn of(pilot: &Pilot, line: &str) -> Self {
        let mut command = command(pilot.dir(), line);
        command.env("CONTAINERPILOT_SOCKET", pilot.path("s"));
        let mut child = start(command);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line without its time.
    #[track_caller]
    fn next(&mut self) -> String {
        let line = self.lines.next().unwrap().unwrap();
        line.split_once("  ").unwrap().1.to_owned()
    }

    /// The lines up to the end, without their times, and what stood on standard error.
    fn end(self) -> (Vec<String>, i32, String) {
        let rest = self.lines.map(|line| line.unwrap().split_once("  ").unwrap().1.to_owned()).collect();
        let (code, _, stderr) = told(&self.child.wait_with_output().unwrap());
        (rest, code, stderr)
    }
}

#[test]
fn logs_are_followed_through_a_restart_and_a_reload_to_the_end_of_everything() {
    let mut pilot = Launch::config(CONFIG).start();
    pilot.wait_stdout("hello");
    let mut follower = Follower::of(&pilot, "logs -f app");
    assert_eq!(follower.next(), "hello");

    assert_eq!(verb(&pilot, "restart app").0, 0);
    assert_eq!((follower.next(), follower.next()), ("bye".to_owned(), "hello".to_owned()));

    // A job of another configuration under the same name goes on where the former ended.
    let changed = pilot.read("containerpilot.json5").replace("echo hello", "echo again");
    std::fs::write(pilot.path("containerpilot.json5"), changed).unwrap();
    let (code, stdout, stderr) = verb(&pilot, "reload");
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("1 restarted, 1 untouched"), "{stdout}");
    assert_eq!((follower.next(), follower.next()), ("bye".to_owned(), "again".to_owned()));

    let (code, stdout, stderr) = verb(&pilot, "shutdown");
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(follower.end(), (vec!["bye".to_owned()], 0, "the supervisor has ended\n".to_owned()));
    assert_eq!(pilot.wait_exit(), 0);
}

#[test]
fn all_that_is_kept_is_shown_and_who_pauses_for_long_reads_on() {
    let config = r#"{
        control: { socket: "{{ .DIR }}/s" },
        jobs: [{ name: "app", exec: ["perl", "-e",
            "$| = 1; my $x = 'x' x 200; print qq(line $_ \n) for 1..600; select(undef, undef, undef, 0.01) until -e '{{ .DIR }}/go'; \
             for ($_ = 601;; $_++) { print qq(line $_ $x\n); select(undef, undef, undef, 0.002) }"] }],
    }"#;
    let pilot = Launch::config(config).start();
    wait_until(DEADLINE, || verb(&pilot, "logs app").1.lines().count() > 500, "more than what is told by default");
    let first = verb(&pilot, "logs app").1.lines().next().unwrap().split_once("  ").unwrap().1.to_owned();
    assert_eq!(first, "line 1 ");
    std::fs::write(pilot.path("go"), "").unwrap();

    let mut follower = Follower::of(&pilot, "logs -f -n 1 app");
    let number = |line: &str| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    let begin = number(&follower.next());
    // Longer than the server waits for a reader, with more than the pipes between us hold.
    let held = |pilot: &Pilot| number(verb(pilot, "logs -n 1 app").1.split_once("  ").unwrap().1);
    wait_until(Duration::from_mins(2), || held(&pilot) > begin + 6000, "it goes on without us");
    let until = held(&pilot) + 100;
    let mut next = begin + 1;
    while next < until {
        let line = follower.lines.next().unwrap().unwrap();
        if let Some(lost) = line.strip_prefix("… ") {
            next += lost.split(' ').next().unwrap().parse::<u64>().unwrap();
            continue;
        }
        let found = number(line.split_once("  ").unwrap().1);
        assert_eq!(found, next, "{line}");
        next += 1;
    }
    verb(&pilot, "shutdown");
    drop(follower);
}

#[test]
fn a_follower_is_told_when_its_job_is_gone() {
    let pilot = Launch::config(CONFIG).start();
    pilot.wait_stdout("hello");
    let mut follower = Follower::of(&pilot, "logs -f app");
    assert_eq!(follower.next(), "hello");
    let without = r#"{ control: { socket: "{{ .DIR }}/s" }, jobs: [{ name: "more", exec: ["sleep", "1000"] }] }"#;
    std::fs::write(pilot.path("containerpilot.json5"), without).unwrap();
    assert_eq!(verb(&pilot, "reload").0, 0);
    let gone = "there is no job app any more: a reload has removed it\n";
    assert_eq!(follower.end(), (vec!["bye".to_owned()], 0, gone.to_owned()));
}

#[test]
fn a_start_that_comes_to_nothing_is_told_and_the_others_say_what_they_are_for() {
    let config = r#"{
        control: { socket: "{{ .DIR }}/s" }, 
        jobs: [
            { name: "app", exec: ["sleep", "1000"] },
            { name: "crash", exec: ["sh", "-c", "exit 3"], restarts: "unlimited", backoff: { free: 1, initial: "1h" } },
            { name: "once", exec: ["sh", "-c", "exit 4"], when: { source: "nothing", once: "healthy" } },
            { name: "missing", exec: "/no/such/program", when: { source: "SIGHUP" } },
            { name: "late", exec: ["sleep", "1000"], when: { source: "SIGHUP" } },
        ],
    }"#;
    let pilot = Launch::config(config).start();
    pilot.wait_stdout("crash ended quickly");
    for (job, end, how) in [
        ("crash", "ended after", "exit status 3"),
        ("once", "ended after", "exit status 4"),
        ("missing", "could not be started", "no such file"),
    ] {
        // A run that has not ended after half a second has begun well: then once more.
        let told = || Some(verb(&pilot, &format!("restart {job}"))).filter(|(code, ..)| *code == 1);
        let (_, stdout, stderr) = poll(DEADLINE, told).unwrap();
        assert_eq!(stdout, "", "{job}: {stderr}");
        let end = format!("the run that was asked for {end}");
        assert!(stderr.contains(&end) && stderr.contains(how), "{job}: {stderr}");
    }
    let (code, stdout, stderr) = verb(&pilot, "start late");
    assert!(code == 0 && stdout.starts_with("late: running for "), "{stdout}{stderr}");
    let events = verb(&pilot, "events").1;
    let start = |job: &str| {
        let of_job = events.lines().filter(|line| line.contains(&format!("  {job} ")) && line.contains("  start "));
        of_job.map(|line| line.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(start("app"), ["at the start"]);
    assert_eq!(start("late"), ["asked for"]);
    assert_eq!(start("crash").get(..3).unwrap(), ["at the start", "restart 1", "asked for"]);
}

#[test]
fn events_are_followed_to_the_end_of_everything() {
    let mut pilot = Launch::config(CONFIG).start();
    pilot.wait_stdout("hello");
    let mut follower = Follower::of(&pilot, "events -f");
    // Something that has happened before: from now on it follows.
    follower.next();
    wait_until(DEADLINE, || verb(&pilot, "stop more").0 == 0, "a job is stopped");
    pilot.signal(Signal::SIGTERM);
    let (events, code, stderr) = follower.end();
    assert_eq!((code, stderr.as_str()), (0, "the supervisor has ended\n"), "{events:?}");
    let told: Vec<Vec<&str>> = events.iter().map(|event| event.split_whitespace().take(2).collect()).collect();
    let at = |source, event| told.iter().position(|words| words[..] == [source, event]);
    assert!(at("more", "stopped").is_some(), "{events:?}");
    assert!(at("more", "stopped") < at("app", "stopping"), "{events:?}");
    assert!(at("app", "stopping") < at("app", "stopped"), "{events:?}");
    assert_eq!(pilot.wait_exit(), 0);
}
