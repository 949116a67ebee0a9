//! A plan as a file that means the same: everything that was left to defaults, the environment and the template is said.

mod print;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use self::print::{Entry, Item};
use super::validate::spelt;
use crate::duration::GoDuration;
use crate::plan::{
    Backoff, CheckStatus, CommandSpec, Consul, ConsulScheme, Control, ExitCodeRule, HealthSpec, JobSpec, Level,
    LogFormat, LogOutput, Logging, MetricKind, MetricSpec, Plan, Reload, ReloadMode, Restarts, ServiceSpec,
    SignalAction, SignalMap, TaggedAddress, Telemetry, Trigger, WatchSpec, When,
};

/// What stands for a secret.
const MASKED: &str = "***";

/// The plan as JSON5 in the spelling of a configuration, every default filled in; the token for Consul is `***`.
///
/// Read as a configuration without any environment it gives the same plan, but for the token and for what only the
/// environment can say, which stands in comments (`CONSUL_NAMESPACE`). Addresses are those that were
/// chosen here (`static:…`). Secrets that a template puts into a command are part of that command, and not masked.
pub fn show(plan: &Plan) -> String {
    let mut file = Object::default();
    file.put("consul", plan.consul.as_ref().map_or_else(|| Item::switch(false), consul));
    file.put("logging", logging(&plan.logging));
    file.put("stopTimeout", stop_timeout(plan.stop_timeout));
    file.put("control", control(&plan.control));
    file.put("signals", signals(&plan.signals));
    if plan.exit_code == ExitCodeRule::Zero {
        file.put("exitCode", Item::text("zero"));
    }
    if plan.reload != Reload::default() {
        file.put("reload", reload(&plan.reload));
    }
    // The last job is the telemetry service, which has no spelling but the section.
    let jobs = plan.jobs.len().saturating_sub(usize::from(plan.telemetry.is_some()));
    file.put("jobs", Item::List(plan.jobs.iter().take(jobs).map(job).collect()));
    file.put("watches", Item::List(plan.watches.iter().map(watch).collect()));
    if let Some(telemetry) = &plan.telemetry {
        file.put("telemetry", self::telemetry(telemetry));
    }
    print::file(&file.0)
}

/// An object that grows.
#[derive(Default)]
struct Object(Vec<Entry>);

impl Object {
    fn put(&mut self, key: impl Into<String>, value: Item) {
        self.0.push(Entry::Field(key.into(), value));
    }

    fn done(self) -> Item {
        Item::Object(self.0)
    }
}

fn object<const N: usize>(fields: [(&str, Item); N]) -> Item {
    Item::Object(fields.into_iter().map(|(key, value)| Entry::Field(key.to_owned(), value)).collect())
}

fn duration(duration: Duration) -> Item {
    Item::text(GoDuration::from(duration).to_string())
}

fn seconds(duration: Duration) -> Item {
    Item::whole(i128::from(duration.as_secs()))
}

fn path(path: &Path) -> Item {
    // Paths come out of texts, so that nothing is lost.
    Item::text(path.to_string_lossy())
}

/// 0 would be the default, and below it there is no wait.
fn stop_timeout(timeout: Duration) -> Item {
    if timeout.is_zero() { Item::whole(-1) } else { seconds(timeout) }
}

fn consul(consul: &Consul) -> Item {
    let (scheme, in_address) = match &consul.scheme {
        ConsulScheme::Http => ("http", "http://"),
        ConsulScheme::Https => ("https", "https://"),
        ConsulScheme::Unix => ("http", "unix://"),
        ConsulScheme::Other(word) => (word.as_str(), ""),
    };
    // A scheme in the address wins, so that it protects what could be taken for one, and an empty address.
    let protected = consul.scheme == ConsulScheme::Unix || consul.address.contains("://") || consul.address.is_empty();
    let address = if protected { format!("{in_address}{}", consul.address) } else { consul.address.clone() };
    let mut object = Object::default();
    object.put("address", Item::text(address));
    object.put("scheme", Item::text(scheme));
    if consul.token.is_some() {
        object.put("token", Item::text(MASKED));
    }
    let only_env = [
        ("CONSUL_HTTP_TOKEN_FILE", consul.token_file.as_deref().map(Path::to_string_lossy)),
        ("CONSUL_NAMESPACE", consul.namespace.as_deref().map(Cow::Borrowed)),
        ("CONSUL_PARTITION", consul.partition.as_deref().map(Cow::Borrowed)),
    ];
    for (variable, value) in only_env {
        if let Some(value) = value {
            object.0.push(Entry::Note(format!("{variable}: {}", print::quote(&value))));
        }
    }
    object.put("failingHeartbeat", Item::switch(consul.failing_heartbeat));
    let files = [
        ("cafile", &consul.tls.ca_file),
        ("capath", &consul.tls.ca_path),
        ("clientcert", &consul.tls.client_cert),
        ("clientkey", &consul.tls.client_key),
    ];
    let mut tls = Object::default();
    for (key, file) in files {
        if let Some(file) = file {
            tls.put(key, path(file));
        }
    }
    if let Some(name) = &consul.tls.server_name {
        tls.put("servername", Item::text(name));
    }
    tls.put("verify", Item::switch(consul.tls.verify));
    object.put("tls", tls.done());
    object.done()
}

