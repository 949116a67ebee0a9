//! The sections exactly as the file spells them: the v3 superset, decoded but not yet judged.
//!
//! A field's value has the right type here, nothing more. Fields that take "anything" (`exec`, `restarts`,
//! `interfaces`, `backoff`) keep their node.

mod consul;

pub(super) use consul::{
    CONSUL, Consul, EXTRAS, Extras, TAGGED_ADDRESS, TLS, TaggedAddress, Tls, WEIGHTS, Weights, consul,
};

use super::decode::{Decoder, Field, Fields, Names};
use super::diagnostic::Span;
use super::json5::Node;
use super::report::Place;

/// The keys of a job. The last four are ours (design §6).
pub(super) const JOB: Names = Names {
    fields: &[
        "name",
        "exec",
        "port",
        "initial_status",
        "interfaces",
        "tags",
        "consul",
        "health",
        "timeout",
        "restarts",
        "stopTimeout",
        "when",
        "logging",
        "backoff",
        "main",
        "exitCode",
        "pauseInMaintenance",
    ],
    private: &[
        "serviceDefinition",
        "healthCheckExec",
        "heartbeatInterval",
        "ttl",
        "execTimeout",
        "stoppingTimeout",
        "restartLimit",
        "freqInterval",
        "whenEvent",
        "whenTimeout",
        "whenStartsLimit",
        "stoppingWaitEvent",
    ],
};
/// The keys of a job's `health`.
pub(super) const HEALTH: Names = Names { fields: &["exec", "interval", "ttl", "timeout", "logging"], private: &[] };
/// The keys of a job's `when`.
pub(super) const WHEN: Names = Names { fields: &["source", "once", "each", "interval", "timeout"], private: &[] };
/// The keys of the `logging` of a job or a check.
pub(super) const RAW_LOGGING: Names = Names { fields: &["raw"], private: &[] };
/// The keys of a watch.
pub(super) const WATCH: Names =
    Names { fields: &["name", "interval", "tag", "dc", "filter"], private: &["serviceName", "discoveryService"] };
/// The keys of `telemetry`.
pub(super) const TELEMETRY: Names =
    Names { fields: &["port", "interfaces", "tags", "metrics"], private: &["MetricConfigs", "JobConfig", "addr"] };
/// The keys of a metric.
pub(super) const METRIC: Names = Names {
    fields: &["namespace", "subsystem", "name", "help", "type"],
    private: &["fullName", "metricType", "collector"],
};
/// The keys of `logging` at the top.
pub(super) const LOGGING: Names = Names { fields: &["level", "format", "output"], private: &[] };
/// The keys of `control`.
pub(super) const CONTROL: Names = Names { fields: &["socket"], private: &[] };
/// The keys of `reload` as an object.
pub(super) const RELOAD: Names = Names { fields: &["mode", "quiesce", "coalesce", "watch"], private: &[] };
/// The keys of a job's `backoff` as an object.
pub(super) const BACKOFF: Names =
    Names { fields: &["free", "initial", "factor", "max", "healthyAfter", "jitter"], private: &[] };

/// One job.
#[derive(Debug, Default)]
pub(super) struct Job<'n> {
    pub(super) span: Span,
    pub(super) name: Field<String>,
    pub(super) name_node: Option<&'n Node>,
    pub(super) exec: Option<&'n Node>,
    pub(super) port: Field<i64>,
    pub(super) initial_status: Field<String>,
    pub(super) initial_status_node: Option<&'n Node>,
    pub(super) interfaces: Option<&'n Node>,
    pub(super) tags: Field<Vec<String>>,
    pub(super) consul: Field<Box<Extras<'n>>>,
    pub(super) health: Field<Box<Health<'n>>>,
    pub(super) timeout: Text<'n>,
    pub(super) restarts: Option<&'n Node>,
    pub(super) stop_timeout: Text<'n>,
    pub(super) when: Field<Box<When<'n>>>,
    pub(super) raw_output: bool,
    pub(super) backoff: Option<&'n Node>,
    pub(super) main: Field<bool>,
    pub(super) exit_code: Text<'n>,
    pub(super) pause_in_maintenance: Field<bool>,
}

/// A text field with its node, for messages about the text.
#[derive(Debug, Default)]
pub(super) struct Text<'n> {
    pub(super) field: Field<String>,
    pub(super) node: Option<&'n Node>,
}

impl Text<'_> {
    /// The text; nothing is the empty one.
    pub(super) fn text(&self) -> &str {
        self.field.text()
    }
}

/// A job's `health`.
#[derive(Debug)]
pub(super) struct Health<'n> {
    pub(super) exec: Option<&'n Node>,
    pub(super) interval: Field<i64>,
    pub(super) ttl: Field<i64>,
    pub(super) timeout: Text<'n>,
    pub(super) raw_output: bool,
}

