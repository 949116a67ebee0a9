//! Random plans, what their commands do, and what happens to them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngAlgorithm;

use super::build::{JobBuilder, PlanBuilder, Script, command, job, jobs, ms, no_process_slot};
use crate::core::{ChildId, ExitStatus, Input, Instance, JobId, Order, SpawnFailure, Timer, WatchId};
use crate::plan::{
    Backoff, CheckStatus, EventCode, ExitCodeRule, HealthSpec, Plan, Restarts, Signal, SignalAction, Trigger, When,
};

/// How many cases of a property are tried: `PROPTEST_CASES`, 100 000 with `CONTAINERPILOT_LONG`, else what it says.
pub fn cases(usual: u32) -> ProptestConfig {
    let configured = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let long = std::env::var_os("CONTAINERPILOT_LONG").map(|_| 100_000);
    ProptestConfig {
        cases: configured.or(long).unwrap_or(usual),
        max_shrink_iters: 20_000,
        // The default, a cipher, takes nine tenths of the time of an unoptimised run.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

const SIGNALS: [Signal; 6] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1, Signal::USR2, Signal::QUIT];

const CODES: [EventCode; 15] = [
    EventCode::ExitSuccess,
    EventCode::ExitFailed,
    EventCode::Stopping,
    EventCode::Stopped,
    EventCode::StatusHealthy,
    EventCode::StatusUnhealthy,
    EventCode::StatusChanged,
    EventCode::TimerExpired,
    EventCode::EnterMaintenance,
    EventCode::ExitMaintenance,
    EventCode::Error,
    EventCode::Quit,
    EventCode::Startup,
    EventCode::Shutdown,
    EventCode::Signal,
];

fn up_to(most: u64) -> impl Strategy<Value = Duration> {
    (0..=most).prop_map(ms)
}

/// Few names, so that jobs share them and refer to each other.
fn name() -> impl Strategy<Value = String> {
    (0..7_u8).prop_map(|n| format!("j{n}"))
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let source = prop_oneof![
        12 => name(),
        1 => name().prop_map(|name| format!("check.{name}")),
        1 => name().prop_map(|name| format!("{name}: exit status 1")),
        1 => Just("global".to_owned()),
        1 => Just("nobody".to_owned()),
        1 => Just("watch.j1".to_owned()),
        1 => Just("SIGHUP".to_owned()),
    ];
    // Exits and stops are what plans are made of.
    let event = prop_oneof![6 => 0..2_usize, 6 => 2..4_usize, 8 => 0..CODES.len()].prop_map(|code| CODES[code]);
    (source, event).prop_map(|(source, event)| Trigger { source, event })
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => Just(When::Startup),
        5 => trigger().prop_map(When::Once),
        5 => trigger().prop_map(When::Each),
        2 => (20..2000_u64).prop_map(|period| When::Every(ms(period))),
        1 => prop_oneof![Just(When::Signal(Signal::HUP)), Just(When::Signal(Signal::USR2))],
        1 => Just(When::Never(None)),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    // Never nothing: restarts without backoff would then not let time pass at all.
    let quick = (10..100_u64).prop_map(|lasts| Some(ms(lasts)));
    let slow = (100..3000_u64).prop_map(|lasts| Some(ms(lasts)));
    let lasts = prop_oneof![3 => quick, 5 => slow, 2 => Just(None)];
    let status = prop_oneof![
        4 => Just(ExitStatus::Code(0)),
        2 => Just(ExitStatus::Code(1)),
        1 => Just(ExitStatus::Signal(Signal::KILL)),
    ];
    let on_term = prop_oneof![
        6 => up_to(50).prop_map(|after| Some((after, ExitStatus::Code(0)))),
        2 => up_to(8000).prop_map(|after| Some((after, ExitStatus::Signal(Signal::TERM)))),
        2 => Just(None),
    ];
    let failures = prop_oneof![
        12 => Just(Vec::new()),
        1 => (1..8_usize).prop_map(|n| vec![no_process_slot(); n]),
        1 => Just(vec![super::build::missing()]),
    ];
    (lasts, status, on_term, failures).prop_map(|(lasts, status, on_term, failures)| Script {
        lasts,
        status,
        on_term,
        dies: true,
        failures,
    })
}

fn backoff() -> impl Strategy<Value = Option<Backoff>> {
    let custom = (0..3_u32, up_to(500), 1..4_u8, up_to(2000)).prop_map(|(free, initial, factor, max)| Backoff {
        free,
        initial,
        factor: f64::from(factor),
        max,
        healthy_after: ms(1500),
        jitter: 0.5,
    });
    prop_oneof![1 => Just(None), 4 => Just(Some(Backoff::default())), 2 => custom.prop_map(Some)]
}

/// A program that is missing for ever would be a loop that takes no time.
fn last_one_starts(mut scripts: Vec<Script>) -> Vec<Script> {
    if let Some(last) = scripts.last_mut() {
        last.failures.clear();
    }
    scripts
}

/// Any job that validation lets through.
pub fn any_job() -> impl Strategy<Value = JobBuilder> {
    let restarts = prop_oneof![
        4 => Just(Restarts::Never),
        3 => (1..5_u64).prop_map(Restarts::Times),
        3 => Just(Restarts::Unlimited),
    ];
    let maybe = |most| prop_oneof![2 => Just(None), 1 => up_to(most).prop_map(Some)];
    let runs = (prop::collection::vec(script(), 1..4), prop::collection::vec(script(), 1..4));
    let times = (maybe(2000), maybe(3000), up_to(3000), prop::option::weighted(0.3, 20..3000_u64), maybe(2000));
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.05), prop::bool::weighted(0.1));
    let service = prop_oneof![
        6 => Just(None),
        2 => Just(Some((None, false))),
        1 => Just(Some((Some(CheckStatus::Warning), true))),
    ];
    let flags = (flags, service);
    ((name(), when(), restarts, backoff()), runs, times, flags).prop_map(|(what, (runs, checks), times, flags)| {
        let (name, when, restarts, backoff) = what;
        let (timeout, wait_timeout, stop_timeout, check_interval, check_timeout) = times;
        let ((main, overrides, without_exec), service) = flags;
        let mut job = job(&name);
        let (runs, checks) = (last_one_starts(runs), last_one_starts(checks));
        job.spec.restarts = match (restarts, &when) {
            (Restarts::Unlimited, When::Each(_)) => Restarts::Never,
            (restarts, _) => restarts,
        };
        job.spec.backoff = backoff.filter(|_| job.spec.restarts == Restarts::Unlimited);
        job.spec.when = when;
        job.spec.wait_timeout = wait_timeout.filter(|timeout| !timeout.is_zero());
        job.spec.stop_timeout = stop_timeout;
        job.spec.main = main;
        job.spec.overrides_exit_code = overrides;
        job.spec.health = check_interval.map(|interval| {
            let timeout = check_timeout.or(Some(ms(interval)));
            let exec = crate::plan::CommandSpec { timeout, ..command(&format!("check.{name}")) };
            HealthSpec {
                exec: Some(exec.into()).filter(|_| interval % 10 != 0),
                interval: ms(interval),
                ttl: ms(interval),
            }
        });
        job = match timeout {
            Some(timeout) => job.timeout(timeout.max(ms(10))),
            None => job,
        };
        if without_exec {
            job.spec.exec = None;
        }
        if let Some((initially, paused)) = service {
            job = job.advertised();
            job.spec.pause_in_maintenance = paused;
            if let Some(service) = &mut job.spec.service {
                service.initial_status = initially;
            }
        }
        JobBuilder { runs, checks, ..job }
    })
}

