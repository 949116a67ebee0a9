//! Reload by reconciliation, rule by rule (managed-daemons §7.4, design §4 row 11). Most begin at 100 ms, so that what
//! is reloaded is in force at 600 ms.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::build::{JobBuilder, PlanBuilder, daemon, job, jobs, ms, secs};
use super::properties::{Witness, concrete, most_of_a_stop, through_json};
use super::sim::{Happening, Sim, Strays};
use super::strategies::{any_move, any_plan, any_signal, cases};
use crate::core::{Effect, Input, Moment, Timer, World};
use crate::plan::EventCode::{ExitSuccess, StatusHealthy, Stopped, Stopping};
use crate::plan::{CheckStatus, EventCode, Level, ReloadMode, Signal};

/// Started, reloaded at 100 ms, and looked at when that is done.
fn reloaded(old: PlanBuilder, new: PlanBuilder) -> Sim {
    old.start().until_ms(100).reload(new).until_ms(700)
}

fn anew(mut job: JobBuilder) -> JobBuilder {
    if let Some(exec) = job.spec.exec.as_mut().map(Arc::make_mut) {
        exec.args.push("--new".to_owned());
    }
    job
}

fn alive(sim: &Sim) -> Vec<&str> {
    let mut alive = sim.alive();
    alive.sort_unstable();
    alive
}

fn said(sim: &Sim) -> Vec<&str> {
    let all = sim.logged(Level::Info);
    all.into_iter().filter_map(|line| line.strip_prefix("reloaded: ")).collect()
}

