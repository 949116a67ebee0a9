//! What holds for every plan and every sequence of inputs (design §3).
//!
//! Two kinds of worlds: *wild* ones, where the machine tells anything at any time, and *lawful* ones, where it does
//! what it was asked for and commands do something random. What only needs one of them is checked in both.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::build::{PlanBuilder, ms, secs};
use super::sim::{Sim, Strays};
use super::strategies::{Move, any_move, any_plan, any_signal, beside_a_steady_job, cases, harmless_signal};
use crate::core::{ChildId, Effect, Event, Input, JobId, Moment, Report, Slot, Stage, Timer, World};
use crate::plan::{EventCode, JobSpec, Plan, Restarts, Signal, When};

/// What must be true of any sequence of steps, whatever the machine tells.
pub struct Witness {
    /// Every job that there was. Their numbers are never used again.
    jobs: BTreeMap<JobId, String>,
    pub alive: BTreeMap<ChildId, (Slot, String)>,
    /// SIGKILL did not end them, and the world went on without them.
    given_up: BTreeSet<ChildId>,
    armed: BTreeSet<Timer>,
    /// How often these were published, by name and code.
    stops: BTreeMap<(String, EventCode), usize>,
    /// Jobs that Consul was told to forget; `true` for ever.
    withdrawn: BTreeMap<JobId, bool>,
    /// Somebody has ordered something: runs are not bounded by the plan alone.
    pub by_hand: bool,
    /// No reload is taken any more.
    stopping: bool,
    over: bool,
}

impl Witness {
    pub fn new() -> Self {
        Self {
            jobs: BTreeMap::new(),
            alive: BTreeMap::new(),
            given_up: BTreeSet::new(),
            armed: BTreeSet::new(),
            stops: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            by_hand: false,
            stopping: false,
            over: false,
        }
    }

    /// Checks what a step has done.
    pub fn see(&mut self, world: &World, input: &Input, effects: &[Effect]) {
        assert!(!self.over || effects.is_empty(), "after the exit: {effects:?}");
        self.by_hand |= matches!(input, Input::Order { .. });
        // Where there are thousands, only when there is a new one among them.
        let all = self.jobs.len() < 100 || self.jobs.len() != usize::try_from(world.next_job).unwrap();
        for id in world.ids().filter(|_| all) {
            let name = &world.job(id).unwrap().spec().name;
            assert_eq!(self.jobs.entry(id).or_insert_with(|| name.clone()), name);
        }
        let ended = match input {
            Input::Exited { child, .. } | Input::SpawnFailed { child, .. } => self.alive.remove_entry(child),
            Input::Timer(timer) => {
                self.armed.remove(timer);
                None
            }
            Input::Start
            | Input::Maintenance(_)
            | Input::Stop { .. }
            | Input::Signal(_)
            | Input::Withdrawn { .. }
            | Input::Seen { .. }
            | Input::Order { .. }
            | Input::NothingLeft
            | Input::Reload(_)
            | Input::ConsulChanged => None,
        };
        let mut exits = Vec::new();
        for effect in effects {
            assert!(!self.over, "{effect:?} after the exit");
            match effect {
                Effect::Spawn { child, slot } => {
                    let command = world.command(*slot);
                    assert!(command.is_some(), "{slot:?} has no command");
                    assert!(self.alive.values().all(|(other, _)| other != slot), "{slot:?} runs twice");
                    self.alive.insert(*child, (*slot, command.unwrap().name.clone()));
                }
                Effect::Signal { child, .. } => assert!(self.alive.contains_key(child), "{child:?} does not live"),
                Effect::Arm { timer, .. } => drop(self.armed.insert(*timer)),
                Effect::Disarm { timer } => drop(self.armed.remove(timer)),
                Effect::Published { event: Event { code, source }, .. } => {
                    if matches!(code, EventCode::ExitSuccess | EventCode::ExitFailed) {
                        exits.push(source.to_string());
                    }
                    if matches!(code, EventCode::Stopping | EventCode::Stopped) {
                        *self.stops.entry((source.to_string(), *code)).or_default() += 1;
                        self.stops_in_order(source);
                    }
                }
                Effect::Exit { .. } => {
                    self.over = true;
                    assert_eq!(self.armed, BTreeSet::new(), "armed at the exit");
                }
                Effect::Log { message, .. } => {
                    if let (Input::Timer(Timer::GiveUp(child)), true) = (input, message.ends_with("leaving it behind"))
                    {
                        self.given_up.insert(*child);
                    }
                }
                Effect::Report { job, report } => self.told(world, *job, report),
                Effect::Reloaded(_) => assert!(!self.stopping, "reloaded while everything stops"),
                Effect::Sweep { .. }
                | Effect::ReopenLogs
                | Effect::Service { .. }
                | Effect::StartWatch { .. }
                | Effect::StopWatch { .. }
                | Effect::Reread
                | Effect::Reconfigure(_) => {}
            }
        }
        self.stopping = !world.takes_reloads();
        self.one_exit(input, ended, &exits);
    }

