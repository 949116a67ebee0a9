//! Rows 82–85: exit statuses, nothing to do, poor surroundings, addresses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::support::wait::holds_for;
use crate::support::{self, DEADLINE, Launch, Pilot, Signal, count, process, wait_until};

/// The exit status of a program that ends by itself.
#[track_caller]
fn ends_with(config: &str) -> i32 {
    let mut pilot = Pilot::start(config);
    pilot.wait_exit();
    pilot.finish()
}

/// The exit status after a stop, asked for when the ordered log says so.
#[track_caller]
fn stopped_with(config: &str, ready: &str) -> i32 {
    let mut pilot = Pilot::start(config);
    pilot.wait_log(ready);
    pilot.stop();
    pilot.finish()
}

/// A job that runs this script.
fn job(name: &str, script: &str, more: &str) -> String {
    format!("{{ name: '{name}', exec: ['sh', '-c', {script:?}], {more} }},")
}

fn config(jobs: &[String]) -> String {
    format!("{{ consul: false, stopTimeout: 1, jobs: [ {} ] }}", jobs.concat())
}

// Seen red with src/core/shutdown.rs:
//- ExitCodeRule::Truthful => main.or_else(first_failed).unwrap_or(0),
//+ ExitCodeRule::Truthful => 0,
#[test]
fn f82_a_job_s_end_is_told_by_the_exit_status() {
    for (script, status) in [
        ("exit 0", 0),
        ("exit 10", 10),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
        ("kill -SEGV $$", 139),
        ("kill -40 $$", 168),
    ] {
        assert_eq!(ends_with(&config(&[job("app", script, "")])), status, "{script}");
        assert_eq!(ends_with(&config(&[job("app", script, "main: true")])), status, "{script}");
    }
}

#[test]
fn f82_what_can_t_be_started_is_127_or_126() {
    let start = |exec: &str, main: &str| {
        let config = format!("{{ consul: false, jobs: [ {{ name: 'app', exec: ['{exec}'], {main} }} ] }}");
        let mut pilot = Launch::config(&config).setup("touch $DIR/plain; mkdir $DIR/directory").start();
        pilot.wait_exit();
        pilot.finish()
    };
    for main in ["", "main: true"] {
        assert_eq!(start("/nowhere/app", main), 127);
        assert_eq!(start("no-such-program", main), 127);
        assert_eq!(start("./plain", main), 126);
        assert_eq!(start("./directory", main), 126);
    }
}

#[test]
fn f82_without_a_main_job_the_first_failed_one_in_the_file_counts() {
    let fast = job("fast", "exit 4", "");
    let slow = job("slow", "sleep 0.3; exit 3", "");
    let good = job("good", "exit 0", "");
    assert_eq!(ends_with(&config(&[good.clone(), slow.clone(), fast.clone()])), 3);
    assert_eq!(ends_with(&config(&[good, fast, slow])), 4);
    // The last run counts.
    let script = "test -e again && exit 0; touch again; exit 5";
    assert_eq!(ends_with(&config(&[job("recovers", script, "restarts: 1")])), 0);
    let script = "test -e again && exit 5; touch again; exit 0";
    assert_eq!(ends_with(&config(&[job("breaks", script, "restarts: 1")])), 5);
    // What a health check says is no job's end.
    let checked = "health: { exec: 'false', interval: 1, ttl: 5 }";
    assert_eq!(ends_with(&config(&[job("checked", "sleep 1.5", checked)])), 0);
}

#[test]
fn f82_a_main_job_s_status_counts_alone() {
    let other = job("other", "exit 3", "");
    assert_eq!(ends_with(&config(&[other.clone(), job("app", "exit 7", "main: true")])), 7);
    assert_eq!(ends_with(&config(&[other, job("app", "exit 0", "main: true")])), 0);
}

