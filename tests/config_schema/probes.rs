//! Every field is tried with values of every type: the code and the schema must agree.

use containerpilot::config::interfaces::Address;
use containerpilot::config::{Context, Outcome, Source, compile};
use containerpilot::plan::{Signal, SignalMap};
use serde_json::{Value as Json, json};

use super::golden::{is_unknown_or_mistyped, messages};
use super::{fields, schema, validator};

/// The code takes it, the schema does not, and why: path, values (none: all), reason.
const STRICTER: &[(&str, &[&str], &str)] = &[
    ("jobs", &[], "ignored with a warning: it is no list"),
    ("watches", &[], "likewise"),
    ("jobs[].exec", &["[null]", "[[]]"], "taken with a warning: the command gets Go's words for it"),
    ("jobs[].health.exec", &["[null]", "[[]]"], "likewise"),
    (
        "jobs[].consul.deregisterCriticalServiceAfter",
        &["0", "false"],
        "the one number that is a duration without a unit",
    ),
    ("telemetry.interfaces", &["{}"], "an empty object for an empty list"),
];

const TEMPLATE: &str = "{{ .X }}";

/// A configuration that has all that is required, so that a field can be put anywhere.
fn base() -> Json {
    json!({
        "consul": {"address": "127.0.0.1:8500"},
        "jobs": [{"name": "app", "exec": "b"}],
        "watches": [{"name": "db", "interval": 1}],
        "telemetry": {"port": 9090, "interfaces": ["static:127.0.0.1"], "metrics": [{"name": "m", "help": "h", "type": "gauge"}]},
    })
}

fn values() -> Vec<Json> {
    let texts = ["", "x", "5", "-5", "0", "10s", "1.5", "true", "never", "0x10", TEMPLATE];
    let mut values: Vec<Json> = texts.iter().map(|text| json!(text)).collect();
    values.extend([json!(null), json!(true), json!(false), json!(0), json!(1), json!(-1), json!(0.5), json!(70_000)]);
    values.extend([json!([]), json!(["x"]), json!([null]), json!([[]]), json!({}), json!({"x": 1}), json!({"x": {}})]);
    values
}

fn put(path: &str, value: Json) -> Json {
    let mut file = base();
    let of_a_service =
        |key: &&str| ["port", "initial_status", "interfaces", "consul"].iter().any(|it| key.starts_with(it));
    if path.strip_prefix("jobs[].").as_ref().is_some_and(of_a_service) {
        let job = file.pointer_mut("/jobs/0").unwrap();
        job["port"] = json!(80);
        job["health"] = json!({"interval": 1, "ttl": 5});
        job["interfaces"] = json!("static:192.0.2.1");
    }
    if path.starts_with("jobs[].backoff") {
        // Only there it means something.
        file.pointer_mut("/jobs/0").unwrap()["restarts"] = json!("unlimited");
    }
    if path == "jobs[].consul.enableTagOverride" {
        // Without a field of ours beside it, it is required (v3 §8.1 rule 6).
        file.pointer_mut("/jobs/0").unwrap()["consul"] = json!({"deregisterCriticalServiceAfter": "1m"});
    }
    let mut at = &mut file;
    for step in path.split('.') {
        let (step, list) = step.strip_suffix("[]").map_or((step, false), |step| (step, true));
        let step = if step == "*" { "some" } else { step };
        if at.get(step).is_none_or(|there| !there.is_object() && !there.is_array()) {
            at[step] = beside(step);
        }
        at = at.get_mut(step).unwrap();
        if list {
            at = at.get_mut(0).unwrap();
        }
    }
    *at = value;
    file
}

/// What else must be in an object that a field is put into.
fn beside(step: &str) -> Json {
    match step {
        "health" => json!({"exec": "c", "interval": 1, "ttl": 5}),
        "some" => json!({"address": "192.0.2.1"}),
        "backoff" => json!({}),
        signal if signal.starts_with("SIG") => json!({"job": "app", "signal": "SIGHUP"}),
        _ => json!({}),
    }
}

fn outcome(file: &Json) -> Outcome {
    let addresses = [("eth0", "192.0.2.2"), ("eth1", "10.0.0.5")];
    let addresses = addresses.map(|(name, ip)| Address { interface: name.to_owned(), ip: ip.parse().unwrap() });
    let context = Context { addresses: addresses.to_vec().into(), hostname: "probe".to_owned(), ..Context::default() };
    // It stays a text: what a template would make of it is another question.
    let text = file.to_string().replace("{{", "{{ \"{{\" }}");
    compile(&Source { origin: "probe.json5".to_owned(), text }, &context, false)
}

#[test]
fn the_schema_and_the_code_agree_about_every_field() {
    let schema = schema();
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for fields::Field { path, .. } in fields::fields(&schema) {
        if path.starts_with("signals.SIG") && !path.starts_with("signals.SIGHUP") {
            continue;
        }
        for value in values() {
            let file = put(&path, value.clone());
            let outcome = outcome(&file);
            let faults = validator::faults(&schema, &file);
            let shown = value.to_string();
            let listed = STRICTER
                .iter()
                .any(|(at, values, _)| *at == path && (values.is_empty() || values.contains(&shown.as_str())));
            if outcome.plan.is_some() {
                taken += 1;
                if !faults.is_empty() && !listed {
                    wrong.push(format!("{path}: {value} is taken by the code: {faults:?}"));
                }
            } else if value != TEMPLATE && is_unknown_or_mistyped(&outcome) {
                refused += 1;
                if faults.is_empty() {
                    wrong.push(format!("{path}: {value} fits, but {:?}", messages(&outcome)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(taken > 500 && refused > 500, "{taken} {refused}");
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let schema = schema();
    let mut seen = 0;
    for fields::Field { path, schema: field } in fields::fields(&schema) {
        let Some(default) = field.get("default") else { continue };
        let plan = |value: Json| {
            let file = put(&path, value);
            outcome(&file).plan.unwrap_or_else(|| panic!("{path}: {file}"))
        };
        let (mut without, mut with) = (plan(Json::Null), plan(default.clone()));
        if path == "control.socket" {
            // Whether it was configured is told apart: then it must be possible (design §4 row 30).
            (without.control.configured, with.control.configured) = (true, true);
        }
        if let Some(name) = path.strip_prefix("signals.") {
            // What is ignored need not be in the map.
            let signal = Signal::from_name(name).unwrap();
            assert_eq!(without.signals.action(signal), with.signals.action(signal), "{path}: {default}");
            (without.signals, with.signals) = (SignalMap::default(), SignalMap::default());
        }
        assert_eq!(without, with, "{path}: {default}");
        // Here the field means something: another value makes another plan.
        for example in field.get("examples").and_then(Json::as_array).into_iter().flatten() {
            assert!(example == default || plan(example.clone()) != with, "{path}: {example} is as good as {default}");
        }
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