    /// Nothing is told of a service after its deregistration but its return from maintenance, and that only of a job
    /// that lives.
    fn told(&mut self, world: &World, job: JobId, report: &Report) {
        assert!(self.jobs.contains_key(&job));
        let left = world.job(job).is_none_or(|job| job.stage() != Stage::Live);
        if *report == Report::Withdraw {
            *self.withdrawn.entry(job).or_default() |= left;
        } else {
            assert_ne!(self.withdrawn.get(&job), Some(&true), "{report:?} of a job that was withdrawn for good");
        }
    }

    /// Exactly one of exitSuccess and exitFailed for a run, when it ends, and none at any other time.
    fn one_exit(&mut self, input: &Input, ended: Option<(ChildId, (Slot, String))>, exits: &[String]) {
        let Some((child, (slot, command))) = ended else {
            assert_eq!(exits, [""; 0]);
            return;
        };
        let for_lack = matches!(input, Input::SpawnFailed { failure, .. } if failure.lacks.is_some());
        let tried_again = self.armed.contains(&Timer::Retry(child));
        if for_lack && (tried_again || matches!(slot, Slot::Check(_))) {
            assert_eq!(exits, [""; 0]);
        } else if exits.is_empty() {
            assert!(self.given_up.contains(&child), "{child:?} ended without a word");
        } else {
            assert_eq!(exits, [command]);
        }
        let timers = [Timer::Timeout, Timer::Grace, Timer::GiveUp, Timer::Retry];
        for timer in timers.map(|timer| timer(child)) {
            assert!(!self.armed.contains(&timer) || tried_again, "{timer:?} outlives its run");
        }
    }

    /// `stopping`, then `stopped`, once for each job of the name at most.
    fn stops_in_order(&self, name: &str) {
        let count = |code| self.stops.get(&(name.to_owned(), code)).copied().unwrap_or(0);
        let (stopping, stopped) = (count(EventCode::Stopping), count(EventCode::Stopped));
        let jobs = self.jobs.values().filter(|other| *other == name).count();
        assert!(stopped <= stopping && stopping <= jobs, "{name}: {stopping} stopping, {stopped} stopped of {jobs}");
    }
}

/// A copy by way of the snapshot's format.
pub fn through_json(world: &World) -> World {
    serde_json::from_str(&serde_json::to_string(world).unwrap()).unwrap()
}

pub fn concrete(of: &Move, witness: &Witness) -> Option<Input> {
    fn pick<T: Copy>(mut from: impl ExactSizeIterator<Item = T>, n: usize) -> Option<T> {
        let len = from.len();
        from.nth(n.checked_rem(len)?)
    }
    match of {
        Move::Any(input) => Some(input.clone()),
        Move::End(n, status) => {
            pick(witness.alive.keys().copied(), *n).map(|child| Input::Exited { child, status: *status })
        }
        Move::Fail(n, failure) => {
            let failure = failure.clone();
            pick(witness.alive.keys().copied(), *n).map(|child| Input::SpawnFailed { child, failure })
        }
        Move::Due(n) => pick(witness.armed.iter().copied(), *n).map(Input::Timer),
    }
}

