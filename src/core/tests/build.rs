//! Plans in few words: `job("web").each("db", ExitSuccess).restarts(2).lasts(ms(300))`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::sim::Sim;
use crate::core::{ExitStatus, JobId, Lack, Slot, SpawnFailure};
use crate::plan::{
    Backoff, CheckStatus, CommandSpec, Consul, ConsulScheme, ConsulTls, Control, EventCode, ExitCodeRule, HealthSpec,
    JobSpec, Logging, Plan, Reload, Restarts, ServiceSpec, Signal, SignalAction, SignalMap, Trigger, WatchSpec, When,
};

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the runs of a command do.
#[derive(Debug, Clone)]
pub struct Script {
    /// How long one takes by itself; `None` is for ever.
    pub lasts: Option<Duration>,
    /// How it ends by itself.
    pub status: ExitStatus,
    /// How long after SIGTERM it ends, and how; `None` ignores it.
    pub on_term: Option<(Duration, ExitStatus)>,
    /// Whether SIGKILL ends it.
    pub dies: bool,
    /// The first starts fail so.
    pub failures: Vec<SpawnFailure>,
}

impl Default for Script {
    /// Ends well after a millisecond.
    fn default() -> Self {
        Self {
            lasts: Some(ms(1)),
            status: ExitStatus::Code(0),
            on_term: Some((ms(1), ExitStatus::Signal(Signal::TERM))),
            dies: true,
            failures: Vec::new(),
        }
    }
}

/// A job and what its commands do.
#[derive(Debug, Clone)]
pub struct JobBuilder {
    pub spec: JobSpec,
    /// One script a run; the last one is for all further runs.
    pub runs: Vec<Script>,
    pub checks: Vec<Script>,
}

/// A job that starts with everything, runs once and ends well.
pub fn job(name: &str) -> JobBuilder {
    JobBuilder {
        spec: JobSpec {
            name: name.to_owned(),
            exec: Some(Arc::new(command(name))),
            when: When::Startup,
            wait_timeout: None,
            restarts: Restarts::Never,
            backoff: None,
            stop_timeout: secs(60),
            health: None,
            service: None,
            main: false,
            pause_in_maintenance: false,
            overrides_exit_code: false,
        },
        runs: vec![Script::default()],
        checks: vec![Script::default()],
    }
}

/// A job that runs until it is asked to end, and then ends well.
pub fn daemon(name: &str) -> JobBuilder {
    job(name).lasts_for_ever().exits_on_term(0, ms(1))
}

pub fn command(name: &str) -> CommandSpec {
    CommandSpec {
        name: name.to_owned(),
        program: format!("/bin/{name}"),
        args: vec!["-x".to_owned()],
        timeout: None,
        raw: false,
        pid_variable: String::new(),
    }
}

fn trigger(source: &str, event: EventCode) -> Trigger {
    Trigger { source: source.to_owned(), event }
}

pub fn no_process_slot() -> SpawnFailure {
    SpawnFailure {
        reason: "fork: resource temporarily unavailable".to_owned(),
        exit_code: 126,
        lacks: Some(Lack::Processes),
    }
}

pub fn missing() -> SpawnFailure {
    let reason = "exec: \"nope\": executable file not found in $PATH".to_owned();
    SpawnFailure { reason, exit_code: 127, lacks: None }
}

