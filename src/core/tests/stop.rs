//! v3 §12 with rows 2, 3, 4, 21 and 22 of design §4: how jobs and everything stop.

use super::build::{daemon, hangs, job, jobs, ms, secs};
use super::sim::{Happening, Sim, Strays};
use crate::core::job::Stage;
use crate::plan::EventCode::{ExitFailed, ExitSuccess, Shutdown, Stopped, Stopping};
use crate::plan::{Level, Signal};

fn position(sim: &Sim, line: &str) -> usize {
    sim.course().iter().position(|other| other == line).unwrap_or_else(|| panic!("no {line}:\n{}", sim.story()))
}

#[test]
fn it_leaves_as_soon_as_the_last_child_is_gone() {
    let sim =
        jobs([daemon("web"), daemon("db").exits_on_term(0, ms(300))]).start().until(secs(1)).term().till_the_end();
    assert_eq!(sim.exit_ms(), 1300);
    assert_eq!(sim.when(|what| *what == Happening::Sweep(Signal::TERM)), [1300]);
}

#[test]
fn a_stopped_process_is_continued_to_see_its_sigterm() {
    let sim = jobs([daemon("web")]).start().until_ms(10).term();
    let signals: Vec<_> = sim.trace.iter().filter(|(_, what)| matches!(what, Happening::Signalled(..))).collect();
    let expected = [Signal::TERM, Signal::CONT].map(|signal| Happening::Signalled(signal, "web".to_owned()));
    assert_eq!(signals.iter().map(|(_, what)| what).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}

#[test]
fn what_ignores_sigterm_is_killed_exactly_at_stop_timeout() {
    let sim = jobs([job("web").runs([hangs()])]).stop_timeout(secs(6)).start().until(secs(1)).term().till_the_end();
    assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::KILL, "web".to_owned())), [7000]);
    assert_eq!(sim.exit_ms(), 7001);
    assert_eq!(
        sim.logged(Level::Warn),
        ["web did not end within 6s of SIGTERM: killing its process group", "web exited with error: signal: killed"]
    );
    assert_eq!(sim.exit, Some(0), "asked for");
}

#[test]
fn a_stop_timeout_of_zero_kills_at_once() {
    let sim = jobs([job("web").runs([hangs()])]).stop_timeout(ms(0)).start().until(secs(1)).term().till_the_end();
    assert_eq!(sim.exit_ms(), 1001);
}

#[test]
fn a_pre_stop_job_runs_before_the_first_signal_and_a_post_stop_job_after_the_death() {
    let pre = job("pre").once("main", Stopping).lasts(ms(400));
    let post = job("post").once("main", Stopped).lasts(ms(400));
    for order in [vec![daemon("main"), pre.clone(), post.clone()], vec![post, pre, daemon("main")]] {
        let sim = jobs(order).start().until_ms(700).term().till_the_end();
        let expected = [
            "run main",
            "stopping main",
            "run pre",
            "end pre",
            "stopping pre",
            "stopped pre",
            "TERM main",
            "end main",
            "stopped main",
            "run post",
            "end post",
            "stopping post",
            "stopped post",
            "exit 0",
        ];
        assert_eq!(sim.course(), expected);
        assert_eq!(sim.exit_ms(), 1501);
    }
}

#[test]
fn stop_jobs_act_on_a_natural_end_too() {
    let pre = job("pre").once("main", Stopping).lasts(ms(30));
    let sim = jobs([job("main"), pre, job("post").once("main", Stopped)]).start().till_the_end();
    assert_eq!(sim.runs_of("pre"), [1]);
    assert_eq!(sim.runs_of("post"), [31]);
}

#[test]
fn pre_stop_with_each_works_and_ends() {
    let sim = jobs([daemon("main"), job("pre").each("main", Stopping).lasts(ms(400))]).start().until_ms(700).term();
    let sim = sim.till_the_end();
    assert!(position(&sim, "end pre") < position(&sim, "TERM main"));
    assert_eq!(sim.count(Stopped, "pre"), 1);
}

#[test]
fn a_pre_stop_job_has_a_pre_stop_job() {
    let pre = job("pre").once("main", Stopping).lasts(ms(200));
    let prepre = job("prepre").once("pre", Stopping).lasts(ms(200));
    let sim = jobs([daemon("main"), pre, prepre]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.course()[..4], ["run main", "stopping main", "run pre", "end pre"]);
    assert!(position(&sim, "end prepre") < position(&sim, "TERM main"));
    assert_eq!(sim.exit_ms(), 1101);
}