#[test]
fn f82_after_a_stop_the_status_is_0_or_the_main_job_s() {
    // A shell acts on a signal when its child is gone, and the whole group gets it.
    let polite = |code: i32| format!("trap 'exit {code}' TERM; echo ready >> $LOG; while :; do sleep 0.1; done");
    let plain = "echo ready >> $LOG; exec sleep 1000";
    let stubborn = "trap '' TERM; echo ready >> $LOG; while :; do sleep 0.1; done";
    for (script, main, status) in [
        (&*polite(5), "", 0),
        (&*polite(5), "main: true", 5),
        (&*polite(0), "main: true", 0),
        (plain, "", 0),
        (plain, "main: true", 143),
        (stubborn, "", 0),
        (stubborn, "main: true", 137),
    ] {
        let config = config(&[job("app", script, main)]);
        let config = if script == stubborn { config } else { config.replace("stopTimeout: 1", "stopTimeout: 20") };
        assert_eq!(stopped_with(&config, "ready"), status, "{script} {main}");
    }
    // What had failed before counts only if we end by ourselves.
    let failed = job("failed", "exit 3", "");
    assert_eq!(stopped_with(&config(&[failed, job("app", plain, "")]), "ready"), 0);
}

#[test]
fn f82_a_status_can_be_overridden_or_always_be_0() {
    let zero = |jobs: &[String]| format!("{{ consul: false, exitCode: 'zero', jobs: [ {} ] }}", jobs.concat());
    assert_eq!(ends_with(&zero(&[job("app", "exit 10", "")])), 0);
    assert_eq!(ends_with(&zero(&[job("app", "kill -KILL $$", "main: true")])), 0);
    // A last word after the main job.
    let after = |code: i32| {
        job("after", &format!("exit {code}"), "exitCode: 'override', when: { source: 'app', once: 'stopped' }")
    };
    let app = job("app", "echo ready >> $LOG; exec sleep 1000", "main: true");
    assert_eq!(stopped_with(&config(&[app.clone(), after(21)]), "ready"), 21);
    assert_eq!(stopped_with(&config(&[app, after(0)]), "ready"), 0);
    assert_eq!(ends_with(&config(&[job("app", "exit 7", "main: true"), after(0)])), 0);
    assert_eq!(ends_with(&zero(&[job("app", "exit 7", "main: true"), after(22)])), 22);
}

#[test]
fn f82_a_second_stop_cuts_the_grace_and_tells_the_truth() {
    let stubborn = "trap '' TERM INT; echo ready >> $LOG; while :; do sleep 0.1; done";
    for (first, second) in [(Signal::SIGTERM, Signal::SIGTERM), (Signal::SIGINT, Signal::SIGTERM)] {
        for (main, status) in [("main: true", 137), ("", 0)] {
            let jobs = job("app", stubborn, main);
            let mut pilot = Pilot::start(&format!("{{ consul: false, stopTimeout: 600, jobs: [ {jobs} ] }}"));
            pilot.wait_log("ready");
            pilot.signal(first);
            pilot.wait_stdout("stopping on ");
            pilot.signal(second);
            assert_eq!(pilot.wait_exit(), status, "{first}, {second}, {main}");
            pilot.wait_stdout("again: killing what is left");
            pilot.finish();
        }
    }
}

