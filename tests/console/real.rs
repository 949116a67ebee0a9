//! The verbs whose answer lasts or is the last one, against the real instance.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

use crate::stand_in::{command, start, told};
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
