//! What somebody orders by hand, rule by rule (managed-daemons §7.3).

use proptest::prelude::*;
use std::sync::Arc;

use super::build::{daemon, job, jobs, ms, secs};
use super::properties::most_of_a_stop;
use super::sim::{Happening, Sim};
use super::strategies::{any_order, any_plan, cases};
use crate::core::{Input, Moment, Order, State};
use crate::plan::EventCode::{ExitSuccess, StatusHealthy, Stopped, Stopping};
use crate::plan::{Level, Signal, Trigger, When};

fn state(sim: &Sim, name: &str) -> State {
    sim.job(name).state()
}

#[test]
fn a_stopped_job_stays_stopped_and_the_program_waits() {
    let sim = jobs([daemon("a").unlimited()]).start().until_ms(100).order("a", Order::Stop).until(secs(60));
    assert_eq!((sim.runs_of("a").len(), sim.exit, state(&sim, "a")), (1, None, State::Stopped));
    assert_eq!((sim.count(Stopping, "a"), sim.count(Stopped, "a")), (1, 1));
    assert_eq!(sim.armed.len(), 0, "nothing wakes up for it");
    let sim = sim.term().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn a_stopped_job_starts_anew_with_all_its_restarts() {
    let sim = jobs([job("a").lasts(ms(10)).restarts(2)]).start().until_ms(25).order("a", Order::Stop).until_ms(500);
    assert_eq!(sim.runs_of("a"), [0, 10, 20]);
    let sim = sim.order("a", Order::Start).until(secs(5));
    assert_eq!(sim.runs_of("a"), [0, 10, 20, 500, 510, 520]);
    assert_eq!(sim.exit, Some(0), "and then everything is done");
}

#[test]
fn the_main_job_can_be_stopped_by_hand_without_the_end_of_everything() {
    let sim = jobs([daemon("a").main(), daemon("b")]).start().until_ms(100).order("a", Order::Stop).until(secs(9));
    assert_eq!((sim.alive(), sim.exit), (vec!["b"], None));
    let sim = sim.order("a", Order::Restart).until(secs(10));
    assert_eq!(sim.runs_of("a").len(), 2);
    let sim = sim.term().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn a_restart_is_a_stop_and_a_start() {
    let a = daemon("a").exits_on_term(0, ms(30)).checked_every(ms(40));
    let sim = jobs([a, job("b").each("a", StatusHealthy)]).start().until_ms(100);
    let sim = sim.order("a", Order::Restart).until_ms(500);
    assert_eq!(sim.runs_of("a"), [0, 130]);
    assert_eq!(state(&sim, "a"), State::Running);
    assert_eq!(sim.job("a").runs(), 2, "counted on");
    assert!(sim.runs_of("b").len() > 2, "those who listen to it still do");
}

#[test]
fn orders_that_are_so_already_do_nothing() {
    let sim = jobs([daemon("a"), job("b").lasts(ms(10))]).start().until_ms(100);
    let sim = sim.order("a", Order::Start).order("b", Order::Stop).order("nobody", Order::Stop).until_ms(200);
    assert_eq!((sim.runs_of("a").len(), state(&sim, "b")), (1, State::Done));
    let sim = sim.order("a", Order::Stop).order("a", Order::Stop).until_ms(300).order("a", Order::Stop).until_ms(400);
    assert_eq!((sim.count(Stopping, "a"), state(&sim, "a")), (1, State::Stopped));
}

#[test]
fn the_last_of_several_orders_counts() {
    let slow = || daemon("a").exits_on_term(0, ms(50));
    let stop_then_start = jobs([slow()]).start().until_ms(100).order("a", Order::Stop).order("a", Order::Start);
    assert_eq!(stop_then_start.until_ms(500).runs_of("a"), [0, 150]);
    let restart_then_stop = jobs([slow()]).start().until_ms(100).order("a", Order::Restart).order("a", Order::Stop);
    let sim = restart_then_stop.until_ms(500);
    assert_eq!((sim.runs_of("a").len(), state(&sim, "a"), sim.exit), (1, State::Stopped, None));
}

#[test]
fn a_job_that_waits_can_be_started_and_that_was_its_start() {
    let db = daemon("db").checked_every(ms(300));
    let sim = jobs([db, daemon("a").once("db", StatusHealthy).wait_timeout(ms(400))]);
    let sim = sim.start().until_ms(100).order("a", Order::Start).until(secs(2));
    assert_eq!(sim.runs_of("a"), [100]);
    assert_eq!(state(&sim, "a"), State::Running, "it has not waited too long");
}

#[test]
fn a_pause_before_a_restart_is_cut_short() {
    let sim = jobs([job("a").exits(1).unlimited()]).start().until_ms(60);
    assert_eq!(state(&sim, "a"), State::Backoff);
    let runs = sim.runs_of("a").len();
    let sim = sim.order("a", Order::Start).until_ms(61);
    assert_eq!(sim.runs_of("a").len(), runs + 1);
    let sim = sim.until(secs(3)).order("a", Order::Stop).until(secs(4));
    let runs = sim.runs_of("a").len();
    assert_eq!(sim.until(secs(60)).runs_of("a").len(), runs, "stopped in its pause");
}

#[test]
fn those_who_act_on_the_stop_do_so_each_time() {
    let plan = jobs([
        daemon("a"),
        job("before").once("a", Stopping).lasts(ms(20)),
        job("after").once("a", Stopped).lasts(ms(20)),
        job("later").once("after", Stopped).lasts(ms(20)),
    ]);
    let sim = plan.start().until_ms(100).order("a", Order::Restart).until_ms(300);
    assert_eq!((sim.runs_of("before"), sim.runs_of("a")), (vec![100], vec![0, 121]));
    let sim = sim.order("a", Order::Stop).until_ms(600).order("a", Order::Start).until_ms(700);
    assert_eq!([sim.runs_of("before").len(), sim.runs_of("after").len()], [2, 2]);
    let sim = sim.term().till_the_end();
    assert_eq!([sim.runs_of("before").len(), sim.runs_of("after").len(), sim.runs_of("later").len()], [3, 3, 3]);
}

#[test]
fn its_service_is_taken_out_and_comes_back() {
    let plan = jobs([daemon("a").advertised().checked_every(ms(100))]).consul();
    let sim = plan.start().until_ms(150).order("a", Order::Restart).until_ms(350);
    assert_eq!(sim.told(), ["101 a passing", "150 a withdraw", "201 a passing", "301 a passing"]);
    let renamed = sim.when(|what| matches!(what, Happening::Service(_)));
    assert_eq!(renamed.len(), 2, "the old one is forgotten, the new one known");
}

#[test]
fn a_signal_reaches_the_run_and_nothing_else() {
    let sim = jobs([daemon("a"), daemon("b"), job("c")]).start().until_ms(100);
    let sim = sim.order("a", Order::Signal(Signal::HUP)).order("c", Order::Signal(Signal::HUP)).until_ms(200);
    let signalled = sim.trace.iter().filter(|(_, what)| matches!(what, Happening::Signalled(..)));
    assert_eq!(signalled.count(), 1);
}

#[test]
fn a_reload_starts_what_it_touches_and_leaves_the_rest_stopped() {
    let plan = || jobs([daemon("a"), daemon("b").unlimited(), daemon("c")]);
    let sim = ["a", "b", "c"].into_iter().fold(plan().start().until_ms(100), |sim, name| sim.order(name, Order::Stop));
    let sim = sim.until_ms(200);
    let mut new = plan();
    new.plan.jobs[1].stop_timeout = secs(7);
    Arc::make_mut(new.plan.jobs[2].exec.as_mut().unwrap()).args.push("--new".to_owned());
    let sim = sim.reload(new).until(secs(2));
    assert_eq!(sim.alive(), ["b", "c"]);
    assert_eq!(state(&sim, "a"), State::Stopped);
    assert_eq!(sim.order("a", Order::Start).until(secs(3)).alive().len(), 3);
}

#[test]
fn nothing_is_ordered_of_what_a_reload_stops_or_when_everything_stops() {
    let slow = || daemon("a").exits_on_term(0, secs(3));
    let mut new = jobs([slow(), daemon("b")]);
    Arc::make_mut(new.plan.jobs[0].exec.as_mut().unwrap()).args.push("--new".to_owned());
    let sim = jobs([slow(), daemon("b")]).start().until_ms(100).reload(new).until(secs(1));
    assert!(sim.world.refuses_orders("a").is_some() && sim.world.refuses_orders("b").is_none());
    let sim = sim.order("a", Order::Stop).order("b", Order::Restart).until(secs(9));
    assert_eq!((sim.runs_of("a").len(), sim.runs_of("b").len()), (2, 2));
    let sim = sim.term();
    assert!(sim.world.refuses_orders("a").is_some());
    let sim = sim.order("b", Order::Restart).till_the_end();
    assert_eq!((sim.runs_of("b").len(), sim.exit), (2, Some(0)));
}

#[test]
fn maintenance_holds_a_start_by_hand_back_where_the_job_pauses_then() {
    let sim = jobs([daemon("a").paused_in_maintenance().once("x", ExitSuccess), daemon("b")]).start().until_ms(50);
    let sim = sim.signal(Signal::USR1).until_ms(100).order("a", Order::Start).until_ms(500);
    assert_eq!(sim.runs_of("a").len(), 0);
    assert_eq!(sim.world.look(sim.job("a")).waits_for, "for the end of maintenance");
    assert_eq!(sim.signal(Signal::USR1).until_ms(600).runs_of("a"), [500]);
}

#[test]
fn who_acts_on_a_stop_and_still_does_at_the_next_one_acts_on_that_too() {
    let plan = jobs([job("a").lasts(ms(1500)), job("after").once("a", Stopped).lasts(ms(3000))]);
    let sim = plan.start().until_ms(500).order("a", Order::Restart).until(secs(60));
    assert_eq!(sim.runs_of("a"), [0, 501]);
    assert_eq!(sim.runs_of("after"), [501, 3501], "the second stop was at 2001");
    assert_eq!(sim.exit, Some(0), "and then everything is done");
}

#[test]
fn a_job_that_is_ending_is_not_kept_by_a_stop() {
    let plan = jobs([job("a").lasts(ms(100)), job("before").once("a", Stopping).lasts(ms(500))]);
    let sim = plan.start().until_ms(300).order("a", Order::Stop).until(secs(9));
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn a_reload_leaves_a_stop_job_stopped_that_it_does_not_touch() {
    let plan = |arg: &str| {
        let mut plan = jobs([daemon("a"), job("s").once("a", Stopped)]);
        Arc::make_mut(plan.plan.jobs[0].exec.as_mut().unwrap()).args.push(arg.to_owned());
        plan
    };
    let sim = plan("1").start().until_ms(100).order("s", Order::Stop).until_ms(200).reload(plan("2")).until(secs(2));
    assert_eq!((sim.runs_of("a").len(), state(&sim, "s")), (2, State::Stopped));
    let sim = sim.term().till_the_end();
    assert_eq!(sim.runs_of("s").len(), 0);
}

#[test]
fn orders_during_a_reload_outlive_it() {
    let plan = |arg: &str, timeout: u64| {
        let mut plan = jobs([daemon("slow").exits_on_term(0, secs(4)), daemon("b"), daemon("c"), daemon("x")]);
        Arc::make_mut(plan.plan.jobs[0].exec.as_mut().unwrap()).args.push(arg.to_owned());
        plan.plan.jobs[1].stop_timeout = secs(timeout);
        if timeout == 7 {
            plan.plan.jobs[2].when = When::Once(Trigger { source: "x".to_owned(), event: StatusHealthy });
        }
        plan
    };
    let sim = plan("1", 5).start().until_ms(100).reload(plan("2", 7)).until(secs(2));
    let sim = sim.order("b", Order::Stop).order("c", Order::Restart).until(secs(9));
    assert_eq!((sim.runs_of("slow").len(), state(&sim, "b")), (2, State::Stopped));
    assert_eq!((sim.runs_of("c").len(), state(&sim, "c")), (2, State::Running), "though its `when` is another now");
}

#[test]
fn a_stop_that_is_asked_for_twice_is_one_and_a_signal_after_it_hurries_nobody() {
    let stop = || Input::Stop { reason: "a request".to_owned() };
    let mut sim = jobs([daemon("a").exits_on_term(0, ms(900))]).start().until_ms(100);
    sim.step(&stop());
    sim = sim.until_ms(200);
    sim.step(&stop());
    let sim = sim.term().until(secs(9));
    assert_eq!((sim.exit, sim.exit_ms()), (Some(0), 1000));
}

fn lines(reasons: &[crate::core::Reason], depth: usize) -> String {
    let one = |reason: &crate::core::Reason| {
        let about = if reason.about.is_empty() { String::new() } else { format!("{}: ", reason.about) };
        format!("\n{}{about}{}", "  ".repeat(depth), reason.says) + &lines(&reason.because, depth + 1)
    };
    reasons.iter().map(one).collect()
}

fn why(sim: &Sim, name: &str) -> String {
    let id = sim.world.ids().find(|id| sim.world.job(*id).is_some_and(|job| job.name() == name)).unwrap();
    let told = sim.world.why(id, sim.now).unwrap();
    told.summary + &lines(&told.facts, 1)
}

#[test]
fn why_ends_at_a_fact() {
    let app = daemon("app").checked_every(secs(5)).checks([super::build::fails(22)]);
    let plan = jobs([
        app,
        daemon("report").once("app", StatusHealthy).wait_timeout(secs(60)),
        daemon("last").once("report", StatusHealthy),
        daemon("lost").once("nobody", ExitSuccess),
        job("migrate").exits(3),
        daemon("after").once("migrate", ExitSuccess),
        job("crash").exits(1).unlimited(),
        job("cron").every(secs(60)),
        daemon("left").once("right", ExitSuccess),
        daemon("right").once("left", ExitSuccess),
    ]);
    let sim = plan.start().until_ms(21_000);
    let all = ["app", "report", "last", "lost", "migrate", "after", "crash", "cron", "left"];
    let told: Vec<String> = all.iter().map(|name| why(&sim, name)).collect();
    insta::assert_snapshot!(told.join("\n\n"));
    let sim = sim.order("app", Order::Stop).until_ms(30_000);
    assert_eq!(
        why(&sim, "report").lines().nth(1).unwrap().trim(),
        "app was stopped by hand 9.0s ago: it stays so until somebody starts it or a reload changes it"
    );
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Whatever is ordered when: nothing runs twice (the simulator sees to that), and the stop still comes in bounded time
    /// with nothing left.
    #[test]
    fn orders_break_nothing(
        plan in any_plan(),
        orders in prop::collection::vec((any_order(), 0..800_u64), 1..12),
        asked in 0..2500_u64,
    ) {
        let most = most_of_a_stop(&plan.plan);
        let mut sim = plan.build().start();
        let mut at = 0;
        for ((job, order), pause) in orders {
            at += pause;
            sim = sim.until_ms(at);
            if sim.exit.is_none() {
                sim = sim.order(&job, order);
            }
            for id in sim.world.ids().collect::<Vec<_>>() {
                prop_assert!(sim.world.why(id, sim.now).is_some_and(|why| !why.summary.is_empty()));
            }
        }
        let sim = sim.until_ms(at + asked);
        let before = sim.now;
        let sim = if sim.exit.is_some() { sim } else { sim.term().till_the_end() };
        prop_assert!(sim.alive().is_empty(), "{:?} lives:\n{}", sim.alive(), sim.story());
        prop_assert!(sim.now.since(before) <= most, "{:?} > {most:?}:\n{}", sim.now.since(before), sim.story());
    }
}

#[test]
fn an_order_before_the_start_is_none() {
    let mut sim = jobs([daemon("a")]).build();
    sim.step(&Input::Order { job: "a".to_owned(), order: Order::Start });
    assert_eq!((sim.now, sim.trace.len()), (Moment::default(), 0));
    assert_eq!(sim.logged(Level::Debug).len(), 0);
}
