//! The `telemetry` section, and the job that stands for our own service (v3 §16).

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use super::judge::Judge;
use super::service::{Advertised, address, warn_of_odd_port};
use crate::config::context::Context;
use crate::config::decode::{Decoder, Field};
use crate::config::json5::{Node, Value};
use crate::config::names::ip_variable;
use crate::config::raw::{self, Metric};
use crate::config::report::{Place, Rank, Report, Step};
use crate::config::template::go_quote;
use crate::plan::{HealthSpec, JobSpec, MetricKind, MetricSpec, Restarts, ServiceSpec, TELEMETRY_JOB, Telemetry, When};

/// Where metrics are served unless the file says otherwise.
const DEFAULT_PORT: i64 = 9090;

/// The telemetry service's heartbeat and time to live.
const HEARTBEAT: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(15);

/// How long a stopping job waits for its dependents (design §4 row 3).
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// Judges the section; a section without an address, which is an error, gives nothing.
pub(super) fn telemetry(node: Option<&Node>, context: &Context, report: &mut Report) -> Option<(Telemetry, JobSpec)> {
    let mut decoder = Decoder::new(report, Rank::decoding(Step::Telemetry));
    let raw = raw::telemetry(&mut decoder, node?, &Place::section("telemetry"));
    decoder.finish("telemetry configuration error: ");
    let raw = raw?;

    let mut judge = Judge {
        report,
        path: "telemetry".to_owned(),
        step: Step::Telemetry,
        item: 1,
        prefix: "telemetry validation error: ",
    };
    let port = match raw.port {
        Field::Given(port, span) => {
            warn_of_odd_port(&mut judge, "port", port, span);
            port
        }
        Field::Absent | Field::Bad => DEFAULT_PORT,
    };
    // Only a list: anything else is a decoding error already.
    let interfaces = raw.interfaces.filter(|node| matches!(node.value, Value::Array(_)));
    let at = Advertised { key: "interfaces", rule: 1 };
    let address = address(interfaces, raw.span, &at, context, &mut judge);
    let metrics = metrics(&raw, judge.report);
    let tags = raw.tags.value().cloned().unwrap_or_default();
    let telemetry = Telemetry { port, address: address?, tags, metrics };
    let job = job(&telemetry, context);
    Some((telemetry, job))
}

/// The job called `containerpilot`: no command, always healthy, advertised.
fn job(telemetry: &Telemetry, context: &Context) -> JobSpec {
    let service = ServiceSpec {
        id: format!("{TELEMETRY_JOB}-{}", context.hostname),
        name: TELEMETRY_JOB.to_owned(),
        port: telemetry.port,
        address: telemetry.address,
        tags: telemetry.tags.clone(),
        ttl: TTL,
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_service_after: None,
        meta: BTreeMap::new(),
        tagged_addresses: BTreeMap::new(),
        weights: None,
        ip_variable: ip_variable(TELEMETRY_JOB),
    };
    JobSpec {
        name: TELEMETRY_JOB.to_owned(),
        exec: None,
        when: When::Startup,
        wait_timeout: None,
        restarts: Restarts::Never,
        backoff: None,
        stop_timeout: STOP_TIMEOUT,
        health: Some(HealthSpec { exec: None, interval: HEARTBEAT, ttl: TTL }),
        service: Some(Box::new(service)),
        main: false,
        pause_in_maintenance: false,
        overrides_exit_code: false,
    }
}

fn metrics(raw: &raw::Telemetry, report: &mut Report) -> Vec<MetricSpec> {
    let Some(nodes) = raw.metrics.value() else { return Vec::new() };
    let mut decoder = Decoder::new(report, Rank(Step::Telemetry, 2, 0));
    let place = Place::section("telemetry").key("metrics");
    // The original's paths begin anew here.
    let place = Place { theirs: String::new(), ..place };
    let nodes = nodes.iter().enumerate().filter(|(_, node)| node.value != Value::Null);
    let elements: Vec<(usize, Option<Metric>)> =
        nodes.map(|(index, node)| (index, raw::metric(&mut decoder, node, &place.index(index, index)))).collect();
    decoder.finish("MetricConfig configuration error: ");

    let mut specs: Vec<MetricSpec> = Vec::new();
    let mut helps = HashMap::new();
    for (index, metric) in &elements {
        let Some(metric) = metric else { continue };
        let mut judge = Judge {
            report,
            path: format!("telemetry.metrics[{index}]"),
            step: Step::Telemetry,
            item: index.saturating_add(3),
            prefix: "",
        };
        if let Some(spec) = self::metric(metric, &mut helps, &mut judge) {
            specs.push(spec);
        }
    }
    specs
}