impl JobBuilder {
    pub fn when(mut self, when: When) -> Self {
        self.spec.when = when;
        self
    }
    pub fn once(self, source: &str, event: EventCode) -> Self {
        self.when(When::Once(trigger(source, event)))
    }
    pub fn each(self, source: &str, event: EventCode) -> Self {
        self.when(When::Each(trigger(source, event)))
    }
    pub fn on_signal(self, signal: Signal) -> Self {
        self.when(When::Signal(signal))
    }
    /// Periodic, with v3's defaults: for ever, and the period is the time limit.
    pub fn every(mut self, period: Duration) -> Self {
        self.spec.restarts = Restarts::Unlimited;
        self.spec.backoff = Some(Backoff::default());
        self.when(When::Every(period)).timeout(period)
    }
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.spec.wait_timeout = Some(timeout);
        self
    }
    pub fn restarts(mut self, times: u64) -> Self {
        self.spec.restarts = if times == 0 { Restarts::Never } else { Restarts::Times(times) };
        self
    }
    /// Restarts for ever, with the default backoff.
    pub fn unlimited(mut self) -> Self {
        self.spec.restarts = Restarts::Unlimited;
        self.spec.backoff = Some(Backoff::default());
        self
    }
    pub fn backoff(mut self, backoff: Option<Backoff>) -> Self {
        self.spec.backoff = backoff;
        self
    }
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.spec.stop_timeout = timeout;
        self
    }
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Some(exec) = self.spec.exec.as_mut().map(Arc::make_mut) {
            exec.timeout = Some(timeout);
        }
        self
    }
    pub fn main(mut self) -> Self {
        self.spec.main = true;
        self
    }
    pub fn overrides(mut self) -> Self {
        self.spec.overrides_exit_code = true;
        self
    }
    pub fn without_exec(mut self) -> Self {
        self.spec.exec = None;
        self
    }
    /// A health check with v3's default that its interval is its time limit.
    pub fn checked_every(mut self, interval: Duration) -> Self {
        let exec = CommandSpec { timeout: Some(interval), ..command(&format!("check.{}", self.spec.name)) };
        self.spec.health = Some(HealthSpec { exec: Some(Arc::new(exec)), interval, ttl: interval * 2 });
        self
    }
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        if let Some(exec) = self.spec.health.as_mut().and_then(|health| health.exec.as_mut()).map(Arc::make_mut) {
            exec.timeout = Some(timeout);
        }
        self
    }

    /// A service on port 80, with a heartbeat every 2 s where nothing else says how often.
    pub fn advertised(mut self) -> Self {
        let ttl = secs(5);
        let name = &self.spec.name;
        self.spec.service = Some(Box::new(ServiceSpec {
            id: format!("{name}-host"),
            name: name.clone(),
            port: 80,
            address: IpAddr::from([10, 0, 0, 1]),
            tags: Vec::new(),
            ttl,
            initial_status: None,
            enable_tag_override: false,
            deregister_critical_service_after: None,
            meta: BTreeMap::new(),
            tagged_addresses: BTreeMap::new(),
            weights: None,
            ip_variable: String::new(),
        }));
        self.spec.health.get_or_insert(HealthSpec { exec: None, interval: secs(2), ttl });
        self
    }
    pub fn initially(mut self, status: CheckStatus) -> Self {
        if let Some(service) = &mut self.spec.service {
            service.initial_status = Some(status);
        }
        self
    }
    pub fn paused_in_maintenance(mut self) -> Self {
        self.spec.pause_in_maintenance = true;
        self
    }
    pub fn runs_program(mut self, program: &str, args: &[&str]) -> Self {
        if let Some(exec) = self.spec.exec.as_mut().map(Arc::make_mut) {
            exec.program = program.to_owned();
            exec.args = args.iter().map(|&arg| arg.to_owned()).collect();
        }
        self
    }

    fn each_script(mut self, change: impl Fn(&mut Script)) -> Self {
        self.runs.iter_mut().for_each(change);
        self
    }
    pub fn lasts(self, duration: Duration) -> Self {
        self.each_script(|script| script.lasts = Some(duration))
    }
    pub fn lasts_for_ever(self) -> Self {
        self.each_script(|script| script.lasts = None)
    }
    pub fn exits(self, code: i32) -> Self {
        self.each_script(|script| script.status = ExitStatus::Code(code))
    }
    pub fn killed_by(self, signal: Signal) -> Self {
        self.each_script(|script| script.status = ExitStatus::Signal(signal))
    }
    pub fn exits_on_term(self, code: i32, after: Duration) -> Self {
        self.each_script(|script| script.on_term = Some((after, ExitStatus::Code(code))))
    }
    pub fn ignores_term(self) -> Self {
        self.each_script(|script| script.on_term = None)
    }
    pub fn unkillable(self) -> Self {
        self.each_script(|script| (script.lasts, script.on_term, script.dies) = (None, None, false))
    }
    pub fn fails_to_start(self, failure: &SpawnFailure, times: usize) -> Self {
        self.each_script(|script| script.failures = vec![failure.clone(); times])
    }
    /// What its runs do, one after the other.
    pub fn runs(mut self, scripts: impl IntoIterator<Item = Script>) -> Self {
        self.runs = scripts.into_iter().collect();
        self
    }
    /// What its checks do, one after the other.
    pub fn checks(mut self, scripts: impl IntoIterator<Item = Script>) -> Self {
        self.checks = scripts.into_iter().collect();
        self
    }
}