#[test]
fn what_has_not_changed_goes_on_and_the_rest_is_stopped_started_or_both() {
    let old = jobs([daemon("a"), daemon("b"), daemon("c").checked_every(ms(200))]);
    let new = jobs([daemon("c").checked_every(ms(200)), anew(daemon("b")), daemon("d")]);
    let sim = reloaded(old, new);
    assert_eq!(alive(&sim), ["b", "c", "d"]);
    assert_eq!(sim.runs_of("b"), [0, 601]);
    assert_eq!(sim.runs_of("c"), [0]);
    assert_eq!(sim.runs_of("check.c"), [200, 400, 600], "its checks keep their step");
    assert_eq!(said(&sim), ["1 changed (b), 1 removed (a), 1 added (d), 1 unchanged"]);
    let names: Vec<&str> = sim.world.jobs().map(|job| job.spec().name.as_str()).collect();
    assert_eq!(names, ["c", "b", "d"], "in the order of the new file");
    let sim = sim.term().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn the_same_plan_does_nothing_but_say_so() {
    let plan = || jobs([daemon("a").checked_every(secs(1)), job("b"), job("c").each("b", ExitSuccess)]).watch("db");
    let mut world = plan().start().until_ms(100).world;
    let mut effects = Vec::new();
    world.step(Moment(ms(100)), &Input::Reload(Box::new(plan().plan)), &mut effects);
    assert!(matches!(effects[..], [Effect::Arm { timer: Timer::Reload, at: Moment(at) }] if at == ms(600)));
    effects.clear();
    world.step(Moment(ms(600)), &Input::Timer(Timer::Reload), &mut effects);
    let [
        Effect::Disarm { timer: Timer::Reload },
        Effect::Reconfigure(_),
        Effect::Log { message, .. },
        Effect::Reloaded(_),
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(message, "reloaded: 0 changed, 0 removed, 0 added, 3 unchanged");
}

#[test]
fn fifty_reloads_in_a_second_are_one() {
    let plan = |n: u64| jobs([daemon(&format!("j{n}"))]);
    let mut sim = jobs([daemon("j")]).start();
    for n in 0..50 {
        sim = sim.reload_at(ms(n * 20), plan(n));
    }
    let sim = sim.until(secs(10));
    assert_eq!(said(&sim), ["0 changed, 1 removed (j), 1 added (j49), 0 unchanged"]);
    assert_eq!(sim.runs_of("j49"), [980 + 500 + 1], "the newest, half a second after it");
}

#[test]
fn a_storm_of_reloads_is_followed_each_five_seconds() {
    let mut sim = jobs([daemon("a")]).start();
    for n in 0..=120 {
        sim = sim.reload_at(ms(n * 100), jobs([daemon("a")]));
    }
    let sim = sim.until(secs(20));
    let at = sim.when(|what| matches!(what, Happening::Log(_, line) if line.starts_with("reloaded: ")));
    assert_eq!(at, [5000, 10_100, 12_500]);
}

#[test]
fn a_reload_during_a_reload_waits_for_it_and_the_newest_wins() {
    let slow = || daemon("a").exits_on_term(0, secs(3));
    let sim = jobs([slow()]).start().until_ms(100).reload(jobs([anew(slow())])).until_ms(1000);
    let sim = sim.reload(jobs([daemon("b")])).until_ms(1100).reload(jobs([anew(slow()), daemon("c")]));
    let sim = sim.until_ms(3599);
    assert_eq!(alive(&sim), ["a"], "the old one still ends");
    let sim = sim.until(secs(10));
    assert_eq!(sim.runs_of("a"), [0, 3600]);
    assert_eq!(sim.runs_of("c"), [4100]);
    assert_eq!(sim.runs_of("b"), [0_u128; 0]);
}

#[test]
fn f71_after_a_term_nothing_is_reloaded() {
    let sim = jobs([daemon("a")]).start().until_ms(100).term().reload(jobs([daemon("b")])).until(secs(9));
    assert_eq!((sim.exit, said(&sim).len()), (Some(0), 0));
    assert!(!sim.world.takes_reloads());
    let waiting = jobs([daemon("a")]).start().until_ms(100).reload(jobs([daemon("b")])).until_ms(200).term();
    let waiting = waiting.until(secs(9));
    assert_eq!((waiting.exit, waiting.runs_of("b").len()), (Some(0), 0));
}

#[test]
fn f71_a_term_while_jobs_stop_for_a_reload_stops_everything() {
    let sim = jobs([daemon("a").exits_on_term(0, secs(3)), daemon("b")]).start().until_ms(100);
    let sim = sim.reload(jobs([anew(daemon("a")), daemon("b")])).until_ms(1000).term().till_the_end();
    assert_eq!((sim.exit, sim.exit_ms()), (Some(0), 3600));
    assert_eq!(sim.runs_of("a"), [0]);
}

#[test]
fn the_stop_of_a_changed_job_is_acted_on_before_and_after_it() {
    let plan = |web: JobBuilder| {
        jobs([web, job("pre").once("web", Stopping).lasts(ms(50)), job("post").once("web", Stopped).lasts(ms(70))])
    };
    let sim = reloaded(plan(daemon("web")), plan(anew(daemon("web")))).until_ms(1000);
    let course = [
        "run web",
        "stopping web",
        "run pre",
        "end pre",
        "stopping pre",
        "stopped pre",
        "TERM web",
        "end web",
        "stopped web",
        "run post",
        "end post",
        "stopping post",
        "stopped post",
        "run web",
    ];
    assert_eq!(sim.course(), course);
    assert_eq!(said(&sim), ["1 changed (web), 0 removed, 0 added, 2 unchanged"]);
    // … and again at the next stop, though both were spent.
    let sim = sim.term().till_the_end();
    assert_eq!((sim.runs_of("pre").len(), sim.runs_of("post").len()), (2, 2), "{}", sim.story());
}

#[test]
fn a_stop_job_that_is_removed_with_its_job_runs_for_the_last_time() {
    let old = jobs([daemon("web"), job("pre").once("web", Stopping).lasts(ms(50)), daemon("b")]);
    let sim = reloaded(old, jobs([daemon("b")]));
    assert_eq!(sim.runs_of("pre"), [600]);
    assert_eq!(sim.course()[2..8], ["stopping web", "run pre", "end pre", "stopping pre", "stopped pre", "TERM web"]);
    assert_eq!(said(&sim), ["0 changed, 2 removed (web, pre), 0 added, 1 unchanged"]);
}

#[test]
fn a_stop_job_that_hangs_does_not_hold_the_reload_up_for_ever() {
    let hangs = |when: EventCode| job("hangs").once("web", when).lasts_for_ever().stop_timeout(secs(2));
    for when in [Stopping, Stopped] {
        let plan = |web: JobBuilder| jobs([web.stop_timeout(secs(2)), hangs(when)]);
        let sim = reloaded(plan(daemon("web")), plan(anew(daemon("web")))).until(secs(20));
        assert_eq!(sim.runs_of("web").len(), 2, "{}", sim.story());
        assert_eq!(sim.job("hangs").runs(), 0, "it waits again");
    }
}

#[test]
fn a_daemon_that_another_jobs_stop_has_started_goes_on() {
    let plan = |setup: JobBuilder| jobs([setup, daemon("web").once("setup", Stopped).unlimited()]);
    let sim = reloaded(plan(job("setup")), plan(anew(job("setup"))));
    assert_eq!((sim.runs_of("setup").len(), sim.runs_of("web").len()), (2, 1));
}

#[test]
fn a_changed_main_job_does_not_end_the_program() {
    let sim = reloaded(jobs([daemon("app").main()]), jobs([anew(daemon("app").main().exits_on_term(3, ms(1)))]));
    assert_eq!((sim.exit, sim.runs_of("app").len()), (None, 2));
    assert_eq!(sim.term().till_the_end().exit, Some(3));
    let gone = reloaded(jobs([daemon("app").main()]), jobs([daemon("b")]));
    assert_eq!((gone.exit, alive(&gone)), (None, vec!["b"]));
}

#[test]
fn the_end_of_the_last_job_during_a_reload_is_not_the_end() {
    let sim =
        jobs([job("a").lasts(ms(300))]).start().until_ms(100).reload(jobs([job("a").lasts(ms(300)), daemon("b")]));
    let sim = sim.until_ms(2000);
    assert_eq!((sim.exit, alive(&sim)), (None, vec!["b"]));
}

#[test]
fn a_reload_that_leaves_nothing_to_do_ends_the_program() {
    let sim = reloaded(jobs([job("a"), daemon("b")]), jobs([job("a")]));
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn what_is_over_stays_over_unless_it_is_changed() {
    let old = jobs([job("same"), job("other"), daemon("b")]);
    let sim = reloaded(old, jobs([job("same"), anew(job("other")), daemon("b")]));
    assert_eq!((sim.runs_of("same").len(), sim.runs_of("other").len()), (1, 2));
}

#[test]
fn an_added_job_starts_when_its_event_has_happened_already() {
    let old = || [job("done"), job("failed").exits(1), daemon("web").checked_every(ms(50)), daemon("idle")];
    let new = [
        ("ok", "done", ExitSuccess),
        ("not_failed", "done", EventCode::ExitFailed),
        ("bad", "failed", EventCode::ExitFailed),
        ("well", "web", StatusHealthy),
        ("sick", "web", EventCode::StatusUnhealthy),
        ("over", "done", Stopped),
        ("not_over", "web", Stopped),
        ("begun", "global", EventCode::Startup),
        ("checked", "idle", StatusHealthy),
    ];
    let added = new.map(|(name, source, event)| job(name).once(source, event));
    let sim = reloaded(jobs(old()), jobs(old().into_iter().chain(added)));
    let ran: Vec<&str> = new.iter().map(|(name, ..)| *name).filter(|name| !sim.runs_of(name).is_empty()).collect();
    assert_eq!(ran, ["ok", "bad", "well", "over", "begun"]);
    let each = job("each").each("done", ExitSuccess);
    let sim = reloaded(jobs(old()), jobs(old().into_iter().chain([each])));
    assert_eq!(sim.runs_of("each"), [0_u128; 0], "what waits for each event waits for the next");
}

#[test]
fn an_added_job_waits_for_what_its_restarted_source_does_next() {
    let old = jobs([daemon("web").checked_every(ms(100))]);
    let new = jobs([anew(daemon("web").checked_every(ms(100))), job("b").once("web", StatusHealthy)]);
    assert_eq!(reloaded(old, new).until_ms(900).runs_of("b"), [701], "601 is the new start, 700 its first check");
}

#[test]
fn a_changed_job_that_acts_on_events_runs_again_only_if_it_ran() {
    let plan = |hook: JobBuilder| jobs([job("a"), hook.each("a", ExitSuccess), daemon("b")]);
    let idle = reloaded(plan(job("hook")), plan(anew(job("hook"))));
    assert_eq!(idle.runs_of("hook").len(), 1);
    let busy = reloaded(plan(daemon("hook")), plan(anew(daemon("hook"))));
    assert_eq!(busy.runs_of("hook"), [1, 601]);
}

#[test]
fn limits_budgets_and_timers_change_in_place() {
    let old = jobs([daemon("a").timeout(secs(60)), job("b").lasts(secs(1)).restarts(5), daemon("c")]);
    let new = jobs([
        daemon("a").timeout(secs(2)),
        job("b").lasts(secs(1)).restarts(2),
        daemon("c").checked_every(ms(250)).stop_timeout(secs(7)),
    ]);
    let sim = reloaded(old, new).until(secs(8));
    let place = "3 changed in place (a: timeout, b: restarts, c: stopTimeout, health)";
    assert_eq!(said(&sim), [format!("0 changed, {place}, 0 removed, 0 added, 0 unchanged")]);
    assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::KILL, "a".to_owned())), [2000]);
    assert_eq!(sim.runs_of("b"), [0, 1000, 2000], "two restarts in all");
    assert_eq!(sim.runs_of("check.c")[..2], [750, 1000]);
}