fn logging(logging: &Logging) -> Item {
    let level = match logging.level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
        Level::Fatal => "fatal",
        Level::Panic => "panic",
    };
    let format = match logging.format {
        LogFormat::Default => "default",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    let output = match &logging.output {
        LogOutput::Stdout => Item::text("stdout"),
        LogOutput::Stderr => Item::text("stderr"),
        LogOutput::File(file) => path(file),
    };
    object([("level", Item::text(level)), ("format", Item::text(format)), ("output", output)])
}

fn control(control: &Control) -> Item {
    if control.configured {
        return object([("socket", path(&control.socket))]);
    }
    // Said aloud it would be a path that must be had (design §4 row 30).
    Item::Object(vec![Entry::Note(format!(
        "socket: the default, {}, or none where it can't be had",
        control.socket.display()
    ))])
}

fn signals(map: &SignalMap) -> Item {
    let mut object = Object::default();
    for (signal, action) in &map.0 {
        let action = match action {
            SignalAction::Pass { job, signal } => {
                self::object([("job", Item::text(job)), ("signal", Item::text(signal.name()))])
            }
            word => Item::text(word.word().unwrap_or_default()),
        };
        object.put(signal.name(), action);
    }
    object.done()
}

fn reload(reload: &Reload) -> Item {
    let mode = match reload.mode {
        ReloadMode::Reconcile => "reconcile",
        ReloadMode::Restart => "restart",
    };
    let Reload { quiesce, coalesce, .. } = reload;
    object([("mode", Item::text(mode)), ("quiesce", duration(*quiesce)), ("coalesce", duration(*coalesce))])
}

fn job(job: &JobSpec) -> Item {
    let mut object = Object::default();
    object.put("name", Item::text(&job.name));
    if let Some(exec) = &job.exec {
        object.put("exec", command(exec));
        if let Some(timeout) = exec.timeout {
            object.put("timeout", duration(timeout));
        }
        object.put("logging", self::object([("raw", Item::switch(exec.raw))]));
    }
    if let Some(when) = when(job) {
        object.put("when", when);
    }
    object.put(
        "restarts",
        match job.restarts {
            Restarts::Never => Item::text("never"),
            Restarts::Times(times) => Item::whole(i128::from(times)),
            Restarts::Unlimited => Item::text("unlimited"),
        },
    );
    match &job.backoff {
        Some(backoff) => object.put("backoff", self::backoff(backoff)),
        // A periodic job is never slowed down.
        None if job.restarts == Restarts::Unlimited && !matches!(job.when, When::Every(_)) => {
            object.put("backoff", Item::switch(false));
        }
        None => {}
    }
    object.put("stopTimeout", duration(job.stop_timeout));
    if let Some(health) = &job.health {
        object.put("health", self::health(health));
    }
    if let Some(service) = &job.service {
        self::service(service, &mut object);
    }
    object.put("main", Item::switch(job.main));
    object.put("pauseInMaintenance", Item::switch(job.pause_in_maintenance));
    if job.overrides_exit_code {
        object.put("exitCode", Item::text("override"));
    }
    object.done()
}

/// As a list, so that no space splits anything.
fn command(command: &CommandSpec) -> Item {
    Item::texts(std::iter::once(&command.program).chain(&command.args))
}

/// Nothing is the spelling of a job that starts with the program.
fn when(job: &JobSpec) -> Option<Item> {
    let mut object = Object::default();
    let mut triggered = |key: &str, trigger: &Trigger| {
        object.put("source", Item::text(&trigger.source));
        object.put(key, Item::text(spelt(trigger.event)));
    };
    match &job.when {
        When::Startup => return None,
        When::Once(trigger) => triggered("once", trigger),
        When::Each(trigger) => triggered("each", trigger),
        When::Every(period) => object.put("interval", duration(*period)),
        When::Signal(signal) => object.put("source", Item::text(signal.name())),
        When::Never(Some(source)) => object.put("source", Item::text(source)),
        When::Never(None) => {}
    }
    if let Some(timeout) = job.wait_timeout {
        object.put("timeout", duration(timeout));
    }
    Some(object.done())
}