#[test]
fn f82_bad_configurations_and_command_lines_have_statuses_of_their_own() {
    for (config, status) in [("{", 65), ("{ jobs: [ { name: 'app' }, 5 ] }", 65), ("{{ nothing }}", 65)] {
        assert_eq!(ends_with(config), status, "{config}");
    }
    // A log file that can't be opened is seen before anything is started.
    let nowhere = "{ consul: false, logging: { output: '/nowhere/app.log' }, jobs: [ { name: 'app', exec: 'true' } ] }";
    assert_eq!(ends_with(nowhere), 65);
    for args in [&[][..], &["-config"], &["-nonsense"], &["-maintenance", "typo"], &["-version=maybe"], &["config"]] {
        let mut pilot = Launch::default().args(args).start();
        assert_eq!(pilot.wait_exit(), 2, "{args:?}: {}", pilot.stderr());
        assert_eq!(pilot.stdout(), "");
        assert_ne!(pilot.stderr(), "");
        pilot.finish();
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut pilot = Launch::default().args(&["-version"]).stdout(full).start();
    assert_eq!(pilot.wait_exit(), 1, "an answer that can't be given");
    pilot.finish();
    for args in [&["-version"][..], &["-help"], &["config", "--help"]] {
        assert_eq!(support::run(args).status.code(), Some(0), "{args:?}");
    }
}

// Seen red with src/core/shutdown.rs:
//- let nothing_to_do = self.jobs().next().is_none() && !self.ledger.stopping;
//+ let nothing_to_do = false;
#[test]
fn f83_without_jobs_it_warns_and_waits_for_a_stop() {
    for config in ["{}", "{ jobs: [] }", "{ consul: false, jobs: null }"] {
        let mut pilot = Pilot::start(config);
        pilot.wait_stdout("there are no jobs: nothing to do but wait for a signal to stop");
        holds_for(Duration::from_millis(300), || pilot.try_exit().is_none(), "it stays");
        let (code, took) = pilot.stop();
        assert_eq!(code, 0, "{config}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        pilot.finish();
    }
}

#[test]
fn f83_when_all_jobs_are_complete_it_ends() {
    for _ in 0..count(5, 100) {
        // Many that end at the same time, some of them for the second time, and one that starts on another's end.
        let mut jobs: Vec<String> =
            (0..50).map(|n| job(&format!("job{n}"), "exit 0", &format!("restarts: {}", n % 3))).collect();
        jobs.push(job("after", "echo after >> $LOG", "when: { source: 'job7', once: 'stopped' }"));
        let mut pilot = Pilot::start(&config(&jobs));
        assert_eq!(pilot.wait_exit(), 0);
        assert_eq!(pilot.log(), ["after"]);
        pilot.finish();
    }
}

#[test]
fn f83_a_job_that_comes_again_keeps_it_alive() {
    let periodic = job("again", "echo ran >> $LOG", "when: { interval: '100ms' }");
    let waiting = job("waiting", "exit 1", "when: { source: 'again', once: 'unhealthy' }");
    for jobs in [&[periodic.clone()][..], &[periodic, waiting, job("short", "exit 0", "")]] {
        let mut pilot = Pilot::start(&config(jobs));
        pilot.wait_logged("ran", 10);
        let (code, took) = pilot.stop();
        assert_eq!(code, 0);
        assert!(took < Duration::from_secs(5), "{took:?}");
        pilot.finish();
    }
}

/// Jobs that show the work: one with a check and a periodic one, one that daemonises, one that fails.
const WORK: &str = r#"{ consul: false, stopTimeout: 20, logging: { level: "DEBUG" }, jobs: [
    { name: "app", exec: ["sleep", "1000"],
      health: { exec: ["sh", "-c", "echo check >> $LOG"], interval: 1, ttl: 5 } },
    { name: "tick", exec: ["sh", "-c", "echo tick >> $LOG"], when: { interval: "100ms" } },
    { name: "daemon", exec: ["sh", "-c", "sleep 2000 & exit 0"] },
    { name: "away", exec: ["sh", "-c",
        "setsid sh -c 'echo away >> $LOG; exec sleep 3000' & until grep -q away $LOG; do sleep 0.05; done"] },
    { name: "slow", exec: ["sleep", "4000"], timeout: "200ms" },
    { name: "failing", exec: ["sh", "-c", "echo some words; exit 3"], restarts: 2 },
] }"#;

/// In these surroundings jobs are started, checked, timed out, logged and stopped; children have descriptors 0 to 2
/// only; nobody is left.
#[track_caller]
fn works(pilot: Pilot) {
    pilot.wait_log("away");
    wait_until(DEADLINE, || pilot.find("sleep 2000").is_empty(), "the rest of the daemon's group is ended");
    lives_and_stops(pilot);
}

