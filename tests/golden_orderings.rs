//! Every case of `golden/orderings.json`: what the original's jobs wrote in which order, and how it ended, against the
//! real binary as PID 1. The meaning of the fields is told in the vectors' README.
//!
//! The cases run side by side, since they mostly wait. An action comes at its time but never before the lines that it
//! must find, so that a slow machine delays a case instead of failing it. That lines come late is a failure all the same
//! where a [`Canary`] says that the machine has time.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: it looks at the clock, and fails by panicking"
)]

mod support;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use support::held::Held;
use support::{DEADLINE, Launch, Pilot, Signal, wait};

/// How many cases run at a time.
const AT_A_TIME: usize = 10;

/// How long an action waits beyond its time for the lines that it must find. When they don't come, it is carried out all
/// the same, and the comparison tells what is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is watched where it runs on and the original did not.
const WATCHED: Duration = Duration::from_secs(4);

/// Later than this no action may be on a machine that has time. Row 6's next run would come 500 ms after the action.
const LATE: Duration = Duration::from_millis(400);

/// A machine that needs longer to run a shell, on average, has no time: single processes wait for a second or two there.
/// Otherwise it takes some 3 ms.
const BUSY: Duration = Duration::from_millis(8);

/// A shell that took so much longer than others shows that the machine stood still for some.
const STALL: Duration = Duration::from_millis(50);

/// How often it is looked whether the kernel holds a process.
const HELD: Duration = Duration::from_millis(200);

/// What we do where the original did something else.
struct Ours {
    /// The row of the table in design §4.
    row: u32,
    case: &'static str,
    /// Our exit status (design §5).
    status: i32,
    lines: OurLines,
    /// It does not end, where the original's did.
    runs_on: bool,
    /// What the program says about it.
    says: &'static str,
}

