//! What ContainerPilot 3.8 makes of values, against the golden vectors: JSON5, durations, `exec`, names, interfaces.
//!
//! No case is skipped: each test counts its cases. The meaning of the fields is told in the vectors' README.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use containerpilot::config::duration::{DurationError, GoDuration, parse_go_duration, parse_job_duration};
use containerpilot::config::go_value::go_type;
use containerpilot::config::interfaces::{self, Address};
use containerpilot::config::json5::{self, Node, SyntaxErrorKind, Value};
use containerpilot::config::{exec_string, names};
use containerpilot::number::number_as_string;
use serde_json::Value as Json;

fn cases(text: &str, count: usize) -> Vec<Json> {
    let cases: Vec<Json> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), count, "the vectors are complete");
    cases
}

fn text<'a>(case: &'a Json, field: &str) -> Option<&'a str> {
    case.get(field).and_then(Json::as_str)
}

fn number(case: &Json, field: &str) -> Option<usize> {
    case.get(field).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok())
}

/// The bytes of a field, or of its sister whose name ends in `_b64`.
fn bytes(case: &Json, field: &str) -> Option<Vec<u8>> {
    let plain = text(case, field).map(|text| text.as_bytes().to_vec());
    plain.or_else(|| text(case, &format!("{field}_b64")).map(decode_base64))
}

fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|letter| *letter == byte).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// The value as Go's parser has it: of keys given twice the last one counts.
fn same(node: &Node, want: &Json) -> bool {
    match (&node.value, want) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(a), Json::Bool(b)) => a == b,
        (Value::String(a), Json::String(b)) => a == b,
        (Value::Number(a), Json::Number(b)) => b.as_f64().is_some_and(|b| a.to_bits() == b.to_bits()),
        (Value::Number(a), Json::Object(_)) => match text(want, "$number").unwrap() {
            "NaN" => a.is_nan(),
            "+Inf" => *a == f64::INFINITY,
            "-Inf" => *a == f64::NEG_INFINITY,
            "-0" => *a == 0.0 && a.is_sign_negative(),
            other => panic!("unknown number {other}"),
        },
        (Value::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Json::Object(b)) => {
            let a: BTreeMap<&str, &Node> = a.iter().map(|member| (member.key.as_str(), &member.value)).collect();
            a.len() == b.len() && a.iter().all(|(key, node)| b.get(*key).is_some_and(|want| same(node, want)))
        }
        _ => false,
    }
}

#[test]
fn json5() {
    let (mut values, mut errors, mut positions) = (0, 0, 0);
    for case in cases(include_str!("golden/json5.json"), 372) {
        let name = text(&case, "name").unwrap();
        let source = bytes(&case, "text").unwrap();
        let parsed = json5::parse_bytes(&source);
        if let Ok(source) = std::str::from_utf8(&source) {
            assert_eq!(format!("{:?}", json5::parse(source)), format!("{parsed:?}"), "{name}");
        }

        // Design §4 row 26; the original has no limit.
        if matches!(name, "100 nested arrays" | "100 nested objects") {
            let error = parsed.unwrap_err();
            assert_eq!(error.kind, SyntaxErrorKind::TooDeep, "{name}");
            errors += 1;
            continue;
        }

        let differs = number(&case, "differs");
        let want = case.get("value").or_else(|| case.get("intended").filter(|_| differs == Some(14)));
        if let Some(want) = want {
            let node = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(same(&node, want), "{name}: {node:?} is not {want}");
            assert_eq!(json5::top_level_error(&node), None, "{name}");
            // What the loader parses when the file is no UTF-8.
            let node = json5::parse(&json5::decode_text(&source)).unwrap();
            assert!(same(&node, want), "{name} decoded: {node:?} is not {want}");
            values += 1;
            continue;
        }

        let want = case.get("error").unwrap();
        let message = bytes(want, "message").unwrap();
        let report = match &parsed {
            Ok(node) => json5::top_level_error(node).unwrap_or_else(|| panic!("{name}: {node:?}")).into_bytes(),
            Err(error) => json5::original_report_bytes(&source, error),
        };
        assert!(json5::parse(&json5::decode_text(&source)).is_err() == parsed.is_err(), "{name} decoded");
        if let Some(reason) = text(want, "reason") {
            assert_eq!(parsed.unwrap_err().reason, reason, "{name}");
        }
        match want.get("intended").filter(|_| differs == Some(14)) {
            None => assert_eq!(String::from_utf8_lossy(&report), String::from_utf8_lossy(&message), "{name}"),
            Some(right) => {
                let (line, column) = (number(right, "line").unwrap(), number(right, "col").unwrap());
                let want = right_report(&source, text(want, "reason").unwrap(), line, column);
                assert_eq!(String::from_utf8_lossy(&report), want, "{name}");
                positions += 1;
            }
        }
        errors += 1;
    }
    assert_eq!((values, errors, positions), (160, 212, 15));
}

/// The original's report with the right position, which a lone mark `intended` gives.
fn right_report(source: &[u8], reason: &str, line: usize, column: usize) -> String {
    let source = std::str::from_utf8(source).unwrap();
    let lines = source.lines().enumerate().take(line).skip(line.saturating_sub(2));
    let mut report = vec![format!("parse error at line:col [{line}:{column}]: {reason}")];
    report.extend(lines.map(|(index, shown)| format!("{:5}: {shown}", index + 1)));
    report.push("-".repeat(7 + column - 1) + "^");
    report.join("\n")
}