#[track_caller]
fn lives_and_stops(mut pilot: Pilot) {
    pilot.wait_logged("tick", 5);
    pilot.wait_logged("check", 2);
    for words in [" some words", "failing exited with error: exit status 3", "slow exited with error: signal: killed"] {
        pilot.wait_stdout(words);
    }
    let app = pilot.wait_process("sleep 1000");
    let open: BTreeSet<i32> = process::descriptors(app.pid).into_iter().map(|descriptor| descriptor.number).collect();
    assert_eq!(open, BTreeSet::from([0, 1, 2]));
    wait_until(DEADLINE, || pilot.find("sleep 3000").len() == pilot.logged("away"), "one stray for each");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(15), "{took:?}");
    let output = pilot.stdout() + &pilot.stderr();
    assert!(!output.contains("panicked") && !output.contains("internal error"));
    pilot.finish();
}

/// A descriptor of whoever started us, which is not for the children.
const INHERITED: &str = "exec 7< /dev/zero";

/// Takes away the namespace's own and what it was mounted over.
const NO_PROC: &str = "while umount -l /proc 2> /dev/null; do :; done; test ! -e /proc/self || exit 1";

#[test]
fn f84_it_works_without_proc() {
    works(Launch::config(WORK).setup(INHERITED).setup(NO_PROC).start());
}

#[test]
fn f84_it_works_on_a_read_only_root() {
    let setup = "mount --bind $DIR $DIR && mount -o remount,bind,ro / && mount -o remount,ro /run
        cd $DIR
        ! touch /x /run/x 2> /dev/null || exit 1";
    works(Launch::config(WORK).setup(INHERITED).setup(setup).start());
}

#[test]
fn f84_it_works_as_a_user_that_nobody_knows() {
    let user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--no-new-privs", "--inh-caps=-all"];
    // The binary may lie where only root comes to.
    let setup = format!("cp {} $DIR/containerpilot; chmod 755 $DIR; chmod 666 $LOG", support::BINARY);
    let launch = Launch::program("containerpilot", &["-config", "containerpilot.json5"]);
    let launch = launch.prefix(&user).prefix(&["env", "PATH=/usr/bin:/bin:."]);
    works(with_work(launch).setup(&setup).start());
}

/// The configuration for a program that isn't at its usual place.
fn with_work(launch: Launch) -> Launch {
    launch.setup(&format!("cat > $DIR/containerpilot.json5 <<'END'\n{WORK}\nEND"))
}

/// A filter for system calls, as a container engine's profile: these calls fail with this error.
fn seccomp(calls: &[i64], error: i32) -> Vec<String> {
    // Load the number; for each call jump to the error if it is that; allow; the error.
    let mut filter = String::from("pack('SCCL', 0x20, 0, 0, 0)");
    for (place, call) in calls.iter().enumerate() {
        write!(filter, ".pack('SCCL', 0x15, {}, 0, {call})", calls.len() - place).unwrap();
    }
    let (allow, refuse) = (0x7fff_0000_u32, 0x0005_0000_u32 | u32::try_from(error).unwrap());
    write!(filter, ".pack('SCCL', 6, 0, 0, {allow}).pack('SCCL', 6, 0, 0, {refuse})").unwrap();
    let perl = format!(
        "$f = {filter}; $p = pack('SxxxxxxP', length($f) / 8, $f);
        syscall({}, {}, 1, 0, 0, 0) == 0 or die \"prctl: $!\";
        syscall({}, 1, 0, $p) == 0 or die \"seccomp: $!\";
        exec @ARGV or die $!",
        libc::SYS_prctl,
        libc::PR_SET_NO_NEW_PRIVS,
        libc::SYS_seccomp,
    );
    vec!["perl".to_owned(), "-e".to_owned(), perl, "--".to_owned()]
}