/// How many runs of its command a counted job may begin, if that is bounded by the job alone.
fn most_runs(job: &JobSpec) -> Option<u64> {
    let restarts = match job.restarts {
        Restarts::Never => 0,
        Restarts::Times(n) => n,
        Restarts::Unlimited => return None,
    };
    match job.when {
        When::Startup | When::Once(_) | When::Every(_) => Some(1 + restarts),
        When::Never(_) => Some(0),
        When::Each(_) | When::Signal(_) => None,
    }
}

/// Spawns ≤ starts + restarts: exactly bounded where they are counted, by the events that were published elsewhere.
fn runs_are_bounded(sim: &Sim) {
    for job in sim.world.jobs() {
        let spec = job.spec();
        let runs = job.runs();
        if let Some(most) = most_runs(spec) {
            assert!(runs <= most, "{}: {runs} of {most}:\n{}", spec.name, sim.story());
        }
        let restarts = match spec.restarts {
            Restarts::Times(n) => n,
            Restarts::Never => 0,
            Restarts::Unlimited => continue,
        };
        let starts = match &spec.when {
            When::Each(trigger) => sim.count(trigger.event, &trigger.source),
            When::Signal(signal) => sim.count(EventCode::Signal, &signal.name()),
            When::Startup | When::Once(_) | When::Every(_) | When::Never(_) => continue,
        };
        assert!(runs <= u64::try_from(starts).unwrap() + restarts, "{}:\n{}", spec.name, sim.story());
    }
}

/// How long a stop of this plan may take at most: each wait and each grace, one after the other.
pub fn most_of_a_stop(plan: &Plan) -> std::time::Duration {
    // A stop job runs once for each namesake of its source.
    let runs = u32::try_from(plan.jobs.len()).unwrap() + 1;
    let most = |job: &JobSpec| job.stop_timeout * runs + plan.stop_timeout + secs(8);
    let waits: std::time::Duration = plan.jobs.iter().map(most).sum();
    waits + plan.stop_timeout + secs(10)
}

pub fn run(builder: PlanBuilder, started: bool, signals: &[(u64, Signal)], asked: u64) -> Sim {
    let mut sim = builder.build();
    if started {
        sim = sim.start();
    }
    for (at, signal) in signals {
        sim = sim.signal_at(ms(*at), *signal);
    }
    sim.until_ms(asked)
}

