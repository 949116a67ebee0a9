//! The functions by name, what they take, and the ones that ContainerPilot added.

use std::rc::Rc;

use super::budget::{BYTES_PER_STEP, Budget, Failure, MAX_TEXT, too_long};
use super::error::Class;
use super::printf;
use super::quote::{Show, quote};
use super::values::{List, Text, Value, int};
use super::{builtins, compare, escape, regexp, runes};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// `string`.
    String,
    /// `[]string`.
    Strings,
    /// Anything.
    Any,
}

impl Parameter {
    /// The type as Go prints it.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Strings => "[]string",
            Self::Any => "interface {}",
        }
    }
}

/// What evaluates a function: its arguments are of the right types and number.
type Body = fn(&[Value], &mut Context<'_>) -> Result<Value, Failure>;

/// What functions may use beside their arguments.
pub(super) struct Context<'c> {
    pub(super) environment: &'c Value,
    pub(super) budget: &'c mut Budget,
}

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The parameters that are always there.
    pub(super) fixed: &'static [Parameter],
    /// Any number of these may follow.
    pub(super) variadic: Option<Parameter>,
    /// `and` and `or` don't evaluate all their arguments; they stop at the first that is this.
    pub(super) stops_at: Option<bool>,
    pub(super) body: Body,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn fixed(name: &'static str, fixed: &'static [Parameter], body: Body) -> Function {
    Function { name, fixed, variadic: None, stops_at: None, body }
}

const fn variadic(name: &'static str, fixed: &'static [Parameter], body: Body) -> Function {
    Function { name, fixed, variadic: Some(Parameter::Any), stops_at: None, body }
}

const fn logic(name: &'static str, stops_at: bool) -> Function {
    // The evaluator never calls them: it returns the argument at which they stop, or the last.
    let body: Body = |arguments, _| Ok(arguments.last().cloned().unwrap_or(Value::Nil));
    Function { name, fixed: &[Parameter::Any], variadic: Some(Parameter::Any), stops_at: Some(stops_at), body }
}

use Parameter::{Any, String as Str, Strings};

static FUNCTIONS: [Function; 26] = [
    logic("and", false),
    variadic("call", &[Any], builtins::call),
    fixed("default", &[Any, Any], default),
    fixed("env", &[Str], env),
    variadic("eq", &[Any], compare::eq),
    fixed("ge", &[Any, Any], compare::ge),
    fixed("gt", &[Any, Any], compare::gt),
    variadic("html", &[], escape::html),
    variadic("index", &[Any], builtins::index),
    fixed("join", &[Str, Strings], join),
    variadic("js", &[], escape::js),
    fixed("le", &[Any, Any], compare::le),
    fixed("len", &[Any], builtins::len),
    variadic("loop", &[], loop_numbers),
    fixed("lt", &[Any, Any], compare::lt),
    fixed("ne", &[Any, Any], compare::ne),
    fixed("not", &[Any], builtins::not),
    logic("or", true),
    variadic("print", &[], builtins::print),
    variadic("printf", &[Str], builtins::printf),
    variadic("println", &[], builtins::println),
    fixed("regexReplaceAll", &[Str, Str, Str], regex_replace_all),
    fixed("replaceAll", &[Str, Str, Str], replace_all),
    variadic("slice", &[Any], builtins::slice),
    fixed("split", &[Str, Str], split),
    variadic("urlquery", &[], escape::urlquery),
];

/// The function of a name.
pub(super) fn find(name: &[u8]) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name.as_bytes() == name)
}

/// An argument as text; the evaluator has checked its type.
pub(super) fn text(arguments: &[Value], index: usize) -> Text {
    match arguments.get(index) {
        Some(Value::String(text)) => Rc::clone(text),
        _ => Text::default(),
    }
}

/// The second argument if it is a text that isn't empty, else the first as text.
fn default(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    match arguments {
        [_, Value::String(text)] if !text.is_empty() => Ok(Value::String(Rc::clone(text))),
        [Value::String(text), _] => Ok(Value::String(Rc::clone(text))),
        [value, ..] => printf::value_text(value, context.budget),
        [] => Ok(Value::Nil),
    }
}

fn env(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let name = text(arguments, 0);
    context.budget.spend_text(name.len())?;
    let value = match context.environment {
        Value::Environment(variables) => variables.get(&name).cloned(),
        _ => None,
    };
    Ok(Value::String(value.unwrap_or_default()))
}

fn split(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let (separator, whole) = (text(arguments, 0), text(arguments, 1));
    context.budget.spend_text(whole.len())?;
    let mut rest = trim(&whole);
    let mut parts: Vec<Text> = Vec::new();
    if separator.is_empty() {
        for (_, bytes) in runes::runes(rest) {
            context.budget.spend(1)?;
            parts.push(bytes.into());
        }
    } else if !rest.is_empty() {
        while let Some(found) = find_bytes(rest, &separator, context.budget)? {
            context.budget.spend(1)?;
            parts.push(rest.get(..found).unwrap_or_default().into());
            rest = rest.get(found + separator.len()..).unwrap_or_default();
        }
        parts.push(rest.into());
    }
    Ok(Value::Strings(List::new(parts)))
}

/// Without Unicode's white space at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let Some((c, length)) = runes::decode(text)
        && c.is_whitespace()
    {
        text = text.get(length..).unwrap_or_default();
    }
    while let Some((c, length)) = runes::decode_last(text)
        && c.is_whitespace()
    {
        text = text.get(..text.len() - length).unwrap_or_default();
    }
    text
}

