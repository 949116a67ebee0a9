//! Evaluates commands, operands and calls of functions.
//!
//! [`Machine::place`] is set in the order in which Go sets it: an error names what was evaluated last, which for a
//! wrong argument in parentheses is something within them.

use super::ast::{Command, Term, TermKind};
use super::error::Class;
use super::eval::{Evaluated, Machine, Place};
use super::funcs::{Context, Function, Parameter};
use super::numbers::Number;
use super::values::{List, Value};

impl<'t> Machine<'t> {
    /// A command; `last` is the value of the command before it, its last argument.
    pub(super) fn command(&mut self, command: &'t Command, dot: &Value, last: Option<Value>) -> Evaluated<Value> {
        let first = &command.first;
        let arguments = command.arguments.as_slice();
        let has_arguments = !arguments.is_empty() || last.is_some();
        if let TermKind::Function(function) = first.kind {
            self.place = Place::Term(first);
            return self.call(function, Place::Command(command), arguments, dot, last);
        }
        if let TermKind::Pipe(pipe) = &first.kind {
            if has_arguments {
                return self.not_a_function(first);
            }
            return self.inner_pipeline(pipe, dot);
        }
        self.place = Place::Term(first);
        match &first.kind {
            TermKind::Field(fields) => self.fields(dot.clone(), fields, has_arguments),
            TermKind::Chain { .. } => self.chain(first, dot, has_arguments),
            TermKind::Variable { name, fields } => {
                let value = self.variable(name)?;
                if fields.is_empty() && has_arguments {
                    return self.not_a_function(first);
                }
                self.fields(value, fields, has_arguments)
            }
            _ if has_arguments => self.not_a_function(first),
            TermKind::Nil => self.error(Class::NilCommand, "nil is not a command"),
            _ => self.constant(first, dot),
        }
    }

    fn not_a_function<T>(&self, term: &Term) -> Evaluated<T> {
        self.error(Class::NotAFunction, format!("can't give argument to non-function {term}"))
    }

    /// A constant, or the dot.
    fn constant(&mut self, term: &'t Term, dot: &Value) -> Evaluated<Value> {
        match &term.kind {
            TermKind::Dot => Ok(dot.clone()),
            TermKind::Bool(value) => Ok(Value::Bool(*value)),
            TermKind::String { value, .. } => Ok(Value::String(value.clone())),
            TermKind::Number(number) => self.number(number),
            _ => Ok(Value::Nil),
        }
    }

    /// A number whose spelling alone tells its type.
    fn number(&self, number: &Number) -> Evaluated<Value> {
        let text = &number.text;
        let hexadecimal =
            text.len() > 2 && text.starts_with(['0']) && text.get(1..2).is_some_and(|x| x == "x" || x == "X");
        let whole = (hexadecimal && !text.contains(['p', 'P'])) || text.starts_with('\'');
        match *number {
            Number { complex: Some((real, imaginary)), .. } => Ok(Value::Complex(real, imaginary)),
            Number { float: Some(float), .. } if !whole && text.contains(['.', 'e', 'E', 'p', 'P']) => {
                Ok(Value::Float(float))
            }
            Number { int: Some(int), .. } => Ok(Value::Int(int)),
            _ => self.error(Class::BadNumber, format!("{text} overflows int")),
        }
    }

    /// `(pipeline).A.B`.
    fn chain(&mut self, term: &'t Term, dot: &Value, has_arguments: bool) -> Evaluated<Value> {
        let TermKind::Chain { inner, fields } = &term.kind else { return Ok(Value::Nil) };
        let value = self.argument(inner, Parameter::Any, dot)?;
        self.fields(value, fields, has_arguments)
    }

    /// `value.A.B`. Only the environment has fields: its variables. A field of nothing is nothing.
    fn fields(&self, mut value: Value, fields: &[String], has_arguments: bool) -> Evaluated<Value> {
        for (index, field) in fields.iter().enumerate() {
            value = match &value {
                Value::Nil => Value::Nil,
                Value::Environment(variables) => {
                    if has_arguments && index + 1 == fields.len() {
                        return self.error(Class::NotAFunction, format!("{field} is not a method but has arguments"));
                    }
                    Value::String(variables.get(field.as_bytes()).cloned().unwrap_or_default())
                }
                other => {
                    let reason = format!("can't evaluate field {field} in type {}", other.type_name());
                    return self.error(Class::NoSuchField, reason);
                }
            };
        }
        Ok(value)
    }

