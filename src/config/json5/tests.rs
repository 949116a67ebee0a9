use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::config::diagnostic::{Span, render};

fn span(text: &str, part: &str) -> Span {
    let start = text.find(part).unwrap();
    Span { start, end: start + part.len() }
}

fn members(node: &Node) -> &[Member] {
    match &node.value {
        Value::Object(members) => members,
        other => panic!("{other:?} is no object"),
    }
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = "/* é */ {jobs: [ {'na\\u006de': \"é\" , n: -0x1F /**/}, ] , ok: true}  ";
    let node = parse(text).unwrap();
    assert_eq!(node.span, span(text, text.trim_start_matches("/* é */ ").trim_end()));
    let top = members(&node);
    assert_eq!(top[0].key_span, span(text, "jobs"));
    assert_eq!(top[0].value.span, span(text, "[ {'na\\u006de': \"é\" , n: -0x1F /**/}, ]"));
    assert_eq!(top[1].value.span, span(text, "true"));
    let Value::Array(jobs) = &top[0].value.value else { panic!() };
    let job = members(&jobs[0]);
    assert_eq!((job[0].key.as_str(), job[0].key_span), ("name", span(text, "'na\\u006de'")));
    assert_eq!(job[0].value.span, span(text, "\"é\""));
    assert_eq!(job[1].value, Node { value: Value::Number(-31.0), span: span(text, "-0x1F") });
}

#[test]
fn only_the_top_level_keeps_single_quotes_around_keys() {
    let node = parse(r"{'a\n': {'b\n': 1}}").unwrap();
    let top = members(&node);
    assert_eq!(top[0].key, r"'a\n'");
    assert_eq!(members(&top[0].value)[0].key, "b\n");
}

#[test]
fn sixty_four_levels_are_taken_and_one_more_is_not() {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
    for (open, close, step) in [("[", "]", 1), ("{\"a\":", "}", 5)] {
        parse(&nested(open, close, 64)).unwrap();
        let error = parse(&nested(open, close, 65)).unwrap_err();
        assert_eq!((error.kind, error.offset), (SyntaxErrorKind::TooDeep, 64 * step));
        let error = parse(&open.repeat(50_000)).unwrap_err();
        assert_eq!((error.kind, error.offset), (SyntaxErrorKind::TooDeep, 64 * step));
        assert!(diagnostic(&open.repeat(50_000), &error).message.contains("at most 64 levels"));
    }
    // Breadth is no depth.
    parse(&format!("[{}]", "[[]],".repeat(1_000))).unwrap();
}