#[test]
fn a_check_that_is_taken_away_while_it_runs_counts_no_more() {
    let old = jobs([daemon("a").checked_every(ms(100)).check_timeout(secs(2)).checks([super::build::hangs()])]);
    let sim = reloaded(old, jobs([daemon("a")])).until(secs(4));
    assert_eq!(sim.count(EventCode::StatusUnhealthy, "a"), 0);
    assert_eq!(sim.count(EventCode::ExitFailed, "check.a"), 1, "it is killed for its time all the same");
    let sim = sim.term().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn another_when_is_waited_for_by_what_does_not_run_and_is_for_later_by_what_does() {
    let old = jobs([job("a"), daemon("b").once("nobody", ExitSuccess), daemon("c"), daemon("d")]);
    let new =
        jobs([job("a"), daemon("b").once("a", ExitSuccess), daemon("c").each("d", EventCode::ExitFailed), daemon("d")]);
    let sim = reloaded(old, new);
    assert_eq!(sim.runs_of("b"), [600], "what it waits for now has happened");
    assert_eq!(sim.runs_of("c"), [0]);
    assert!(sim.logged(Level::Info).contains(&"c runs: its new `when` is for later events"));
    let period = |period: u64| jobs([job("p").every(ms(period))]);
    let sim = period(400).start().until_ms(450).reload(period(300)).until_ms(1600);
    assert_eq!(sim.runs_of("p"), [0, 400, 800, 1250, 1550], "the period begins with the reload");
}

#[test]
fn jobs_of_one_name_are_matched_one_by_one() {
    let old = jobs([daemon("a").checked_every(secs(9)), anew(daemon("a"))]);
    let new = jobs([daemon("a"), anew(anew(daemon("a"))), daemon("a")]);
    let sim = reloaded(old, new);
    assert_eq!(sim.runs_of("a"), [0, 0, 601, 601]);
    assert_eq!(said(&sim), ["1 changed (a), 1 changed in place (a: health), 0 removed, 1 added (a), 0 unchanged"]);
}

#[test]
fn a_changed_service_is_told_anew_without_a_restart() {
    let tagged = |tags: &[&str]| {
        let mut web = daemon("web").advertised().checked_every(ms(200));
        web.spec.service.as_mut().unwrap().tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        web
    };
    let sim = reloaded(jobs([tagged(&[])]).consul(), jobs([tagged(&["blue"])]).consul());
    assert_eq!(sim.runs_of("web"), [0]);
    assert_eq!(sim.when(|what| *what == Happening::Service("web".to_owned())), [600]);
    assert!(sim.told().contains(&"600 web passing".to_owned()), "before its next check has ended: {}", sim.story());
    let sim = sim.reload(jobs([daemon("web").checked_every(ms(200))]).consul()).until_ms(1500);
    assert_eq!(sim.told().last().unwrap(), "1200 web withdraw");
    let sim = sim.reload(jobs([tagged(&[])]).consul()).until_ms(2000);
    assert_eq!(sim.told().last().unwrap(), "2000 web passing");
    assert_eq!(sim.runs_of("web"), [0]);
}

#[test]
fn what_has_changed_is_told_by_its_key() {
    let other = |change: fn(&mut JobBuilder)| {
        let mut web = daemon("web").advertised().checked_every(ms(200)).check_timeout(secs(1));
        change(&mut web);
        web
    };
    let old = || jobs([other(|_| ())]).consul();
    let named = |change: fn(&mut JobBuilder)| {
        let sim = reloaded(old(), jobs([other(change)]).consul());
        let told = said(&sim).join("; ");
        told.split(['(', ')']).nth(1).map_or_else(|| told.clone(), |named| named.replace("web: ", ""))
    };
    assert_eq!(named(|web| web.spec.health.as_mut().unwrap().interval = ms(300)), "health.interval");
    assert_eq!(named(|web| web.spec.health.as_mut().unwrap().exec = None), "health.exec, health.timeout");
    assert_eq!(
        named(|web| Arc::make_mut(web.spec.health.as_mut().unwrap().exec.as_mut().unwrap()).timeout = Some(secs(2))),
        "health.timeout"
    );
    assert_eq!(named(|web| web.spec.service.as_mut().unwrap().ttl = secs(99)), "health.ttl");
    assert_eq!(named(|web| web.spec.service.as_mut().unwrap().port += 1), "port");
    assert_eq!(named(|web| web.spec.service.as_mut().unwrap().enable_tag_override = true), "consul");
    assert_eq!(named(|web| web.spec.service = None), "port");
    assert_eq!(named(|_| ()), "0 changed, 0 removed, 0 added, 1 unchanged");
}

#[test]
fn a_removed_service_is_withdrawn_and_a_new_one_announced() {
    let old = jobs([daemon("a").advertised()]).consul();
    let new = jobs([daemon("b").advertised().initially(CheckStatus::Warning)]).consul();
    let sim = reloaded(old, new);
    assert_eq!(sim.told(), ["600 a withdraw", "602 b initially warning"]);
    assert_eq!(sim.course()[1..5], ["stopping a", "withdraw a", "TERM a", "end a"]);
}

#[test]
fn another_agent_is_told_what_the_old_one_knew() {
    let web = || daemon("web").advertised().checked_every(ms(100));
    let mut sim = jobs([web()]).consul().start().until_ms(150);
    sim.step(&Input::ConsulChanged);
    assert_eq!(sim.told(), ["101 web passing", "150 web passing"]);
}

#[test]
fn watches_that_are_the_same_remember() {
    let plan = |watches: &[&str]| {
        let all = [daemon("web"), job("hook").each("watch.db", EventCode::StatusChanged)];
        watches.iter().fold(jobs(all), |plan, watch| plan.watch(watch))
    };
    let sim = plan(&["db", "old"]).start().sees(0, &["a@10.0.0.1:80"]).until_ms(100);
    let sim = sim.reload(plan(&["new", "db"])).until_ms(700).sees(0, &["a@10.0.0.1:80"]).sees(1, &["a@10.0.0.1:80"]);
    assert_eq!(sim.count(EventCode::StatusChanged, "watch.db"), 1);
    let asked = |sim: &Sim| -> Vec<(u32, bool)> {
        let watch = |(_, what): &(Moment, Happening)| match what {
            Happening::Watch(id, on) => Some((*id, *on)),
            _ => None,
        };
        sim.trace.iter().filter_map(watch).collect()
    };
    assert_eq!(asked(&sim), [(0, true), (1, true), (1, false), (2, true)]);
}

#[test]
fn in_maintenance_new_jobs_are_in_maintenance_too() {
    let old = jobs([daemon("a")]).consul();
    let b = || daemon("b").advertised().initially(CheckStatus::Passing);
    let sim = old.start().signal(Signal::USR1).until_ms(100).reload(jobs([daemon("a"), b()]).consul()).until_ms(700);
    assert_eq!(sim.told(), [""; 0]);
    assert_eq!(sim.signal(Signal::USR1).told(), ["700 b initially passing"]);
}

#[test]
fn restart_stops_everything_and_starts_it_anew() {
    let plan = || {
        let mut plan = jobs([
            daemon("web").advertised(),
            job("pre").once("web", Stopping).lasts(ms(50)),
            job("post").once("web", Stopped).lasts(ms(10)),
            job("setup"),
        ]);
        plan.plan.reload.mode = ReloadMode::Restart;
        plan.consul().watch("db")
    };
    let sim = plan().start().sees(0, &["a@10.0.0.1:80"]).until_ms(100).reload(plan()).until_ms(1000);
    assert_eq!(sim.count(EventCode::Shutdown, "global"), 1);
    assert_eq!(sim.count(EventCode::Startup, "global"), 2);
    assert_eq!([sim.runs_of("web").len(), sim.runs_of("setup").len(), sim.runs_of("pre").len()], [2, 2, 1]);
    assert_eq!(sim.runs_of("post").len(), 1);
    assert!(sim.runs_of("web")[1] > sim.runs_of("post")[0]);
    assert_eq!(said(&sim), ["everything started anew, 4 jobs"]);
    let sim = sim.sees(1, &["a@10.0.0.1:80"]);
    assert_eq!(sim.count(EventCode::StatusChanged, "watch.db"), 2, "watches begin anew, too");
    let sim = sim.term().till_the_end();
    assert_eq!((sim.exit, sim.runs_of("pre").len()), (Some(0), 2));
}

#[test]
fn a_signal_may_ask_for_a_reload() {
    let mut world = World::new(&jobs([daemon("a")]).signal(Signal::HUP, crate::plan::SignalAction::Reload).plan);
    let mut effects = Vec::new();
    world.step(Moment::default(), &Input::Signal(Signal::HUP), &mut effects);
    assert_eq!(effects, [Effect::Reread]);
}

#[test]
fn what_the_top_of_the_file_says_changes_too() {
    let stubborn = || daemon("a").ignores_term();
    let new = jobs([stubborn()]).stop_timeout(secs(1)).exit_code(crate::plan::ExitCodeRule::Zero);
    let new = new.signal(Signal::QUIT, crate::plan::SignalAction::Terminate);
    let sim = reloaded(jobs([stubborn()]), new).signal(Signal::QUIT).till_the_end();
    assert_eq!(sim.exit_ms(), 700 + 1000 + 1);
}

#[test]
fn a_job_that_is_being_stopped_when_it_is_reloaded_is_not_stopped_twice() {
    let web = || daemon("web").exits_on_term(0, secs(2)).once("go", ExitSuccess).wait_timeout(ms(50));
    let sim = jobs([web(), daemon("b")]).start().until_ms(100).reload(jobs([anew(web()), daemon("b")])).until(secs(5));
    assert_eq!(sim.count(Stopping, "web"), 2, "its own end, and that of the one that waited in its place");
    assert_eq!(sim.count(Stopped, "web"), 2);
    assert_eq!(alive(&sim), ["b"]);
}

/// Any plan, in either way of reloading.
fn any_new_plan() -> impl Strategy<Value = PlanBuilder> {
    (any_plan(), prop::bool::weighted(0.15)).prop_map(|(mut plan, restart)| {
        plan.plan.reload.mode = if restart { ReloadMode::Restart } else { ReloadMode::Reconcile };
        plan
    })
}

/// Some plans, of which each has much of the one before.
pub fn any_new_plans() -> impl Strategy<Value = Vec<PlanBuilder>> {
    let stays = prop::collection::vec(prop::bool::weighted(0.7), 8);
    let other = prop::collection::vec(prop::bool::weighted(0.3), 8);
    prop::collection::vec((any_new_plan(), stays, other), 2..4).prop_map(|plans| {
        let mut all: Vec<PlanBuilder> = Vec::new();
        for (plan, stays, other) in plans {
            let Some(before) = all.last() else {
                all.push(plan);
                continue;
            };
            let job = |of: &PlanBuilder, n: usize| {
                let id = crate::core::JobId(u32::try_from(n).unwrap());
                let spec = of.plan.jobs.get(n)?.clone();
                let scripts = |slot| of.scripts[&slot].clone();
                let (runs, checks) = (scripts(crate::core::Slot::Exec(id)), scripts(crate::core::Slot::Check(id)));
                Some(JobBuilder { spec, runs, checks })
            };
            let mixed = (0..8).filter_map(|n| {
                let job = job(before, n).filter(|_| stays[n]).or_else(|| job(&plan, n))?;
                Some(if other[n] { anew(job) } else { job })
            });
            let mut next = jobs(mixed);
            next.plan = crate::plan::Plan { jobs: next.plan.jobs, ..plan.plan };
            all.push(next);
        }
        all
    })
}

proptest! {
    #![proptest_config(cases(3000))]

    /// What `properties` says of every world holds with reloads at any time.
    #[test]
    fn wild_worlds_keep_the_rules_when_they_are_reloaded(
        plans in any_new_plans(),
        moves in prop::collection::vec((any_move(), 0..1500_u64, prop::option::weighted(0.15, 0..4_usize)), 1..60),
        snapshot in 0..60_usize,
    ) {
        let mut world = World::new(&plans[0].plan);
        let mut witness = Witness::new();
        let mut now = Moment::default();
        let mut copy = None;
        for (n, (next, pause, reload)) in moves.into_iter().enumerate() {
            now = now.after(ms(pause));
            if n == snapshot {
                copy = Some(through_json(&world));
            }
            let plan = reload.map(|reload| Input::Reload(Box::new(plans[reload % plans.len()].plan.clone())));
            let input = if n == 0 { Some(Input::Start) } else { plan.or_else(|| concrete(&next, &witness)) };
            let Some(input) = input else { continue };
            let mut effects = Vec::new();
            world.step(now, &input, &mut effects);
            if let Some(copy) = &mut copy {
                let mut same = Vec::new();
                copy.step(now, &input, &mut same);
                prop_assert_eq!(&effects, &same);
            }
            witness.see(&world, &input, &effects);
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    /// A stop that is asked for at any time of reloads comes to its end in bounded time, with nothing left.
    #[test]
    fn lawful_worlds_stop_in_bounded_time_when_they_are_reloaded(
        plans in any_new_plans(),
        reloads in prop::collection::vec((0..4000_u64, 0..4_usize), 1..4),
        signals in prop::collection::vec((0..4000_u64, any_signal()), 0..4),
        asked in 0..4500_u64,
    ) {
        let most = plans.iter().map(|plan| most_of_a_stop(&plan.plan)).sum::<std::time::Duration>();
        let mut sim = plans[0].clone().start();
        for (at, n) in reloads {
            sim = sim.reload_at(ms(at), plans[n % plans.len()].clone());
        }
        for (at, signal) in signals {
            sim = sim.signal_at(ms(at), signal);
        }
        let sim = sim.until_ms(asked);
        let before = sim.now;
        let sim = sim.term().till_the_end();
        prop_assert!(sim.alive().is_empty(), "{:?} lives:\n{}", sim.alive(), sim.story());
        prop_assert!(sim.now.since(before) <= most, "{:?} > {most:?}:\n{}", sim.now.since(before), sim.story());
    }

    /// A reload comes to its end in bounded time even when something does not die; then the jobs are those of its plan.
    #[test]
    fn a_reload_ends_in_bounded_time(
        plans in any_new_plans(),
        stuck in prop::collection::vec(any::<bool>(), 16),
        consul_hangs in any::<bool>(),
        at in 0..2500_u64,
    ) {
        let mut plans = plans;
        for plan in &mut plans {
            for job in &mut plan.plan.jobs {
                // Its end would be the program's.
                job.main = false;
            }
            for (scripts, stuck) in plan.scripts.values_mut().zip(&stuck) {
                for script in scripts {
                    script.dies = !stuck;
                }
            }
        }
        let [old, new, ..] = &plans[..] else { unreachable!() };
        let most = most_of_a_stop(&old.plan) + secs(1);
        let sim = old.clone().start();
        let consul = sim.consul.filter(|_| !consul_hangs);
        let sim = sim.consul_takes(consul).strays(Strays::Stay).until_ms(at).reload(new.clone());
        let sim = sim.until(ms(at) + most);
        if sim.exit.is_none() && !sim.world.is_stopping() {
            prop_assert!(!sim.world.is_reloading(), "{}", sim.story());
            let names: Vec<&str> = sim.world.jobs().map(|job| job.spec().name.as_str()).collect();
            let wanted: Vec<&str> = new.plan.jobs.iter().map(|job| job.name.as_str()).collect();
            prop_assert_eq!(names, wanted);
        }
    }

    /// Reloaded from one plan to another, the same daemons run as if the other had been there from the beginning.
    #[test]
    fn a_reload_comes_to_the_same_as_a_start(
        (old, new) in (any_daemons(), any_daemons()),
        at in 0..2000_u64,
    ) {
        let fresh = daemons(&new).start().until(secs(20));
        let sim = daemons(&old).start().until_ms(at).reload(daemons(&new)).until(secs(20));
        prop_assert_eq!(alive(&sim), alive(&fresh));
        // Those that are in both never noticed.
        let kept: BTreeSet<_> = old.iter().filter(|job| new.contains(job)).map(|(name, _)| name.as_str()).collect();
        for name in kept {
            prop_assert_eq!(sim.runs_of(name).len(), 1, "{}", name);
        }
    }
}

/// Names, each once, and which of three programs each runs.
fn any_daemons() -> impl Strategy<Value = Vec<(String, u8)>> {
    prop::collection::btree_map((0..9_u8).prop_map(|n| format!("j{n}")), 0..3_u8, 0..8)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn daemons(of: &[(String, u8)]) -> PlanBuilder {
    jobs(of.iter().map(|(name, program)| daemon(name).unlimited().runs_program(&format!("/bin/{program}"), &[])))
}
