//! `html`, `js` and `urlquery`.

use std::fmt::Write as _;

use super::budget::Failure;
use super::funcs::Context;
use super::printf::Printer;
use super::runes::{self, is_print};
use super::values::{Text, Value};

pub(super) fn html(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    escape(arguments, context, |out, c, bytes| match c {
        '\0' => out.extend_from_slice("\u{fffd}".as_bytes()),
        '"' => out.extend_from_slice(b"&#34;"),
        '\'' => out.extend_from_slice(b"&#39;"),
        '&' => out.extend_from_slice(b"&amp;"),
        '<' => out.extend_from_slice(b"&lt;"),
        '>' => out.extend_from_slice(b"&gt;"),
        _ => out.extend_from_slice(bytes),
    })
}

pub(super) fn js(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    escape(arguments, context, |out, c, bytes| match c {
        '\\' | '\'' | '"' => out.extend_from_slice(&[b'\\', bytes.first().copied().unwrap_or_default()]),
        '<' | '>' | '&' | '=' => hexadecimal(out, "\\u", 4, u32::from(c)),
        _ if c < ' ' || (!c.is_ascii() && !is_print(c)) => hexadecimal(out, "\\u", 4, u32::from(c)),
        _ => out.extend_from_slice(bytes),
    })
}

pub(super) fn urlquery(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    escape(arguments, context, |out, c, bytes| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => out.extend_from_slice(bytes),
        ' ' => out.push(b'+'),
        _ => bytes.iter().for_each(|&byte| hexadecimal(out, "%", 2, u32::from(byte))),
    })
}

fn hexadecimal(out: &mut Vec<u8>, prefix: &str, width: usize, code: u32) {
    let mut text = String::new();
    let _ = write!(text, "{prefix}{code:0width$X}");
    out.extend_from_slice(text.as_bytes());
}

/// Makes one text of all arguments, as `print` does, and gives its characters to `each`.
fn escape(
    arguments: &[Value],
    context: &mut Context<'_>,
    each: impl Fn(&mut Vec<u8>, char, &[u8]),
) -> Result<Value, Failure> {
    // Where `print` says `<nil>`, these say what an action prints for it.
    let missing = Text::from(&b"<no value>"[..]);
    let shown = |value: &Value| if *value == Value::Nil { Value::String(missing.clone()) } else { value.clone() };
    let mut printer = Printer::new(context.budget);
    printer.print(&arguments.iter().map(shown).collect::<Vec<_>>());
    let plain = printer.finish()?;
    let mut out = Vec::with_capacity(plain.len());
    for (c, bytes) in runes::runes(&plain) {
        each(&mut out, c, bytes);
    }
    context.budget.spend_text(out.len())?;
    Ok(Value::string(out))
}