enum OurLines {
    /// The original's.
    Same,
    /// One of these, line by line. An action waits for the first one's.
    OneOf(&'static [&'static [&'static str]]),
    /// The original's set, with these pairs instead of its own.
    Before(&'static [(&'static str, &'static str)]),
}

/// Row 1: the lines are the original's, the exit status is that of the first job in the file whose final run failed.
const fn status(case: &'static str, status: i32, says: &'static str) -> Ours {
    Ours { row: 1, case, status, lines: OurLines::Same, runs_on: false, says }
}

/// Another row: everything else differs, and the status is that of a requested stop.
const fn lines(row: u32, case: &'static str, lines: OurLines, says: &'static str) -> Ours {
    Ours { row, case, status: 0, lines, runs_on: false, says }
}

/// Row 11: a file that can't be used is refused, and everything goes on.
const fn goes_on(case: &'static str) -> Ours {
    Ours { row: 11, case, status: 0, lines: OurLines::OneOf(&[&["main-start"]]), runs_on: true, says: "" }
}

const OURS: [Ours; 22] = [
    status("a failing job: exit status 0 all the same", 3, "all jobs are complete: a (3); exit 3"),
    status("a missing program: exit status 0 all the same", 127, "all jobs are complete: a (127); exit 127"),
    status("a job killed by a signal: exit status 0 all the same", 128 + 9, "all jobs are complete: a (137); exit 137"),
    status("restarts \"2\" of a failing job: three runs", 1, "all jobs are complete: a (1); exit 1"),
    status("b after a failed", 1, "all jobs are complete: a (1), b (0); exit 1"),
    status("a missing program counts as a failed exit", 127, "all jobs are complete: a (127), b (0); exit 127"),
    // A timeout kills, so the status is a killed process's.
    status("timeout kills the run; that counts as failed", 128 + 9, "all jobs are complete: a (137), b (0); exit 137"),
    status("timeout kills the whole group", 128 + 9, "all jobs are complete: a (137), b (0); exit 137"),
    status("timeout with restarts 1", 128 + 9, "all jobs are complete: a (137); exit 137"),
    status("the error event carries the text as its source", 3, "all jobs are complete: a (3), b (0); exit 3"),
    // All dependents are waited for, not only the last one in the file.
    lines(
        3,
        "TERM: two pre-stop jobs, the last one in the file is waited for",
        OurLines::Before(&[
            ("main-start#1", "pre1-start#1"),
            ("main-start#1", "pre2-start#1"),
            ("pre2-end#1", "pre1-end#1"),
            ("pre1-end#1", "main-term#1"),
        ]),
        "",
    ),
    // The job's stopTimeout bounds the wait.
    lines(
        3,
        "TERM: job stopTimeout does not cut a pre-stop job short",
        OurLines::OneOf(&[&["main-start", "pre-start", "main-term"]]),
        "main has waited its stopTimeout of 300ms for pre: stopping all of them now",
    ),
    // A job whose source will never stop is stopped at once.
    lines(
        3,
        "TERM: a pre-stop job of a job that does not exist keeps the program alive",
        OurLines::OneOf(&[&["main-start", "main-term"]]),
        "stopped: main (0); exit 0",
    ),
    lines(3, "no jobs at all: TERM does not stop it", OurLines::OneOf(&[&[]]), "stopped: nothing ran; exit 0"),
    // `stopped` means dead.
    lines(
        4,
        "TERM: stopped comes before the process is dead",
        OurLines::OneOf(&[&["main-start", "main-term", "post"]]),
        "",
    ),
    // The first run and five restarts at once, then after 100, 200 and 400 ms; the next were at 1.5 s.
    lines(
        6,
        "restarts unlimited, fast runs: no pause between them",
        OurLines::OneOf(&[&["a"; 9]]),
        "a ended quickly 6 times in a row (exit status 0): next start in 100ms",
    ),
    // What is not changed keeps its process.
    lines(
        11,
        "reload starts everything anew",
        OurLines::OneOf(&[&["a", "main-start", "main-term"], &["main-start", "a", "main-term"]]),
        "",
    ),
    lines(11, "reload runs pre-stop jobs", OurLines::OneOf(&[&["main-start", "pre", "main-term"]]), ""),
    goes_on("a reload request with a broken file ends the program with status 0"),
    goes_on("a reload request with a missing file ends the program with status 0"),
    lines(12, "USR1 is ignored when no log file is used", OurLines::Same, "maintenance on: checks are paused"),
    // TERM and KILL reach the main job together: it is left to the kernel whether its trap still writes.
    lines(
        22,
        "TERM: a second TERM ends a pre-stop job that is running",
        OurLines::OneOf(&[&["main-start", "pre-start"], &["main-start", "pre-start", "main-term"]]),
        "SIGTERM again: killing what is left",
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    config: String,
    actions: Vec<Action>,
    exit: Option<i32>,
    #[serde(default)]
    still_running: bool,
    watched_s: Option<f64>,
    lines: Option<Vec<String>>,
    set: Option<BTreeMap<String, usize>>,
    #[serde(default)]
    before: Vec<(String, String)>,
    lines_at_least: Option<BTreeMap<String, usize>>,
    differs: Option<u32>,
}

#[derive(Deserialize)]
struct Action {
    at_s: f64,
    /// `signal`, `config`, `replace`, `remove`, `run` with `status`, or `post`.
    #[serde(flatten)]
    what: BTreeMap<String, Value>,
}

impl Case {
    fn ours(&self) -> Option<&'static Ours> {
        OURS.iter().find(|ours| ours.case == self.name)
    }

    /// Runs it; gives what is wrong, and with it what the program wrote.
    fn run(&self, start: &Mutex<()>, canary: &Canary) -> Result<(), String> {
        let mut pilot = {
            // One after the other: ten starts at once would be late, all of them.
            let _turn = start.lock().unwrap();
            Launch::config(&self.config).env("SOCKET", "control.socket").start()
        };
        let begin = Instant::now();
        let mut wrong = Vec::new();
        for (index, action) in self.actions.iter().enumerate() {
            let late = self.wait_for_its_time(index, action, begin, &pilot);
            if late > LATE && canary.mean_since(begin) < BUSY {
                wrong.push(format!("the lines before the action at {} s came {late:?} late", action.at_s));
            }
            if let Err(gone) = self.act(action, &mut pilot) {
                wrong.push(gone);
                return Err(self.report(&wrong, &pilot));
            }
        }

        let runs_on = self.ours().map_or(self.still_running, |ours| ours.runs_on);
        let watched = runs_on.then(|| self.watched_s.map_or(WATCHED, Duration::from_secs_f64));
        let deadline = watched.map_or(DEADLINE, |watched| watched.saturating_sub(begin.elapsed()));
        let ended = wait::poll(deadline, || pilot.try_exit());
        let status = self.ours().map_or(0, |ours| ours.status);
        match (ended, runs_on) {
            (Some(code), true) => wrong.push(format!("it ended, with exit status {code}, instead of running on")),
            (None, false) => wrong.push(format!("it still runs after {deadline:?}: {:?}", pilot.processes())),
            (Some(code), false) if code != status => wrong.push(format!("exit status {code} instead of {status}")),
            _ => {}
        }
        wrong.extend(self.wrong_lines(&pilot.log()));
        let says = self.ours().map_or("", |ours| ours.says);
        if !pilot.stdout().contains(says) {
            wrong.push(format!("it does not say {says:?}"));
        }
        let report = self.report(&wrong, &pilot);
        // Fails where it does not even stop.
        let left = match catch_unwind(AssertUnwindSafe(|| pilot.finish_and_tell())) {
            Ok((_, left)) => left,
            Err(panic) => vec![words_of(&*panic)],
        };
        match (wrong.is_empty(), left.is_empty()) {
            (true, true) => Ok(()),
            (_, true) => Err(report),
            (..) => Err(format!("{report}  at its end: {}\n", left.join("; "))),
        }
    }

    /// Gives how much later than its time the action is.
    fn wait_for_its_time(&self, index: usize, action: &Action, begin: Instant, pilot: &Pilot) -> Duration {
        let at = Duration::from_secs_f64(action.at_s);
        let found = self.lines_before(index);
        let come = || begin.elapsed() >= at && pilot.log().len() >= found;
        let _ = wait::poll(at + PATIENCE, || come().then_some(()));
        begin.elapsed().saturating_sub(at)
    }

    /// How many lines an action must find. The last one finds all but those that it causes, which is a stop; those
    /// before it find the first line.
    fn lines_before(&self, index: usize) -> usize {
        let is_stop = |action: &Action| action.what.get("signal").is_some_and(|signal| signal == "TERM");
        let stopping = self.actions.iter().take(index).any(is_stop);
        let still_to_come =
            |line: &str| line.ends_with("-term") || !stopping && (line.starts_with("pre") || line.starts_with("post"));
        let count = match (self.ours().map(|ours| &ours.lines), &self.lines, &self.set) {
            (Some(OurLines::OneOf(lists)), ..) => {
                lists.first().unwrap().iter().filter(|line| !still_to_come(line)).count()
            }
            (_, Some(lines), _) => lines.iter().filter(|line| !still_to_come(line)).count(),
            (_, _, Some(set)) => set.iter().filter(|(line, _)| !still_to_come(line)).map(|(_, times)| times).sum(),
            _ => 0,
        };
        if index + 1 == self.actions.len() { count } else { count.min(1) }
    }

    fn act(&self, action: &Action, pilot: &mut Pilot) -> Result<(), String> {
        let file = pilot.path("containerpilot.json5");
        for (what, value) in &action.what {
            match what.as_str() {
                "signal" => {
                    let signal: Signal = format!("SIG{}", value.as_str().unwrap()).parse().unwrap();
                    if pilot.try_exit().is_some() {
                        return Err(format!("PID 1 was gone at {} s, when {signal} was to be sent", action.at_s));
                    }
                    pilot.signal(signal);
                }
                "config" => std::fs::write(&file, value.as_str().unwrap()).unwrap(),
                "replace" => {
                    let (old, new): (String, String) = serde_json::from_value(value.clone()).unwrap();
                    assert!(self.config.contains(&old), "{old:?} is in the configuration");
                    std::fs::write(&file, self.config.replace(&old, &new)).unwrap();
                }
                "remove" => std::fs::remove_file(&file).unwrap(),
                "run" => {
                    let words: Vec<String> = serde_json::from_value(value.clone()).unwrap();
                    let status = ask(pilot, &words).map(i64::from);
                    let expected = action.what.get("status").and_then(Value::as_i64);
                    if status != expected {
                        return Err(format!("{words:?}: exit status {status:?} instead of {expected:?}"));
                    }
                }
                "status" => {}
                "post" => {
                    let reply =
                        support::http::ask_socket(&pilot.path("control.socket"), "POST", value.as_str().unwrap(), b"");
                    // Row 11: what the original said yes to was its end.
                    let expected = if self.ours().is_some() { 422 } else { 200 };
                    if !reply.as_ref().is_ok_and(|reply| reply.status == expected) {
                        return Err(format!("POST {value}: {reply:?} instead of {expected}"));
                    }
                }
                other => panic!("no way to {other}"),
            }
        }
        Ok(())
    }

    /// What is wrong with the lines that the jobs wrote.
    fn wrong_lines(&self, got: &[String]) -> Vec<String> {
        let ours = self.ours().map(|ours| &ours.lines);
        if let Some(OurLines::OneOf(lists)) = ours {
            let good = lists.iter().any(|list| got == *list);
            return if good { Vec::new() } else { vec![format!("lines {got:?}, not one of {lists:?}")] };
        }
        let mut wrong = Vec::new();
        if self.lines.as_ref().is_some_and(|lines| lines != got) {
            wrong.push(format!("lines {got:?} instead of {:?}", self.lines.as_deref().unwrap_or_default()));
        }
        let mut counts = BTreeMap::new();
        for line in got {
            *counts.entry(line.clone()).or_insert(0) += 1;
        }
        if self.set.as_ref().is_some_and(|set| *set != counts) {
            wrong.push(format!("lines {got:?} instead of the set {:?}", self.set));
        }
        for (line, least) in self.lines_at_least.iter().flatten() {
            let times = counts.get(line).copied().unwrap_or(0);
            if times < *least {
                wrong.push(format!("{times} × {line:?} instead of {least} at least"));
            }
        }
        let originals: Vec<(&str, &str)> = self.before.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let pairs = if let Some(OurLines::Before(pairs)) = ours { pairs } else { originals.as_slice() };
        for &(first, second) in pairs {
            let (a, b) = (place(got, first), place(got, second));
            if a.is_none() || b.is_none() || a >= b {
                wrong.push(format!("lines {got:?}: {first} is not before {second}"));
            }
        }
        wrong
    }

    fn report(&self, wrong: &[String], pilot: &Pilot) -> String {
        let mut text = format!("\n=== {}\n", self.name);
        if let Some(ours) = self.ours() {
            let _ = writeln!(text, "  (differs from the original by row {} of design §4)", ours.row);
        }
        for wrong in wrong {
            let _ = writeln!(text, "  {wrong}");
        }
        for (title, content) in
            [("configuration", &self.config), ("stdout", &pilot.stdout()), ("stderr", &pilot.stderr())]
        {
            let indented: Vec<String> = content.lines().map(|line| format!("    {line}")).collect();
            let _ = writeln!(text, "  {title}:\n{}", indented.join("\n"));
        }
        text
    }
}

/// Sleeps and runs a shell that appends to a file again and again, as those of the cases do, to know whether the machine has time for
/// the cases: its processors, and its disk. And looks whether the kernel holds a process of a case, which no other can feel.
#[derive(Default)]
struct Canary {
    /// When each round began, and ended if it has.
    rounds: Mutex<Vec<(Instant, Option<Instant>)>>,
    /// Until when somebody was held, and for how long at least.
    held: Mutex<Vec<(Instant, Duration)>>,
    over: AtomicBool,
}

impl Canary {
    const SLEEP: Duration = Duration::from_millis(50);

    fn sing(&self) {
        let dir = tempfile::tempdir().unwrap();
        let (mut held, mut before) = (Held::new(HELD), Duration::ZERO);
        while !self.over.load(Ordering::Relaxed) {
            self.rounds.lock().unwrap().push((Instant::now(), None));
            std::thread::sleep(Self::SLEEP);
            Command::new("/bin/sh").args(["-c", "echo note >> notes"]).current_dir(&dir).status().unwrap();
            self.rounds.lock().unwrap().last_mut().unwrap().1 = Some(Instant::now());
            let total = held.look();
            if total > before {
                self.held.lock().unwrap().push((Instant::now(), total.saturating_sub(before)));
                before = total;
            }
        }
    }

    /// How much longer than its sleep each round took, the one included that has not ended.
    fn late_since(&self, since: Instant) -> Vec<Duration> {
        let (rounds, now) = (self.rounds.lock().unwrap(), Instant::now());
        let took = rounds.iter().map(|(begin, end)| (begin, end.unwrap_or(now))).filter(|(_, end)| *end >= since);
        took.map(|(begin, end)| (end - *begin).saturating_sub(Self::SLEEP)).collect()
    }

    fn worst_since(&self, since: Instant) -> Duration {
        let held = self.held.lock().unwrap();
        let held = held.iter().filter(|(until, _)| *until >= since).map(|(_, held)| *held);
        self.late_since(since).into_iter().chain(held).max().unwrap_or_default()
    }

    /// On average.
    fn mean_since(&self, since: Instant) -> Duration {
        let took = self.late_since(since);
        took.iter().sum::<Duration>() / u32::try_from(took.len().max(1)).unwrap()
    }
}

/// Asks with the program's own command line, which reads the file in its directory.
fn ask(pilot: &Pilot, words: &[String]) -> Option<i32> {
    let mut command = Command::new(support::BINARY);
    command.args(["-config", "containerpilot.json5"]).args(words).env_clear().current_dir(pilot.dir());
    command.env("PATH", support::PATH).env("SOCKET", "control.socket").env("DIR", pilot.dir());
    command.env("LOG", pilot.path("log")).output().unwrap().status.code()
}

/// Where the n-th of equal lines stands: `b#2` is the second `b`.
fn place(lines: &[String], which: &str) -> Option<usize> {
    let (line, nth) = which.rsplit_once('#').unwrap();
    let nth: usize = nth.parse().unwrap();
    lines.iter().enumerate().filter(|(_, other)| *other == line).map(|(index, _)| index).nth(nth - 1)
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/orderings.json")).unwrap();
    assert_eq!(cases.len(), 93, "the vectors are complete");
    cases
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[test]
fn what_is_listed_here_is_what_the_vectors_say() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "no name is there twice");

    let ours: BTreeSet<(&str, u32)> = OURS.iter().map(|ours| (ours.case, ours.row)).collect();
    let differ: BTreeSet<(&str, u32)> =
        cases.iter().filter_map(|case| Some((case.name.as_str(), case.differs?))).collect();
    assert_eq!(ours, differ);

    for case in &cases {
        let expected = [case.lines.is_some(), case.set.is_some(), case.lines_at_least.is_some()];
        assert_eq!(expected.iter().filter(|there| **there).count(), 1, "{}", case.name);
        assert_eq!(case.exit, (!case.still_running).then_some(0), "{}", case.name);
        assert_eq!(case.watched_s.is_some(), case.still_running, "{}", case.name);
    }
}

#[test]
fn the_jobs_write_what_the_original_s_wrote_in_the_same_order() {
    let mut cases = cases();
    let count = cases.len();
    // The long ones first, so that none is left to run alone at the end.
    let lasts = |case: &Case| case.actions.last().map_or(1.0, |last| last.at_s);
    cases.sort_by(|a, b| lasts(b).total_cmp(&lasts(a)));

    let (next, start, failures, canary) =
        (AtomicUsize::new(0), Mutex::new(()), Mutex::new(Vec::new()), Canary::default());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let try_once = || catch_unwind(AssertUnwindSafe(|| case.run(&start, &canary)));
            let mut begun = Instant::now();
            let mut outcome = try_once();
            // The vectors' margins are some hundred milliseconds: what went wrong while nobody got the processor proves nothing.
            for _ in 0..4 {
                if matches!(outcome, Ok(Ok(()))) || canary.worst_since(begun) < STALL {
                    break;
                }
                begun = Instant::now();
                outcome = try_once();
            }
            let outcome =
                outcome.unwrap_or_else(|panic| Err(format!("\n=== {}\n  {}\n", case.name, words_of(&*panic))));
            if let Err(failure) = outcome {
                failures.lock().unwrap().push(failure);
            }
        }
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| canary.sing());
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
        canary.over.store(true, Ordering::Relaxed);
    });
    let shell = canary.mean_since(began);
    let failures = failures.into_inner().unwrap();
    let many = failures.len();
    assert!(many == 0, "{many} of {count} cases failed (a shell took {shell:?} on average):\n{}", failures.concat());
}
