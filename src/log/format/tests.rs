use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::super::record::Origin;
use super::*;

fn print(format: LogFormat, terminal: bool, record: &Record<'_>) -> Vec<u8> {
    let start = terminal.then_some(UNIX_EPOCH);
    let mut out = Vec::new();
    Formatter::new(format, start, Zone::utc()).write(record, &mut out);
    out
}

fn text(format: LogFormat, terminal: bool, record: &Record<'_>) -> String {
    String::from_utf8(print(format, terminal, record)).unwrap()
}

fn record<'a>(message: &'a [u8], fields: &'a [(&'a str, Value<'a>)]) -> Record<'a> {
    let time = UNIX_EPOCH + Duration::from_millis(3500);
    Record { time, level: Level::Warn, origin: Origin::Job("web"), pid: Some(7), stream: None, message, fields }
}

const FIELDS: &[(&str, Value<'_>)] = &[
    ("signal", Value::Text("SIGTERM")),
    ("time", Value::Uint(1)),
    ("elapsed", Value::Float(0.5)),
    ("attempt", Value::Int(-2)),
    ("last", Value::Bool(true)),
    ("why", Value::Text("no \"luck\"")),
    ("ratio", Value::Float(f64::NAN)),
];

#[test]
fn extra_fields_are_sorted_in_text_and_json_and_not_shown_by_default() {
    let r = record(b"hi", FIELDS);
    assert_eq!(text(LogFormat::Default, false, &r), "1970-01-01T00:00:03.5Z web 7 hi\n");
    assert_eq!(
        text(LogFormat::Text, false, &r),
        "time=\"1970-01-01T00:00:03Z\" level=warning msg=hi attempt=-2 elapsed=0.5 fields.time=1 job=web last=true \
         pid=7 ratio=NaN signal=SIGTERM why=\"no \\\"luck\\\"\" \n"
    );
    assert_eq!(
        text(LogFormat::Json, false, &r),
        "{\"attempt\":-2,\"elapsed\":0.5,\"fields.time\":1,\"job\":\"web\",\"last\":true,\"level\":\"warning\",\
         \"msg\":\"hi\",\"pid\":7,\"ratio\":\"NaN\",\"signal\":\"SIGTERM\",\"time\":\"1970-01-01T00:00:03.5Z\",\
         \"why\":\"no \\\"luck\\\"\"}\n"
    );
}

#[test]
fn a_terminal_sees_colour_and_seconds_since_the_start() {
    let r = record("grüße".as_bytes(), &[]);
    let wanted =
        format!("\x1b[33mWARN\x1b[0m[0003] grüße{}  \x1b[33mjob\x1b[0m=web \x1b[33mpid\x1b[0m=7\n", " ".repeat(39));
    assert_eq!(text(LogFormat::Text, true, &r), wanted);
    // The other formats have no colour.
    for format in [LogFormat::Default, LogFormat::Json] {
        assert_eq!(text(format, true, &r), text(format, false, &r));
    }
    let long = [b'x'; 60];
    assert!(text(LogFormat::Text, true, &record(&long, &[])).contains("x  \x1b[33mjob"));
}

#[test]
fn text_quotes_as_go_does() {
    let message = b"\"\\\x00\x07\x08\x0c\n\r\t\x0b\x1b\x7f\xc2\x85\xff\xe6\x97 \xe6\x97\xa5\xc2\xa0";
    let wanted = r#"msg="\"\\\x00\a\b\f\n\r\t\v\x1b\x7f\u0085\xff\xe6\x97 日"#;
    let printed = text(LogFormat::Text, false, &record(message, &[]));
    assert!(printed.contains(&format!("{wanted}\u{a0}\"")), "{printed}");
}

/// The value of `msg` in a line of the text format, read back.
fn unquote(line: &[u8]) -> Vec<u8> {
    let start = b"time=\"1970-01-01T00:00:03Z\" level=warning msg=";
    let rest = line.strip_prefix(start).expect("a message");
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        return rest.split(|b| *b == b' ').next().unwrap().to_vec();
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().copied();
    loop {
        match bytes.next().expect("an end quote") {
            b'"' => return value,
            b'\\' => match bytes.next().unwrap() {
                b'x' => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    value.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                b'u' => {
                    let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                    let code = u32::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
                    value.extend_from_slice(char::from_u32(code).unwrap().to_string().as_bytes());
                }
                short => value.push(match short {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    other => other,
                }),
            },
            byte => value.push(byte),
        }
    }
}

/// Bytes as jobs write them: text, control characters and what is no UTF-8.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,12}".prop_map(String::into_bytes),
        "\\PC{0,6}".prop_map(String::into_bytes),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..6),
        prop::collection::vec(0_u8..32, 0..3),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.split(|b| *b == b'\n').skip(1).count()
}

