//! Every template of the golden vectors renders as ContainerPilot 3.8.0 with Go 1.19 rendered it, or fails at the same
//! stage for the same reason. `tests/golden/templates.json` says what and why.

use containerpilot::config::template::render_bytes;
use containerpilot::env::Environment;
use serde_json::Value;

/// Errors whose words are ours on purpose: we limit templates to a depth of 64 (design §4 row 26).
const OUR_WORDS: [&str; 1] = ["{{ template \"\" }}"];

/// `None` if it is no base64.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes().filter(|&c| c != b'=') {
        bits = bits << 6 | u32::from(digit(c)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}

/// A field, or its `_b64` sibling.
fn bytes(case: &Value, field: &str) -> Option<Vec<u8>> {
    let plain = case.get(field).and_then(Value::as_str).map(|text| text.as_bytes().to_vec());
    plain.or_else(|| case.get(format!("{field}_b64")).and_then(Value::as_str).and_then(base64))
}

#[test]
#[expect(clippy::print_stdout, reason = "the summary of a long table, for whoever asks with --nocapture")]
fn every_golden_template_renders_as_the_original_did() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/templates.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 957);
    let (mut outputs, mut errors, mut intended) = (0, 0, 0);
    let mut other_words = Vec::new();
    let mut mismatches = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let env: Environment =
            case["env"].as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())).collect();
        let source = bytes(case, "template").unwrap();
        let expected = bytes(case, "intended").inspect(|_| intended += 1).or_else(|| bytes(case, "output"));
        let result = render_bytes(&source, &env);
        match (expected, result) {
            (Some(expected), Ok((output, _))) if output == expected => outputs += 1,
            (Some(expected), result) => {
                let expected = String::from_utf8_lossy(&expected).into_owned();
                let got = result.map(|(output, _)| String::from_utf8_lossy(&output).into_owned());
                mismatches.push(format!("{name}\n  expected {expected:?}\n  got      {got:?}"));
            }
            (None, Ok((output, _))) => {
                mismatches.push(format!(
                    "{name}\n  expected {}\n  got {:?}",
                    case["error"],
                    String::from_utf8_lossy(&output)
                ));
            }
            (None, Err(error)) => {
                let wanted = &case["error"];
                let text = wanted["text"].as_str().unwrap();
                if wanted["stage"] != error.stage.as_str() || wanted["class"] != error.class.as_str() {
                    mismatches.push(format!("{name}\n  expected {wanted}\n  got {error:?}"));
                }
                assert!(error.span.start <= error.span.end && error.span.end <= source.len(), "{name}: {error:?}");
                assert!(error.message.ends_with(&error.reason), "{name}: {error:?}");
                errors += 1;
                if text != error.message {
                    other_words.push((name, text.to_owned(), error.message));
                }
            }
        }
    }
    println!(
        "{} cases: {outputs} outputs ({intended} of them as intended, row 14), {errors} errors, {} of them in other words",
        cases.len(),
        other_words.len(),
    );
    for (name, text, ours) in &other_words {
        println!("{name}\n  Go   {text}\n  ours {ours}");
    }
    assert!(mismatches.is_empty(), "{} mismatches:\n{}", mismatches.len(), mismatches.join("\n"));
    let names: Vec<&str> = other_words.iter().map(|(name, ..)| *name).collect();
    assert!(names.iter().all(|name| OUR_WORDS.iter().any(|ours| name.ends_with(ours))), "{names:?}");
}
