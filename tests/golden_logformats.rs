//! Every case of `golden/logformats.json`, made by the original, against our formats (v3 §17).
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use containerpilot::log::{Formatter, Origin, Record, Zone};
use containerpilot::plan::{Level, LogFormat};
use serde_json::Value;

/// The moment of every record here, and its two spellings.
const TIME: Duration = Duration::new(1_795_330_320, 536_705_610);
const NANOS: &str = "2026-11-22T06:52:00.53670561Z";
const SECONDS: &str = "2026-11-22T06:52:00Z";
const PID: i32 = 31_337;

fn moment() -> SystemTime {
    UNIX_EPOCH + TIME
}

fn level(name: &str) -> Level {
    match name {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" | "warning" => Level::Warn,
        "error" => Level::Error,
        "fatal" => Level::Fatal,
        "panic" => Level::Panic,
        other => panic!("a new level {other}"),
    }
}

fn format(name: &str) -> LogFormat {
    match name {
        "default" => LogFormat::Default,
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => panic!("a new format {other}"),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut have) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("{other} is not base64"),
        };
        bits = (bits << 6) | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push(u8::try_from((bits >> have) & 0xff).unwrap());
        }
    }
    bytes
}

/// `<x repeated N times>` is what it says.
fn unfold(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<x repeated ") else {
        return text.to_owned();
    };
    let (count, after) = rest.split_once(" times>").unwrap();
    format!("{before}{}{}", "x".repeat(count.parse().unwrap()), unfold(after))
}

/// The bytes of a field, which is called `…_b64` where they are no UTF-8.
fn bytes(case: &Value, field: &str) -> Option<Vec<u8>> {
    match (case[field].as_str(), case[format!("{field}_b64")].as_str()) {
        (Some(text), _) => Some(unfold(text).into_bytes()),
        (None, Some(coded)) => Some(base64(coded)),
        (None, None) => None,
    }
}

fn replaced(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|w| w == from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    [out.as_slice(), rest].concat()
}

/// The rule by which a job's output becomes lines: LF or CR LF ends one; what is left at the end is one too, and
/// 64 KiB are the most of one, with a mark (design §4 row 13). The product's own splitter has its tests in `process`.
fn lines(output: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = output.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    for line in &mut lines {
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() >= 65_536 {
            line.truncate(65_536);
            line.extend_from_slice(b" (cut)");
        }
    }
    lines
}

/// Row 14 is escaping and nothing else: undone, the bytes must be the original's.
fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first().unwrap();
        rest = after;
        let mut code = |digits: usize| {
            let (text, after) = rest.split_at(digits);
            rest = after;
            u32::from_str_radix(std::str::from_utf8(text).unwrap(), 16).unwrap()
        };
        match kind {
            b'x' => out.push(u8::try_from(code(2)).unwrap()),
            b'u' => out.extend_from_slice(char::from_u32(code(4)).unwrap().to_string().as_bytes()),
            b'a' => out.push(0x07),
            b'b' => out.push(0x08),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'"' | b'\\' => out.push(kind),
            other => panic!("an escape \\{}", char::from(other)),
        }
    }
    out
}

/// What the original prints for a line it doesn't lose: the first line of "two lines" with another text in it.
fn in_place_of_one(two_lines: &str, line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8(line.to_vec()).unwrap();
    let template = two_lines.split_inclusive('\n').next().unwrap();
    let quoted = if line.contains(' ') { format!("msg=\"{line}\" ") } else { format!("msg={line} ") };
    let filled = match template {
        t if t.contains("msg=one ") => t.replace("msg=one ", &quoted),
        t => t.replace("one", &line),
    };
    filled.into_bytes()
}

#[test]
fn every_golden_case() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/logformats.json")).unwrap();
    assert_eq!(cases.len(), 474);
    let mut wrong = Vec::new();
    let mut differing = 0;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let format_name = case["format"].as_str().unwrap();
        let mut formatter = Formatter::new(format(format_name), None, Zone::utc());
        let mut printed = Vec::new();
        let mut records = 1;
        let mut output = Vec::new();
        if let Some(writes) = bytes(case, "job_writes") {
            output = lines(&writes);
            records = output.len();
            for line in &output {
                formatter.write(&Record::line(moment(), Origin::Job("web"), Some(PID), line), &mut printed);
            }
        } else {
            let fields = case["fields"].as_object().unwrap();
            let message = bytes(case, "message").unwrap();
            let mut record = Record::own(moment(), level(case["level"].as_str().unwrap()), "");
            record.message = &message;
            for (key, value) in fields {
                match key.as_str() {
                    "job" => record.origin = Origin::Job(value.as_str().unwrap()),
                    "check" => record.origin = Origin::Check(value.as_str().unwrap()),
                    "pid" => record.pid = Some(i32::try_from(value.as_i64().unwrap()).unwrap()),
                    other => panic!("a new field {other}"),
                }
            }
            // The filter of `Log`; its own tests are beside it.
            if record.level >= level(case["logging_level"].as_str().unwrap()) {
                formatter.write(&record, &mut printed);
            }
        }
        let time = if format_name == "text" { SECONDS } else { NANOS };
        let fill = |text: &[u8]| {
            let pid = PID.to_string();
            let text = replaced(text, "\"pid\":\"<PID>\"", &format!("\"pid\":{pid}"));
            replaced(&replaced(&text, "<PID>", &pid), "<TIME>", time)
        };
        let mut expected = fill(&bytes(case, "printed").unwrap());
        let mut found = printed.clone();
        match case["differs"].as_u64() {
            None => {}
            Some(13) => {
                differing += 1;
                let two = format!("{format_name}, output of a job: two lines");
                let two = cases.iter().find(|c| c["name"] == two.as_str()).unwrap()["printed"].as_str().unwrap();
                expected = fill(&output.iter().flat_map(|line| in_place_of_one(two, line)).collect::<Vec<u8>>());
                assert_ne!(fill(&bytes(case, "printed").unwrap()), expected, "{name}: no difference any more");
            }
            Some(14) => {
                differing += 1;
                let newlines = printed.split_inclusive(|b| *b == b'\n').count();
                assert_eq!(newlines, records, "{name}: a record must be one line");
                assert_ne!(printed, expected, "{name}: no difference any more");
                found = without_escapes(&printed);
            }
            Some(other) => panic!("{name}: differs by row {other}, which is not about logs"),
        }
        if found != expected {
            let show = |b: &[u8]| b.escape_ascii().to_string().chars().take(300).collect::<String>();
            wrong.push(format!("{name}\n  expected {}\n  found    {}", show(&expected), show(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(differing, 56);
}
