//! A machine in virtual time: carries out what the world asks for, and writes down what happened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::build::{PlanBuilder, Script, ms};
use super::properties::Witness;
use crate::core::{
    ChildId, Effect, ExitStatus, Input, Instance, Job, JobId, Moment, Order, Report, Slot, SpawnFailure, Timer,
    WatchId, World,
};
use crate::plan::{EventCode, Level, Plan, Signal};

/// How long the kernel takes to end a process that was killed.
const DEATH: Duration = Duration::from_millis(1);

/// What is left that no job owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strays {
    None,
    DieOfTerm(Duration),
    DieOfKill,
    Stay,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    Run(String),
    Signalled(Signal, String),
    Ended(String),
    Event(EventCode, String),
    Log(Level, String),
    Told(String, Report),
    Sweep(Signal),
    /// Asked about, or no more.
    Watch(u32, bool),
    /// Other than before.
    Service(String),
    Exit(u8),
}

struct Child {
    slot: Slot,
    name: String,
    script: Script,
    /// The key of its end in the agenda.
    end: Option<(Moment, u64)>,
}

/// The world, the rest of the machine, and what happened so far.
pub struct Sim {
    pub world: World,
    /// Looks at each step, and above all that each run has exactly one end.
    pub witness: Witness,
    pub now: Moment,
    pub trace: Vec<(Moment, Happening)>,
    /// How many inputs the world has got.
    pub steps: u64,
    pub strays: Strays,
    /// How long Consul takes to answer; `None` never does.
    pub consul: Option<Duration>,
    pub exit: Option<u8>,
    pub armed: BTreeMap<Timer, (Moment, u64)>,
    /// What the next starts fail with, whatever they are of but this command.
    lacking: (VecDeque<SpawnFailure>, String),
    scripts: BTreeMap<Slot, Vec<Script>>,
    /// What the commands of plans do that may be reloaded.
    reloads: Vec<PlanBuilder>,
    names: BTreeMap<JobId, String>,
    runs: BTreeMap<Slot, usize>,
    children: BTreeMap<ChildId, Child>,
    busy: BTreeSet<Slot>,
    failing: BTreeMap<ChildId, (Script, usize)>,
    agenda: BTreeMap<(Moment, u64), Input>,
    sequence: u64,
}

impl Sim {
    pub fn new(of: &PlanBuilder) -> Self {
        Self {
            world: World::new(&of.plan),
            witness: Witness::new(),
            now: Moment::default(),
            trace: Vec::new(),
            steps: 0,
            strays: Strays::None,
            consul: Some(DEATH),
            exit: None,
            armed: BTreeMap::new(),
            lacking: (VecDeque::new(), String::new()),
            scripts: of.scripts.clone(),
            reloads: Vec::new(),
            names: BTreeMap::new(),
            runs: BTreeMap::new(),
            children: BTreeMap::new(),
            busy: BTreeSet::new(),
            failing: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
        }
    }

    pub fn start(mut self) -> Self {
        self.step(&Input::Start);
        self
    }

    /// Somebody wants this plan instead, now.
    pub fn reload(mut self, of: PlanBuilder) -> Self {
        let plan = Box::new(of.plan.clone());
        self.reloads.push(of);
        self.step(&Input::Reload(plan));
        self
    }

    /// Somebody orders this by hand, now.
    pub fn order(mut self, job: &str, order: Order) -> Self {
        self.step(&Input::Order { job: job.to_owned(), order });
        self
    }

    /// Likewise at its time.
    pub fn reload_at(mut self, at: Duration, of: PlanBuilder) -> Self {
        self.plan(Moment(at), Input::Reload(Box::new(of.plan.clone())));
        self.reloads.push(of);
        self
    }

    /// From now on jobs do what the new plan's builder says.
    fn reconfigure(&mut self, plan: &Plan) {
        let of = self.reloads.iter().find(|of| of.plan == *plan).expect("a plan that was reloaded").clone();
        let places: Vec<JobId> = self.world.ids().collect();
        for (id, place) in places.into_iter().zip((0..).map(JobId)) {
            self.scripts.insert(Slot::Exec(id), of.scripts[&Slot::Exec(place)].clone());
            self.scripts.insert(Slot::Check(id), of.scripts[&Slot::Check(place)].clone());
        }
        self.learn_names();
    }

    fn learn_names(&mut self) {
        self.names.extend(self.world.ids().filter_map(|id| Some((id, self.world.job(id)?.spec().name.clone()))));
    }

    /// From now on so many starts fail, but for those of one command.
    pub fn lacks(mut self, failure: &SpawnFailure, times: usize, but: &str) -> Self {
        self.lacking = (vec![failure.clone(); times].into(), but.to_owned());
        self
    }