/// Any plan of 1 to 8 jobs.
pub fn any_plan() -> impl Strategy<Value = PlanBuilder> {
    let rule = prop_oneof![3 => Just(ExitCodeRule::Truthful), 1 => Just(ExitCodeRule::Zero)];
    let pass = prop::bool::weighted(0.2);
    let jobs_of = (prop::collection::vec(any_job(), 1..=8), prop::bool::weighted(0.3));
    (jobs_of, up_to(5000), rule, pass).prop_map(|((mut all, agent), stop_timeout, rule, pass)| {
        if let Some(first) = all.first_mut().filter(|_| agent) {
            *first = first.clone().runs_program("/bin/consul", &["agent"]);
        }
        let plan = jobs(all).stop_timeout(stop_timeout).exit_code(rule).consul().failing_heartbeat().watch("j1");
        if pass {
            plan.signal(Signal::QUIT, SignalAction::Pass { job: "j0".to_owned(), signal: Signal::USR2 })
        } else {
            plan
        }
    })
}

pub fn any_signal() -> impl Strategy<Value = Signal> {
    (0..SIGNALS.len()).prop_map(|n| SIGNALS[n])
}

/// One that does not end the program.
pub fn harmless_signal() -> impl Strategy<Value = Signal> {
    (2..SIGNALS.len()).prop_map(|n| SIGNALS[n])
}