#[test]
fn all_dependents_are_waited_for() {
    let pre = |name: &str, lasts| job(name).once("main", Stopping).lasts(ms(lasts));
    let sim = jobs([daemon("main"), pre("slow", 900), pre("quick", 300)]).start().until_ms(700).term().till_the_end();
    assert!(position(&sim, "end slow") < position(&sim, "TERM main"));
    assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::TERM, "main".to_owned())), [1600]);
}

#[test]
fn a_jobs_stop_timeout_cuts_the_wait_and_stops_both() {
    let pre = |name: &str| daemon(name).once("main", Stopping);
    let main = daemon("main").stop_timeout(ms(300));
    let sim = jobs([main, pre("pre"), pre("drain")]).start().until_ms(700).term().till_the_end();
    assert_eq!(
        sim.logged(Level::Warn),
        ["main has waited its stopTimeout of 300ms for pre, drain: stopping all of them now"]
    );
    for name in ["main", "pre", "drain"] {
        assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::TERM, name.to_owned())), [1000], "{name}");
    }
    assert_eq!(sim.exit_ms(), 1001);
}

#[test]
fn a_run_limit_bounds_a_pre_stop_job_before_that() {
    let pre = job("pre").once("main", Stopping).lasts_for_ever().timeout(ms(400));
    let sim = jobs([daemon("main"), pre]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::TERM, "main".to_owned())), [1101]);
}

#[test]
fn a_failing_or_missing_pre_stop_job_does_not_hinder() {
    let failing = job("pre").once("main", Stopping).exits(1);
    let missing = job("pre").once("main", Stopping).fails_to_start(&super::build::missing(), 1);
    for pre in [failing, missing] {
        let sim = jobs([daemon("main"), pre]).start().until_ms(700).term().till_the_end();
        assert_eq!(sim.count(ExitFailed, "pre"), 1);
        assert!(sim.exit_ms() < 710);
    }
}

#[test]
fn a_post_stop_job_is_bounded_by_its_stop_timeout() {
    let post = job("post").once("main", Stopped).runs([hangs()]).stop_timeout(secs(2));
    let sim = jobs([daemon("main"), post]).stop_timeout(secs(1)).start().until_ms(699).term().till_the_end();
    assert_eq!(sim.logged(Level::Warn)[0], "post has run for its stopTimeout of 2s during the stop: it is cut short");
    assert_eq!(sim.exit_ms(), 700 + 2000 + 1000 + 1);
}

#[test]
fn a_pre_stop_job_is_bounded_by_its_source_and_not_by_itself() {
    let web = daemon("web").stop_timeout(secs(300));
    let drain = |lasts| job("drain").once("web", Stopping).lasts(secs(lasts)).stop_timeout(secs(60));
    let sim = jobs([web.clone(), drain(75)]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.logged(Level::Warn), [""; 0]);
    assert_eq!(sim.exit_ms(), 700 + 75_000 + 1);
    let sim = jobs([web, drain(400)]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.logged(Level::Warn)[0], "web has waited its stopTimeout of 5m for drain: stopping all of them now");
    assert_eq!(sim.exit_ms(), 700 + 300_000 + 1);
}

#[test]
fn a_pre_stop_run_that_is_in_the_way_of_the_last_event_is_bounded_by_its_source_too() {
    // One namesake has ended and is being drained when everything is stopped.
    let quick = job("web").lasts(ms(600)).stop_timeout(secs(300));
    let slow = daemon("web").stop_timeout(secs(300));
    let drain = job("drain").each("web", Stopping).lasts(secs(75)).stop_timeout(secs(60));
    let sim = jobs([quick, slow, drain]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.logged(Level::Warn), [""; 0]);
    assert_eq!(sim.runs_of("drain"), [600, 75_600]);
    assert_eq!(sim.exit_ms(), 600 + 2 * 75_000 + 1);
}

#[test]
fn a_run_that_is_in_the_way_of_the_last_event_is_bounded_too() {
    let post = job("post").each("a", Stopped).runs([hangs()]).stop_timeout(secs(2));
    let sim = jobs([job("a"), daemon("a"), post]).stop_timeout(secs(1)).start().until(secs(1)).term().till_the_end();
    assert!(sim.exit_ms() <= 1000 + 2 * (2000 + 1001), "{}", sim.story());
}