    /// Consul takes so long to answer; `None` never does.
    pub fn consul_takes(mut self, time: Option<Duration>) -> Self {
        self.consul = time;
        self
    }

    /// A watch sees these instances: `id@address:port`.
    pub fn sees(mut self, watch: u32, instances: &[&str]) -> Self {
        let instance = |text: &&str| {
            let (id, place) = text.split_once('@').expect("id@address:port");
            let (address, port) = place.split_once(':').expect("address:port");
            Instance {
                id: id.to_owned(),
                address: address.to_owned(),
                port: port.parse().expect("a port"),
                tags: Vec::new(),
                node: "node".to_owned(),
            }
        };
        self.step(&Input::Seen { watch: WatchId(watch), instances: instances.iter().map(instance).collect() });
        self
    }

    pub fn strays(mut self, strays: Strays) -> Self {
        self.strays = strays;
        self
    }

    /// A signal to us, now.
    pub fn signal(mut self, signal: Signal) -> Self {
        self.step(&Input::Signal(signal));
        self
    }

    /// SIGTERM, now.
    pub fn term(self) -> Self {
        self.signal(Signal::TERM)
    }

    /// A signal to us, at its time.
    pub fn signal_at(mut self, at: Duration, signal: Signal) -> Self {
        self.plan(Moment(at), Input::Signal(signal));
        self
    }

    /// Lets time pass up to this moment, everything that is due at it included.
    pub fn until(mut self, at: Duration) -> Self {
        while let Some((moment, input)) = self.next(Moment(at)) {
            self.now = self.now.max(moment);
            self.step(&input);
        }
        self.now = self.now.max(Moment(at));
        self
    }

    pub fn until_ms(self, millis: u64) -> Self {
        self.until(ms(millis))
    }

    /// Nothing is looked at for so long, as if the machine was frozen: what became due meanwhile comes in a burst.
    pub fn freeze(mut self, duration: Duration) -> Self {
        let end = self.now.after(duration);
        self.now = end;
        while let Some((_, input)) = self.next(end) {
            self.step(&input);
        }
        self
    }

    /// Lets time pass until the program ends.
    pub fn till_the_end(mut self) -> Self {
        let deadline = self.now.after(Duration::from_hours(24));
        while self.exit.is_none() {
            let Some((moment, input)) = self.next(deadline) else { panic!("it does not end:\n{}", self.story()) };
            self.now = self.now.max(moment);
            self.step(&input);
        }
        self
    }

    /// What is due first, if it is due by then.
    fn next(&mut self, by: Moment) -> Option<(Moment, Input)> {
        let planned = self.agenda.first_key_value().map(|(key, _)| *key);
        if self.exit.is_some() || planned.is_none_or(|(moment, _)| moment > by) {
            return None;
        }
        let ((moment, _), input) = self.agenda.pop_first()?;
        if let Input::Timer(timer) = input {
            self.armed.remove(&timer);
        }
        Some((moment, input))
    }