proptest! {
    #[test]
    fn every_format_gives_one_line_a_record(message in messages(), name in "\\PC{0,8}") {
        let mut r = record(&message, FIELDS);
        r.origin = Origin::Job(&name);
        for (format, terminal) in [(LogFormat::Text, false), (LogFormat::Json, false)] {
            let line = print(format, terminal, &r);
            prop_assert_eq!(newlines(&line), 1);
            prop_assert_eq!(line.last(), Some(&b'\n'));
        }
        // Here a message keeps its own newlines, as in the original; a job's line has none.
        let own = newlines(&message);
        for (format, terminal) in [(LogFormat::Default, false), (LogFormat::Text, true)] {
            let line = print(format, terminal, &r);
            prop_assert_eq!(newlines(&line), own + 1);
            prop_assert_eq!(line.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn json_is_json_and_lossy_only_where_it_must_be(message in messages()) {
        let line = print(LogFormat::Json, false, &record(&message, &[]));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let mut wanted = String::new();
        for chunk in message.utf8_chunks() {
            wanted.push_str(chunk.valid());
            wanted.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
        }
        prop_assert_eq!(value["msg"].as_str(), Some(wanted.as_str()));
        prop_assert_eq!(value["pid"].as_i64(), Some(7));
    }

    #[test]
    fn text_loses_no_byte(message in messages()) {
        prop_assume!(!message.is_empty());
        prop_assert_eq!(unquote(&print(LogFormat::Text, false, &record(&message, &[]))), message);
    }

    #[test]
    fn the_default_format_passes_every_byte_on(message in messages()) {
        let line = print(LogFormat::Default, false, &record(&message, &[]));
        let wanted = [b"1970-01-01T00:00:03.5Z web 7 ", message.as_slice(), b"\n"].concat();
        prop_assert_eq!(line, wanted);
    }

    #[test]
    fn a_frame_is_only_for_those_whose_it_is(
        records in prop::collection::vec((0_u8..3, 0_u8..3, prop::option::of(0_i32..3), 0_u64..2, messages()), 1..20)
    ) {
        for format in [LogFormat::Default, LogFormat::Json, LogFormat::Text] {
            let mut formatter = Formatter::new(format, None, Zone::utc());
            for (kind, name, pid, time, message) in &records {
                let name = ["a", "b", "<c>"][usize::from(*name)];
                let origin = [Origin::Own, Origin::Job(name), Origin::Check(name)][usize::from(*kind)];
                let time = UNIX_EPOCH + Duration::from_millis(*time);
                let level = if time == UNIX_EPOCH { Level::Info } else { Level::Warn };
                let record = Record { time, level, origin, pid: *pid, stream: None, message, fields: &[] };
                let (mut framed, mut plain) = (Vec::new(), Vec::new());
                formatter.write(&record, &mut framed);
                let mut other = Formatter::new(format, None, Zone::utc());
                match format {
                    LogFormat::Json => other.json(&record, &mut plain),
                    LogFormat::Text => other.text(&record, &mut plain),
                    LogFormat::Default => {
                        other.write(&record, &mut plain);
                        plain.pop();
                    }
                }
                plain.push(b'\n');
                prop_assert_eq!(&framed, &plain);
                prop_assert!(formatter.begin(&record));
                formatter.go_on(&record, &mut framed);
                prop_assert_eq!(framed, plain.repeat(2));
            }
        }
    }
}

#[test]
fn neither_a_name_nor_what_we_say_of_it_is_obeyed_by_a_terminal() {
    let odd = "a\u{1b}[31mb";
    let r = Record { origin: Origin::Job(odd), ..record(b"\x1b[1mhis own", &[]) };
    assert_eq!(
        text(LogFormat::Default, false, &r),
        "1970-01-01T00:00:03.5Z a\\x1b[31mb 7 \u{1b}[1mhis own\n",
        "what a job writes stays as it is"
    );
    let said = format!("{odd} exited");
    let r = Record { origin: Origin::Own, pid: None, ..record(said.as_bytes(), &[]) };
    assert_eq!(text(LogFormat::Default, false, &r), "1970-01-01T00:00:03.5Z a\\x1b[31mb exited\n");
    // The other kind of control characters, and those that turn what comes after them around; all else is as it is.
    for (odd, shown) in [
        ("ü\u{9b}31m日\u{85}", "ü\\x9b31m日\\x85"),
        ("a\u{202e}b\u{61c}", "a\\u{202e}b\\u{61c}"),
        ("\t\n\r\u{7f}", "\t\n\\r\\x7f"),
    ] {
        let r = Record { origin: Origin::Job(odd), ..record(odd.as_bytes(), &[]) };
        assert_eq!(text(LogFormat::Default, false, &r), format!("1970-01-01T00:00:03.5Z {shown} 7 {odd}\n"));
        let r = Record { origin: Origin::Own, pid: None, ..record(odd.as_bytes(), &[]) };
        assert_eq!(text(LogFormat::Default, false, &r), format!("1970-01-01T00:00:03.5Z {shown}\n"));
        assert!(text(LogFormat::Text, true, &r).starts_with(&format!("\x1b[33mWARN\x1b[0m[0003] {shown} ")));
    }
}