// Seen red with src/process/sys.rs:
//- for fd in listed.unwrap_or_else(|| (3..1024).collect()).into_iter().filter(|fd| *fd > 2) {
//+ for fd in listed.unwrap_or_default().into_iter().filter(|fd| *fd > 2) {
#[test]
fn f84_it_works_where_newer_system_calls_are_unknown_or_forbidden() {
    let newer = [libc::SYS_close_range, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_openat2];
    let unknown =
        [&newer[..], &[libc::SYS_clone3, libc::SYS_statx, libc::SYS_faccessat2, libc::SYS_epoll_pwait2]].concat();
    for (calls, error) in [(&unknown[..], libc::ENOSYS), (&newer, libc::EPERM)] {
        let prefix = seccomp(calls, error);
        let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let launch = || Launch::config(WORK).setup(INHERITED).prefix(&prefix);
        let pilot = launch().start();
        assert_eq!(process::status_field(pilot.pid, "Seccomp").as_deref(), Some("2"), "the filter is not in force");
        works(pilot);
        // And without the list of descriptors that replaces the first of them.
        works(launch().setup(NO_PROC).start());
    }
}

// Seen red with src/process/clone.rs:
//- if shared.shares_still.load(Ordering::Relaxed) {
//+ if false {
#[test]
fn f84_it_works_with_many_descriptors_where_a_child_can_only_have_them_all() {
    for error in [libc::ENOSYS, libc::EPERM] {
        let prefix = seccomp(&[libc::SYS_close_range], error);
        let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let many = "for n in {20..60}; do eval \"exec $n< /dev/zero\"; done";
        works(Launch::config(WORK).setup(many).prefix(&prefix).start());
    }
}

#[test]
fn f84_it_works_in_an_empty_root_with_nothing_but_a_shell() {
    // No /proc, /dev, /etc, /tmp, /run: the program, its configuration, busybox, and files for what is logged.
    let setup = format!(
        "mkdir $DIR/root && cp {} $DIR/root/containerpilot && cp $(type -P busybox) $DIR/root/busybox
        ln $DIR/log $DIR/root/log
        cat > $DIR/root/app.json5 <<'END'\n{}\nEND",
        support::BINARY,
        r#"{ consul: false, stopTimeout: 20, logging: { level: "DEBUG" }, jobs: [
            { name: "app", exec: ["/busybox", "sleep", "1000"],
              health: { exec: ["/busybox", "sh", "-c", "echo check >> $LOG"], interval: 1, ttl: 5 } },
            { name: "tick", exec: ["/busybox", "sh", "-c", "echo tick >> $LOG"], when: { interval: "100ms" } },
            { name: "slow", exec: ["/busybox", "sleep", "4000"], timeout: "200ms" },
            { name: "failing", exec: ["/busybox", "sh", "-c", "echo some words; exit 3"], restarts: 2 },
        ] }"#
    );
    // The shell's name: its first argument is the applet.
    let launch = Launch::program("/containerpilot", &["-config", "/app.json5"]).setup(&setup).prefix(&[
        "sh",
        "-c",
        "exec chroot $DIR/root /containerpilot -config /app.json5",
    ]);
    lives_and_stops(launch.env("LOG", "/log").start());
}

#[test]
fn f84_an_empty_root_without_anything_still_says_what_is_wrong() {
    let setup = format!(
        "mkdir $DIR/root && cp {} $DIR/root/containerpilot
        echo \"{{ consul: false, jobs: [ {{ name: 'app', exec: 'sh' }} ] }}\" > $DIR/root/app.json5",
        support::BINARY
    );
    let mut pilot = Launch::program("/containerpilot", &[])
        .setup(&setup)
        .prefix(&["sh", "-c", "exec chroot $DIR/root /containerpilot -config /app.json5"])
        .start();
    assert_eq!(pilot.wait_exit(), 127);
    pilot.wait_stdout("unable to start app: ");
    pilot.finish();
}

