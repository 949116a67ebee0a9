//! The loop: inputs into the world, effects out of it.
//!
//! One task owns the world, the children, the timers and the signals, so nothing is shared and every input has its
//! place in one order. The loop sleeps in one `select!` whose arms only make inputs; then the inputs are stepped and
//! their effects carried out. It is the only place that looks at the clock.
//!
//! A death becomes an input only when the child's output is delivered, at most [`DRAIN`] after it (design §4 row 28),
//! so that everything a job wrote precedes the line that tells its end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use tracing::{debug, error, info, trace, warn};

use crate::core::{ChildId, Effect, ExitStatus, Input, Moment, Slot, SpawnFailure, World};
use crate::env::Environment;
use crate::log::Log;
use crate::plan::{Level, Plan, Signal};
use crate::process::{Children, Death, Flow, Line, Outputs, Received, Signals, SpawnError};
use crate::timers::Timers;

/// How long the output of a dead child may still be held open by others.
const DRAIN: Duration = Duration::from_secs(1);
/// A turn of the loop that takes longer is told: something on it blocks (reliability row 31).
const SLOW_TURN: Duration = Duration::from_millis(100);
/// How many bytes of output are taken from the pipes before signals and timers get their turn again.
const OUTPUT_BUDGET: usize = 64 * 1024;
/// A job that ends well so soon and leaves processes behind has probably put itself into the background.
const DAEMONISED: Duration = Duration::from_secs(1);

/// Everything that the loop owns.
pub struct Driver {
    world: World,
    children: Children,
    outputs: Outputs,
    timers: Timers,
    env: Environment,
    log: Log,
    epoch: Instant,
    inbox: VecDeque<Input>,
    effects: Vec<Effect>,
    /// Dead children whose output is not yet delivered.
    draining: Vec<Draining>,
    /// A line was refused by the log; no output is read until there is room.
    log_is_full: bool,
    /// The world waits for the end of every other process.
    sweeping: Option<Signal>,
    spawned: Vec<Spawned>,
    exit: Option<u8>,
}

/// A dead child that still owes output.
struct Draining {
    child: ChildId,
    status: ExitStatus,
    until: Moment,
}

/// What we know of a live child beside the world.
struct Spawned {
    child: ChildId,
    pid: i32,
    since: Moment,
    pid_variable: String,
    name: String,
    is_check: bool,
}

