//! What a new plan makes of the jobs of the old one (managed-daemons §7.4). Pure: it decides, `reload` carries out.
//!
//! Jobs are matched by name, the k-th of a name with the k-th. What the process is made of can't change while it runs;
//! everything else can.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::JobId;
use super::say::{count, some_names};
use crate::plan::{CommandSpec, HealthSpec, JobSpec, ServiceSpec};

/// What becomes of a job of the new plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// It goes on, nothing has changed.
    Same(JobId),
    /// It goes on; these fields have changed.
    Live(JobId, Vec<String>),
    /// Its process has to be another: it stops and starts anew. These fields have changed.
    Restart(JobId, Vec<String>),
    /// There was none of its name.
    Add,
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// For each job of the new plan, in its order.
    pub fates: Vec<Fate>,
    /// Jobs that the new plan has no more, in the old order.
    pub removed: Vec<JobId>,
}

/// How two definitions of a job differ.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// What the process is made of, and what else.
    Process(Vec<String>),
    Fields(Vec<String>),
}

/// Compares the jobs that there are with those of a plan.
pub(super) fn compare<'j>(old: impl Iterator<Item = (JobId, &'j JobSpec)>, new: &[JobSpec]) -> Comparison {
    let mut by_name: BTreeMap<&str, VecDeque<(JobId, &JobSpec)>> = BTreeMap::new();
    for (id, spec) in old {
        by_name.entry(&spec.name).or_default().push_back((id, spec));
    }
    let mut fate = |new: &JobSpec| {
        let Some((id, old)) = by_name.get_mut(new.name.as_str()).and_then(VecDeque::pop_front) else {
            return Fate::Add;
        };
        match difference(old, new) {
            Difference::Process(fields) => Fate::Restart(id, fields),
            Difference::Fields(fields) if fields.is_empty() => Fate::Same(id),
            Difference::Fields(fields) => Fate::Live(id, fields),
        }
    };
    let fates = new.iter().map(&mut fate).collect();
    let mut removed: Vec<JobId> = by_name.into_values().flatten().map(|(id, _)| id).collect();
    removed.sort_unstable();
    Comparison { fates, removed }
}

/// A field that is added to [`JobSpec`] does not compile here until somebody has decided what its change means.
fn difference(old: &JobSpec, new: &JobSpec) -> Difference {
    let JobSpec {
        name: _,
        exec,
        when,
        wait_timeout,
        restarts,
        backoff,
        stop_timeout,
        health,
        service,
        pause_in_maintenance,
        main,
        overrides_exit_code,
    } = old;
    let same_process = is_same_process(exec.as_deref(), new.exec.as_deref());
    let timeout = |exec: Option<&CommandSpec>| exec.and_then(|exec| exec.timeout);
    let fields = [
        ("exec", !same_process),
        ("timeout", timeout(exec.as_deref()) != timeout(new.exec.as_deref())),
        ("when", *when != new.when || *wait_timeout != new.wait_timeout),
        ("restarts", *restarts != new.restarts),
        ("backoff", *backoff != new.backoff),
        ("stopTimeout", *stop_timeout != new.stop_timeout),
    ];
    let rest = [
        ("pauseInMaintenance", *pause_in_maintenance != new.pause_in_maintenance),
        ("main", *main != new.main),
        ("exitCode", *overrides_exit_code != new.overrides_exit_code),
    ];
    let fields = fields
        .into_iter()
        .chain(check_difference(health.as_ref(), new.health.as_ref()))
        .chain(service_difference(service.as_deref(), new.service.as_deref()))
        .chain(rest);
    let fields = fields.filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect();
    if same_process { Difference::Fields(fields) } else { Difference::Process(fields) }
}