/// Where `pattern`, which is not empty, begins in `text`. Who asks has paid for the text; what is compared beyond that, where
/// the pattern nearly stands again and again, is paid here.
fn find_bytes(text: &[u8], pattern: &[u8], budget: &mut Budget) -> Result<Option<usize>, Failure> {
    let mut compared = 0;
    let mut from = 0;
    while let Some(rest) = text.get(from..) {
        let Some(found) = rest.iter().position(|byte| pattern.first() == Some(byte)).map(|at| from + at) else { break };
        let tail = text.get(found..).unwrap_or_default();
        let same = tail.iter().zip(pattern).take_while(|(byte, wanted)| byte == wanted).count();
        compared += same;
        budget.spend(compared / BYTES_PER_STEP)?;
        compared %= BYTES_PER_STEP;
        if same == pattern.len() {
            return Ok(Some(found));
        }
        from = found + 1;
    }
    Ok(None)
}

fn join(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let separator = text(arguments, 0);
    let Some(Value::Strings(list)) = arguments.get(1) else { return Ok(Value::String(Text::default())) };
    let parts = list.as_slice();
    context.budget.spend(parts.len())?;
    let length = parts.iter().map(|part| part.len()).sum::<usize>()
        + separator.len().saturating_mul(parts.len().saturating_sub(1));
    context.budget.spend_text(length)?;
    Ok(Value::string(parts.join(&separator[..])))
}

fn replace_all(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let (from, to, whole) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    context.budget.spend_text(whole.len())?;
    let mut out = Vec::with_capacity(whole.len());
    if from.is_empty() {
        // Between all characters, and at both ends.
        out.extend_from_slice(&to);
        for (_, bytes) in runes::runes(&whole) {
            out.extend_from_slice(bytes);
            push_bounded(&mut out, &to)?;
        }
    } else {
        let mut rest = &whole[..];
        while let Some(found) = find_bytes(rest, &from, context.budget)? {
            out.extend_from_slice(rest.get(..found).unwrap_or_default());
            push_bounded(&mut out, &to)?;
            rest = rest.get(found + from.len()..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
    }
    context.budget.spend_text(out.len())?;
    Ok(Value::string(out))
}

/// Appends to a text that must not become too long.
fn push_bounded(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Failure> {
    out.extend_from_slice(text);
    if out.len() > MAX_TEXT { Err(too_long()) } else { Ok(()) }
}

fn regex_replace_all(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let (pattern, to, whole) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    context.budget.spend_text(pattern.len() + whole.len())?;
    let regexp = regexp::Regexp::new(&pattern)?;
    let out = regexp.replace_all(&whole, &to, context.budget)?;
    context.budget.spend_text(out.len())?;
    Ok(Value::string(out))
}

fn loop_numbers(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let (start, stop) = match arguments {
        [stop] => (0, loop_bound(stop, 0)?),
        [start, stop] => (loop_bound(start, 0)?, loop_bound(stop, 1)?),
        _ => {
            let count = arguments.len();
            let message = format!("loop: wrong number of arguments, expected 1 or 2, but got {count}");
            return Err(Failure::new(Class::ArgumentCount, message));
        }
    };
    // Paid before anything is made: a list of a milliard elements fails at once.
    let length = usize::try_from(start.abs_diff(stop)).unwrap_or(usize::MAX);
    context.budget.spend(length)?;
    let numbers: Vec<i64> = if start <= stop { (start..stop).collect() } else { (stop + 1..=start).rev().collect() };
    Ok(Value::Ints(List::new(numbers)))
}

/// A whole number, or text that is one in decimal digits: the argument of this number.
fn loop_bound(value: &Value, argument: usize) -> Result<i64, Failure> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::String(text) => atoi(text, argument),
        Value::Nil => Err(not_an_int("nil")),
        _ => Err(not_an_int(value.type_name())),
    }
}

fn not_an_int(found: &str) -> Failure {
    Failure::new(Class::ArgumentType, format!("interface conversion: interface {{}} is {found}, not int"))
}

/// Go's `strconv.Atoi` of an argument.
fn atoi(text: &[u8], argument: usize) -> Result<i64, Failure> {
    let error = |reason: &str| {
        let quoted = quote(text, Show::Printable);
        let told = format!("strconv.Atoi: parsing \"…\": {reason}");
        let message = format!("strconv.Atoi: parsing {quoted}: {reason}");
        Failure::repeating(Class::NotAnInteger, argument, message, told)
    };
    let digits = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(error("invalid syntax"));
    }
    let plain = std::str::from_utf8(text).map_err(|_| error("invalid syntax"))?;
    plain.parse().map_err(|_| error("value out of range"))
}

/// A length as a value.
pub(super) fn length_value(length: usize) -> Value {
    Value::Int(int(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(find(b"regexReplaceAll").is_some() && find(b"nofunc").is_none());
    }

    #[test]
    fn text_is_trimmed_of_unicode_space() {
        assert_eq!(trim("\u{a0}\t a b\u{3000}\n".as_bytes()), b"a b");
        assert_eq!(trim(b"  "), b"");
        assert_eq!(trim(b"\xff "), b"\xff");
    }

    #[test]
    fn atoi_is_gos() {
        assert_eq!(atoi(b"-03", 0).unwrap(), -3);
        assert_eq!(atoi(b"-9223372036854775808", 0).unwrap(), i64::MIN);
        for text in ["", "+", "--1", " 3", "0x3", "1_0", "9223372036854775808"] {
            assert_eq!(atoi(text.as_bytes(), 0).unwrap_err().class, Class::NotAnInteger, "{text}");
        }
    }
}