proptest! {
    #![proptest_config(cases(4000))]

    /// Nothing that the machine tells, however wrong, makes it panic or break what always holds; the same inputs
    /// have the same effects; and a world that was written and read goes on as the one that was not.
    #[test]
    fn wild_worlds_keep_the_rules(
        plan in any_plan(),
        moves in prop::collection::vec((any_move(), 0..1500_u64), 1..60),
        started in prop::bool::weighted(0.9),
        snapshot in 0..60_usize,
    ) {
        let mut world = World::new(&plan.plan);
        let mut witness = Witness::new();
        let mut now = Moment::default();
        let start = started.then_some((Move::Any(Input::Start), 0));
        let mut copy = None;
        for (n, (next, pause)) in start.into_iter().chain(moves).enumerate() {
            now = now.after(ms(pause));
            if n == snapshot {
                copy = Some(through_json(&world));
            }
            let Some(input) = concrete(&next, &witness) else { continue };
            let mut effects = Vec::new();
            world.step(now, &input, &mut effects);
            if let Some(copy) = &mut copy {
                let mut same = Vec::new();
                copy.step(now, &input, &mut same);
                prop_assert_eq!(&effects, &same);
            }
            witness.see(&world, &input, &effects);
        }
        let by_hand = witness.by_hand;
        for (job, spec) in world.jobs().zip(&plan.plan.jobs) {
            if let Some(most) = most_runs(spec).filter(|_| !matches!(spec.when, When::Startup) && !by_hand) {
                prop_assert!(job.runs() <= most);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(2400))]

    /// After a stop that was asked for, the end comes in bounded time and steps, with nothing left alive or armed
    /// (the simulator sees to that) if what is killed dies; and runs are counted right.
    #[test]
    fn lawful_worlds_stop_in_bounded_time(
        plan in any_plan(),
        started in prop::bool::weighted(0.95),
        signals in prop::collection::vec((0..2500_u64, any_signal()), 0..6),
        asked in 0..2500_u64,
    ) {
        let most = most_of_a_stop(&plan.plan);
        let jobs = plan.plan.jobs.len();
        let sim = run(plan, started, &signals, asked);
        runs_are_bounded(&sim);
        let (steps, before) = (sim.steps, sim.now);
        let sim = sim.term().till_the_end();
        prop_assert!(sim.alive().is_empty(), "{:?} lives:\n{}", sim.alive(), sim.story());
        prop_assert!(sim.now.since(before) <= most, "{:?} > {most:?}:\n{}", sim.now.since(before), sim.story());
        // Checks and periods of jobs that wait for their dependents have ended too: what is left is a few steps a job.
        let steps = sim.steps - steps;
        let most_steps = 20 + 40 * jobs as u128 + most.as_millis();
        prop_assert!(u128::from(steps) <= most_steps, "{steps} steps:\n{}", sim.story());
        for name in sim.world.jobs().map(|job| job.spec().name.clone()).collect::<BTreeSet<_>>() {
            let of_name = sim.world.jobs().filter(|job| job.spec().name == name).count();
            prop_assert_eq!(sim.count(EventCode::Stopping, &name), of_name);
            prop_assert_eq!(sim.count(EventCode::Stopped, &name), of_name);
        }
        runs_are_bounded(&sim);
    }

}

proptest! {
    #![proptest_config(cases(1200))]

    /// Even when something does not die.
    #[test]
    fn what_does_not_die_cannot_hold_the_stop_up(
        plan in any_plan(),
        stuck in prop::collection::vec(any::<bool>(), 16),
        consul_hangs in any::<bool>(),
        asked in 0..2500_u64,
    ) {
        let mut plan = plan;
        for (scripts, stuck) in plan.scripts.values_mut().zip(stuck) {
            for script in scripts {
                script.dies = !stuck;
            }
        }
        let most = most_of_a_stop(&plan.plan);
        let sim = run(plan, true, &[], asked);
        let before = sim.now;
        let consul = sim.consul.filter(|_| !consul_hangs);
        let sim = sim.consul_takes(consul).strays(Strays::Stay).term().till_the_end();
        prop_assert!(sim.now.since(before) <= most, "{}", sim.story());
    }

    /// The second TERM leaves nothing but the time to die.
    #[test]
    fn the_second_term_ends_it_at_once(plan in any_plan(), asked in 0..2500_u64, again in 0..3000_u64) {
        let sim = run(plan, true, &[], asked).term().until_ms(asked + again);
        let before = sim.now;
        let sim = if sim.exit.is_some() { sim } else { sim.term().till_the_end() };
        prop_assert!(sim.now.since(before) <= ms(1), "{}", sim.story());
    }

    /// Whatever hangs, fails or floods: the check of another job begins at the very millisecond.
    #[test]
    fn nothing_delays_the_check_of_another_job(
        (plan, builder, interval) in beside_a_steady_job(),
        signals in prop::collection::vec((0..2500_u64, harmless_signal()), 0..4),
    ) {
        // Maintenance pauses checks, and is not what this is about.
        let signals: Vec<_> = signals.into_iter().filter(|(_, signal)| *signal != Signal::USR1).collect();
        let sim = run(builder, true, &signals, 3000);
        prop_assert_eq!(sim.exit, None, "{:?}", plan);
        let expected: Vec<u128> = (1..=3000 / interval).map(|n| u128::from(n * interval)).collect();
        prop_assert_eq!(sim.runs_of("check.steady"), expected, "{}", sim.story());
    }
}

/// The same inputs have the same effects in another process too: nothing depends on addresses or random seeds.
#[test]
fn a_world_is_plain_data() {
    let plan = super::build::jobs([super::build::daemon("web").checked_every(secs(1))]);
    let worlds: BTreeSet<String> =
        (0..3).map(|_| serde_json::to_string(&plan.clone().start().until(secs(3)).world).unwrap()).collect();
    assert_eq!(worlds.len(), 1);
    assert_eq!(JobId(3).0, serde_json::from_str::<JobId>("3").unwrap().0);
}