fn any_timer() -> impl Strategy<Value = Timer> {
    let of_job = (0..10_u32, 0..6_u8).prop_map(|(job, kind)| {
        let kinds = [Timer::Interval, Timer::Heartbeat, Timer::Wait, Timer::Restart, Timer::Stop, Timer::Withdraw];
        kinds[usize::from(kind)](JobId(job))
    });
    let of_run = (0..30_u64, 0..4_u8).prop_map(|(child, kind)| {
        let kinds = [Timer::Timeout, Timer::Retry, Timer::Grace, Timer::GiveUp];
        kinds[usize::from(kind)](ChildId(child))
    });
    prop_oneof![8 => of_job, 8 => of_run, 1 => Just(Timer::Sweep), 2 => Just(Timer::Reload)]
}

/// Something that somebody orders by hand.
pub fn any_order() -> impl Strategy<Value = (String, Order)> {
    let order = prop_oneof![
        2 => Just(Order::Start),
        2 => Just(Order::Stop),
        2 => Just(Order::Restart),
        1 => Just(Order::Signal(Signal::HUP)),
    ];
    (name(), order)
}

/// None, one, or one elsewhere.
fn instances(port: u8) -> Vec<Instance> {
    let one = |port: u8| Instance {
        id: "a".to_owned(),
        address: "10.0.0.1".to_owned(),
        port: i64::from(port),
        tags: Vec::new(),
        node: String::new(),
    };
    Some(port).filter(|port| *port > 0).map(one).into_iter().collect()
}

/// Something that the machine may tell, in a form that is made concrete when it is known what lives and is armed.
#[derive(Debug, Clone)]
pub enum Move {
    /// Any input, however absurd.
    Any(Input),
    /// The so-manieth of the living children ends.
    End(usize, ExitStatus),
    /// … could not be started.
    Fail(usize, SpawnFailure),
    /// The so-manieth of the armed timers is due, whatever its moment.
    Due(usize),
}

pub fn any_move() -> impl Strategy<Value = Move> {
    let status = prop_oneof![
        (0..256).prop_map(ExitStatus::Code),
        Just(ExitStatus::Code(0)),
        (1..64).prop_map(|n| ExitStatus::Signal(Signal::from_number(n).unwrap())),
    ];
    let failure = prop_oneof![Just(no_process_slot()), Just(super::build::missing())];
    let child = || (0..30_u64).prop_map(ChildId);
    let any = prop_oneof![
        Just(Input::Start),
        any_signal().prop_map(Input::Signal),
        any::<bool>().prop_map(Input::Maintenance),
        Just(Input::Stop { reason: "no port".to_owned() }),
        (child(), status.clone()).prop_map(|(child, status)| Input::Exited { child, status }),
        (child(), failure.clone()).prop_map(|(child, failure)| Input::SpawnFailed { child, failure }),
        any_timer().prop_map(Input::Timer),
        (0..9_u32).prop_map(|job| Input::Withdrawn { job: JobId(job) }),
        (0..2_u32, 0..4_u8).prop_map(|(watch, port)| Input::Seen { watch: WatchId(watch), instances: instances(port) }),
        Just(Input::NothingLeft),
        Just(Input::ConsulChanged),
        any_order().prop_map(|(job, order)| Input::Order { job, order }),
    ];
    prop_oneof![
        2 => any.prop_map(Move::Any),
        3 => (0..8_usize, status).prop_map(|(n, status)| Move::End(n, status)),
        1 => (0..8_usize, failure).prop_map(|(n, failure)| Move::Fail(n, failure)),
        4 => (0..12_usize).prop_map(Move::Due),
    ]
}

/// A daemon with a check so often, beside what leaves it alone.
pub fn beside(mut builder: PlanBuilder, interval: u64) -> PlanBuilder {
    for job in &mut builder.plan.jobs {
        job.main = false;
    }
    let steady = super::build::daemon("steady").checked_every(ms(interval));
    let id = JobId(u32::try_from(builder.plan.jobs.len()).unwrap());
    builder.scripts.insert(crate::core::Slot::Exec(id), steady.runs);
    builder.scripts.insert(crate::core::Slot::Check(id), steady.checks);
    builder.plan.jobs.push(steady.spec);
    builder
}

/// A plan that is a daemon with a check beside anything that leaves it alone.
pub fn beside_a_steady_job() -> impl Strategy<Value = (Plan, PlanBuilder, u64)> {
    (any_plan(), 50..1000_u64).prop_map(|(builder, interval)| {
        let builder = beside(builder, interval);
        (builder.plan.clone(), builder, interval)
    })
}