    fn plan(&mut self, at: Moment, input: Input) -> (Moment, u64) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), input);
        (at, self.sequence)
    }

    fn note(&mut self, what: Happening) {
        self.trace.push((self.now, what));
    }

    /// Gives the world one input and carries out what it says.
    pub fn step(&mut self, input: &Input) {
        let ended = match input {
            Input::Exited { child, .. } => self.children.remove(child),
            Input::Start
            | Input::Maintenance(_)
            | Input::Stop { .. }
            | Input::Signal(_)
            | Input::SpawnFailed { .. }
            | Input::Timer(_)
            | Input::Withdrawn { .. }
            | Input::Seen { .. }
            | Input::Order { .. }
            | Input::NothingLeft
            | Input::Reload(_)
            | Input::ConsulChanged => None,
        };
        if let Some(child) = ended {
            self.busy.remove(&child.slot);
            self.note(Happening::Ended(child.name));
        }
        self.steps += 1;
        if self.names.is_empty() {
            self.learn_names();
        }
        let mut effects = Vec::new();
        let known = self.world.next_job;
        self.world.step(self.now, input, &mut effects);
        assert!(self.world.nobody_was_forgotten());
        self.witness.see(&self.world, input, &effects);
        // A job that starts anew after its stop is another, and does the same.
        for id in (known..self.world.next_job).map(JobId) {
            let Some(job) = self.world.job(id) else { continue };
            let name = job.spec().name.clone();
            if let Some(old) = self.names.iter().rev().find(|(_, other)| **other == name).map(|(old, _)| *old) {
                for slot in [Slot::Exec, Slot::Check] {
                    // What a reload puts in gets its own below.
                    if let Some(scripts) = self.scripts.get(&slot(old)).cloned() {
                        self.scripts.insert(slot(id), scripts);
                    }
                }
            }
            self.names.insert(id, name);
        }
        for effect in effects {
            assert!(self.exit.is_none(), "{effect:?} after the exit");
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { child, slot } => self.spawn(child, slot),
            Effect::Signal { child, signal } => self.kill(child, signal),
            Effect::Arm { timer, at } => {
                self.disarm(timer);
                let key = self.plan(at.max(self.now), Input::Timer(timer));
                self.armed.insert(timer, key);
            }
            Effect::Disarm { timer } => self.disarm(timer),
            Effect::Log { level, message } => self.note(Happening::Log(level, message)),
            Effect::Published { event, .. } => self.note(Happening::Event(event.code, event.source.to_string())),
            Effect::Sweep { signal } => self.sweep(signal),
            Effect::Report { job, report } => self.tell(job, report),
            Effect::Reconfigure(plan) => self.reconfigure(&plan),
            Effect::StartWatch { watch } => self.note(Happening::Watch(watch.0, true)),
            Effect::StopWatch { watch } => self.note(Happening::Watch(watch.0, false)),
            Effect::Service { job } => {
                let name = self.names[&job].clone();
                self.note(Happening::Service(name));
            }
            Effect::Reread | Effect::Reloaded(_) | Effect::ReopenLogs => {}
            Effect::Exit { status } => {
                assert_eq!(self.armed, BTreeMap::new(), "armed at the exit");
                self.exit = Some(status);
                self.note(Happening::Exit(status));
            }
        }
    }

    fn tell(&mut self, job: JobId, report: Report) {
        if let Some(after) = self.consul.filter(|_| report == Report::Withdraw) {
            self.plan(self.now.after(after), Input::Withdrawn { job });
        }
        let name = self.names[&job].clone();
        self.note(Happening::Told(name, report));
    }

    fn disarm(&mut self, timer: Timer) {
        if let Some(key) = self.armed.remove(&timer) {
            self.agenda.remove(&key);
        }
    }

    fn spawn(&mut self, child: ChildId, slot: Slot) {
        let name = self.world.command(slot).expect("a command").name.clone();
        assert!(!self.busy.contains(&slot), "{name} runs twice:\n{}", self.story());
        let (script, failed) = self.failing.remove(&child).unwrap_or_else(|| {
            let run = self.runs.entry(slot).or_default();
            let scripts = &self.scripts[&slot];
            let script = scripts.get(*run).or(scripts.last()).expect("a script").clone();
            *run += 1;
            (script, 0)
        });
        self.note(Happening::Run(name.clone()));
        let (lacking, but) = &mut self.lacking;
        if let Some(failure) = Some(lacking).filter(|_| name != *but).and_then(VecDeque::pop_front) {
            self.failing.insert(child, (script, failed));
            self.plan(self.now, Input::SpawnFailed { child, failure });
            return;
        }
        if let Some(failure) = script.failures.get(failed).cloned() {
            self.failing.insert(child, (script, failed + 1));
            self.plan(self.now, Input::SpawnFailed { child, failure });
            return;
        }
        let (lasts, status) = (script.lasts, script.status);
        self.busy.insert(slot);
        self.children.insert(child, Child { slot, name, script, end: None });
        if let Some(lasts) = lasts {
            self.ends(child, lasts, status);
        }
    }

    /// It ends so much later, unless it ends before that.
    fn ends(&mut self, id: ChildId, after: Duration, status: ExitStatus) {
        let at = self.now.after(after);
        let Some(child) = self.children.get(&id) else { return };
        if child.end.is_some_and(|(end, _)| end <= at) {
            return;
        }
        if let Some(end) = child.end {
            self.agenda.remove(&end);
        }
        let key = self.plan(at, Input::Exited { child: id, status });
        if let Some(child) = self.children.get_mut(&id) {
            child.end = Some(key);
        }
    }

    fn kill(&mut self, id: ChildId, signal: Signal) {
        // One that could not be started may get a signal before the world has heard of it.
        if self.failing.contains_key(&id) {
            return;
        }
        let Some(child) = self.children.get(&id) else {
            panic!("{signal:?} for {id:?}, which is dead:\n{}", self.story())
        };
        let (name, script) = (child.name.clone(), child.script.clone());
        self.note(Happening::Signalled(signal, name));
        match (signal, script.on_term) {
            (Signal::KILL, _) if script.dies => self.ends(id, DEATH, ExitStatus::Signal(Signal::KILL)),
            (Signal::TERM, Some((after, status))) => self.ends(id, after, status),
            _ => {}
        }
    }

    fn sweep(&mut self, signal: Signal) {
        self.note(Happening::Sweep(signal));
        let after = match (self.strays, signal) {
            (Strays::None, _) => Duration::ZERO,
            (Strays::DieOfTerm(after), _) => after,
            (Strays::DieOfKill, Signal::KILL) => DEATH,
            (Strays::DieOfKill | Strays::Stay, _) => return,
        };
        self.plan(self.now.after(after), Input::NothingLeft);
    }

    /// The children that live, by name.
    pub fn alive(&self) -> Vec<&str> {
        self.children.values().map(|child| child.name.as_str()).collect()
    }

    /// When runs of this command began, in milliseconds.
    pub fn runs_of(&self, name: &str) -> Vec<u128> {
        self.when(|what| *what == Happening::Run(name.to_owned()))
    }

    /// When something happened, in milliseconds.
    pub fn when(&self, matches: impl Fn(&Happening) -> bool) -> Vec<u128> {
        self.trace.iter().filter(|(_, what)| matches(what)).map(|(at, _)| at.0.as_millis()).collect()
    }

    /// All events as the original writes them, those of global included.
    pub fn events(&self) -> Vec<String> {
        let event = |(_, what): &(Moment, Happening)| match what {
            Happening::Event(code, source) => Some(format!("{} {source}", code.log_name())),
            _ => None,
        };
        self.trace.iter().filter_map(event).collect()
    }

    /// How often this event was published.
    pub fn count(&self, code: EventCode, source: &str) -> usize {
        self.trace.iter().filter(|(_, what)| *what == Happening::Event(code, source.to_owned())).count()
    }

    /// Runs, withdrawals, signals but CONT, ends, `stopping`, `stopped` and the exit, in order: `run web`, `TERM web`.
    pub fn course(&self) -> Vec<String> {
        let line = |(_, what): &(Moment, Happening)| match what {
            Happening::Run(name) => Some(format!("run {name}")),
            Happening::Told(name, Report::Withdraw) => Some(format!("withdraw {name}")),
            Happening::Signalled(Signal::CONT, _)
            | Happening::Log(..)
            | Happening::Told(..)
            | Happening::Watch(..)
            | Happening::Service(_)
            | Happening::Sweep(_) => None,
            Happening::Signalled(signal, name) => Some(format!("{} {name}", signal.name().replace("SIG", ""))),
            Happening::Ended(name) => Some(format!("end {name}")),
            Happening::Event(EventCode::Stopping, name) => Some(format!("stopping {name}")),
            Happening::Event(EventCode::Stopped, name) => Some(format!("stopped {name}")),
            Happening::Event(..) => None,
            Happening::Exit(status) => Some(format!("exit {status}")),
        };
        self.trace.iter().filter_map(line).collect()
    }

    /// What was logged at this level or above.
    pub fn logged(&self, at_least: Level) -> Vec<&str> {
        let line = |(_, what): &'_ (Moment, Happening)| matches!(what, Happening::Log(level, _) if *level >= at_least);
        let lines = self.trace.iter().filter(|entry| line(entry));
        lines
            .filter_map(|(_, what)| if let Happening::Log(_, text) = what { Some(text.as_str()) } else { None })
            .collect()
    }

    /// What Consul was told, and when: `2000 web passing`.
    pub fn told(&self) -> Vec<String> {
        let line = |(at, what): &(Moment, Happening)| {
            let Happening::Told(name, report) = what else { return None };
            let word = match report {
                Report::Initial(status) => format!("initially {}", status.word()),
                Report::Passing => "passing".to_owned(),
                Report::Failing(why) => format!("failing: {why}"),
                Report::Withdraw => "withdraw".to_owned(),
            };
            Some(format!("{} {name} {word}", at.0.as_millis()))
        };
        self.trace.iter().filter_map(line).collect()
    }

    /// The moment of the exit, in milliseconds.
    pub fn exit_ms(&self) -> u128 {
        self.when(|what| matches!(what, Happening::Exit(_))).first().copied().expect("an exit")
    }

    /// The first job of that name.
    pub fn job(&self, name: &str) -> &Job {
        self.world.jobs().find(|job| job.spec().name == name).expect("a job of that name")
    }

    /// Everything that happened, for a failed assertion.
    pub fn story(&self) -> String {
        let lines = self.trace.iter().map(|(at, what)| format!("{:>8} {what:?}", at.0.as_millis()));
        lines.collect::<Vec<_>>().join("\n")
    }
}