/// A network of these interfaces: name and addresses. The other ends of the pairs have names that sort last.
fn network(interfaces: &[(&str, &[&str])]) -> Launch {
    let mut batch = String::new();
    for (index, (name, addresses)) in interfaces.iter().enumerate() {
        if *name != "lo" {
            writeln!(batch, "link add {name} type veth peer name zz{index}").unwrap();
            writeln!(batch, "link set {name} addrgenmode none\nlink set zz{index} addrgenmode none").unwrap();
            writeln!(batch, "link set {name} up\nlink set zz{index} up").unwrap();
        }
        for address in *addresses {
            // Without looking for duplicates, which would take time.
            let nodad = if address.contains(':') { "nodad" } else { "" };
            writeln!(batch, "addr add {address} dev {name} {nodad}").unwrap();
        }
    }
    Launch::default()
        .args(&["-config", "/dev/null"])
        .own_network()
        .setup(&format!("ip -batch - <<'END' || exit 1\n{batch}END"))
}

/// What each of these jobs is told that its address is: `interfaces` as the file has it, and the address.
#[track_caller]
fn chosen(launch: Launch, wanted: &[(&str, &str)]) {
    let mut jobs = String::new();
    for (index, (interfaces, _)) in wanted.iter().enumerate() {
        let script = format!("echo {index} $CONTAINERPILOT_JOB{index}_IP >> $LOG");
        let interfaces = if interfaces.is_empty() { String::new() } else { format!("interfaces: {interfaces},") };
        writeln!(
            jobs,
            "{{ name: 'job{index}', port: {}, {interfaces} exec: ['sh', '-c', '{script}'],
               health: {{ exec: 'true', interval: 1, ttl: 5 }} }},",
            8000 + index
        )
        .unwrap();
    }
    let config = format!("{{ consul: false, jobs: [ {jobs} ] }}");
    let launch = launch.setup(&format!("cat > containerpilot.json5 <<'END'\n{config}\nEND"));
    let mut pilot = launch.args(&["-config", "containerpilot.json5"]).start();
    assert_eq!(pilot.wait_exit(), 0, "{}", pilot.stderr());
    for (index, (interfaces, address)) in wanted.iter().enumerate() {
        assert_eq!(pilot.logged(&format!("{index} {address}")), 1, "{interfaces}: not {address}: {:?}", pilot.log());
    }
    pilot.finish();
}

// Seen red with src/config/interfaces.rs:
//- sort(&mut sorted);
//+
#[test]
fn f85_addresses_are_chosen_in_the_order_of_the_specifications_then_of_names_and_addresses() {
    let launch = network(&[
        ("lo", &["10.9.0.1/32", "::2/128"]),
        ("eth2", &["10.2.0.2/24", "fd00:2::2/64"]),
        ("eth10", &["10.10.0.1/24"]),
        ("eth0", &["192.168.1.100/24", "10.0.0.9/24", "9.0.0.10/8", "fd00::1/64"]),
        ("en_p0", &["198.51.100.4/24"]),
        ("eth0.100", &["192.0.2.100/24"]),
        ("br-12ab", &["172.18.0.1/16"]),
    ]);
    chosen(
        launch,
        &[
            ("", "9.0.0.10"),
            ("'eth0'", "9.0.0.10"),
            ("['eth0:inet6']", "fd00::1"),
            ("['eth0[1]']", "10.0.0.9"),
            ("['eth0[3]']", "fd00::1"),
            ("['eth7', 'eth2', 'eth0']", "10.2.0.2"),
            ("['eth2:inet6', 'eth0']", "fd00:2::2"),
            ("'en_p0'", "198.51.100.4"),
            // Names that no specification can spell are found by their network.
            ("'192.0.2.0/24'", "192.0.2.100"),
            ("'172.16.0.0/12'", "172.18.0.1"),
            ("'10.0.0.0/8'", "10.0.0.9"),
            ("'fd00::/16'", "fd00::1"),
            ("['lo']", "10.9.0.1"),
            // The first by name: a bridge.
            ("'inet'", "172.18.0.1"),
            ("'inet6'", "fd00::1"),
            ("['static:203.0.113.7']", "203.0.113.7"),
        ],
    );
}