#[test]
fn a_stop_job_that_runs_for_one_namesake_still_acts_on_the_other() {
    let post = job("post").each("a", Stopped).lasts(ms(100));
    let slow = daemon("a").exits_on_term(0, ms(500));
    let quick = || job("a").lasts(ms(650));
    let sim = jobs([quick(), slow.clone(), post.clone()]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.runs_of("post"), [650, 1200]);
    assert_eq!(sim.exit_ms(), 1300);
    // Nor does it forget the one that waits its turn.
    let sim = jobs([quick(), quick(), slow, post]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.runs_of("post"), [650, 750, 1200]);
    // Nor the one that comes during a run.
    let soon = daemon("a").exits_on_term(0, ms(10));
    let sim = jobs([quick(), soon, job("post").each("a", Stopped).lasts(ms(100))]).start().until_ms(700).term();
    assert_eq!(sim.till_the_end().runs_of("post"), [650, 750]);
}

#[test]
fn restarts_are_over_in_the_stop() {
    for pre in [job("pre").restarts(2), job("pre").unlimited()] {
        let pre = pre.once("main", Stopping).lasts(ms(100));
        let sim = jobs([daemon("main"), pre]).start().until_ms(700).term().till_the_end();
        assert_eq!(sim.runs_of("pre"), [700]);
        assert_eq!(sim.exit_ms(), 801);
    }
}

#[test]
fn an_unlimited_pre_stop_job_of_a_natural_end_is_cut_by_the_stop_timeout() {
    let pre = job("pre").unlimited().once("main", Stopping).lasts(ms(100));
    let sim = jobs([job("main").stop_timeout(secs(1)), pre]).start().till_the_end();
    let cut = "main has waited its stopTimeout of 1s for pre: stopping all of them now";
    assert!(sim.logged(Level::Warn).contains(&cut), "{}", sim.story());
    assert!(sim.exit_ms() < 1010);
}

#[test]
fn sources_that_never_stop_do_not_hang_the_stop() {
    let forms = [
        vec![job("pre").once("nobody", Stopping)],
        vec![job("post").each("nobody", Stopped)],
        vec![job("post").once("watch.db", Stopped)],
        vec![job("post").once("post", Stopped)],
        vec![job("pre").each("pre", Stopping)],
        vec![job("a").once("b", Stopping), job("b").once("a", Stopping)],
        vec![job("a").once("b", Stopped), job("b").once("a", Stopped)],
        vec![job("a").once("b", Stopped), job("b").once("c", Stopping), job("c").each("a", Stopped)],
        vec![job("pre").once("main", Stopping).without_exec(), job("post").once("main", Stopped).without_exec()],
    ];
    for form in forms {
        let names: Vec<_> = form.iter().map(|job| job.spec.name.clone()).collect();
        let sim = jobs([vec![daemon("main")], form].concat()).start().until_ms(700).term().till_the_end();
        assert_eq!(sim.exit_ms(), 701, "{names:?}");
        assert_eq!(sim.course().iter().filter(|line| line.starts_with("run")).count(), 1, "{names:?}");
    }
}

#[test]
fn a_stop_job_whose_source_is_already_over_does_not_hang_the_stop() {
    let sim =
        jobs([job("a"), job("pre").each("a", Stopping), daemon("web")]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.runs_of("pre"), [1]);
    assert_eq!(sim.exit_ms(), 701);
}

#[test]
fn a_pre_stop_job_that_runs_already_is_stopped_like_any_other() {
    let main = daemon("main").wait_timeout(ms(500)).once("never", ExitSuccess);
    let pre = daemon("pre").once("main", Stopping);
    let sim = jobs([main, pre]).start().until_ms(700).term().till_the_end();
    assert_eq!(sim.course()[..3], ["stopping main", "run pre", "stopping pre"]);
    assert_eq!(sim.exit_ms(), 701);
}

#[test]
fn waiting_jobs_do_not_run_in_the_stop() {
    let sim = jobs([daemon("main"), job("b").once("main", ExitSuccess), job("c").each("main", ExitSuccess)]).start();
    let sim = sim.until_ms(700).term().till_the_end();
    assert_eq!((sim.runs_of("b").len(), sim.runs_of("c").len()), (0, 0));
}

#[test]
fn starts_that_wait_for_a_run_are_forgotten() {
    let web = daemon("web").on_signal(Signal::HUP);
    let sim = jobs([web]).start().signal(Signal::HUP).signal(Signal::HUP).until_ms(700).term().till_the_end();
    assert_eq!(sim.runs_of("web").len(), 1);
}

#[test]
fn term_before_the_start_starts_nothing() {
    let sim = jobs([daemon("web"), job("pre").once("web", Stopping)]).build().term().start().till_the_end();
    assert_eq!(sim.course(), ["stopping web", "stopping pre", "stopped pre", "stopped web", "exit 0"]);
}