#[test]
fn durations() {
    for case in cases(include_str!("golden/durations.json"), 198) {
        let input = text(&case, "input").unwrap();
        let node = json5::parse(input).unwrap();
        // The decoder's coercion to a string field.
        let coerced = match &node.value {
            Value::Null => Ok(String::new()),
            Value::Bool(b) => Ok(u8::from(*b).to_string()),
            Value::Number(n) => Ok(number_as_string(*n)),
            Value::String(s) => Ok(s.clone()),
            other @ (Value::Array(_) | Value::Object(_)) => Err(go_type(other)),
        };
        let coerced = match coerced {
            Ok(coerced) => coerced,
            Err(kind) => {
                let words =
                    format!("1 error(s) decoding:\n\n* 'd' expected type 'string', got unconvertible type '{kind}'");
                assert_eq!(text(case.get("error").unwrap(), "text"), Some(words.as_str()), "{input}");
                continue;
            }
        };
        if let Some(string) = text(&case, "string") {
            assert_eq!(coerced, string, "{input}");
        }
        let job = parse_job_duration(&coerced);
        let pure = parse_go_duration(&coerced);
        match &job {
            Ok(None) => {
                assert_eq!(case.get("unset"), Some(&Json::Bool(true)), "{input}");
                check_duration(input, &case, &Ok(GoDuration::default()));
            }
            Ok(Some(duration)) => {
                assert_eq!(case.get("unset"), None, "{input}");
                check_duration(input, &case, &Ok(*duration));
            }
            Err(error) => check_duration(input, &case, &Err(error.clone())),
        }
        match case.get("pure") {
            Some(want) => check_duration(input, want, &pure),
            // Where nothing else is said, both refuse or both agree.
            None => assert_eq!(pure.ok(), job.ok().flatten(), "{input}"),
        }
    }
}

fn check_duration(input: &str, want: &Json, got: &Result<GoDuration, DurationError>) {
    match got {
        Ok(duration) => {
            assert_eq!(want.get("ns").and_then(Json::as_i64), Some(duration.0), "{input}");
            assert_eq!(text(want, "printed"), Some(duration.to_string().as_str()), "{input}");
        }
        Err(error) => {
            let want = want.get("error").unwrap_or_else(|| panic!("{input}: {error}"));
            assert_eq!(text(want, "class"), Some(error.class.name()), "{input}");
            assert_eq!(text(want, "text"), Some(error.text.as_str()), "{input}");
        }
    }
}

#[test]
fn exec_strings() {
    for case in cases(include_str!("golden/exec-strings.json"), 115) {
        let input = text(&case, "exec").unwrap();
        match exec_string::from_node(&json5::parse(input).unwrap()) {
            Ok(None) => assert_eq!(case.get("absent"), Some(&Json::Bool(true)), "{input}"),
            Ok(Some(argv)) => assert_eq!(case.get("argv"), Some(&Json::from(argv)), "{input}"),
            Err(error) => assert_eq!(text(&case, "error"), Some(error.as_str()), "{input}"),
        }
    }
}

#[test]
fn names() {
    for case in cases(include_str!("golden/names.json"), 42) {
        let name = text(&case, "name").unwrap();
        match names::check_service_name(name) {
            Ok(()) => assert_eq!(case.get("service_name_ok"), Some(&Json::Bool(true)), "{name}"),
            Err(error) => assert_eq!(text(&case, "service_name_error"), Some(error), "{name}"),
        }
        assert_eq!(text(&case, "pid_variable"), Some(names::pid_variable(name).as_str()), "{name}");
        assert_eq!(text(&case, "ip_variable"), Some(names::ip_variable(name).as_str()), "{name}");
    }
}

#[test]
fn interfaces() {
    let vectors: Json = serde_json::from_str(include_str!("golden/interfaces.json")).unwrap();
    let mut fixtures: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
    for fixture in vectors.get("fixtures").and_then(Json::as_array).unwrap() {
        let name = text(fixture, "fixture").unwrap();
        let pairs: Vec<(String, IpAddr)> = serde_json::from_value(fixture.get("addresses").unwrap().clone()).unwrap();
        let addresses: Vec<Address> = pairs.into_iter().map(|(interface, ip)| Address { interface, ip }).collect();
        let mut sorted = addresses.clone();
        interfaces::sort(&mut sorted);
        let printed: Vec<String> =
            sorted.iter().map(|address| format!("{}:{}", address.interface, address.ip.to_canonical())).collect();
        assert_eq!(fixture.get("sorted"), Some(&Json::from(printed)), "{name}");
        fixtures.insert(name, addresses);
    }
    assert_eq!(fixtures.len(), 10);

    let cases = vectors.get("cases").and_then(Json::as_array).unwrap();
    assert_eq!(cases.len(), 188, "the vectors are complete");
    for case in cases {
        let (fixture, input) = (text(case, "fixture").unwrap(), text(case, "interfaces").unwrap());
        let specs = interfaces::from_node(&json5::parse(input).unwrap());
        match specs.and_then(|specs| interfaces::choose(&specs, fixtures.get(fixture).unwrap())) {
            Ok(ip) => assert_eq!(text(case, "ip"), Some(ip.to_string().as_str()), "{fixture}: {input}"),
            Err(error) => assert_eq!(text(case, "error"), Some(error.as_str()), "{fixture}: {input}"),
        }
    }
}
