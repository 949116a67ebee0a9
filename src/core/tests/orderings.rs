//! What the original did with real processes, again in virtual time: cases of `golden/orderings.json` by their names.
//! (The real binary runs all of them in `tests/`.)

use super::build::{JobBuilder, daemon, fails, job, jobs, ms, passes, secs};
use super::sim::Sim;
use crate::plan::EventCode::{
    Error, ExitFailed, ExitSuccess, StatusHealthy, StatusUnhealthy, Stopped, Stopping, TimerExpired,
};
use crate::plan::Signal;

/// The lines that the jobs of a case write: the name of a job when it runs, `main-start` and `main-term` of a daemon.
fn lines(sim: &Sim) -> Vec<String> {
    let line = |line: String| match line.split_once(' ')? {
        ("run", name @ ("main" | "keep")) => Some(format!("{name}-start")),
        ("TERM", name @ ("main" | "keep")) => Some(format!("{name}-term")),
        ("run", name) if !name.starts_with("check.") => Some(name.to_owned()),
        _ => None,
    };
    sim.course().into_iter().filter_map(line).collect()
}

struct Case {
    name: &'static str,
    jobs: Vec<JobBuilder>,
    signals: Vec<(u64, Signal)>,
    lines: &'static [&'static str],
}

fn case(name: &'static str, jobs: impl IntoIterator<Item = JobBuilder>, lines: &'static [&'static str]) -> Case {
    Case { name, jobs: jobs.into_iter().collect(), signals: Vec::new(), lines }
}

impl Case {
    fn term(self, at: u64) -> Self {
        self.signal(at, Signal::TERM)
    }
    fn signal(mut self, at: u64, signal: Signal) -> Self {
        self.signals.push((at, signal));
        self
    }
    fn holds(self) {
        let mut sim = jobs(self.jobs).stop_timeout(secs(1)).start();
        for (at, signal) in self.signals {
            sim = sim.signal_at(ms(at), signal);
        }
        let sim = sim.till_the_end();
        assert_eq!(lines(&sim), self.lines, "{}:\n{}", self.name, sim.story());
    }
}

fn main() -> JobBuilder {
    daemon("main")
}

fn keep() -> JobBuilder {
    daemon("keep")
}

#[test]
fn restarts() {
    for case in [
        case("one job runs once and the program ends", [job("a")], &["a"]),
        case("restarts 2: three runs", [job("a").restarts(2)], &["a"; 3]),
        case("restarts \"2\" of a failing job: three runs", [job("a").restarts(2).exits(1)], &["a"; 3]),
        case("restarts never", [job("a").restarts(0)], &["a"]),
        case("restarts unlimited, slow runs, TERM", [job("a").unlimited().lasts(ms(400))], &["a"; 3]).term(1000),
        case("timeout with restarts 1", [job("a").lasts(secs(5)).timeout(ms(300)).restarts(1)], &["a"; 2]),
    ] {
        case.holds();
    }
}

#[test]
fn events() {
    let after_a = |name| job(name).once("a", ExitSuccess);
    for case in [
        case("b after a succeeded", [job("a"), after_a("b")], &["a", "b"]),
        case("file order does not matter", [after_a("b"), job("a")], &["a", "b"]),
        case(
            "chain of four",
            [job("a"), after_a("b"), job("c").once("b", ExitSuccess), job("d").once("c", ExitSuccess)],
            &["a", "b", "c", "d"],
        ),
        case("b after a failed", [job("a").exits(1), job("b").once("a", ExitFailed)], &["a", "b"]),
        case("b waits for a success that does not come", [job("a").exits(1), after_a("b")], &["a"]).term(1500),
        case("success picks b, not c", [job("a"), after_a("b"), job("c").once("a", ExitFailed)], &["a", "b"])
            .term(1500),
        case(
            "three jobs after the same event",
            [job("a"), after_a("b"), after_a("c"), after_a("d")],
            &["a", "b", "c", "d"],
        ),
        case(
            "diamond",
            [job("a"), after_a("b").lasts(ms(300)), after_a("c"), job("d").once("b", ExitSuccess)],
            &["a", "b", "c", "d"],
        ),
        case(
            "b once, a runs three times: b once only",
            [job("a").restarts(2).lasts(ms(200)), after_a("b")],
            &["a", "a", "b", "a"],
        ),
        case(
            "b each, a runs three times: three runs of b",
            [job("a").restarts(2).lasts(ms(300)), job("b").each("a", ExitSuccess)],
            &["a", "a", "b", "a", "b", "b"],
        )
        .term(2000),
        case("b once with restarts 1: two runs", [job("a"), after_a("b").restarts(1)], &["a", "b", "b"]),
        case(
            "b each with restarts 1: the restart is a budget for the whole life",
            [job("a").restarts(2).lasts(ms(400)), job("b").each("a", ExitSuccess).restarts(1)],
            &["a", "a", "b", "b", "a", "b", "b"],
        )
        .term(2500),
        case("two jobs wait for each other: neither runs", [after_a("b"), job("a").once("b", ExitSuccess)], &[])
            .term(1000),
        case(
            "the error event carries the text as its source",
            [job("a").exits(3), job("b").once("a: exit status 3", Error)],
            &["a", "b"],
        ),
        case(
            "timeout kills the run; that counts as failed",
            [job("a").lasts(secs(5)).timeout(ms(300)), job("b").once("a", ExitFailed)],
            &["a", "b"],
        ),
    ] {
        case.holds();
    }
}

#[test]
fn stops() {
    let pre = || job("pre").once("main", Stopping).lasts(ms(400));
    let post = || job("post").once("main", Stopped).lasts(ms(400));
    for case in [
        case("stopped after a natural end", [job("a"), job("b").once("a", Stopped)], &["a", "b"]),
        case("stopping after a natural end", [job("a"), job("b").once("a", Stopping)], &["a", "b"]),
        case(
            "stopping then stopped after a natural end",
            [job("a"), job("pre").once("a", Stopping).lasts(ms(300)), job("post").once("a", Stopped)],
            &["a", "pre", "post"],
        ),
        case("stopped chain", [job("a"), job("b").once("a", Stopped), job("c").once("b", Stopped)], &["a", "b", "c"]),
        case("TERM: a long job is asked to end", [main()], &["main-start", "main-term"]).term(700),
        case("INT acts like TERM", [main()], &["main-start", "main-term"]).signal(700, Signal::INT),
        case("TERM: pre-stop runs before", [main(), pre()], &["main-start", "pre", "main-term"]).term(700),
        case("TERM: post-stop runs after", [main(), post()], &["main-start", "main-term", "post"]).term(700),
        case("TERM: pre-stop and post-stop", [main(), pre(), post()], &["main-start", "pre", "main-term", "post"])
            .term(700),
        case(
            "TERM: pre-stop with each",
            [main(), job("pre").each("main", Stopping).lasts(ms(400))],
            &["main-start", "pre", "main-term"],
        )
        .term(700),
        case(
            "TERM: a timeout bounds a pre-stop job",
            [main(), pre().timeout(ms(200))],
            &["main-start", "pre", "main-term"],
        )
        .term(700),
        case(
            "TERM: pre-stop of pre-stop",
            [main(), pre(), job("prepre").once("pre", Stopping)],
            &["main-start", "pre", "prepre", "main-term"],
        )
        .term(700),
        case(
            "TERM: a failing pre-stop job does not hinder",
            [main(), pre().exits(1)],
            &["main-start", "pre", "main-term"],
        )
        .term(700),
        case("TERM: a job that ignores TERM is killed", [main().ignores_term()], &["main-start", "main-term"])
            .term(700),
        case(
            "TERM: waiting jobs do not run",
            [main(), job("b").once("main", ExitSuccess), job("c").once("main", ExitFailed)],
            &["main-start", "main-term"],
        )
        .term(700),
        case(
            "stopping job: restarts are dropped at shutdown",
            [main(), pre().restarts(2)],
            &["main-start", "pre", "main-term"],
        )
        .term(700),
        case("a job without exec never ends", [job("idle").without_exec(), job("a")], &["a"]).term(1000),
    ] {
        case.holds();
    }
}

#[test]
fn periods_and_waits() {
    let every = |period| job("a").every(ms(period));
    let waits = || job("b").once("a", StatusHealthy).wait_timeout(ms(400));
    for case in [
        case("interval: at startup, then each tick", [every(500)], &["a"; 4]).term(1750),
        case("interval with restarts 2: three runs, then the program ends", [every(300).restarts(2)], &["a"; 3]),
        case("interval with restarts never: one run", [every(300).restarts(0)], &["a"]),
        case("interval: a failing run does not end it", [every(500).exits(1)], &["a"; 4]).term(1750),
        case("interval: the interval is the timeout too", [every(500).lasts(ms(900))], &["a"; 3]).term(1300),
        case("interval longer than the run, with own timeout", [every(800).lasts(secs(5)).timeout(ms(200))], &["a"; 2])
            .term(1200),
        case(
            "interval: exit events start others",
            [every(500).restarts(1), job("b").each("a", ExitSuccess)],
            &["a", "b", "a", "b"],
        )
        .term(2000),
        case("when.timeout: the job gives up", [job("a"), waits()], &["a"]),
        case(
            "when.timeout: timerExpired starts another",
            [job("a"), waits(), job("c").once("b", TimerExpired)],
            &["a", "c"],
        ),
        case(
            "when.timeout: stopped of the job that gave up",
            [job("a"), waits(), job("c").once("b", Stopped)],
            &["a", "c"],
        ),
        case(
            "when.timeout: in time",
            [job("a").lasts(ms(200)), job("b").once("a", ExitSuccess).wait_timeout(ms(500)).lasts(ms(600))],
            &["a", "b"],
        ),
    ] {
        case.holds();
    }
}

#[test]
fn health_and_signals() {
    let checked = |checks: Vec<super::build::Script>| main().checked_every(secs(1)).checks(checks);
    let good = || checked(vec![passes()]);
    for case in [
        case("healthy once", [good(), job("b").once("main", StatusHealthy)], &["main-start", "b", "main-term"])
            .term(2600),
        case(
            "healthy each: on every passing check",
            [good(), job("b").each("main", StatusHealthy)],
            &["main-start", "b", "b", "b", "main-term"],
        )
        .term(3600),
        case(
            "unhealthy each: on every failing check",
            [checked(vec![fails(1)]), job("b").each("main", StatusUnhealthy)],
            &["main-start", "b", "b", "b", "main-term"],
        )
        .term(3600),
        case(
            "healthy then unhealthy",
            [
                checked(vec![passes(), fails(1)]),
                job("b").once("main", StatusHealthy),
                job("c").once("main", StatusUnhealthy),
            ],
            &["main-start", "b", "c", "main-term"],
        )
        .term(3600),
        case(
            "exits of a check are events of check.NAME",
            [good(), job("b").once("check.main", ExitSuccess)],
            &["main-start", "b", "main-term"],
        )
        .term(2600),
        case(
            "HUP starts a job each time",
            [keep(), job("h").on_signal(Signal::HUP)],
            &["keep-start", "h", "h", "keep-term"],
        )
        .signal(600, Signal::HUP)
        .signal(1100, Signal::HUP)
        .term(1600),
        case(
            "USR2 starts a job each time; HUP does not",
            [keep(), job("u").on_signal(Signal::USR2)],
            &["keep-start", "u", "u", "keep-term"],
        )
        .signal(600, Signal::USR2)
        .signal(1000, Signal::HUP)
        .signal(1400, Signal::USR2)
        .term(1900),
        case(
            "each SIGHUP without that source never fires",
            [keep(), job("h").each("x", crate::plan::EventCode::Signal)],
            &["keep-start", "keep-term"],
        )
        .signal(600, Signal::HUP)
        .term(1200),
    ] {
        case.holds();
    }
}
