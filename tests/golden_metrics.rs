//! Every case of `golden/metrics.json`, made by the original, against our registry and page (v3 §16).
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use containerpilot::core::Moment;
use containerpilot::plan::{self, MetricKind, MetricSpec};
use containerpilot::telemetry::{Format, Recorded, Snapshot, Telemetry};
use serde_json::Value;

/// What differs on purpose: the posts that are refused, and the samples that we have instead of `metrics_lines`. Both
/// names of a metric count, and a negative value does no harm (design §4 row 15).
const DIFFERS: &[(&str, &[usize], &[&str])] = &[
    ("counter: no namespace, posted with the leading underscore", &[], &["sub_m 1"]),
    ("counter: no namespace, posted under its exposed name", &[], &["sub_m 1"]),
    ("counter: no subsystem", &[], &["app_m 3"]),
    ("counter: name only", &[], &["m 3"]),
    ("gauge: no namespace, posted with the leading underscore", &[], &["sub_m 1"]),
    ("gauge: no namespace, posted under its exposed name", &[], &["sub_m 1"]),
    ("gauge: no subsystem", &[], &["app_m 2"]),
    ("gauge: name only", &[], &["m 2"]),
    ("histogram: no namespace, posted with the leading underscore", &[], &["sub_m_sum 1", "sub_m_count 1"]),
    ("histogram: no namespace, posted under its exposed name", &[], &["sub_m_sum 1", "sub_m_count 1"]),
    ("histogram: no subsystem", &[], &["app_m_sum 3", "app_m_count 2"]),
    ("histogram: name only", &[], &["m_sum 3", "m_count 2"]),
    ("summary: no namespace, posted with the leading underscore", &[], &["sub_m_sum 1", "sub_m_count 1"]),
    ("summary: no namespace, posted under its exposed name", &[], &["sub_m_sum 1", "sub_m_count 1"]),
    ("summary: no subsystem", &[], &["app_m_sum 3", "app_m_count 2"]),
    ("summary: name only", &[], &["m_sum 3", "m_count 2"]),
    ("counter: negative", &[1], &["app_sub_m 5"]),
    ("counter: negative, then positive", &[1], &["app_sub_m 7"]),
];

fn kind(word: &str) -> MetricKind {
    match word {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "summary" => MetricKind::Summary,
        other => panic!("a new kind {other}"),
    }
}

fn telemetry(case: &Value) -> Telemetry {
    let text = |metric: &Value, key: &str| metric[key].as_str().unwrap_or_default().to_owned();
    let spec = |metric: &Value| MetricSpec {
        namespace: text(metric, "namespace"),
        subsystem: text(metric, "subsystem"),
        name: text(metric, "name"),
        help: text(metric, "help"),
        kind: kind(&text(metric, "type")),
    };
    let metrics = case["metrics"].as_array().unwrap().iter().map(spec).collect();
    let plan = plan::Telemetry { port: 9090, address: [127, 0, 0, 1].into(), tags: Vec::new(), metrics };
    Telemetry::new(&plan, "4.0.0")
}

/// A value as `control` hands it on: printed by Go's `%v`.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(is) => is.to_string(),
        // `record` reads every spelling of a number.
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(printed).collect::<Vec<_>>().join(" ")),
        Value::Object(object) => {
            let pairs: Vec<String> = object.iter().map(|(key, value)| format!("{key}:{}", printed(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// The pairs of each request of a case; `None` for a body that never gets as far as this.
fn requests(case: &Value) -> Vec<Option<Vec<(String, String)>>> {
    let posts =
        case["posts"].as_array().unwrap().iter().map(|body| match serde_json::from_str(body.as_str().unwrap()) {
            Ok(Value::Object(pairs)) => Some(pairs.iter().map(|(key, value)| (key.clone(), printed(value))).collect()),
            Ok(Value::Null) => Some(Vec::new()),
            Ok(_) | Err(_) => None,
        });
    let commands = case["putmetric"].as_array().into_iter().flatten().map(|args| {
        // The last of one key counts.
        let pair = args.as_array().unwrap().last().unwrap().as_str().unwrap().split_once('=').unwrap();
        Some(vec![(pair.0.to_owned(), pair.1.to_owned())])
    });
    posts.chain(commands).collect()
}

/// The page's lines of this case's metrics.
fn lines(telemetry: &mut Telemetry) -> Vec<String> {
    let page = telemetry.metrics(Format::Text, &Snapshot::default(), Moment(Duration::from_secs(5)));
    let is_ours = |line: &&str| {
        let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        !line.starts_with("containerpilot_") && !line.starts_with("process_")
    };
    page.lines().filter(is_ours).map(str::to_owned).collect()
}

fn fault(case: &Value) -> Option<String> {
    let name = case["name"].as_str().unwrap();
    let differs = DIFFERS.iter().find(|(other, ..)| *other == name);
    let mut telemetry = telemetry(case);
    let mut logged = Vec::new();
    for (index, request) in requests(case).iter().enumerate() {
        let reply = &case["replies"][index];
        let Some(pairs) = request else {
            if reply != 422 {
                return Some(format!("{name}: request {index} is bad JSON for us"));
            }
            continue;
        };
        for (key, value) in pairs {
            match telemetry.record(key, value, Moment(Duration::from_secs(1))) {
                Ok(Recorded::NotANumber(told)) => logged.push(told),
                Ok(Recorded::Done | Recorded::Unknown) => {}
                Err(refused) if differs.is_some_and(|(_, refusals, _)| refusals.contains(&index)) => {
                    assert!(telemetry.check(key, value).is_err(), "{refused}");
                }
                Err(refused) => return Some(format!("{name}: request {index} was refused: {refused}")),
            }
        }
    }
    let got = lines(&mut telemetry);
    if let Some((.., expected)) = differs {
        let missing: Vec<_> = expected.iter().filter(|line| !got.iter().any(|other| other == *line)).collect();
        return (!missing.is_empty()).then(|| format!("{name}: no {missing:?} in {got:?}"));
    }
    let list = |key: &str| -> Vec<String> {
        case[key].as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    let (expected, told) = (list("metrics_lines"), list("logged"));
    if got != expected {
        return Some(format!("{name}: expected\n  {}\ngot\n  {}", expected.join("\n  "), got.join("\n  ")));
    }
    (logged != told).then(|| format!("{name}: expected in the log {told:?}, got {logged:?}"))
}

#[test]
fn every_metric_shows_what_the_original_showed() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    assert_eq!(cases.len(), 132);
    let faults: Vec<String> = cases.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

#[test]
fn the_marks_of_what_differs_are_the_files() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    let marked = cases.iter().filter(|case| case["differs"] == 15).map(|case| case["name"].as_str().unwrap());
    let mut marked: Vec<&str> = marked.collect();
    let mut ours: Vec<&str> = DIFFERS.iter().map(|(name, ..)| *name).collect();
    marked.sort_unstable();
    ours.sort_unstable();
    assert_eq!(marked, ours);
}
