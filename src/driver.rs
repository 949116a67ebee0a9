//! The loop: inputs into the world, effects out of it.
//!
//! One task owns the world, the children, the timers and the signals, so nothing is shared and every input has its
//! place in one order. Whatever wakes the loop, it then gathers a bounded piece of everything that has come, steps the
//! inputs that this made, and carries their effects out. It is the only place that looks at the clock.
//!
//! A death becomes an input only when the child's output is delivered, at most a second after it (design §4 row 28),
//! so that everything a job wrote precedes the line that tells its end.

mod answers;
mod asked;
mod observed;
#[cfg(debug_assertions)]
mod on_purpose;
mod reaping;
mod reload;
mod running;
mod services;
mod settle;
mod views;
mod watched;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use tracing::{debug, error, info, trace, warn};

use self::reaping::Storm;
use self::reload::Reloads;
pub use self::reload::{Reading, Refused, Reloader, Request, Reread, Until};
use self::running::Runs;
use crate::control::Control;
use crate::core::{self, ChildId, Effect, ExitStatus, Input, Moment, Timer, World};
use crate::discovery::Discovery;
use crate::env::Environment;
use crate::log::Log;
use crate::plan::{Level, Plan, Signal};
use crate::process::{Children, Outputs, Pumped, Received, Signals};
use crate::telemetry::Telemetry;
use crate::timers::Timers;

/// How long the output of a dead child may still be held open by others.
const DRAIN: Duration = Duration::from_secs(1);
/// Timers that come later than this are told: the machine was paused, or has too much to do (row 44).
const LATE: Duration = Duration::from_secs(1);
/// So long the loop may act before it looks at deaths, signals and timers again: a start waits for its child to get the
/// processor, and many starts on a busy machine are a long time.
const TURN: Duration = Duration::from_millis(20);
/// So many signals are taken before everything else gets its turn: real-time signals queue up by the thousands.
const SIGNALS: usize = 64;
/// Room for so many effects is kept for the next step.
const EFFECTS: usize = 32;
/// How many bytes of output are taken from the pipes before signals and timers get their turn again.
const OUTPUT_BUDGET: usize = 64 * 1024;
/// A full pipe and a bit: what a dead child can have left.
const LAST_OUTPUT: usize = 128 * 1024;

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
    runs: Runs,
    /// Who asks for something, if anybody can.
    control: Option<Control>,
    /// Consul, if anything is to be told or asked there.
    discovery: Option<Discovery>,
    /// What is read again, and what of the plan is in force.
    reloads: Reloads,
    /// Dead children whose output is not yet delivered.
    draining: Vec<Draining>,
    /// When the start is over, or what a reload has read is not needed any more.
    settles: Option<Moment>,
    /// Metrics, if somebody is to see them.
    telemetry: Option<Telemetry>,
    /// A line was refused by the log; no output is read until there is room.
    log_is_full: bool,
    /// The world waits for the end of every other process; those that turn up meanwhile get this.
    sweeping: Option<Signal>,
    /// There may be somebody to look for, dead or stopped. Else nobody is: that would be a call for each line of a job.
    child_news: bool,
    /// Orphans that die by the thousands.
    storm: Storm,
    /// Taking signals or output stopped at its limit: there is more already.
    more: bool,
    exit: Option<u8>,
}

/// A dead child that still owes output.
struct Draining {
    child: ChildId,
    status: ExitStatus,
    out_of_memory: bool,
    until: Moment,
}

