//! From a record to bytes: the formats of v3 §17, byte for byte but for design §4 row 14.
//!
//! ```text
//! default  2026-11-22T06:52:00.53670561Z web 4869 hi there
//! text     time="2026-11-22T06:52:00Z" level=info msg="hi there" job=web pid=4869 ⏎   (a space before the newline)
//! json     {"job":"web","level":"info","msg":"hi there","pid":4869,"time":"2026-11-22T06:52:00.53670561Z"}
//! text on a terminal
//!          INFO[0003] hi there                                      job=web pid=4869
//! ```
//!
//! `default` and the terminal pass every byte on, newlines included. `text` escapes inside quotes as Go does: quote,
//! backslash, control characters and bytes that are no UTF-8, so that a record is one line and can be read back.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use super::frame::Frame;
use super::record::{Origin, Record, Value};
use super::time::{Stamper, Zone};
use crate::plan::{Level, LogFormat};
use crate::visible::is_odd;

/// Gives records their shape.
#[derive(Debug, Clone)]
pub struct Formatter {
    format: LogFormat,
    /// Since when seconds are counted, if the lines go to a terminal.
    terminal: Option<SystemTime>,
    stamper: Stamper,
    frame: Frame,
}

impl Formatter {
    /// A formatter. `terminal` is the start of the program if the output is a terminal that wants colour: it changes
    /// the text format only, whose lines then begin with the seconds since.
    pub fn new(format: LogFormat, terminal: Option<SystemTime>, zone: Zone) -> Self {
        Self { format, terminal, stamper: Stamper::new(zone), frame: Frame::default() }
    }

    /// From now on writes another format.
    pub(super) fn change(&mut self, format: LogFormat, terminal: Option<SystemTime>) {
        self.format = format;
        self.terminal = terminal;
        self.frame.forget();
    }

    /// Appends the record with its newline.
    pub fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        if self.begin(record) {
            return self.go_on(record, out);
        }
        match (self.format, self.terminal) {
            (LogFormat::Text, Some(start)) => coloured(record, start, out),
            (LogFormat::Json, _) => self.json(record, out),
            (LogFormat::Text | LogFormat::Default, _) => self.text(record, out),
        }
        out.push(b'\n');
    }

    /// Whether this record, and those that differ from it in nothing but the message, have a frame. Then it is ready, and
    /// [`Self::go_on`] writes them.
    pub(super) fn begin(&mut self, record: &Record<'_>) -> bool {
        let has_frame = match self.format {
            LogFormat::Default => true,
            LogFormat::Json => record.fields.is_empty(),
            LogFormat::Text => record.fields.is_empty() && self.terminal.is_none(),
        };
        if has_frame && !self.frame.is_of(record) {
            self.frame.begin(record);
            self.make_frame(record);
        }
        has_frame
    }

    /// Appends a record for which [`Self::begin`] has said yes, with its newline.
    pub(super) fn go_on(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.frame.before);
        match self.format {
            LogFormat::Default => shown_message(record, out),
            LogFormat::Json => json_string(record.message, out),
            LogFormat::Text => message(record, out),
        }
        out.extend_from_slice(&self.frame.after);
        out.push(b'\n');
    }

    /// What stands before the message of a record for which [`Self::begin`] has said yes, if the message is passed on as it is and
    /// nothing but the newline comes after it.
    pub(super) fn all_but_the_message(&self, record: &Record<'_>) -> Option<&[u8]> {
        let as_it_is = self.format == LogFormat::Default && !matches!(record.origin, Origin::Own);
        (as_it_is && self.frame.after.is_empty()).then_some(&self.frame.before)
    }

    fn make_frame(&mut self, record: &Record<'_>) {
        let Self { frame: Frame { before, after, .. }, stamper, .. } = self;
        match self.format {
            LogFormat::Default => {
                stamper.nanos(record.time, before);
                before.push(b' ');
                if let Some(("job", name)) = record.origin.field() {
                    visible(name.as_bytes(), before);
                    before.push(b' ');
                }
                if let Some(pid) = record.pid {
                    number(pid, before);
                    before.push(b' ');
                }
            }
            // In the order of the keys: check, job, level, msg, pid, time.
            LogFormat::Json => {
                before.push(b'{');
                if let Some((key, name)) = record.origin.field() {
                    json_string(key.as_bytes(), before);
                    before.push(b':');
                    json_string(name.as_bytes(), before);
                    before.push(b',');
                }
                before.extend_from_slice(b"\"level\":\"");
                before.extend_from_slice(level_name(record.level).as_bytes());
                before.extend_from_slice(b"\",\"msg\":");
                if let Some(pid) = record.pid {
                    after.extend_from_slice(b",\"pid\":");
                    number(pid, after);
                }
                after.extend_from_slice(b",\"time\":\"");
                stamper.nanos(record.time, after);
                after.extend_from_slice(b"\"}");
            }
            LogFormat::Text => {
                head(stamper, record, before);
                fields(record, after);
            }
        }
    }

    fn text(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        head(&mut self.stamper, record, out);
        message(record, out);
        fields(record, out);
    }

    fn json(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let mut data = data(record);
        let level = Datum::Bytes(level_name(record.level).as_bytes());
        let fixed = [("level", level), ("msg", Datum::Bytes(record.message)), ("time", Datum::Time)];
        data.extend(fixed.map(|(key, datum)| (Cow::Borrowed(key), datum)));
        data.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut before = b'{';
        for (key, datum) in data {
            out.push(before);
            before = b',';
            json_string(key.as_bytes(), out);
            out.push(b':');
            match datum {
                Datum::Value(Value::Int(n)) => number(n, out),
                Datum::Value(Value::Uint(n)) => number(n, out),
                Datum::Value(Value::Float(n)) if n.is_finite() => number(n, out),
                Datum::Value(Value::Bool(b)) => number(b, out),
                Datum::Value(Value::Text(text)) => json_string(text.as_bytes(), out),
                Datum::Value(Value::Float(n)) => json_string(n.to_string().as_bytes(), out),
                Datum::Bytes(bytes) => json_string(bytes, out),
                Datum::Time => {
                    out.push(b'"');
                    self.stamper.nanos(record.time, out);
                    out.push(b'"');
                }
            }
        }
        out.push(b'}');
    }
}