impl Driver {
    /// A driver of this plan; nothing runs yet.
    pub fn new(plan: &Plan, children: Children, outputs: Outputs, env: Environment, log: Log) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the driver is the one place that looks at the clock")]
        let epoch = Instant::now();
        let mut driver = Self {
            world: World::new(plan),
            children,
            outputs,
            timers: Timers::default(),
            env,
            log,
            epoch,
            inbox: VecDeque::new(),
            effects: Vec::new(),
            draining: Vec::new(),
            log_is_full: false,
            sweeping: None,
            spawned: Vec::new(),
            exit: None,
        };
        driver.export_addresses(plan);
        driver
    }

    /// Runs until the world gives its exit status.
    pub async fn run(mut self, mut signals: Signals) -> u8 {
        // A TERM that came while the configuration was read is honoured before anything is started.
        while let Some(received) = signals.pending() {
            self.on_signal(received);
        }
        self.inbox.push_back(Input::Start);
        loop {
            self.take_turn();
            if let Some(status) = self.exit {
                return status;
            }
            self.wait(&mut signals).await;
        }
    }

    /// Steps the inputs that are there, not those that they cause: signals and timers get their turn between.
    fn take_turn(&mut self) {
        let began = self.now();
        self.reap();
        for _ in 0..self.inbox.len() {
            let Some(input) = self.inbox.pop_front() else { break };
            trace!(?input, "input");
            let now = self.now();
            let mut effects = std::mem::take(&mut self.effects);
            self.world.step(now, &input, &mut effects);
            for effect in effects.drain(..) {
                self.carry_out(effect);
            }
            self.effects = effects;
            if self.exit.is_some() {
                return;
            }
        }
        let took = self.now().since(began);
        if took > SLOW_TURN {
            warn!("the loop was held up for {}", crate::core::elapsed(took));
        }
    }

    async fn wait(&mut self, signals: &mut Signals) {
        let due = self.timers.next().into_iter().chain(self.draining.iter().map(|dead| dead.until)).min();
        let at = due.map(|moment| tokio::time::Instant::from_std(self.epoch + moment.0));
        let busy = !self.inbox.is_empty();
        tokio::select! {
            biased;
            received = signals.next() => self.on_signal(received),
            () = async { if let Some(at) = at { sleep_until(at).await } }, if at.is_some() => self.on_time(),
            () = std::future::ready(()), if busy => {}
            () = self.log.room(), if self.log_is_full => {
                self.log_is_full = false;
                self.pump();
            }
            result = self.outputs.ready(), if !self.log_is_full => match result {
                Ok(()) => self.pump(),
                Err(error) => error!("can't wait for the output of jobs: {error}"),
            },
        }
    }

    fn on_signal(&mut self, received: Received) {
        match received {
            // Whatever died is found by the next turn's reaping.
            Received::Child => {}
            Received::Other(signal) => {
                debug!("got {}", signal.name());
                self.inbox.push_back(Input::Signal(signal));
            }
        }
    }

    fn on_time(&mut self) {
        let now = self.now();
        while let Some(timer) = self.timers.take_due(now) {
            debug!("timer: {timer:?}");
            self.inbox.push_back(Input::Timer(timer));
        }
        let over: Vec<ChildId> = self.draining.iter().filter(|dead| dead.until <= now).map(|dead| dead.child).collect();
        for child in over {
            self.let_go(child);
        }
    }

    /// Reaps everything that is dead, and tells the deaths whose output is complete.
    fn reap(&mut self) {
        let reaped = self.children.reap();
        for death in reaped.deaths {
            self.on_death(&death);
        }
        for (child, signal) in reaped.stopped {
            let name = self.name_of(child).to_owned();
            warn!("{name} was stopped by {} and does not run on by itself", signal.name());
        }
        if reaped.orphans > 0 {
            debug!("reaped {}", crate::core::count(reaped.orphans, "orphan"));
        }
        if self.sweeping.is_some() && !self.children.any_left() {
            self.sweeping = None;
            self.inbox.push_back(Input::NothingLeft);
        }
    }

    fn on_death(&mut self, death: &Death) {
        let now = self.now();
        if let Some(spawned) = self.spawned.iter().find(|spawned| spawned.child == death.child) {
            let lasted = now.since(spawned.since);
            if death.left_behind && death.status.is_success() && lasted < DAEMONISED && !spawned.is_check {
                warn!(
                    "{} ended at once but left processes behind: a job must stay in the foreground to be supervised",
                    spawned.name
                );
            }
        }
        // What the pipes still hold is usually there already.
        self.pump();
        self.draining.push(Draining { child: death.child, status: death.status, until: now.after(DRAIN) });
        self.tell_drained();
    }

    /// Takes output from the pipes into the log.
    fn pump(&mut self) {
        let Self { outputs, log, spawned, log_is_full, .. } = self;
        let mut sink = |child: ChildId, line: Line<'_>| deliver(log, spawned, child, line);
        if outputs.pump(OUTPUT_BUDGET, &mut sink) == Flow::Full {
            *log_is_full = true;
        }
        self.tell_drained();
    }

    fn tell_drained(&mut self) {
        let drained: Vec<ChildId> =
            self.draining.iter().map(|dead| dead.child).filter(|&child| self.outputs.drained(child)).collect();
        for child in drained {
            self.let_go(child);
        }
    }

    /// The child is dead and its output delivered, or no longer waited for: the world may know.
    fn let_go(&mut self, child: ChildId) {
        let Some(index) = self.draining.iter().position(|dead| dead.child == child) else { return };
        let dead = self.draining.swap_remove(index);
        let Self { outputs, log, spawned, .. } = self;
        let mut sink = |child: ChildId, line: Line<'_>| deliver(log, spawned, child, line);
        let released = outputs.release(child, &mut sink);
        if released.held {
            debug!("{} is dead but others hold its output: no longer listening", self.name_of(child));
        }
        if let Some(index) = self.spawned.iter().position(|spawned| spawned.child == child) {
            let spawned = self.spawned.swap_remove(index);
            if self.env.get_text(&spawned.pid_variable).as_deref() == Some(spawned.pid.to_string().as_str()) {
                self.env.remove(&spawned.pid_variable);
            }
        }
        self.inbox.push_back(Input::Exited { child, status: dead.status });
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { child, slot } => self.spawn(child, slot),
            Effect::Signal { child, signal } => {
                debug!("{} to the process group of {}", signal.name(), self.name_of(child));
                self.children.signal(child, signal);
            }
            Effect::Arm { timer, at } => self.timers.arm(timer, at),
            Effect::Disarm { timer } => self.timers.disarm(timer),
            Effect::Log { level, message } => match level {
                Level::Debug => debug!("{message}"),
                Level::Info => info!("{message}"),
                Level::Warn => warn!("{message}"),
                Level::Error | Level::Fatal | Level::Panic => error!("{message}"),
            },
            Effect::Published(event) => debug!("event: {event}"),
            Effect::Sweep { signal } => {
                self.sweeping = Some(signal);
                if self.children.any_left() {
                    self.children.signal_everything_else(signal);
                }
            }
            Effect::ReopenLogs => self.log.reopen(),
            Effect::Exit { status } => self.exit = Some(status),
        }
    }

    fn spawn(&mut self, child: ChildId, slot: Slot) {
        let Some(command) = self.world.command(slot) else { return };
        match self.children.spawn(child, command, &self.env) {
            Ok(started) => {
                let name = command.name.clone();
                debug!("{name}.Run start, pid {}", started.pid);
                if !command.pid_variable.is_empty() {
                    self.env.set(command.pid_variable.as_str(), started.pid.to_string());
                }
                self.spawned.push(Spawned {
                    child,
                    pid: started.pid,
                    since: self.now(),
                    pid_variable: command.pid_variable.clone(),
                    is_check: matches!(slot, Slot::Check(_)),
                    name,
                });
                for pipe in started.outputs {
                    if let Err(error) = self.outputs.add(child, pipe) {
                        error!("the output of {} is lost: {error}", self.name_of(child));
                    }
                }
            }
            Err(error) => self.inbox.push_back(Input::SpawnFailed { child, failure: failure_of(&error) }),
        }
    }

    /// The advertised addresses, for every child (v3 §9).
    fn export_addresses(&mut self, plan: &Plan) {
        for service in plan.jobs.iter().filter_map(|job| job.service.as_ref()) {
            self.env.set(service.ip_variable.as_str(), service.address.to_string());
        }
    }

    fn name_of(&self, child: ChildId) -> &str {
        self.spawned.iter().find(|spawned| spawned.child == child).map_or("a process", |spawned| &spawned.name)
    }

    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "the driver is the one place that looks at the clock")]
        Moment(Instant::now().saturating_duration_since(self.epoch))
    }
}

/// Hands one line of a child to the log.
fn deliver(log: &Log, spawned: &[Spawned], child: ChildId, line: Line<'_>) -> Flow {
    let Some(from) = spawned.iter().find(|spawned| spawned.child == child) else { return Flow::Taken };
    let taken = if from.is_check {
        log.check_line(&from.name, from.pid, line.bytes)
    } else {
        log.job_line(&from.name, from.pid, line.bytes)
    };
    if taken { Flow::Taken } else { Flow::Full }
}

fn failure_of(error: &SpawnError) -> SpawnFailure {
    SpawnFailure { reason: error.to_string(), exit_code: error.exit_code(), temporary: error.is_temporary() }
}