/// `helps` are the help lines of the metrics before this one, by their exposed names.
fn metric(raw: &Metric, helps: &mut HashMap<String, String>, judge: &mut Judge) -> Option<MetricSpec> {
    let kind = kind(raw, judge);
    let spec = MetricSpec {
        namespace: raw.namespace.text().to_owned(),
        subsystem: raw.subsystem.text().to_owned(),
        name: raw.name.text().to_owned(),
        help: raw.help.text().to_owned(),
        kind: kind.unwrap_or(MetricKind::Counter),
    };
    let bad = [&raw.namespace, &raw.subsystem, &raw.name.field, &raw.help].iter().any(|field| field.is_bad());
    // Without a last part there is no name at all, whatever the other parts say.
    let exposed = if spec.name.is_empty() { String::new() } else { spec.exposed_name() };
    let described = format!(
        "Desc{{fqName: {}, help: {}, constLabels: {{}}, variableLabels: []}}",
        go_quote(&exposed),
        go_quote(&spec.help)
    );
    if bad {
        return None;
    }
    let span = raw.name.node.map_or(raw.span, |node| node.span);
    if spec.help.is_empty() {
        let span = raw.help.span().unwrap_or(raw.span);
        let original = format!("descriptor {described} is invalid: empty help string");
        let problem = judge.error(2, "help", span, "missing: every metric needs a line of help", original);
        judge.add(problem);
        return None;
    }
    if !is_metric_name(&exposed) {
        let message = match raw.name.node.filter(|_| !exposed.is_empty()) {
            Some(node) => format!("namespace, subsystem and name make no metric name, {}", judge.found(node)),
            None => match raw.name.node {
                Some(node) => format!("every metric needs a name, {}", judge.found(node)),
                None => "missing: every metric needs a name".to_owned(),
            },
        };
        let original = format!("descriptor {described} is invalid: {} is not a valid metric name", go_quote(&exposed));
        let problem = judge.error(2, "name", span, message, original);
        judge.add(problem.help("ASCII letters, digits, `_` and `:`, no digit first"));
        return None;
    }
    let clash = helps.get(&exposed).is_some_and(|help| *help != spec.help);
    if clash || BUILT_IN.contains(&exposed.as_str()) {
        let message = if clash {
            "a metric of that name with another help line stands before this one"
        } else {
            "a metric of that name is built in"
        };
        let original = format!(
            "a previously registered descriptor with the same fully-qualified name as {described} has different label \
             names or a different help string"
        );
        let problem = judge.error(2, "name", span, message, original);
        judge.add(problem);
    }
    kind?;
    if !clash {
        helps.insert(exposed, spec.help.clone());
    }
    Some(spec)
}

/// The words for the types of metrics.
pub(in crate::config) const KINDS: [(&str, MetricKind); 4] = [
    ("counter", MetricKind::Counter),
    ("gauge", MetricKind::Gauge),
    ("histogram", MetricKind::Histogram),
    ("summary", MetricKind::Summary),
];

fn kind(raw: &Metric, judge: &mut Judge) -> Option<MetricKind> {
    let word = raw.kind.text();
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == word) {
        return Some(*kind);
    }
    if !raw.kind.field.is_bad() {
        let message = "\"counter\", \"gauge\", \"histogram\" or \"summary\"";
        let original = format!("invalid metric type: {word}");
        let problem = match raw.kind.node {
            Some(node) => {
                let message = format!("expected {message}, {}", judge.found(node));
                judge.error(1, "type", node.span, message, original)
            }
            None => judge.error(1, "type", raw.span, format!("missing: expected {message}"), original),
        };
        judge.add(problem);
    }
    None
}

fn is_metric_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit() || c == ':')
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Names that the original's own metrics have, ours or not (design §4 row 29): a metric of one would collide.
const BUILT_IN: [&str; 34] = [
    "containerpilot_control_http_requests",
    "containerpilot_events",
    "containerpilot_watch_instances",
    "go_gc_duration_seconds",
    "go_goroutines",
    "go_memstats_alloc_bytes",
    "go_memstats_alloc_bytes_total",
    "go_memstats_buck_hash_sys_bytes",
    "go_memstats_frees_total",
    "go_memstats_gc_sys_bytes",
    "go_memstats_heap_alloc_bytes",
    "go_memstats_heap_idle_bytes",
    "go_memstats_heap_inuse_bytes",
    "go_memstats_heap_objects",
    "go_memstats_heap_released_bytes_total",
    "go_memstats_heap_sys_bytes",
    "go_memstats_last_gc_time_seconds",
    "go_memstats_lookups_total",
    "go_memstats_mallocs_total",
    "go_memstats_mcache_inuse_bytes",
    "go_memstats_mcache_sys_bytes",
    "go_memstats_mspan_inuse_bytes",
    "go_memstats_mspan_sys_bytes",
    "go_memstats_next_gc_bytes",
    "go_memstats_other_sys_bytes",
    "go_memstats_stack_inuse_bytes",
    "go_memstats_stack_sys_bytes",
    "go_memstats_sys_bytes",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
];