/// A message that is not quoted. A job's own colours are left alone.
fn shown_message(record: &Record<'_>, out: &mut Vec<u8>) {
    match record.origin {
        Origin::Own => visible(record.message, out),
        Origin::Job(_) | Origin::Check(_) => out.extend_from_slice(record.message),
    }
}

/// What we say ourselves, and the name of a job, which may have an escape in it: the original takes any. It is told as what it
/// is, so that no name colours the terminal or turns its line around. A line break stays one, as in the original.
fn visible(text: &[u8], out: &mut Vec<u8>) {
    let special = |c: char| is_odd(c) && !matches!(c, '\t' | '\n');
    let escape = |c: char, out: &mut Vec<u8>| match u8::try_from(u32::from(c)) {
        // `\r`, `\x1b`, `\x9b`
        Ok(byte) => out.extend(byte.escape_ascii()),
        Err(_) => out.extend(c.escape_unicode().map(|c| u8::try_from(c).unwrap_or(b'?'))),
    };
    escaped(text, out, &PLAIN_IN_DEFAULT, special, escape, |byte, out| out.push(byte));
}

/// The beginning of a record in the text format.
fn head(stamper: &mut Stamper, record: &Record<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"time=\"");
    stamper.seconds(record.time, out);
    out.extend_from_slice(b"\" level=");
    out.extend_from_slice(level_name(record.level).as_bytes());
    out.push(b' ');
}

/// Its message in the text format, if there is one.
fn message(record: &Record<'_>, out: &mut Vec<u8>) {
    if !record.message.is_empty() {
        out.extend_from_slice(b"msg=");
        text_value(Datum::Bytes(record.message), out);
        out.push(b' ');
    }
}

/// What else it says, in the text format.
fn fields(record: &Record<'_>, out: &mut Vec<u8>) {
    for (key, datum) in data(record) {
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        text_value(datum, out);
        out.push(b' ');
    }
}

/// What stands behind a key.
#[derive(Clone, Copy)]
enum Datum<'a> {
    Bytes(&'a [u8]),
    Value(Value<'a>),
    /// The record's time, in the format's own precision.
    Time,
}

/// Everything that a record says beside its message, level and time, sorted by key. A field that is called like one
/// of those gets `fields.` before its name, as in the original's logger.
fn data<'a>(record: &Record<'a>) -> Vec<(Cow<'a, str>, Datum<'a>)> {
    let mut data = Vec::with_capacity(record.fields.len() + 5);
    data.extend(record.origin.field().map(|(key, name)| (Cow::Borrowed(key), Datum::Bytes(name.as_bytes()))));
    data.extend(record.pid.map(|pid| (Cow::Borrowed("pid"), Datum::Value(Value::Int(pid.into())))));
    for &(key, value) in record.fields {
        let key = match key {
            "time" | "level" | "msg" => Cow::Owned(format!("fields.{key}")),
            _ => Cow::Borrowed(key),
        };
        data.push((key, Datum::Value(value)));
    }
    if !record.fields.is_empty() {
        data.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    data
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warning",
        Level::Error => "error",
        Level::Fatal => "fatal",
        Level::Panic => "panic",
    }
}

/// Prints a number; writing to a `Vec` can't fail.
fn number(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{number}");
}

