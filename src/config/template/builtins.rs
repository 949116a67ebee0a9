//! Go's built-in functions but for comparing and escaping.

use super::budget::Failure;
use super::error::Class;
use super::funcs::{Context, length_value, text};
use super::printf::{self, Printer};
use super::values::{Value, int};

/// `call FUNCTION …`: a template of ours has no function values.
pub(super) fn call(arguments: &[Value], _: &mut Context<'_>) -> Result<Value, Failure> {
    match arguments.first() {
        None | Some(Value::Nil) => Err(failed("call of nil")),
        Some(value) => Err(Failure::new(Class::NotAFunction, format!("non-function of type {}", value.type_name()))),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of all functions")]
pub(super) fn not(arguments: &[Value], _: &mut Context<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(!arguments.first().is_some_and(Value::is_true)))
}

pub(super) fn len(arguments: &[Value], _: &mut Context<'_>) -> Result<Value, Failure> {
    match arguments.first() {
        None | Some(Value::Nil) => Err(failed("reflect: call of reflect.Value.Type on zero Value")),
        Some(value) => match value.len() {
            Some(length) => Ok(length_value(length)),
            None => Err(failed(format!("len of type {}", value.type_name()))),
        },
    }
}

/// `index VALUE INDEX…`: an element, an element of that, and so on.
pub(super) fn index(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let Some((item, indexes)) = arguments.split_first() else { return Ok(Value::Nil) };
    if *item == Value::Nil {
        return Err(failed("index of untyped nil"));
    }
    let mut item = item.clone();
    for (place, index) in indexes.iter().enumerate() {
        if let Value::String(name) = index {
            context.budget.spend_text(name.len())?;
        }
        item = element(&item, index, place + 1)?;
    }
    Ok(item)
}

/// An element; `argument` is the index's number.
fn element(item: &Value, index: &Value, argument: usize) -> Result<Value, Failure> {
    if let Value::Environment(variables) = item {
        return match index {
            Value::String(name) => Ok(Value::String(variables.get(name).cloned().unwrap_or_default())),
            Value::Nil => Err(failed("value is nil; should be of type string")),
            _ => Err(failed(format!("value has type {}; should be string", index.type_name()))),
        };
    }
    let Some(length) = item.len() else {
        return Err(failed(format!("can't index item of type {}", item.type_name())));
    };
    let at = position(index, argument, length)?;
    let (found, what) = match item {
        Value::String(text) => (text.get(at).map(|&byte| Value::Byte(byte)), "string"),
        Value::Ints(list) => (list.as_slice().get(at).map(|&number| Value::Int(number)), "slice"),
        Value::Strings(list) => (list.as_slice().get(at).map(|text| Value::String(text.clone())), "slice"),
        _ => (None, "slice"),
    };
    // Go lets the length itself pass and fails a step later, with other words.
    found.ok_or_else(|| out_of_range(format!("reflect: {what} index out of range")))
}

/// An index, at most `limit`; `argument` is its number.
fn position(index: &Value, argument: usize, limit: usize) -> Result<usize, Failure> {
    let number = match index {
        Value::Int(number) => *number,
        Value::Byte(byte) => i64::from(*byte),
        Value::Nil => return Err(failed("cannot index slice/array with nil")),
        _ => return Err(failed(format!("cannot index slice/array with type {}", index.type_name()))),
    };
    match usize::try_from(number) {
        Ok(position) if position <= limit => Ok(position),
        _ => {
            let message = format!("index out of range: {number}");
            Err(Failure::repeating(Class::IndexOutOfRange, argument, message, "index out of range: …"))
        }
    }
}

/// `slice VALUE FROM TO LIMIT`, each of the three optional.
pub(super) fn slice(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let Some((item, indexes)) = arguments.split_first() else { return Ok(Value::Nil) };
    if *item == Value::Nil {
        return Err(failed("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(failed(format!("too many slice indexes: {}", indexes.len())));
    }
    let (length, capacity) = match item {
        Value::String(_) if indexes.len() == 3 => return Err(failed("cannot 3-index slice a string")),
        Value::String(text) => (text.len(), text.len()),
        Value::Ints(list) => (list.len(), list.capacity()),
        Value::Strings(list) => (list.len(), list.capacity()),
        _ => return Err(failed(format!("can't slice item of type {}", item.type_name()))),
    };
    let mut bounds = [None; 3];
    for (argument, (bound, index)) in bounds.iter_mut().zip(indexes).enumerate() {
        *bound = Some(position(index, argument + 1, capacity)?);
    }
    let [from, to, limit] = bounds;
    let (from, to, limit) = (from.unwrap_or(0), to.unwrap_or(length), limit.unwrap_or(capacity));
    ascending(from, to)?;
    ascending(to, limit)?;
    match item {
        Value::String(text) => {
            context.budget.spend_text(to - from)?;
            Ok(Value::string(text.get(from..to).unwrap_or_default()))
        }
        Value::Ints(list) => Ok(Value::Ints(list.slice(from, to, limit))),
        Value::Strings(list) => Ok(Value::Strings(list.slice(from, to, limit))),
        _ => Ok(Value::Nil),
    }
}

fn ascending(from: usize, to: usize) -> Result<(), Failure> {
    if from <= to {
        return Ok(());
    }
    // Two arguments, or one and a length.
    let message = format!("invalid slice index: {} > {}", int(from), int(to));
    Err(Failure::repeating(Class::FunctionFailed, usize::MAX, message, "invalid slice index: … > …"))
}

pub(super) fn print(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let mut printer = Printer::new(context.budget);
    printer.print(arguments);
    Ok(Value::string(printer.finish()?))
}

pub(super) fn println(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let mut printer = Printer::new(context.budget);
    printer.println(arguments);
    Ok(Value::string(printer.finish()?))
}

pub(super) fn printf(arguments: &[Value], context: &mut Context<'_>) -> Result<Value, Failure> {
    let format = text(arguments, 0);
    let out = printf::printf(&format, arguments.get(1..).unwrap_or_default(), context.budget)?;
    Ok(Value::string(out))
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(Class::FunctionFailed, message)
}

fn out_of_range(message: String) -> Failure {
    Failure::new(Class::IndexOutOfRange, message)
}
