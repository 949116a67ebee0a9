//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.
//!
//! Values compare with their like; signed and unsigned numbers with each other; nothing else with anything else.

use std::cmp::Ordering;

use super::budget::{BYTES_PER_STEP, Budget, Failure};
use super::error::Class;
use super::funcs::Context;
use super::printf;
use super::values::Value;

type Arguments<'a> = &'a [Value];

/// Whether the first is one of the others.
pub(super) fn eq(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    let Some((first, others)) = arguments.split_first() else { return Err(failed("missing argument for comparison")) };
    comparable(first, context)?;
    if others.is_empty() {
        return Err(failed("missing argument for comparison"));
    }
    for other in others {
        if equal(first, other, context)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn ne(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    eq(arguments, context).map(|equal| Value::Bool(!equal.is_true()))
}

pub(super) fn lt(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    less(arguments, context).map(Value::Bool)
}

/// Less or equal, which for a float that is no number is not the inverse of greater.
pub(super) fn le(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    if less(arguments, context)? { Ok(Value::Bool(true)) } else { eq(arguments, context) }
}

pub(super) fn gt(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    le(arguments, context).map(|result| Value::Bool(!result.is_true()))
}

pub(super) fn ge(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Value, Failure> {
    less(arguments, context).map(|less| Value::Bool(!less))
}

/// Lists and the environment have no equality.
fn comparable(value: &Value, context: &mut Context<'_>) -> Result<(), Failure> {
    match value {
        Value::Ints(_) | Value::Strings(_) | Value::Environment(_) => {
            let shown = printf::printf(b"%s", std::slice::from_ref(value), context.budget)?;
            let shown = String::from_utf8_lossy(&shown).into_owned();
            let message = format!("non-comparable type {shown}: {}", value.type_name());
            // No constant is of these types: it is never told.
            let told = format!("{} can't be compared", value.noun());
            Err(Failure::repeating(Class::FunctionFailed, usize::MAX, message, told))
        }
        _ => Ok(()),
    }
}

fn equal(left: &Value, right: &Value, context: &mut Context<'_>) -> Result<bool, Failure> {
    match (left, right) {
        // Whatever is nil equals nil only, and may be compared with everything that is a single value.
        (Value::Nil, Value::Ints(_) | Value::Strings(_) | Value::Environment(_)) => {
            comparable(right, context).map(|()| false)
        }
        (Value::Nil, _) | (_, Value::Nil) | (Value::Complex(..), Value::Complex(..)) => Ok(left == right),
        _ => match order(left, right, context.budget)? {
            Some(ordering) => Ok(ordering == Some(Ordering::Equal)),
            None => Err(failed("incompatible types for comparison")),
        },
    }
}

fn less(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<bool, Failure> {
    let [left, right] = arguments else { return Err(failed("missing argument for comparison")) };
    let basic =
        |value: &Value| !matches!(value, Value::Nil | Value::Ints(_) | Value::Strings(_) | Value::Environment(_));
    if !basic(left) || !basic(right) {
        return Err(failed("invalid type for comparison"));
    }
    match (left, right) {
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => {
            Err(failed("invalid type for comparison"))
        }
        _ => match order(left, right, context.budget)? {
            Some(ordering) => Ok(ordering == Some(Ordering::Less)),
            None => Err(failed("incompatible types for comparison")),
        },
    }
}

/// How two values of one kind are ordered; texts cost what is compared of them. `None` if they are of different kinds, `Some(None)` if one is no number.
#[expect(clippy::option_option, reason = "two different ways to have no order")]
fn order(left: &Value, right: &Value, budget: &mut Budget) -> Result<Option<Option<Ordering>>, Failure> {
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(Some(left.cmp(right))),
        (Value::Int(left), Value::Int(right)) => Some(Some(left.cmp(right))),
        (Value::Byte(left), Value::Byte(right)) => Some(Some(left.cmp(right))),
        (Value::Int(left), Value::Byte(right)) => Some(Some(left.cmp(&i64::from(*right)))),
        (Value::Byte(left), Value::Int(right)) => Some(Some(i64::from(*left).cmp(right))),
        (Value::Float(left), Value::Float(right)) => Some(left.partial_cmp(right)),
        (Value::String(left), Value::String(right)) => {
            budget.spend(left.len().min(right.len()) / BYTES_PER_STEP)?;
            Some(Some(left.cmp(right)))
        }
        _ => None,
    })
}

fn failed(message: &str) -> Failure {
    Failure::new(Class::Comparison, message)
}