impl Driver {
    /// A driver of this plan, which `reloader` reads again; nothing runs yet. Needs a runtime with I/O.
    ///
    /// # Errors
    /// No memory or descriptors for the tables of children.
    pub fn new(
        plan: &Plan,
        env: Environment,
        log: Log,
        discovery: Option<Discovery>,
        control: Option<Control>,
        reloader: Reloader,
    ) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the driver is the one place that looks at the clock")]
        let epoch = Instant::now();
        // Whoever made it has found them.
        let has_threads = discovery.as_ref().is_some_and(Discovery::needs_threads);
        let mut driver = Self {
            world: World::new(plan),
            children: Children::new()?,
            outputs: Outputs::new()?,
            timers: Timers::default(),
            env,
            log,
            epoch,
            inbox: VecDeque::new(),
            effects: Vec::new(),
            runs: Runs::default(),
            control,
            discovery,
            reloads: Reloads::new(plan, reloader, has_threads),
            draining: Vec::new(),
            settles: None,
            telemetry: plan.telemetry.as_ref().map(|plan| Telemetry::new(plan, observed::VERSION)),
            log_is_full: false,
            sweeping: None,
            // Who died before the signals were listened to (row 3).
            child_news: true,
            storm: Storm::default(),
            more: false,
            exit: None,
        };
        driver.export_addresses(plan);
        driver.share_output(plan);
        driver.know_services();
        if let Err(error) = driver.children.adopts_orphans() {
            warn!("orphans will not come to this process, which is not PID 1: {error}");
        }
        Ok(driver)
    }

    /// Runs until the world gives its exit status.
    pub async fn run(&mut self, signals: &mut Signals) -> u8 {
        // A TERM that came while the configuration was read is honoured before anything is started (row 1).
        self.take_signals(signals);
        self.inbox.push_back(Input::Start);
        self.take_turn();
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.serve();
        }
        self.watch_file();
        self.settle_later();
        while self.exit.is_none() {
            self.wait(signals).await;
            self.gather(signals);
            self.take_turn();
        }
        if let Some(control) = self.control.take() {
            control.finish().await;
        }
        self.exit.unwrap_or_default()
    }

    /// Sleeps until there is something to gather. With inputs in hand it only lets the runtime see what has come: readiness
    /// and timers are news to it only when this task waits.
    async fn wait(&mut self, signals: &mut Signals) {
        if self.child_news || std::mem::take(&mut self.more) || !self.inbox.is_empty() {
            return tokio::task::yield_now().await;
        }
        let drained = self.draining.iter().map(|dead| dead.until);
        let pause = self.pause_for_more_orphans();
        let due = self.timers.next().into_iter().chain(drained).chain(self.settles).chain(pause).min();
        // A moment that the clock can't tell is one that never comes.
        let due = due.and_then(|moment| self.epoch.checked_add(moment.0)).map(tokio::time::Instant::from_std);
        tokio::select! {
            biased;
            received = signals.next(), if pause.is_none() => self.on_signal(received),
            () = async { if let Some(due) = due { sleep_until(due).await } }, if due.is_some() => {}
            () = self.log.room(), if self.log_is_full => {}
            () = self.log.retry() => {}
            () = asked::news(self.control.as_mut()) => {}
            () = services::news(self.discovery.as_mut()) => {}
            () = observed::asked(self.telemetry.as_mut()) => {}
            news = self.reloads.news() => self.on_news(news),
            result = self.outputs.ready(), if !self.log_is_full => if let Err(error) = result {
                error!("can't wait for the output of jobs: {error}");
            },
        }
    }

    /// A bounded piece of everything that has come, whatever woke us: nobody who always has something starves the
    /// others.
    fn gather(&mut self, signals: &mut Signals) {
        self.take_signals(signals);
        self.on_time();
        self.hear_of_services();
        self.hear_requests();
        self.answer_scrapes();
        self.hear_of_reading();
        self.pump();
        if std::mem::take(&mut self.child_news) {
            self.reap();
        }
    }

    /// Steps the inputs that are there, not those that they cause nor all of them when that takes long: deaths, signals,
    /// timers and output get their turn between.
    fn take_turn(&mut self) {
        self.a_turn_of(self.inbox.len(), |driver| {
            let Some(input) = driver.inbox.pop_front() else { return false };
            // A whole configuration is not for the log.
            if !matches!(input, Input::Reload(_)) {
                trace!(?input, "input");
            }
            driver.step(&input);
            driver.exit.is_none()
        });
    }

    /// Does something at most so often, as long as it says that there is more, and no longer than [`TURN`].
    fn a_turn_of(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> bool) {
        let began = self.now();
        for _ in 0..most {
            if !one(self) || self.now().since(began) > TURN {
                return;
            }
        }
    }

    fn step(&mut self, input: &Input) {
        let now = self.now();
        let mut effects = std::mem::take(&mut self.effects);
        self.world.step(now, input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        // A start of a thousand jobs makes thousands, once.
        effects.shrink_to(EFFECTS);
        self.effects = effects;
        self.tell_stop();
    }

    fn take_signals(&mut self, signals: &mut Signals) {
        for _ in 0..SIGNALS {
            let Some(received) = signals.pending() else { return };
            self.on_signal(received);
        }
        self.more = true;
    }

    fn on_signal(&mut self, received: Received) {
        match received {
            Received::Child => self.child_news = true,
            Received::Other(signal) => {
                debug!("got {}", signal.name());
                #[cfg(debug_assertions)]
                self.break_on_purpose(signal);
                // As the kernel does with most of them: one that is waiting is enough (row 14).
                let input = Input::Signal(signal);
                if !self.inbox.contains(&input) {
                    self.inbox.push_back(input);
                }
            }
        }
    }

    fn on_time(&mut self) {
        let now = self.now();
        if let Some(due) = self.timers.next() {
            let late = now.since(due);
            if late > LATE {
                let late = core::elapsed(late);
                warn!("timers are {late} late: this machine was paused, or has more to do than it can");
            }
        }
        if let (Some(telemetry), Some(due)) = (&mut self.telemetry, self.timers.next().filter(|due| *due <= now)) {
            telemetry.timer_late(now.since(due));
        }
        while let Some(timer) = self.timers.take_due(now) {
            trace!(?timer, "due");
            if !self.is_of_a_dead_run(timer) {
                self.inbox.push_back(Input::Timer(timer));
            }
        }
        let over: Vec<ChildId> = self.draining.iter().filter(|dead| dead.until <= now).map(|dead| dead.child).collect();
        for child in over {
            self.let_go(child);
        }
        self.settle(now);
    }

    /// Whether this is a limit for a run that is over and only not told yet. It was kept: nobody must be called killed
    /// or too slow because his output took a second more.
    fn is_of_a_dead_run(&self, timer: Timer) -> bool {
        match timer {
            Timer::Timeout(child) | Timer::Grace(child) | Timer::GiveUp(child) => {
                self.draining.iter().any(|dead| dead.child == child)
            }
            Timer::Interval(_)
            | Timer::Heartbeat(_)
            | Timer::Wait(_)
            | Timer::Restart(_)
            | Timer::Stop(_)
            | Timer::Withdraw(_)
            | Timer::Retry(_)
            | Timer::Sweep
            | Timer::Reload => false,
        }
    }

    /// Takes output from the pipes into the log, as far as that has room: it may have by now.
    fn pump(&mut self) {
        self.log_is_full = false;
        let pumped = self.read(|outputs, sink| outputs.pump(OUTPUT_BUDGET, sink));
        self.more |= pumped.more;
        self.pumped(pumped);
    }

    fn pumped(&mut self, pumped: Pumped) {
        self.log_is_full |= pumped.full;
        self.tell_broken();
        let drained = |dead: &Draining| self.outputs.drained(dead.child).then_some(dead.child);
        let drained: Vec<ChildId> = self.draining.iter().filter_map(drained).collect();
        for child in drained {
            self.let_go(child);
        }
    }

    /// The child is dead and its output delivered, or no longer waited for: the world may know.
    fn let_go(&mut self, child: ChildId) {
        let Some(index) = self.draining.iter().position(|dead| dead.child == child) else { return };
        let dead = self.draining.swap_remove(index);
        let released = self.read(|outputs, sink| outputs.release(child, sink));
        self.tell_broken();
        let name = self.runs.name(child);
        if released.lost_bytes > 0 {
            warn!("the last {} bytes of {name}'s output were lost: the log is blocked", released.lost_bytes);
        }
        if released.still_open {
            info!("{name} is dead, but a process that it started holds its output open: no longer listening to it");
        }
        if dead.out_of_memory {
            warn!("{name} was killed (out of memory?): the kernel killed for want of memory in this container");
        }
        if let Some(run) = self.runs.remove(child) {
            self.observe_end(&run, dead.status);
            let ours = run.pid.to_string();
            if self.env.get(&run.command.pid_variable).is_some_and(|pid| pid == ours.as_str()) {
                self.env.remove(&run.command.pid_variable);
            }
        }
        self.inbox.push_back(Input::Exited { child, status: dead.status });
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { child, slot } => self.spawn(child, slot),
            Effect::Signal { child, signal } => {
                debug!("{} to the process group of {}", signal.name(), self.runs.name(child));
                self.children.signal(child, signal);
            }
            Effect::Arm { timer, at } => self.arm(timer, at),
            Effect::Disarm { timer } => self.timers.disarm(timer),
            Effect::Log { level, message } => match level {
                Level::Debug => debug!("{message}"),
                Level::Info => info!("{message}"),
                Level::Warn => warn!("{message}"),
                Level::Error | Level::Fatal | Level::Panic => error!("{message}"),
            },
            Effect::Published { event, of, note } => self.published(&event, &of, &note),
            Effect::Report { job, report } => self.report(job, report),
            Effect::Service { job } => self.serve(job),
            Effect::StartWatch { watch } => self.start_watch(watch),
            Effect::StopWatch { watch } => self.stop_watch(watch),
            Effect::Reread => self.ask_reload(None),
            Effect::Reconfigure(plan) => self.reconfigure(&plan),
            Effect::Reloaded(summary) => self.on_reloaded(&summary),
            Effect::Sweep { signal } => {
                self.tell_left_over(signal);
                self.sweeping = Some(signal);
                self.sweep(signal, true);
            }
            Effect::ReopenLogs => self.log.reopen(),
            Effect::Exit { status } => self.exit = Some(self.ends_otherwise().unwrap_or(status)),
        }
    }

    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "the driver is the one place that looks at the clock")]
        Moment(Instant::now().saturating_duration_since(self.epoch))
    }
}