pub fn passes() -> Script {
    Script::default()
}

pub fn fails(code: i32) -> Script {
    Script { status: ExitStatus::Code(code), ..Script::default() }
}

/// Takes no notice of SIGTERM and never ends by itself.
pub fn hangs() -> Script {
    Script { lasts: None, on_term: None, ..Script::default() }
}

/// A plan and what its commands do.
#[derive(Debug, Clone)]
pub struct PlanBuilder {
    pub plan: Plan,
    pub scripts: BTreeMap<Slot, Vec<Script>>,
}

/// A plan with these jobs and a stopTimeout of 5 s.
pub fn jobs(jobs: impl IntoIterator<Item = JobBuilder>) -> PlanBuilder {
    let mut scripts = BTreeMap::new();
    let mut specs = Vec::new();
    for (job, id) in jobs.into_iter().zip((0..).map(JobId)) {
        scripts.insert(Slot::Exec(id), job.runs);
        scripts.insert(Slot::Check(id), job.checks);
        specs.push(job.spec);
    }
    let plan = Plan {
        logging: Logging::default(),
        stop_timeout: secs(5),
        control: Control { socket: "/run/containerpilot.socket".into(), configured: false },
        consul: None,
        jobs: specs,
        watches: Vec::new(),
        telemetry: None,
        signals: SignalMap::default(),
        exit_code: ExitCodeRule::Truthful,
        reload: Reload::default(),
    };
    PlanBuilder { plan, scripts }
}

impl PlanBuilder {
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.plan.stop_timeout = timeout;
        self
    }
    pub fn exit_code(mut self, rule: ExitCodeRule) -> Self {
        self.plan.exit_code = rule;
        self
    }
    pub fn signal(mut self, signal: Signal, action: SignalAction) -> Self {
        self.plan.signals.0.insert(0, (signal, action));
        self
    }
    /// There is a Consul agent.
    pub fn consul(mut self) -> Self {
        self.plan.consul = Some(Consul {
            address: "127.0.0.1:8500".to_owned(),
            scheme: ConsulScheme::Http,
            token: None,
            token_file: None,
            namespace: None,
            partition: None,
            failing_heartbeat: false,
            tls: ConsulTls::default(),
        });
        self
    }
    /// … that is told of failing checks, too.
    pub fn failing_heartbeat(mut self) -> Self {
        if let Some(consul) = &mut self.plan.consul {
            consul.failing_heartbeat = true;
        }
        self
    }
    pub fn watch(mut self, name: &str) -> Self {
        let (tag, dc, filter) = Default::default();
        self.plan.watches.push(WatchSpec { name: name.to_owned(), interval: secs(1), tag, dc, filter });
        self
    }
    /// The world of the plan, not yet started.
    pub fn build(self) -> Sim {
        Sim::new(&self)
    }
    /// … and started.
    pub fn start(self) -> Sim {
        self.build().start()
    }
}
