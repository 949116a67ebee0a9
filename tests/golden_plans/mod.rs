//! A plan in the words of the golden vectors' `facts`.

use std::net::SocketAddr;
use std::time::Duration;

use containerpilot::plan::{
    CheckStatus, CommandSpec, Consul, ConsulScheme, JobSpec, Level, LogFormat, LogOutput, Logging, MetricKind, Plan,
    Restarts, Telemetry, Trigger, When,
};
use serde_json::{Map, Value as Json, json};

/// A section as the vectors have it and as our plan has it, both with everything taken out that means the same.
pub fn section(name: &str, want: &Json, plan: &Plan, verify_is_said: bool) -> (Json, Json) {
    let mut want = want.clone();
    let got = match name {
        "stop_timeout_s" => {
            // Every negative number is no wait at all.
            want = json!(want.as_i64().unwrap().max(0));
            json!(plan.stop_timeout.as_secs())
        }
        "socket" => json!(plan.control.socket),
        "logging" => {
            // As spelt in the file; the next two say what it means.
            want.as_object_mut().unwrap().remove("level");
            let format = want.get("format").and_then(Json::as_str).unwrap().to_lowercase();
            let output = want.get("output").and_then(Json::as_str).unwrap().to_owned();
            let object = want.as_object_mut().unwrap();
            object.insert("format".to_owned(), json!(format));
            if ["stdout", "stderr"].contains(&output.to_lowercase().as_str()) {
                object.insert("output".to_owned(), json!(output.to_lowercase()));
            }
            logging(&plan.logging)
        }
        "consul" => {
            let object = want.as_object_mut().unwrap();
            // Row 10: where nothing is said, certificates are verified.
            if !verify_is_said {
                object.insert("tls_verify".to_owned(), json!(true));
            }
            if let Some(server) = object.get("tls_server_name").and_then(Json::as_str).map(str::to_owned) {
                // The original cut the port off a little later.
                object.insert("tls_server_name".to_owned(), json!(server.split(':').next().unwrap_or_default()));
            }
            plan.consul.as_ref().map_or(Json::Null, consul)
        }
        "jobs" => {
            for job in want.as_array_mut().unwrap() {
                normalise_job(job.as_object_mut().unwrap());
            }
            plan.jobs.iter().map(|spec| job(spec, &plan.jobs)).collect()
        }
        "watches" => {
            let watch = |w: &containerpilot::plan::WatchSpec| json!({ "dc": w.dc, "interval_s": w.interval.as_secs(), "source": w.source(), "tag": w.tag });
            plan.watches.iter().map(watch).collect()
        }
        "telemetry" => {
            if want.get("tags") == Some(&Json::Null) {
                want.as_object_mut().unwrap().insert("tags".to_owned(), json!([]));
            }
            plan.telemetry.as_ref().map_or(Json::Null, telemetry)
        }
        other => panic!("a fact that nobody knows: {other}"),
    };
    (want, got)
}

fn normalise_job(job: &mut Map<String, Json>) {
    // Without a command nothing is limited.
    if !job.contains_key("exec") {
        job.remove("exec_timeout_ns");
    }
    // A job's length below zero has no effect in the original: as none.
    for length in ["when_timeout_ns", "stop_timeout_ns"] {
        if job.get(length).and_then(Json::as_i64).is_some_and(|ns| ns < 0) {
            job.remove(length);
        }
    }
    // A limit below zero that is not -1 is never reached, because it is already passed.
    if job.get("restart_limit").and_then(Json::as_i64).is_some_and(|limit| limit < -1) {
        job.insert("restart_limit".to_owned(), json!(0));
    }
    if let Some(limit) = job.get_mut("health_exec").and_then(|exec| exec.get_mut("timeout_ns")) {
        *limit = json!(limit.as_i64().unwrap().max(0));
    }
}

fn nanoseconds(duration: Duration) -> Json {
    json!(i64::try_from(duration.as_nanos()).unwrap())
}

fn logging(logging: &Logging) -> Json {
    let level = match logging.level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warning",
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
        LogOutput::Stdout => json!("stdout"),
        LogOutput::Stderr => json!("stderr"),
        LogOutput::File(path) => json!(path),
    };
    json!({ "effective_level": level, "format": format, "output": output })
}

fn consul(consul: &Consul) -> Json {
    let scheme = match &consul.scheme {
        // To the original, HTTP by another way.
        ConsulScheme::Http | ConsulScheme::Unix => "http",
        ConsulScheme::Https => "https",
        ConsulScheme::Other(word) => word,
    };
    let path = |path: &Option<std::path::PathBuf>| json!(path.clone().unwrap_or_default());
    let tls = &consul.tls;
    json!({
        "address": consul.address,
        "ca_file": path(&tls.ca_file),
        "ca_path": path(&tls.ca_path),
        "client_cert": path(&tls.client_cert),
        "client_key": path(&tls.client_key),
        "scheme": scheme,
        "tls_server_name": tls.server_name.clone().unwrap_or_default(),
        "tls_verify": tls.verify,
        "token": consul.token.as_ref().map_or("", |token| token.expose()),
    })
}

