//! How everything stands, in the words of `/v4`.

use std::time::{Duration, SystemTime};

use super::Driver;
use super::observed::VERSION;
use crate::api::{self, stamp};
use crate::core::elapsed;
use crate::core::{Explanation, Instance, Job, JobId, Look, Moment, Reason, State, Status, Summary, WatchId};
use crate::log::Standing;
use crate::plan::Signal;
use crate::process;
use crate::telemetry;

/// The same moment on both clocks.
struct Clocks {
    now: Moment,
    wall: SystemTime,
}

impl Clocks {
    /// A moment of the loop's clock, as the wall clock would have told it if it was never set.
    fn stamp(&self, moment: Moment) -> String {
        let (past, future) = (self.now.since(moment), moment.since(self.now));
        let wall = self.wall.checked_sub(past).and_then(|wall| wall.checked_add(future));
        stamp(wall.unwrap_or(self.wall))
    }

    fn ago(&self, moment: Moment) -> u64 {
        millis(self.now.since(moment))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Driver {
    fn clocks(&self) -> Clocks {
        Clocks { now: self.now(), wall: SystemTime::now() }
    }

    /// `GET /v4/jobs`
    pub(super) fn overview(&self) -> api::Overview {
        let clocks = self.clocks();
        let snapshot = self.readiness();
        let (ready, reason) = telemetry::readiness(&snapshot);
        let (count, of) = telemetry::ready_jobs(&snapshot);
        let reason = if ready { String::new() } else { reason.trim_end().to_owned() };
        api::Overview {
            version: VERSION.to_owned(),
            pid: process::own_pid(),
            since: clocks.stamp(Moment::default()),
            up_ms: clocks.ago(Moment::default()),
            stopping: self.world.is_stopping(),
            maintenance: self.world.in_maintenance(),
            ready: api::Readiness { ready, count, of, reason },
            consul: self.consul_view(),
            log: self.log_view(),
            jobs: self.world.ids().filter_map(|id| self.job_view(id, &clocks)).collect(),
        }
    }

    /// Nothing while all is well.
    fn log_view(&self) -> Option<api::Log> {
        let Standing { blocked, jobs_wait, problem, lost } = self.log.standing();
        let is_well = blocked.is_none() && problem.is_empty();
        (!is_well).then(|| api::Log { blocked_ms: blocked.map(millis), jobs_wait, problem, lost })
    }

    /// A job that runs and does nothing may have been stopped.
    fn stop_fact(&self, id: JobId) -> Option<api::Fact> {
        let job = self.world.job(id)?;
        let signal = self.runs.get(job.child()?)?.stopped_by?.name();
        let name = &job.spec().name;
        let says = format!(
            "its process was stopped by {signal} and does nothing until it is continued (containerpilot signal {name} \
             CONT)"
        );
        Some(api::Fact { says, about: String::new(), because: Vec::new() })
    }

    /// A job that seems to do nothing may wait for the log.
    fn log_fact(&self, id: JobId) -> Option<api::Fact> {
        let job = self.world.job(id).filter(|job| job.is_running())?;
        job.spec().exec.as_ref().filter(|exec| !exec.raw)?;
        let Standing { blocked: Some(blocked), jobs_wait: true, .. } = self.log.standing() else { return None };
        let says = format!(
            "the log's output has taken nothing for {}: a job that writes more waits in its own `write`",
            elapsed(blocked)
        );
        Some(api::Fact { says, about: "log".to_owned(), because: Vec::new() })
    }

    fn consul_view(&self) -> Option<api::Consul> {
        // An agent that nothing is told to or asked of is none.
        let standing = self.discovery.as_ref()?.agent();
        Some(api::Consul {
            address: self.reloads.consul_address()?,
            ok: standing.as_ref().map(Result::is_ok),
            problem: standing.and_then(Result::err).unwrap_or_default(),
        })
    }

    /// All jobs of this name.
    pub(super) fn jobs_named(&self, name: &str) -> Vec<api::Job> {
        let clocks = self.clocks();
        let named = |id: &JobId| self.world.job(*id).is_some_and(|job| job.spec().name == name);
        self.world.ids().filter(named).filter_map(|id| self.job_view(id, &clocks)).collect()
    }

    fn job_view(&self, id: JobId, clocks: &Clocks) -> Option<api::Job> {
        let job = self.world.job(id)?;
        let spec = job.spec();
        let look = self.world.look(job);
        let command = |exec: Option<&crate::plan::CommandSpec>| -> Vec<String> {
            exec.map(|exec| std::iter::once(&exec.program).chain(&exec.args).cloned().collect()).unwrap_or_default()
        };
        let run = look.child.and_then(|child| self.runs.get(child));
        Some(api::Job {
            name: spec.name.clone(),
            state: state(look.state),
            since: look.since.map(|since| clocks.stamp(since)),
            since_ms: look.since.map(|since| clocks.ago(since)),
            pid: run.map(|run| run.pid),
            stopped_by: run.and_then(|run| run.stopped_by).map(Signal::name).unwrap_or_default(),
            runs: job.runs(),
            restarts: job.restarts(),
            last_exit: last_exit(&look, clocks),
            health: spec.health.as_ref().zip(spec.check()).map(|(health, check)| api::Health {
                state: health_state(job.status()),
                checked_ms: look.checked.map(|at| clocks.ago(at)),
                failure: look.check_failure.clone(),
                failures: look.failed_checks,
                command: command(Some(check)),
                interval_ms: millis(health.interval),
                timeout_ms: check.timeout.map(millis),
            }),
            service: self.service_view(id, job),
            next: look.next.map(|next| api::Next {
                at: clocks.stamp(next.at),
                in_ms: millis(next.at.since(clocks.now)),
                why: next.why,
            }),
            waits_for: look.waits_for,
            start_failure: job.failing_start().unwrap_or_default().to_owned(),
            when: job.when_in_words(),
            restarts_policy: job.restarts_in_words(),
            command: command(spec.exec.as_deref()),
            main: spec.main,
            telemetry: spec.is_telemetry(),
        })
    }

    fn service_view(&self, id: JobId, job: &Job) -> Option<api::Service> {
        let service = job.spec().service.as_ref()?;
        let discovery = self.discovery.as_ref()?;
        let standing = discovery.standing(id);
        Some(api::Service {
            id: service.id.clone(),
            address: service.address.to_string(),
            port: service.port,
            status: standing.map(|(status, _)| status.word().to_owned()).unwrap_or_default(),
            told_ms: standing.map(|(_, ago)| millis(ago)),
            problem: standing.map_or_else(|| self.why_not_registered(job), |_| String::new()),
        })
    }

    fn why_not_registered(&self, job: &Job) -> String {
        let problem = self.consul_problem();
        match job.status() {
            _ if !job.was_started() => String::new(),
            _ if self.world.in_maintenance() => "maintenance mode is on".to_owned(),
            _ if !problem.is_empty() => problem,
            Status::Unhealthy => "no check has passed yet".to_owned(),
            Status::Unknown | Status::Idle => "it was not checked yet".to_owned(),
            Status::Healthy | Status::AlwaysHealthy | Status::Maintenance => String::new(),
        }
    }

    /// Empty where Consul answers, or was not asked.
    fn consul_problem(&self) -> String {
        let Some(api::Consul { address, problem, ok: Some(false) }) = self.consul_view() else { return String::new() };
        let problem = problem.strip_prefix(&format!("{address}: ")).unwrap_or(&problem);
        format!("Consul at {address} fails: {problem}")
    }

    /// `GET /v4/jobs/{name}/why`, of the first of that name.
    pub(super) fn why(&self, name: &str) -> Option<api::Why> {
        let id = self.world.ids().find(|id| self.world.job(*id).is_some_and(|job| job.spec().name == name))?;
        let Explanation { summary, facts } = self.world.why(id, self.now())?;
        let mut facts: Vec<api::Fact> = facts.into_iter().map(fact).collect();
        facts.extend(self.registration_facts(id));
        facts.extend(self.log_fact(id));
        if let Some(fact) = self.stop_fact(id) {
            facts.insert(0, fact);
        }
        Some(api::Why { job: name.to_owned(), summary, facts })
    }

    /// What of it the core can't know: how things stand with Consul.
    fn registration_facts(&self, id: JobId) -> Vec<api::Fact> {
        let fact = |about: &str, says: String| api::Fact { says, about: about.to_owned(), because: Vec::new() };
        let Some(job) = self.world.job(id) else { return Vec::new() };
        let service = self.service_view(id, job).filter(|_| job.was_started()).map(|service| match service {
            api::Service { status, told_ms: Some(millis), .. } => fact(
                "service",
                format!("Consul was told that it is {status}, {} ago", elapsed(Duration::from_millis(millis))),
            ),
            api::Service { problem, .. } if problem.is_empty() => fact("service", "it is not registered".to_owned()),
            api::Service { problem, .. } => fact("service", format!("it is not registered: {problem}")),
        });
        let asks = self.world.waits_for_a_watch(id) && service.is_none();
        let problem = Some(self.consul_problem()).filter(|problem| asks && !problem.is_empty());
        service.into_iter().chain(problem.map(|problem| fact("watch", problem))).collect()
    }

    /// `GET /v4/watches`
    pub(super) fn watches_view(&self) -> api::Watches {
        let clocks = self.clocks();
        let view = |(id, spec): (WatchId, &crate::plan::WatchSpec)| {
            let seen = self.world.seen(id);
            let known = seen.is_some();
            let (instances, changed) = seen.unwrap_or_default();
            api::Watch {
                name: spec.name.clone(),
                tag: spec.tag.clone(),
                dc: spec.dc.clone(),
                interval_ms: millis(spec.interval),
                instances: instances.iter().map(instance).collect(),
                known,
                changed: changed.map(|at| clocks.stamp(at)),
            }
        };
        api::Watches { watches: self.world.watches().map(view).collect() }
    }
}

/// What a reload does, or would do.
pub(super) fn reloaded(summary: &Summary, dry_run: bool, took: Option<Duration>) -> api::Reloaded {
    let changed = |(job, fields): &(String, Vec<String>)| api::Changed { job: job.clone(), fields: fields.clone() };
    api::Reloaded {
        dry_run,
        took_ms: took.map(millis),
        everything: summary.everything,
        restarted: summary.changed.iter().map(changed).collect(),
        changed: summary.in_place.iter().map(changed).collect(),
        removed: summary.removed.clone(),
        added: summary.added.clone(),
        unchanged: summary.unchanged,
    }
}

fn last_exit(look: &Look, clocks: &Clocks) -> Option<api::Exit> {
    let last = look.last.as_ref()?;
    Some(api::Exit {
        code: last.code,
        text: last.text.clone(),
        at: clocks.stamp(last.at),
        ago_ms: clocks.ago(last.at),
        lasted_ms: millis(last.lasted),
    })
}

fn state(of: State) -> api::JobState {
    match of {
        State::Waiting => api::JobState::Waiting,
        State::Running => api::JobState::Running,
        State::Backoff => api::JobState::Backoff,
        State::Stopping => api::JobState::Stopping,
        State::Stopped => api::JobState::Stopped,
        State::Done => api::JobState::Done,
    }
}

fn health_state(of: Status) -> api::HealthState {
    match of {
        Status::Idle | Status::Unknown => api::HealthState::Unknown,
        Status::Healthy | Status::AlwaysHealthy => api::HealthState::Healthy,
        Status::Unhealthy => api::HealthState::Unhealthy,
        Status::Maintenance => api::HealthState::Maintenance,
    }
}

fn instance(of: &Instance) -> api::Instance {
    let Instance { id, address, port, tags, node } = of.clone();
    api::Instance { id, address, port, tags, node }
}

fn fact(reason: Reason) -> api::Fact {
    let Reason { about, says, because } = reason;
    api::Fact { says, about: about.to_owned(), because: because.into_iter().map(fact).collect() }
}
