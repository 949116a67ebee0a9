//! The golden configurations of ContainerPilot 3.8, as they are written and as they are rendered.

use containerpilot::config::diagnostic::Severity;
use containerpilot::config::interfaces::Address;
use containerpilot::config::json5;
use containerpilot::config::{Context, Outcome, Source, compile, template};
use containerpilot::env::Environment;
use serde_json::Value as Json;

use super::{schema, validator};

/// Taken by the code and refused by the schema on purpose: an editor should mark it. How the case is called, or how that
/// begins, and why.
const STRICTER: &[(&str, &str)] = &[
    ("jobs: {", "ignored with a warning: it is no list"),
    ("jobs: \"x\"", "likewise"),
    ("jobs: 5", "likewise"),
    ("jobs: true", "likewise"),
    ("watches: {}", "likewise"),
    ("watches: \"x\"", "likewise"),
    ("exec: [\"a\", null]", "taken with a warning: the command gets Go's words for it"),
    ("exec: [\"a\", [1, 2]]", "likewise"),
    ("initial_status: invalid but no port", "without a port nobody looks at it, which is warned of"),
    ("interfaces: wrong type but no port", "likewise"),
    ("consul extras: invalid but no port", "likewise"),
    ("when: { interval: \"5s\", timeout: \"bogus\" }", "beside `interval` nobody looks at it, which is warned of"),
    ("consul extras: { deregisterCriticalServiceAfter: 0 }", "the one number that is a duration without a unit"),
    ("telemetry: { interfaces: {} }", "an empty object for an empty list"),
    ("health: { Exec: \"check\", INTERVAL: 5, TTL: 10 }", "`required` knows no other case of a key"),
    ("field names in another case", "likewise"),
    ("watches: [{ Name: \"up\", Interval: 5 }]", "likewise"),
    ("telemetry: { interfaces: [\"static:10.0.0.5\"], metrics: [ { Namespace: \"n\"", "likewise"),
];

#[test]
fn what_the_code_takes_fits_and_what_has_an_unknown_key_or_a_wrong_type_does_not() {
    let schema = schema();
    let cases: Vec<Json> = serde_json::from_str(include_str!("../golden/configs.json")).unwrap();
    let mut wrong = Vec::new();
    let mut counts = [0; 3];
    for case in &cases {
        let text = case.get("config").and_then(Json::as_str).unwrap();
        let name = case.get("name").and_then(Json::as_str).unwrap();
        let variables = case.get("env").and_then(Json::as_object).into_iter().flatten();
        let env: Environment = variables.map(|(name, value)| (name, value.as_str().unwrap())).collect();
        let Some(rendered) = template::render(text, &env).ok().and_then(|rendered| parse(&rendered.text)) else {
            continue;
        };
        let outcome = outcome(text, env);
        let faults = validator::faults(&schema, &rendered);
        let stricter = STRICTER.iter().any(|(listed, _)| name.starts_with(listed));
        if outcome.plan.is_some() {
            counts[0] += 1;
            let written = parse(text).map(|written| validator::faults(&schema, &written)).unwrap_or_default();
            if faults.is_empty() == stricter {
                wrong.push(format!("{name}: taken by the code: {faults:?}"));
            } else if !stricter && !written.is_empty() {
                wrong.push(format!("{name}: as it is written: {written:?}"));
            }
        } else if is_unknown_or_mistyped(&outcome) {
            counts[1] += 1;
            if faults.is_empty() {
                wrong.push(format!("{name}: fits, {text}, but {:?}", messages(&outcome)));
            }
        } else {
            counts[2] += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {counts:?}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts[0] > 350 && counts[1] > 100, "taken, refused for a key or a type, refused: {counts:?}");
}

fn outcome(text: &str, env: Environment) -> Outcome {
    let addresses = [("lo", "127.0.0.1"), ("eth0", "192.0.2.2"), ("eth0", "2001:db8::2")];
    let addresses = addresses.map(|(name, ip)| Address { interface: name.to_owned(), ip: ip.parse().unwrap() });
    let context = Context { env, addresses: addresses.to_vec().into(), hostname: "golden".to_owned() };
    compile(&Source { origin: "golden.json5".to_owned(), text: text.to_owned() }, &context, false)
}

/// The messages of all errors.
pub fn messages(outcome: &Outcome) -> Vec<&str> {
    outcome.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| d.message.as_str()).collect()
}