fn backoff(backoff: &Backoff) -> Item {
    object([
        ("free", Item::whole(i128::from(backoff.free))),
        ("initial", duration(backoff.initial)),
        ("factor", Item::Plain(backoff.factor.to_string())),
        ("max", duration(backoff.max)),
        ("healthyAfter", duration(backoff.healthy_after)),
        ("jitter", Item::Plain(backoff.jitter.to_string())),
    ])
}

fn health(health: &HealthSpec) -> Item {
    let mut object = Object::default();
    if let Some(exec) = &health.exec {
        object.put("exec", command(exec));
    }
    object.put("interval", seconds(health.interval));
    object.put("ttl", seconds(health.ttl));
    if let Some(exec) = &health.exec {
        // Zero is no limit.
        object.put("timeout", duration(exec.timeout.unwrap_or_default()));
        object.put("logging", self::object([("raw", Item::switch(exec.raw))]));
    }
    object.done()
}

/// The fields of a job with a port.
fn service(service: &ServiceSpec, object: &mut Object) {
    object.put("port", Item::whole(i128::from(service.port)));
    object.put("interfaces", Item::List(vec![Item::text(format!("static:{}", service.address))]));
    object.put("tags", Item::texts(&service.tags));
    if let Some(status) = service.initial_status {
        let status = match status {
            CheckStatus::Passing => "passing",
            CheckStatus::Warning => "warning",
            CheckStatus::Critical => "critical",
        };
        object.put("initial_status", Item::text(status));
    }
    let extras = extras(service);
    if !extras.0.is_empty() {
        object.put("consul", extras.done());
    }
}

/// A job's `consul`, with nothing in it where there need not be one.
fn extras(service: &ServiceSpec) -> Object {
    let mut object = Object::default();
    let after = service.deregister_critical_service_after.as_ref();
    if after.is_some() || service.enable_tag_override {
        object.put("enableTagOverride", Item::switch(service.enable_tag_override));
    }
    if let Some(after) = after {
        object.put("deregisterCriticalServiceAfter", Item::text(after));
    }
    // Without the other field this one must be there, or the section would be refused (v3 §8.1 rule 6).
    if !service.meta.is_empty() || (after.is_none() && service.enable_tag_override) {
        object.put("meta", by_name(&service.meta, Item::text));
    }
    if !service.tagged_addresses.is_empty() {
        let tagged_address = |one: &TaggedAddress| {
            self::object([("address", Item::text(&one.address)), ("port", Item::whole(i128::from(one.port)))])
        };
        object.put("taggedAddresses", by_name(&service.tagged_addresses, tagged_address));
    }
    if let Some(weights) = service.weights {
        let number = |weight: u32| Item::whole(i128::from(weight));
        let weights = [("passing", number(weights.passing)), ("warning", number(weights.warning))];
        object.put("weights", self::object(weights));
    }
    object
}

/// An object whose keys may be any text.
fn by_name<'m, T>(map: &'m BTreeMap<String, T>, item: impl Fn(&'m T) -> Item) -> Item {
    Item::Object(map.iter().map(|(key, value)| Entry::Field(print::quote(key), item(value))).collect())
}

fn watch(watch: &WatchSpec) -> Item {
    object([
        ("name", Item::text(&watch.name)),
        ("interval", seconds(watch.interval)),
        ("tag", Item::text(&watch.tag)),
        ("dc", Item::text(&watch.dc)),
        ("filter", Item::text(&watch.filter)),
    ])
}

fn telemetry(telemetry: &Telemetry) -> Item {
    object([
        ("port", Item::whole(i128::from(telemetry.port))),
        ("interfaces", Item::List(vec![Item::text(format!("static:{}", telemetry.address))])),
        ("tags", Item::texts(&telemetry.tags)),
        ("metrics", Item::List(telemetry.metrics.iter().map(metric).collect())),
    ])
}

fn metric(metric: &MetricSpec) -> Item {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        MetricKind::Summary => "summary",
    };
    object([
        ("namespace", Item::text(&metric.namespace)),
        ("subsystem", Item::text(&metric.subsystem)),
        ("name", Item::text(&metric.name)),
        ("help", Item::text(&metric.help)),
        ("type", Item::text(kind)),
    ])
}

#[cfg(test)]
mod tests;