    /// Calls a function. `place` is what a failure of the function itself is said to happen in.
    fn call(
        &mut self,
        function: &'static Function,
        place: Place<'t>,
        arguments: &'t [Term],
        dot: &Value,
        last: Option<Value>,
    ) -> Evaluated<Value> {
        let count = arguments.len() + usize::from(last.is_some());
        let wanted = function.fixed.len();
        let name = function.name;
        if function.variadic.is_some() && count < wanted {
            let reason = format!("wrong number of args for {name}: want at least {wanted} got {}", arguments.len());
            return self.error(Class::ArgumentCount, reason);
        }
        if function.variadic.is_none() && count != wanted {
            let reason = format!("wrong number of args for {name}: want {wanted} got {count}");
            return self.error(Class::ArgumentCount, reason);
        }
        let parameter =
            |index: usize| function.fixed.get(index).copied().or(function.variadic).unwrap_or(Parameter::Any);
        let mut values = Vec::with_capacity(count);
        for (index, argument) in arguments.iter().enumerate() {
            self.step()?;
            let value = self.argument(argument, parameter(index), dot)?;
            if function.stops_at == Some(value.is_true()) {
                return Ok(value);
            }
            values.push(value);
        }
        if let Some(last) = last {
            values.push(self.checked(last, parameter(arguments.len()))?);
        }
        let mut context = Context { environment: &self.environment, budget: &mut self.budget };
        match (function.body)(&values, &mut context) {
            Ok(value) => Ok(value),
            Err(failure) => {
                self.place = place;
                let told = match &failure.repeats {
                    Some(repeats) if !arguments.get(repeats.argument).is_some_and(Term::is_constant) => &repeats.told,
                    _ => &failure.message,
                };
                let told = format!("error calling {name}: {told}");
                self.error_told(failure.class, format!("error calling {name}: {}", failure.message), told)
            }
        }
    }

    /// An argument for a parameter.
    fn argument(&mut self, term: &'t Term, parameter: Parameter, dot: &Value) -> Evaluated<Value> {
        self.place = Place::Term(term);
        let value = match &term.kind {
            TermKind::Dot => dot.clone(),
            TermKind::Nil => {
                return match parameter {
                    Parameter::String => self.error(Class::NilCommand, "cannot assign nil to string"),
                    Parameter::Strings => Ok(Value::Strings(List::new(Vec::new()))),
                    Parameter::Any => Ok(Value::Nil),
                };
            }
            TermKind::Field(fields) => self.fields(dot.clone(), fields, false)?,
            TermKind::Variable { name, fields } => {
                let value = self.variable(name)?;
                self.fields(value, fields, false)?
            }
            TermKind::Pipe(pipe) => self.inner_pipeline(pipe, dot)?,
            TermKind::Function(function) => self.call(function, Place::Term(term), &[], dot, None)?,
            TermKind::Chain { .. } => self.chain(term, dot, false)?,
            TermKind::String { value, .. } if parameter == Parameter::String => Value::String(value.clone()),
            TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => match parameter {
                Parameter::Any => self.constant(term, dot)?,
                Parameter::String => {
                    return self.error(Class::ArgumentType, format!("expected string; found {term}"));
                }
                Parameter::Strings => {
                    return self.error(Class::ArgumentType, format!("can't handle {term} for arg of type []string"));
                }
            },
        };
        self.checked(value, parameter)
    }

    /// A value that fits a parameter.
    fn checked(&self, value: Value, parameter: Parameter) -> Evaluated<Value> {
        match (parameter, value) {
            (Parameter::Any, value)
            | (Parameter::String, value @ Value::String(_))
            | (Parameter::Strings, value @ Value::Strings(_)) => Ok(value),
            (Parameter::Strings, Value::Nil) => Ok(Value::Strings(List::new(Vec::new()))),
            (_, Value::Nil) => {
                self.error(Class::ArgumentType, format!("invalid value; expected {}", parameter.type_name()))
            }
            (_, value) => {
                let (expected, got) = (parameter.type_name(), value.type_name());
                self.error(Class::ArgumentType, format!("wrong type for value; expected {expected}; got {got}"))
            }
        }
    }
}