fn command(command: &CommandSpec) -> Json {
    json!({
        "args": command.args,
        "exec": command.program,
        "name": command.name,
        "pid_env": command.pid_variable,
        "timeout_ns": nanoseconds(command.timeout.unwrap_or_default()),
    })
}

fn job(spec: &JobSpec, all: &[JobSpec]) -> Json {
    let mut facts = Map::new();
    let mut put = |name: &str, value: Json| {
        facts.insert(name.to_owned(), value);
    };
    if let Some(exec) = &spec.exec {
        put("exec", command(exec));
        if let Some(timeout) = exec.timeout {
            put("exec_timeout_ns", nanoseconds(timeout));
        }
        if exec.raw {
            put("raw", json!(true));
        }
    }
    if let Some(health) = &spec.health {
        if let Some(exec) = &health.exec {
            put("health_exec", command(exec));
        }
        put("heartbeat_ns", nanoseconds(health.interval));
        put("ttl_s", json!(health.ttl.as_secs()));
    }
    put("name", json!(spec.name));
    put(
        "restart_limit",
        match spec.restarts {
            Restarts::Never => json!(0),
            Restarts::Times(times) => json!(times),
            Restarts::Unlimited => json!(-1),
        },
    );
    if let Some(service) = &spec.service {
        put("ip_env", json!(service.ip_variable));
        put("service", self::service(service));
    }
    // The original's default is nothing; ours is a minute (row 3).
    if !spec.stop_timeout.is_zero() && spec.stop_timeout != Duration::from_mins(1) {
        put("stop_timeout_ns", nanoseconds(spec.stop_timeout));
    }
    let event = |code: &str, source: &str| json!({ "code": code, "source": source });
    let triggered = |trigger: &Trigger| event(trigger.event.log_name(), &trigger.source);
    let (when, starts) = match &spec.when {
        When::Startup => (event("Startup", "global"), 1),
        When::Every(period) => {
            put("interval_ns", nanoseconds(*period));
            (event("Startup", "global"), 1)
        }
        When::Once(trigger) => (triggered(trigger), 1),
        When::Each(trigger) => (triggered(trigger), -1),
        When::Signal(signal) => (event("Signal", &signal.name()), -1),
        When::Never(source) => (event("None", source.as_deref().unwrap_or_default()), 0),
    };
    put("when_event", when);
    put("when_starts", json!(starts));
    if let Some(timeout) = spec.wait_timeout {
        put("when_timeout_ns", nanoseconds(timeout));
    }
    let dependents: Vec<&str> =
        all.iter().filter(|other| waits_for_stopping(other, spec)).map(|j| j.name.as_str()).collect();
    if let Some(last) = dependents.last() {
        put("waits_for_stopped_of", json!(last));
    }
    Json::Object(facts)
}

fn waits_for_stopping(other: &JobSpec, spec: &JobSpec) -> bool {
    let (When::Once(trigger) | When::Each(trigger)) = &other.when else { return false };
    trigger.event.log_name() == "Stopping" && trigger.source == spec.name
}

fn service(service: &containerpilot::plan::ServiceSpec) -> Json {
    let mut facts = Map::new();
    let mut put = |name: &str, value: Json| {
        facts.insert(name.to_owned(), value);
    };
    if let Some(after) = &service.deregister_critical_service_after {
        put("deregister_after", json!(after));
    }
    if service.enable_tag_override {
        put("enable_tag_override", json!(true));
    }
    put("id", json!(service.id));
    if let Some(status) = service.initial_status {
        put(
            "initial_status",
            match status {
                CheckStatus::Passing => json!("passing"),
                CheckStatus::Warning => json!("warning"),
                CheckStatus::Critical => json!("critical"),
            },
        );
    }
    put("ip", json!(service.address));
    put("name", json!(service.name));
    put("port", json!(service.port));
    if !service.tags.is_empty() {
        put("tags", json!(service.tags));
    }
    if !service.ttl.is_zero() {
        put("ttl_s", json!(service.ttl.as_secs()));
    }
    Json::Object(facts)
}

fn telemetry(telemetry: &Telemetry) -> Json {
    let address = match u16::try_from(telemetry.port) {
        Ok(port) => SocketAddr::new(telemetry.address, port).to_string(),
        Err(_) => format!("{}:{}", telemetry.address, telemetry.port),
    };
    let metric = |metric: &containerpilot::plan::MetricSpec| {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Summary => "summary",
        };
        json!({
            "help": metric.help,
            "name": metric.name,
            "namespace": metric.namespace,
            "post_key": metric.post_key(),
            "subsystem": metric.subsystem,
            "type": kind,
        })
    };
    json!({
        "addr": address,
        "metrics": telemetry.metrics.iter().map(metric).collect::<Vec<_>>(),
        "port": telemetry.port,
        "tags": telemetry.tags,
    })
}