#[test]
fn f85_ipv6_alone_is_enough_for_who_asks_for_it() {
    let only_v6 = || network(&[("eth0", &["2001:db8::1/64", "fe80::aa/64"])]);
    chosen(
        only_v6(),
        &[("'inet6'", "2001:db8::1"), ("'eth0:inet6'", "2001:db8::1"), ("['inet', 'inet6']", "2001:db8::1")],
    );
    let said = refused(only_v6(), "");
    assert!(said.contains("no address of this machine can be advertised"), "{said}");
    assert!(said.contains("it has: eth0 2001:db8::1, eth0 fe80::aa, lo ::1, lo 127.0.0.1"), "{said}");
}

/// What is said when no address can be chosen.
#[track_caller]
fn refused(launch: Launch, interfaces: &str) -> String {
    let config = format!(
        "{{ consul: false, jobs: [ {{ name: 'app', port: 80, exec: 'true', {interfaces}
            health: {{ exec: 'true', interval: 1, ttl: 5 }} }} ] }}"
    );
    let launch = launch.setup(&format!("cat > containerpilot.json5 <<'END'\n{config}\nEND"));
    let mut pilot = launch.args(&["-config", "containerpilot.json5"]).start();
    assert_eq!(pilot.wait_exit(), 65);
    let said = pilot.stderr();
    pilot.finish();
    said
}

#[test]
fn f85_when_nothing_matches_the_error_lists_what_there_is() {
    let launch = || network(&[("eth1", &["10.1.0.1/24"]), ("eth0.100", &["192.0.2.100/24"])]);
    let said = refused(launch(), "interfaces: ['eth7', '203.0.113.0/24', 'eth1:inet6'],");
    for words in [
        "jobs[0].interfaces: no address of this machine matches ['eth7', '203.0.113.0/24', 'eth1:inet6']\n",
        "it has: eth0.100 192.0.2.100, eth1 10.1.0.1, lo ::1, lo 127.0.0.1\n",
    ] {
        assert!(said.contains(words), "{words} is not in:\n{said}");
    }
    // A name with a dot can't be spelt, and that is another error.
    let said = refused(launch(), "interfaces: 'eth0.100',");
    assert!(said.contains("no way to name an address, found 'eth0.100'"), "{said}");
}

#[test]
fn f85_two_hundred_interfaces_are_no_problem() {
    let names: Vec<String> = (0..100).map(|n| format!("net{n}")).collect();
    let addresses: Vec<String> = (0..100).map(|n| format!("10.1.{n}.1/24")).collect();
    let addresses: Vec<[&str; 1]> = addresses.iter().map(|address| [address.as_str()]).collect();
    let interfaces: Vec<(&str, &[&str])> = names.iter().zip(&addresses).map(|(n, a)| (n.as_str(), &a[..])).collect();
    chosen(
        network(&interfaces),
        &[
            ("'net57'", "10.1.57.1"),
            ("'10.1.99.0/24'", "10.1.99.1"),
            ("['eth0', 'net5']", "10.1.5.1"),
            ("", "10.1.0.1"),
        ],
    );
}

#[test]
fn f85_an_address_that_comes_late_is_found_by_the_next_start() {
    let late = |wait: &str| {
        let launch = network(&[("eth0", &[])]);
        launch.setup(wait)
    };
    let said = refused(late(""), "interfaces: 'eth0',");
    assert!(said.contains("no address of this machine matches 'eth0'") && said.contains("it has: lo ::1"), "{said}");
    chosen(late("ip addr add 10.7.0.1/24 dev eth0"), &[("'eth0'", "10.7.0.1")]);
}
