//! What the original answers for single values, from its own code (`tests/golden`).
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use containerpilot::config::duration::{DurationError, GoDuration, parse_go_duration, parse_job_duration};
use containerpilot::config::go_value::number_as_string;
use containerpilot::config::interfaces::{self, Address};
use containerpilot::config::json5::{self, Node, Value};
use containerpilot::config::{exec_string, names};
use serde_json::{Value as Json, json};

/// Cases that we answer otherwise on purpose, by their text (`…`: by its beginning), each with its reason. A listed case that
/// starts to pass fails the test.
const KNOWN: &[(&str, &str)] = &[
    ("{/* * / a: 1}", "a star and a later slash do not end a comment here"),
    ("{\u{fffd}: 1}", "what is no UTF-8 was replaced before, and is reported as the replacement's first byte"),
    ("\u{fffd}", "what is no UTF-8 was replaced before, and is reported as the replacement's first byte"),
    ("{a: [[[[[[[[[[[[…", "100 levels: the limit is 64"),
    ("{a: {b: {b: {b: …", "100 levels: the limit is 64"),
];

fn read(file: &str) -> Json {
    let path = format!("{}/tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs all cases and says which fail, unless they are known to.
fn compare(cases: &Json, name: impl Fn(&Json) -> String, check: impl Fn(&Json) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for case in cases.as_array().unwrap() {
        let name = name(case);
        let known = KNOWN.iter().any(|(listed, _)| match listed.strip_suffix('…') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *listed,
        });
        match (check(case), known) {
            (Err(difference), false) => wrong.push(format!("{name:?}: {difference}")),
            (Ok(()), true) => wrong.push(format!("{name:?} passes: take it off KNOWN")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn same<T: PartialEq + std::fmt::Debug>(ours: &T, wanted: &T) -> Result<(), String> {
    if ours == wanted { Ok(()) } else { Err(format!("\n  ours   {ours:?}\n  wanted {wanted:?}")) }
}

fn base64(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for byte in text.bytes().filter(|&byte| byte != b'=') {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let six = alphabet.iter().position(|&letter| letter == byte).unwrap();
        bits = (bits << 6) | u32::try_from(six).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    out
}

fn text(case: &Json, field: &str) -> String {
    match case[field].as_str() {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(&base64(case[format!("{field}_b64")].as_str().unwrap())).into_owned(),
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Number(n) if n.is_nan() => json!({"$number": "NaN"}),
        Value::Number(n) if n.is_infinite() => json!({"$number": if *n > 0.0 { "+Inf" } else { "-Inf" }}),
        Value::Number(n) if *n == 0.0 && n.is_sign_negative() => json!({"$number": "-0"}),
        Value::Number(n) => json!(n),
        Value::String(s) => json!(s),
        Value::Array(nodes) => nodes.iter().map(|node| to_json(&node.value)).collect(),
        Value::Object(members) => members.iter().map(|m| (m.key.clone(), to_json(&m.value.value))).collect(),
    }
}

/// All numbers as floats.
fn floats(value: &Json) -> Json {
    match value {
        Json::Number(n) => json!(n.as_f64()),
        Json::Array(all) => all.iter().map(floats).collect(),
        Json::Object(all) => all.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn json5() {
    compare(
        &read("json5"),
        |case| text(case, "text"),
        |case| {
            let text = text(case, "text");
            let ours = json5::parse(&text);
            let wanted = match (case.get("intended"), case.get("value")) {
                (Some(value), _) | (None, Some(value)) => Some(value),
                (None, None) => None,
            };
            if let Some(wanted) = wanted {
                return same(&ours.map(|node| to_json(&node.value)), &Ok(floats(wanted)));
            }
            let error = &case["error"];
            let Some(reason) = error["reason"].as_str() else {
                let message = error["message"].as_str().unwrap();
                return match ours {
                    // It is the reader of the whole configuration that wants an object.
                    Ok(node) if message.ends_with("into Go value of type map[string]interface {}") => {
                        same(&matches!(node.value, Value::Object(_) | Value::Null), &false)
                    }
                    Err(_) if text == "." => Ok(()),
                    other => same(
                        &other.map(|_| ()).map_err(|error| format!("could not parse configuration: {}", error.reason)),
                        &Err(message.to_owned()),
                    ),
                };
            };
            let place = error.get("intended").unwrap_or(error);
            let ours = ours.map(|_| ()).map_err(|error| {
                let at_end = error.offset == text.len();
                let mut before = &text.as_bytes()[..error.offset];
                if at_end {
                    before = before.split_last().map_or(before, |(_, rest)| rest);
                }
                let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                let column = before.rsplit(|&byte| byte == b'\n').next().unwrap().len() + usize::from(!text.is_empty());
                (error.reason, line as u64, column as u64)
            });
            let place = |field: &str| place[field].as_u64().unwrap();
            same(&ours, &Err((reason.to_owned(), place("line"), place("col"))))
        },
    );
}

fn node(case: &Json, field: &str) -> Node {
    let text = case[field].as_str().unwrap();
    json5::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn name_of(field: &'static str) -> impl Fn(&Json) -> String {
    move |case| case[field].as_str().unwrap_or_default().to_owned()
}

type Answer = Result<(i64, String), (String, String)>;

fn answer(result: Result<GoDuration, DurationError>) -> Answer {
    match result {
        Ok(duration) => Ok((duration.0, duration.to_string())),
        Err(error) => Err((error.class.name().to_owned(), error.text)),
    }
}

fn wanted(case: &Json) -> Answer {
    let field = |of: &Json, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    match case.get("error") {
        Some(error) => Err((field(error, "class"), field(error, "text"))),
        None => Ok((case["ns"].as_i64().unwrap(), field(case, "printed"))),
    }
}

#[test]
fn durations() {
    compare(&read("durations"), name_of("input"), |case| {
        let node = node(case, "input");
        let text = match &node.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number_as_string(*number),
            Value::Bool(b) => if *b { "1" } else { "0" }.to_owned(),
            Value::Null => String::new(),
            // Refused when the field is decoded, before anybody looks for a duration.
            Value::Array(_) | Value::Object(_) => return same(&case["error"].is_object(), &true),
        };
        if let Some(wanted) = case["string"].as_str() {
            same(&text.as_str(), &wanted)?;
        }
        let job = parse_job_duration(&text);
        same(&matches!(job, Ok(None)), &case["unset"].as_bool().unwrap_or(false))?;
        same(&answer(job.map(|duration| duration.unwrap_or(GoDuration(0)))), &wanted(case))?;
        let pure = answer(parse_go_duration(&text));
        match case.get("pure") {
            // Where both refuse it, only the first error was kept.
            None if case["error"].is_object() => same(&pure.is_err(), &true),
            other => same(&pure, &wanted(other.unwrap_or(case))),
        }
    });
}

#[test]
fn exec_strings() {
    compare(&read("exec-strings"), name_of("exec"), |case| {
        let wanted = match (case.get("argv"), case["error"].as_str()) {
            (_, Some(error)) => Err(error.to_owned()),
            (argv, None) => Ok(argv.map(|argv| serde_json::from_value::<Vec<String>>(argv.clone()).unwrap())),
        };
        same(&exec_string::from_node(&node(case, "exec")), &wanted)
    });
}

#[test]
fn names_and_variables() {
    compare(&read("names"), name_of("name"), |case| {
        let name = case["name"].as_str().unwrap();
        same(&names::check_service_name(name).err(), &case["service_name_error"].as_str())?;
        same(&Some(names::pid_variable(name).as_str()), &case["pid_variable"].as_str())?;
        same(&Some(names::ip_variable(name).as_str()), &case["ip_variable"].as_str())
    });
}

#[test]
fn addresses() {
    let golden = read("interfaces");
    let fixture = |name: &Json| -> (Vec<Address>, Json) {
        let all = golden["fixtures"].as_array().unwrap();
        let found = all.iter().find(|fixture| fixture["fixture"] == *name).unwrap();
        let pairs: Vec<(String, String)> = serde_json::from_value(found["addresses"].clone()).unwrap();
        let addresses =
            pairs.into_iter().map(|(interface, ip)| Address { interface, ip: ip.parse().unwrap() }).collect();
        (addresses, found["sorted"].clone())
    };
    compare(&golden["fixtures"], name_of("fixture"), |case| {
        let (mut addresses, sorted) = fixture(&case["fixture"]);
        interfaces::sort(&mut addresses);
        same(&addresses.iter().map(|a| format!("{}:{}", a.interface, a.ip.to_canonical())).collect::<Json>(), &sorted)
    });
    compare(
        &golden["cases"],
        |case| format!("{} {}", case["fixture"], case["interfaces"]),
        |case| {
            let (addresses, _) = fixture(&case["fixture"]);
            let ours = interfaces::from_node(&node(case, "interfaces"))
                .and_then(|specs| interfaces::choose(&specs, &addresses))
                .map(|ip| ip.to_string());
            let wanted =
                case["ip"].as_str().map(str::to_owned).ok_or(case["error"].as_str().unwrap_or_default().to_owned());
            same(&ours, &wanted)
        },
    );
}