/// One line for people at a terminal, as the original's logger paints it.
fn coloured(record: &Record<'_>, start: SystemTime, out: &mut Vec<u8>) {
    let (colour, word) = match record.level {
        Level::Debug => (37, "DEBU"),
        Level::Info => (36, "INFO"),
        Level::Warn => (33, "WARN"),
        Level::Error => (31, "ERRO"),
        Level::Fatal => (31, "FATA"),
        Level::Panic => (31, "PANI"),
    };
    let seconds = record.time.duration_since(start).unwrap_or(Duration::ZERO).as_secs();
    let _ = write!(out, "\x1b[{colour}m{word}\x1b[0m[{seconds:04}] ");
    shown_message(record, out);
    // Fields begin in one column, as long as messages are short.
    let width = String::from_utf8_lossy(record.message).chars().count();
    out.resize(out.len() + 44_usize.saturating_sub(width), b' ');
    out.push(b' ');
    for (key, datum) in data(record) {
        let _ = write!(out, " \x1b[{colour}m{key}\x1b[0m=");
        text_value(datum, out);
    }
}

/// A value of the text format: bare if it is of letters, digits, `-` and `.` only, else quoted.
fn text_value(datum: Datum<'_>, out: &mut Vec<u8>) {
    let bytes = match datum {
        Datum::Bytes(bytes) => bytes,
        Datum::Value(Value::Text(text)) => text.as_bytes(),
        Datum::Value(Value::Int(n)) => return number(n, out),
        Datum::Value(Value::Uint(n)) => return number(n, out),
        Datum::Value(Value::Float(n)) => return number(n, out),
        Datum::Value(Value::Bool(b)) => return number(b, out),
        Datum::Time => return, // Written before, by the format itself.
    };
    if bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    let special = |c: char| matches!(c, '"' | '\\') || c.is_control();
    escaped(bytes, out, &PLAIN_IN_TEXT, special, quote_character, |byte, out| {
        let _ = write!(out, "\\x{byte:02x}");
    });
    out.push(b'"');
}

/// A character inside quotes in Go's spelling.
fn quote_character(c: char, out: &mut Vec<u8>) {
    let short = match c {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\x07' => "\\a",
        '\x08' => "\\b",
        '\x0c' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\x0b' => "\\v",
        _ => {
            let code = u32::from(c);
            let _ = if code < 0x80 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{code:04x}") };
            return;
        }
    };
    out.extend_from_slice(short.as_bytes());
}

fn json_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    json_escaped(bytes, out);
    out.push(b'"');
}

/// The inside of a JSON string in the spelling of Go's encoder, which is safe inside HTML and JavaScript; every byte
/// that is no UTF-8 becomes U+FFFD.
fn json_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let special = |c: char| matches!(c, '\0'..='\x1f' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    let escape = |c: char, out: &mut Vec<u8>| {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
                return;
            }
        };
        out.extend_from_slice(short.as_bytes());
    };
    escaped(bytes, out, &PLAIN_IN_JSON, special, escape, |_, out| out.extend_from_slice(b"\\ufffd"));
}

/// The bytes that a string of JSON has as they are. A look at a table is a third of the work of asking.
static PLAIN_IN_JSON: [bool; 256] = plain_but_for(b"\"\\<>&", true);
/// Those that a quoted text has.
static PLAIN_IN_TEXT: [bool; 256] = plain_but_for(b"\"\\", false);

/// Those that we say ourselves as they are. The two others that are left alone are rare.
static PLAIN_IN_DEFAULT: [bool; 256] = plain_but_for(b"", false);

/// Printable ASCII without these, and whether DEL is among it.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn plain_but_for(special: &[u8], del: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = b' ';
    while byte < 0x7f {
        table[byte as usize] = true;
        byte += 1;
    }
    let mut at = 0;
    while at < special.len() {
        table[special[at] as usize] = false;
        at += 1;
    }
    table[0x7f] = del;
    table
}

/// Copies text; special characters and the bytes that are no UTF-8 in another spelling.
fn escaped(
    bytes: &[u8],
    out: &mut Vec<u8>,
    plain: &[bool; 256],
    special: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut Vec<u8>),
    invalid: impl Fn(u8, &mut Vec<u8>),
) {
    let mut rest = bytes;
    // Most text is ASCII without anything special: long runs are copied as they are.
    while let Some(at) = rest.iter().position(|&b| plain.get(usize::from(b)) != Some(&true))
        && let Some((clean, tail)) = rest.split_at_checked(at)
    {
        out.extend_from_slice(clean);
        // No ASCII byte is ever part of another character.
        let foreign = tail.iter().take_while(|b| !b.is_ascii()).count();
        let (piece, after) = tail.split_at_checked(foreign.max(1)).unwrap_or((tail, &[]));
        for chunk in piece.utf8_chunks() {
            for c in chunk.valid().chars() {
                if special(c) {
                    escape(c, out);
                } else {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            chunk.invalid().iter().for_each(|&byte| invalid(byte, out));
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests;
