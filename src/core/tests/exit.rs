//! Our own exit status (design §5).

use super::build::{JobBuilder, daemon, hangs, job, jobs, missing, ms, secs};
use super::sim::Strays;
use crate::plan::EventCode::{ExitSuccess, Stopped};
use crate::plan::{ExitCodeRule, Signal};

fn by_itself(all: Vec<JobBuilder>) -> Option<u8> {
    jobs(all).start().till_the_end().exit
}

fn when_asked(all: Vec<JobBuilder>) -> Option<u8> {
    jobs(all).start().until(secs(1)).term().till_the_end().exit
}

#[test]
fn when_all_complete_it_is_the_first_failure_in_file_order() {
    assert_eq!(by_itself(vec![job("a"), job("b")]), Some(0));
    assert_eq!(by_itself(vec![job("a"), job("b").exits(3), job("c").exits(4)]), Some(3));
    assert_eq!(by_itself(vec![job("a"), job("b").exits(3).lasts(secs(9)), job("c").exits(4)]), Some(3));
    assert_eq!(by_itself(vec![job("a").killed_by(Signal::KILL)]), Some(137));
    assert_eq!(by_itself(vec![job("a").killed_by(Signal::TERM)]), Some(143));
    assert_eq!(by_itself(vec![job("a").lasts_for_ever().timeout(ms(300))]), Some(137));
    assert_eq!(by_itself(vec![job("a").fails_to_start(&missing(), 1)]), Some(127));
    let denied = crate::core::SpawnFailure { exit_code: 126, ..missing() };
    assert_eq!(by_itself(vec![job("a").fails_to_start(&denied, 1)]), Some(126));
    assert_eq!(by_itself(vec![job("a").exits(255)]), Some(255));
}

#[test]
fn only_the_final_run_counts() {
    use super::build::{fails, passes};
    assert_eq!(by_itself(vec![job("a").restarts(1).runs([fails(1), passes()])]), Some(0));
    assert_eq!(by_itself(vec![job("a").restarts(1).runs([passes(), fails(1)])]), Some(1));
}

#[test]
fn jobs_that_never_ran_and_checks_do_not_count() {
    let waiting = job("b").once("a", crate::plan::EventCode::ExitFailed).wait_timeout(ms(50));
    assert_eq!(by_itself(vec![job("a"), waiting]), Some(0));
    let checked = job("a").lasts(secs(3)).checked_every(secs(1)).checks([super::build::fails(1)]);
    assert_eq!(by_itself(vec![checked]), Some(0));
}

#[test]
fn when_asked_it_is_zero() {
    assert_eq!(when_asked(vec![daemon("a"), job("b").exits(3)]), Some(0));
    assert_eq!(when_asked(vec![daemon("a").exits_on_term(7, ms(1))]), Some(0));
    assert_eq!(when_asked(vec![job("a").runs([hangs()])]), Some(0));
}

#[test]
fn the_main_job_decides_even_when_asked() {
    assert_eq!(by_itself(vec![job("b").exits(3), job("app").main().lasts(ms(50))]), Some(0));
    assert_eq!(by_itself(vec![daemon("b"), job("app").main().exits(4)]), Some(4));
    assert_eq!(by_itself(vec![daemon("b"), job("app").main().fails_to_start(&missing(), 1)]), Some(127));
    assert_eq!(by_itself(vec![daemon("b"), job("app").main().killed_by(Signal::KILL)]), Some(137));
    assert_eq!(when_asked(vec![daemon("app").main()]), Some(0));
    assert_eq!(when_asked(vec![daemon("app").main().exits_on_term(9, ms(1))]), Some(9));
    assert_eq!(when_asked(vec![job("app").main().lasts_for_ever()]), Some(143));
    assert_eq!(when_asked(vec![job("app").main().runs([hangs()])]), Some(137));
}

#[test]
fn the_end_of_the_main_job_stops_everything_and_waits_for_its_stop_jobs() {
    let post = job("post").once("app", Stopped).lasts(ms(100)).exits(9);
    let app = job("app").main().exits(4).lasts(ms(100));
    let sim = jobs([daemon("web"), app, post]).start().till_the_end();
    assert_eq!((sim.exit, sim.exit_ms()), (Some(4), 200));
    assert_eq!(sim.course()[2..5], ["end app", "stopping web", "TERM web"]);
}

#[test]
fn a_main_job_that_restarts_has_not_ended() {
    let sim = jobs([daemon("web"), job("app").main().unlimited().backoff(None).exits(1).lasts(ms(100))]).start();
    let sim = sim.until(secs(10));
    assert_eq!((sim.exit, sim.runs_of("app").len()), (None, 101));
    assert_eq!(sim.term().till_the_end().exit, Some(143));
}

#[test]
fn a_main_job_that_gives_its_wait_up_ends_everything() {
    let app = job("app").main().once("web", ExitSuccess).wait_timeout(ms(200));
    let sim = jobs([daemon("web"), app]).start().till_the_end();
    assert_eq!((sim.exit, sim.exit_ms()), (Some(0), 201));
}

#[test]
fn override_wins_over_all() {
    let post = || job("post").once("app", Stopped).overrides().exits(5);
    assert_eq!(by_itself(vec![job("app").main().exits(4), post()]), Some(5));
    assert_eq!(when_asked(vec![daemon("app").main().exits_on_term(4, ms(1)), post()]), Some(5));
    let zero = jobs([job("app").exits(4), post()]).exit_code(ExitCodeRule::Zero).start().till_the_end();
    assert_eq!(zero.exit, Some(5));
    // It never ran: the next rule decides.
    assert_eq!(by_itself(vec![job("app").main().exits(4), job("post").once("x", Stopped).overrides()]), Some(4));
    assert_eq!(by_itself(vec![job("app").main().exits(4), post().exits(0)]), Some(0));
}

#[test]
fn zero_is_the_constant_of_v3() {
    let sim =
        jobs([job("a").exits(3), job("app").main().exits(4)]).exit_code(ExitCodeRule::Zero).start().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn what_does_not_die_makes_it_seventy_unless_there_is_a_failure_to_tell() {
    let stuck = |others: Vec<JobBuilder>| [vec![job("d").unkillable()], others].concat();
    assert_eq!(when_asked(stuck(vec![])), Some(70));
    assert_eq!(when_asked(stuck(vec![daemon("app").main().exits_on_term(4, ms(1))])), Some(4));
    assert_eq!(when_asked(vec![job("app").main().unkillable()]), Some(70));
    let sim = jobs([job("web").exits(3)]).start().strays(Strays::Stay).till_the_end();
    assert_eq!(sim.exit, Some(3));
    let zero = jobs([job("d").unkillable()]).exit_code(ExitCodeRule::Zero).start().until(secs(1)).term().till_the_end();
    assert_eq!(zero.exit, Some(70));
}