#[test]
fn a_syntax_error_goes_before_a_number_without_value() {
    assert_eq!(parse("{a: ., b: }").unwrap_err().kind, SyntaxErrorKind::Syntax);
    let error = parse("{a: 1e999, b: .}").unwrap_err();
    assert_eq!((error.kind, error.offset), (SyntaxErrorKind::NotANumber, 4));
    assert_eq!(
        parse("[.]").unwrap_err().reason,
        "json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
}

#[test]
fn hexadecimal_numbers_have_64_signed_bits() {
    let value = |text: &str| parse(text).map(|node| node.value);
    assert_eq!(value("0x7fffffffffffffff"), Ok(Value::Number(9_223_372_036_854_775_807.0)));
    assert_eq!(value("-0x8000000000000000"), Ok(Value::Number(-9_223_372_036_854_775_808.0)));
    for text in ["0x8000000000000000", "-0x8000000000000001", "0x10000000000000000", "-.0x10", "+.0x1"] {
        assert_eq!(value(text).unwrap_err().kind, SyntaxErrorKind::NotANumber, "{text}");
    }
    let Ok(Value::Number(zero)) = value("-0x0") else { panic!() };
    assert!(zero.is_sign_negative());
}

#[test]
fn bytes_that_are_no_text_become_one_replacement_each() {
    let node = parse_bytes(b"{a: \"\xe2\x82y\xff\"}").unwrap();
    assert_eq!(members(&node)[0].value.value, Value::String("\u{fffd}\u{fffd}y\u{fffd}".to_owned()));
    assert_eq!(decode_text(b"\xe2\x82y"), "\u{fffd}\u{fffd}y");
}

#[test]
fn a_premature_end_within_a_token_is_a_space_as_in_the_original() {
    for text in ["tr", "-", "0x", "1e", "/", "\"\\", "\"\\u00"] {
        let reason = parse(text).unwrap_err().reason;
        assert!(reason.starts_with("invalid character ' ' "), "{text}: {reason}");
    }
    for text in ["", "{", "{a", "{a:", "\"", "\"\\\r", "//", "/*", "[1"] {
        assert_eq!(parse(text).unwrap_err().reason, "unexpected end of JSON input", "{text}");
    }
}

#[test]
fn syntax_errors_for_people() {
    let texts = [
        "",
        "{\n  jobs: [\n    { name: \"a\",, },\n  ]\n}\n",
        "{\n  jobs: [\n    { name: \"a\" }\n",
        "\u{feff}{a: 1}",
        "# comment\n{}",
        "{a-b: 1}",
        "{é: 1}",
        "{a/* c */: 1}",
        "{a: 'x\ny'}",
        "{a: \"x\ty\"}",
        "{a: \"\\x41\"}",
        "{a: \"\\u12\"}",
        "{a: 5s}",
        "{a: 1\u{a0}}",
        "{a: nonsense}",
        "{a: yes}",
        "{a: [\"x\" \"y\"]}",
        "{\n  a: 1\n  b: 2\n}",
        "{a: 01}",
        "{a: -}",
        "{a: 1e}",
        "{a: 0x}",
        "{a: / 1}",
        "{a 1}",
        "{a: 1}}",
        "{a: .}",
        "{a: -1e999 }",
        &"[".repeat(65),
    ];
    let mut all = String::new();
    for text in texts {
        let error = parse(text).unwrap_err();
        all.push_str(&render(&[diagnostic(text, &error)], "app.json5", text));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test of speed needs a clock")]
fn no_text_of_a_mebibyte_takes_long() {
    let patterns =
        ["[", "{\"a\":", "/* * /", "/*", "/**/", "\"\\ud800", "-..", "a", "{},", " ", "\"é", "'\\\r\n", "1,"];
    for pattern in patterns {
        for prefix in ["", "[", "{a:"] {
            let text = format!("{prefix}{}", pattern.repeat((1 << 20) / pattern.len()));
            let start = Instant::now();
            let parsed = parse(&text);
            if let Err(error) = &parsed {
                diagnostic(&text, error);
            }
            let elapsed = start.elapsed();
            assert!(elapsed < Duration::from_secs(10), "{prefix}{pattern}… took {elapsed:?}");
        }
    }
}

/// The value of the `json5` crate, which knows full JSON5.
#[derive(Debug)]
enum Theirs {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Theirs>),
    Object(BTreeMap<String, Theirs>),
}

impl<'de> Deserialize<'de> for Theirs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        #[expect(clippy::cast_precision_loss, reason = "every number is a 64-bit float here")]
        impl<'de> Visitor<'de> for Any {
            type Value = Theirs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("anything")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Theirs, E> {
                Ok(Theirs::Null)
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Theirs, E> {
                Ok(Theirs::Bool(v))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Theirs, E> {
                Ok(Theirs::Number(v as f64))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Theirs, E> {
                Ok(Theirs::Number(v as f64))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Theirs, E> {
                Ok(Theirs::Number(v))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Theirs, E> {
                Ok(Theirs::String(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Theirs, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = seq.next_element()? {
                    all.push(value);
                }
                Ok(Theirs::Array(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Theirs, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    all.insert(key, value);
                }
                Ok(Theirs::Object(all))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn same(node: &Node, theirs: &Theirs) -> bool {
    match (&node.value, theirs) {
        (Value::Null, Theirs::Null) => true,
        (Value::Bool(a), Theirs::Bool(b)) => a == b,
        (Value::Number(a), Theirs::Number(b)) => {
            // Whether a zero has a sign is of no consequence, and theirs may have lost it.
            let bits = |n: &f64| if *n == 0.0 { 0 } else { n.to_bits() };
            bits(a) == bits(b) || (a.is_nan() && b.is_nan())
        }
        (Value::String(a), Theirs::String(b)) => a == b,
        (Value::Array(a), Theirs::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Theirs::Object(b)) => {
            let a: BTreeMap<&str, &Node> = a.iter().map(|member| (member.key.as_str(), &member.value)).collect();
            a.len() == b.len() && a.iter().all(|(key, node)| b.get(*key).is_some_and(|theirs| same(node, theirs)))
        }
        _ => false,
    }
}

/// Text that is often nearly right.
fn nearly_json5() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        8 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "a:", "\"b\":", "'c':", " ", "\n", "/* c */", "// c\n"]),
        4 => prop::sample::select(vec!["1", "-2.5e3", "+.5", "0x1F", "5.", "01", "Infinity", "-NaN", "null", "true", "."]),
        3 => prop::sample::select(vec!["\"x\"", "'y'", "\"\\n\\\"\\u00e9\"", "'\\ud83d\\ude80'", "\"\\\n\"", "'é'", "\"\\x\""]),
        1 => prop::sample::select(vec!["/*", "*/", "\"", "'", "\\", "\r", "\u{b}", "é", "#"]),
    ];
    prop::collection::vec(token, 0..20).prop_map(|tokens| tokens.concat())
}

/// Text that is right.
fn valid_json5() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
        "[+-]?(0x[0-9a-fA-F]{1,15}|[1-9][0-9]{0,20}(\\.[0-9]{0,9})?([eE][+-]?[0-9]{1,2})?)",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        prop::sample::select(vec!["null", "true", "false", "Infinity", "-Infinity", "NaN"]).prop_map(str::to_owned),
    ];
    let space = || prop::sample::select(vec!["", " ", "\n\t", "/* * */", "// x\n"]);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            (space(), prop::collection::vec(inner.clone(), 0..5))
                .prop_map(|(space, items)| format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))),
            (space(), prop::collection::vec(("[a-z$_][a-zA-Z0-9$_]{0,5}", inner), 0..5)).prop_map(|(space, items)| {
                let items: Vec<String> =
                    items.iter().map(|(key, item)| format!("{key}:{space}{item}{space},")).collect();
                format!("{{{space}{}{space}}}", items.concat())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_parsed_or_refused_with_a_place(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = parse_bytes(&bytes) {
            prop_assert!(error.offset <= bytes.len());
            original_report_bytes(&bytes, &error);
        }
    }

    #[test]
    fn any_text_is_parsed_or_diagnosed(text in prop_oneof![any::<String>(), nearly_json5()]) {
        if let Err(error) = parse(&text) {
            let problem = diagnostic(&text, &error);
            let span = problem.span.unwrap();
            prop_assert!(span.start <= span.end && span.end <= text.len());
            render(&[problem], "f", &text);
        }
    }

    #[test]
    fn what_the_json5_crate_takes_too_has_the_same_value(text in prop_oneof![nearly_json5(), valid_json5()]) {
        if let (Ok(ours), Ok(theirs)) = (parse(&text), ::json5::from_str::<Theirs>(&text)) {
            // The original's quirk that they don't share.
            let quirk = matches!(&ours.value, Value::Object(all) if all.iter().any(|m| m.key.starts_with('\'')));
            prop_assert!(quirk || same(&ours, &theirs), "{ours:?} is not {theirs:?}");
        }
    }

    #[test]
    fn what_is_right_is_taken_by_both(text in valid_json5()) {
        prop_assert!(parse(&text).is_ok(), "{:?}", parse(&text));
        prop_assert!(::json5::from_str::<Theirs>(&text).is_ok(), "{:?}", ::json5::from_str::<Theirs>(&text));
    }
}