#[test]
fn zero_jobs_idle_and_can_be_stopped() {
    let sim = jobs([]).start().until(secs(1000));
    assert_eq!(sim.exit, None);
    assert_eq!(sim.term().till_the_end().exit, Some(0));
    assert_eq!(jobs([]).build().term().till_the_end().exit, Some(0));
}

#[test]
fn the_second_term_cuts_every_grace() {
    for second in [Signal::TERM, Signal::INT] {
        let main = daemon("main").exits_on_term(0, secs(4));
        let pre = job("pre").once("main", Stopping).lasts(secs(1));
        let post = job("post").once("main", Stopped);
        let all = [main, pre, post, daemon("web").exits_on_term(0, secs(4))];
        let sim = jobs(all).start().until_ms(700).term().until_ms(1000).signal(second).till_the_end();
        assert_eq!(sim.exit_ms(), 1001);
        assert_eq!(sim.runs_of("post"), [0; 0]);
        for name in ["main", "pre", "web"] {
            assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::KILL, name.to_owned())), [1000], "{name}");
        }
        assert_eq!(sim.count(Shutdown, "global"), 1);
        assert_eq!(sim.logged(Level::Warn)[0], format!("{} again: killing what is left", second.name()));
    }
}

#[test]
fn a_third_term_changes_nothing() {
    let sim = jobs([job("web").unkillable()]).start().until_ms(700).term().term();
    let lines = sim.trace.len();
    assert_eq!(sim.term().trace.len(), lines);
}

#[test]
fn what_no_job_owns_is_asked_then_killed_then_left() {
    let end = |strays| {
        let sim = jobs([daemon("web")]).start().strays(strays).until_ms(99).term().till_the_end();
        (sim.exit_ms(), sim.exit)
    };
    assert_eq!(end(Strays::None), (100, Some(0)));
    assert_eq!(end(Strays::DieOfTerm(ms(50))), (150, Some(0)));
    assert_eq!(end(Strays::DieOfKill), (5101, Some(0)));
    assert_eq!(end(Strays::Stay), (10_100, Some(70)));
}

#[test]
fn a_second_term_cuts_the_last_sweep() {
    let sim = jobs([daemon("web")]).start().strays(Strays::DieOfKill).until_ms(99).term().until_ms(500).term();
    assert_eq!(sim.till_the_end().exit_ms(), 501);
}

#[test]
fn one_term_while_it_ends_by_itself_is_no_reason_to_hurry() {
    // The usual race of an application that ends and an orchestrator that stops its container.
    let post = job("post").once("app", Stopped).lasts(ms(500));
    let app = job("app").main().exits(3);
    let sim = jobs([app, post]).start().until_ms(100).term().till_the_end();
    assert_eq!((sim.exit_ms(), sim.exit), (501, Some(3)));
    assert!(sim.logged(Level::Info).contains(&"SIGTERM: already stopping; once more kills what is left"));
    // In the last sweep it does not change how we ended.
    let sim =
        jobs([job("web").exits(3)]).start().strays(Strays::DieOfTerm(ms(500))).until_ms(100).term().till_the_end();
    assert_eq!((sim.exit_ms(), sim.exit), (501, Some(3)));
    let sim = jobs([job("web").exits(3)]).start().strays(Strays::DieOfKill).until_ms(100).term().term().till_the_end();
    assert_eq!(sim.exit_ms(), 101);
}

#[test]
fn a_job_that_completes_leaves_the_others_alone() {
    let sim = jobs([job("web"), daemon("db")]).start().until(secs(1));
    assert_eq!((sim.job("web").stage(), sim.job("db").stage()), (Stage::Complete, Stage::Live));
    assert_eq!(sim.alive(), ["db"]);
}

#[test]
fn the_first_and_last_words_of_a_stop() {
    let sim = jobs([daemon("web"), job("once"), job("db").runs([hangs()])]).start().until_ms(100).term().till_the_end();
    let words = sim.logged(Level::Info);
    assert_eq!(words.first(), Some(&"stopping on SIGTERM: 2 jobs, SIGKILL 5s after each one's SIGTERM"));
    assert_eq!(words.last(), Some(&"stopped: web (0), once (0), db (killed: it did not end on SIGTERM); exit 0"));
    let sim = jobs((0..12).map(|n| job(&format!("j{n}")))).start().till_the_end();
    let words = "all jobs are complete: j0 (0), j1 (0), j2 (0), j3 (0), j4 (0), j5 (0), j6 (0), j7 (0), j8 (0), j9 (0), 2 more; exit 0";
    assert_eq!(sim.logged(Level::Info), [words]);
}