/// Whether it is refused for a key that nobody knows, or for a value of a type that the field does not take.
pub fn is_unknown_or_mistyped(outcome: &Outcome) -> bool {
    let types =
        ["a text", "a whole number", "whole seconds", "true or false", "an object, `{…}`", "a list, `[…]`", "a number"];
    messages(outcome).iter().any(|message| {
        message.starts_with("unknown key")
            || types.iter().any(|kind| message.contains(&format!(": expected {kind}, found")))
    })
}

/// What an editor reads of a text: nothing where it is no JSON5.
pub fn parse(text: &str) -> Option<Json> {
    json5::parse(text).ok().map(|node| validator::json(&node))
}

/// Words and numbers that the code refuses, where a schema can say so.
#[test]
fn what_is_out_of_range_is_refused_by_both() {
    let schema = schema();
    let job = |fields: &str| format!("jobs: [ {{ name: \"app\", exec: \"x\", {fields} }} ]");
    let metric = |fields: &str| format!("telemetry: {{ interfaces: [\"inet\"], metrics: [ {{ {fields} }} ] }}");
    for fields in [
        "exitCode: \"no\"".to_owned(),
        "reload: \"no\"".to_owned(),
        "reload: { mode: \"no\" }".to_owned(),
        "reload: { quiesce: -1 }".to_owned(),
        "logging: { level: \"LOUD\" }".to_owned(),
        "logging: { format: \"xml\" }".to_owned(),
        "control: { socket: \"\" }".to_owned(),
        "signals: { SIGKILL: \"ignore\" }".to_owned(),
        "signals: { SIGHUP: \"explode\" }".to_owned(),
        "signals: { SIGHUP: { job: \"app\" } }".to_owned(),
        "signals: { SIGHUP: { job: \"app\", signal: \"HUPP\" } }".to_owned(),
        "Jobs: []".to_owned(),
        "services: []".to_owned(),
        "watches: [ { name: \"db\" } ]".to_owned(),
        "watches: [ { name: \"Db\", interval: 1 } ]".to_owned(),
        metric("name: \"m\", type: \"gauge\""),
        metric("name: \"m\", help: \"h\", type: \"set\""),
        "jobs: [ { exec: \"x\" } ]".to_owned(),
        job("restart: \"always\""),
        job("restarts: \"always\""),
        job("restarts: -1"),
        job("exec: []"),
        job("timeout: \"5 minutes\""),
        job("timeout: 0"),
        job("exitCode: \"zero\""),
        job("when: { source: \"app\", once: \"exitsucces\" }"),
        job("health: { exec: \"x\", ttl: 5 }"),
        job("health: { interval: 0, ttl: 5 }"),
        job("backoff: true"),
        job("backoff: { factor: 0.5 }"),
        job("restarts: \"unlimited\", backoff: { free: -1 }"),
        job("port: 80, health: { interval: 1, ttl: 5 }, initial_status: \"fine\""),
        job("port: 80, health: { interval: 1, ttl: 5 }, consul: { meta: { \"consul-x\": \"1\" } }"),
        job("port: 80, health: { interval: 1, ttl: 5 }, consul: { weights: { passing: 0 } }"),
        job("port: 80, health: { interval: 1, ttl: 5 }, consul: { taggedAddresses: { lan: { port: 80 } } }"),
        job("port: 80, health: { interval: 1, ttl: 5 }, consul: { deregisterCriticalServiceAfter: \"10\" }"),
    ] {
        let text = format!("{{ {fields} }}");
        assert_eq!(outcome(&text, Environment::default()).plan, None, "{text}");
        let faults = validator::faults(&schema, &parse(&text).unwrap());
        assert!(!faults.is_empty(), "{text} fits");
    }
}