/// A job's `when`.
#[derive(Debug)]
pub(super) struct When<'n> {
    pub(super) source: Text<'n>,
    pub(super) once: Text<'n>,
    pub(super) each: Text<'n>,
    pub(super) interval: Text<'n>,
    pub(super) timeout: Text<'n>,
}

/// A watch.
#[derive(Debug)]
pub(super) struct Watch<'n> {
    pub(super) span: Span,
    pub(super) name: Text<'n>,
    pub(super) interval: Field<i64>,
    pub(super) tag: Field<String>,
    pub(super) dc: Field<String>,
    pub(super) filter: Field<String>,
}

/// The `telemetry` section.
#[derive(Debug)]
pub(super) struct Telemetry<'n> {
    pub(super) span: Span,
    pub(super) port: Field<i64>,
    pub(super) interfaces: Option<&'n Node>,
    pub(super) tags: Field<Vec<String>>,
    pub(super) metrics: Field<&'n [Node]>,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Metric<'n> {
    pub(super) span: Span,
    pub(super) namespace: Field<String>,
    pub(super) subsystem: Field<String>,
    pub(super) name: Text<'n>,
    pub(super) help: Field<String>,
    pub(super) kind: Text<'n>,
}

/// The `logging` section.
#[derive(Debug)]
pub(super) struct Logging<'n> {
    pub(super) level: Text<'n>,
    pub(super) format: Text<'n>,
    pub(super) output: Text<'n>,
}

/// `reload` as an object.
#[derive(Debug)]
pub(super) struct Reload<'n> {
    pub(super) mode: Text<'n>,
    pub(super) quiesce: Text<'n>,
    pub(super) coalesce: Text<'n>,
    pub(super) watch: Field<bool>,
}

/// A job's `backoff` as an object.
#[derive(Debug)]
pub(super) struct Backoff<'n> {
    pub(super) free: Field<i64>,
    pub(super) initial: Text<'n>,
    pub(super) factor: Field<f64>,
    pub(super) max: Text<'n>,
    pub(super) healthy_after: Text<'n>,
    pub(super) jitter: Field<f64>,
}

/// A section within a section: absent, bad, or what `decode` makes of it.
fn nested<'n, T>(
    d: &mut Decoder,
    fields: &Fields<'n>,
    place: &Place,
    key: &str,
    decode: impl FnOnce(&mut Decoder, &'n Node, &Place) -> Option<T>,
) -> Field<T> {
    let Some(node) = fields.get(key) else { return Field::Absent };
    match decode(d, node, &place.key(key)) {
        Some(value) => Field::Given(value, node.span),
        None => Field::Bad,
    }
}

/// What most jobs lack is kept elsewhere: a file may have tens of thousands of them.
fn boxed<T>(field: Field<T>) -> Field<Box<T>> {
    match field {
        Field::Given(value, span) => Field::Given(Box::new(value), span),
        Field::Absent => Field::Absent,
        Field::Bad => Field::Bad,
    }
}

fn text<'n>(d: &mut Decoder, fields: &Fields<'n>, place: &Place, key: &str) -> Text<'n> {
    let node = fields.get(key);
    Text { field: d.string(node, &place.key(key)), node }
}

/// `logging: {raw}` of a job or a check. Whatever is wrong with it has been said.
fn raw_output(d: &mut Decoder, fields: &Fields, place: &Place) -> bool {
    let raw = nested(d, fields, place, "logging", |d, node, place| {
        let fields = d.object(node, place, RAW_LOGGING)?;
        Some(d.boolean(fields.get("raw"), &place.key("raw")).is_on())
    });
    raw.is_on()
}

/// A job.
pub(super) fn job<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Job<'n>> {
    let f = d.object(node, place, JOB)?;
    Some(Job {
        span: f.span,
        name: d.string(f.get("name"), &place.key("name")),
        name_node: f.get("name"),
        exec: f.get("exec"),
        port: d.integer(f.get("port"), &place.key("port")),
        initial_status: d.string(f.get("initial_status"), &place.key("initial_status")),
        initial_status_node: f.get("initial_status"),
        interfaces: f.get("interfaces"),
        tags: d.strings(f.get("tags"), &place.key("tags")),
        consul: boxed(nested(d, &f, place, "consul", consul::extras)),
        health: boxed(nested(d, &f, place, "health", health)),
        timeout: text(d, &f, place, "timeout"),
        restarts: f.get("restarts"),
        stop_timeout: text(d, &f, place, "stopTimeout"),
        when: boxed(nested(d, &f, place, "when", when)),
        raw_output: raw_output(d, &f, place),
        backoff: f.get("backoff"),
        main: d.boolean(f.get("main"), &place.key("main")),
        exit_code: text(d, &f, place, "exitCode"),
        pause_in_maintenance: d.boolean(f.get("pauseInMaintenance"), &place.key("pauseInMaintenance")),
    })
}