/// Keys of the configuration, and whether what they say has changed.
type Changes = Vec<(&'static str, bool)>;

/// The time to live is a matter of the service.
fn check_difference(old: Option<&HealthSpec>, new: Option<&HealthSpec>) -> Changes {
    let (Some(old), Some(new)) = (old, new) else { return vec![("health", old.is_some() != new.is_some())] };
    let HealthSpec { exec, interval, ttl: _ } = old;
    let command =
        |exec: &Option<Arc<CommandSpec>>| exec.as_deref().map(|exec| CommandSpec { timeout: None, ..exec.clone() });
    let timeout = |exec: &Option<Arc<CommandSpec>>| exec.as_ref().and_then(|exec| exec.timeout);
    vec![
        ("health.exec", command(exec) != command(&new.exec)),
        ("health.timeout", timeout(exec) != timeout(&new.exec)),
        ("health.interval", *interval != new.interval),
    ]
}

/// What Consul is told of it.
fn service_difference(old: Option<&ServiceSpec>, new: Option<&ServiceSpec>) -> Changes {
    let (Some(old), Some(new)) = (old, new) else { return vec![("port", old.is_some() != new.is_some())] };
    let ServiceSpec {
        id,
        name,
        port,
        address,
        tags,
        ttl,
        initial_status,
        enable_tag_override,
        deregister_critical_service_after,
        meta,
        tagged_addresses,
        weights,
        ip_variable,
    } = old;
    let same_options = *enable_tag_override == new.enable_tag_override
        && *deregister_critical_service_after == new.deregister_critical_service_after
        && *meta == new.meta
        && *tagged_addresses == new.tagged_addresses
        && *weights == new.weights;
    vec![
        // The host's own name is a part of the id; the variable goes with the job's name.
        ("service", *id != new.id || *name != new.name || *ip_variable != new.ip_variable),
        ("port", *port != new.port),
        ("interfaces", *address != new.address),
        ("tags", *tags != new.tags),
        ("health.ttl", *ttl != new.ttl),
        ("initial_status", *initial_status != new.initial_status),
        ("consul", !same_options),
    ]
}

/// Whether a process that was started from the one could have been started from the other.
fn is_same_process(old: Option<&CommandSpec>, new: Option<&CommandSpec>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return old.is_none() && new.is_none() };
    let CommandSpec { name: _, program, args, timeout: _, raw, pid_variable: _ } = old;
    *program == new.program && *args == new.args && *raw == new.raw
}

/// What a reload has done, or would do; jobs by name, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Everything was stopped and started anew (`reload: "restart"`); the rest is empty then but `added` and `unchanged`.
    pub everything: bool,
    /// Jobs that were stopped and start anew, and what of them has changed.
    pub changed: Vec<(String, Vec<String>)>,
    /// Jobs that go on with other settings, and which ones.
    pub in_place: Vec<(String, Vec<String>)>,
    /// Jobs that are gone.
    pub removed: Vec<String>,
    /// Jobs that are new.
    pub added: Vec<String>,
    /// How many jobs go on as they were.
    pub unchanged: usize,
}

impl Summary {
    /// Of a comparison; `name_of` knows the jobs that there were.
    pub(super) fn new<'n>(of: &Comparison, new: &[JobSpec], name_of: impl Fn(JobId) -> Option<&'n str>) -> Self {
        let mut summary = Self::default();
        for (fate, spec) in of.fates.iter().zip(new) {
            let name = spec.name.clone();
            match fate {
                Fate::Same(_) => summary.unchanged += 1,
                Fate::Live(_, fields) => summary.in_place.push((name, fields.clone())),
                Fate::Restart(_, fields) => summary.changed.push((name, fields.clone())),
                Fate::Add => summary.added.push(name),
            }
        }
        summary.removed = of.removed.iter().filter_map(|&id| Some(name_of(id)?.to_owned())).collect();
        summary
    }
}

/// `1 changed (web), 0 removed, 1 added (cache), 48 unchanged`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.everything {
            return write!(f, "everything started anew, {}", count(self.unchanged, "job"));
        }
        let changed: Vec<String> = self.changed.iter().map(|(name, _)| name.clone()).collect();
        write!(f, "{} changed{}", changed.len(), some_of(&changed))?;
        if !self.in_place.is_empty() {
            let names: Vec<String> =
                self.in_place.iter().map(|(name, fields)| format!("{name}: {}", fields.join(", "))).collect();
            write!(f, ", {} changed in place{}", names.len(), some_of(&names))?;
        }
        write!(f, ", {} removed{}", self.removed.len(), some_of(&self.removed))?;
        write!(f, ", {} added{}", self.added.len(), some_of(&self.added))?;
        write!(f, ", {} unchanged", self.unchanged)
    }
}

/// ` (web, db)`, the first ten of them; nothing for none.
fn some_of(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", some_names(&names)) }
}