fn health<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Health<'n>> {
    let f = d.object(node, place, HEALTH)?;
    Some(Health {
        exec: f.get("exec"),
        interval: d.seconds(f.get("interval"), &place.key("interval")),
        ttl: d.seconds(f.get("ttl"), &place.key("ttl")),
        timeout: text(d, &f, place, "timeout"),
        raw_output: raw_output(d, &f, place),
    })
}

fn when<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<When<'n>> {
    let f = d.object(node, place, WHEN)?;
    Some(When {
        source: text(d, &f, place, "source"),
        once: text(d, &f, place, "once"),
        each: text(d, &f, place, "each"),
        interval: text(d, &f, place, "interval"),
        timeout: text(d, &f, place, "timeout"),
    })
}

/// A watch.
pub(super) fn watch<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Watch<'n>> {
    let f = d.object(node, place, WATCH)?;
    Some(Watch {
        span: f.span,
        name: text(d, &f, place, "name"),
        interval: d.seconds(f.get("interval"), &place.key("interval")),
        tag: d.string(f.get("tag"), &place.key("tag")),
        dc: d.string(f.get("dc"), &place.key("dc")),
        filter: d.string(f.get("filter"), &place.key("filter")),
    })
}

/// The `telemetry` section. Two of its internal fields are decoded all the same, as the original did, then ignored.
pub(super) fn telemetry<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Telemetry<'n>> {
    let f = d.object(node, place, TELEMETRY)?;
    let telemetry = Telemetry {
        span: f.span,
        port: d.integer(f.get("port"), &place.key("port")),
        interfaces: f.get("interfaces"),
        tags: d.strings(f.get("tags"), &place.key("tags")),
        metrics: d.list(f.get("metrics"), &place.key("metrics")),
    };
    d.list(f.get("interfaces"), &place.key("interfaces"));
    let configs = place.key("MetricConfigs");
    if let Field::Given(elements, _) = d.list(f.get("MetricConfigs"), &configs) {
        for (index, element) in elements.iter().enumerate().filter(|(_, e)| !is_null(e)) {
            metric(d, element, &configs.index(index, index));
        }
    }
    if let Some(node) = f.get("JobConfig") {
        job(d, node, &place.key("JobConfig"));
    }
    Some(telemetry)
}

/// A metric.
pub(super) fn metric<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Metric<'n>> {
    let f = d.object(node, place, METRIC)?;
    Some(Metric {
        span: f.span,
        namespace: d.string(f.get("namespace"), &place.key("namespace")),
        subsystem: d.string(f.get("subsystem"), &place.key("subsystem")),
        name: text(d, &f, place, "name"),
        help: d.string(f.get("help"), &place.key("help")),
        kind: text(d, &f, place, "type"),
    })
}

/// The `logging` section.
pub(super) fn logging<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Logging<'n>> {
    let f = d.object(node, place, LOGGING)?;
    // The original gave these fields no names of their own, so its messages say `Level`.
    let mut text = |key: &str, theirs: &str| {
        let node = f.get(key);
        Text { field: d.string(node, &Place { theirs: theirs.to_owned(), ..place.key(key) }), node }
    };
    Some(Logging { level: text("level", "Level"), format: text("format", "Format"), output: text("output", "Output") })
}

/// The `control` section.
pub(super) fn control<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Text<'n>> {
    let f = d.object(node, place, CONTROL)?;
    Some(text(d, &f, place, "socket"))
}

/// `reload` as an object.
pub(super) fn reload<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Reload<'n>> {
    let f = d.object(node, place, RELOAD)?;
    Some(Reload {
        mode: text(d, &f, place, "mode"),
        quiesce: text(d, &f, place, "quiesce"),
        coalesce: text(d, &f, place, "coalesce"),
        watch: d.boolean(f.get("watch"), &place.key("watch")),
    })
}

/// A job's `backoff` as an object.
pub(super) fn backoff<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Backoff<'n>> {
    let f = d.object(node, place, BACKOFF)?;
    Some(Backoff {
        free: d.integer(f.get("free"), &place.key("free")),
        initial: text(d, &f, place, "initial"),
        factor: d.float(f.get("factor"), &place.key("factor")),
        max: text(d, &f, place, "max"),
        healthy_after: text(d, &f, place, "healthyAfter"),
        jitter: d.float(f.get("jitter"), &place.key("jitter")),
    })
}

fn is_null(node: &Node) -> bool {
    node.value == super::json5::Value::Null
}
