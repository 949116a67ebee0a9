//! The values that a template can meet: those of Go's constants, of the built-in functions and of ours.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

use crate::env::Environment;

/// Text: bytes, because an environment and a cut character need not be UTF-8.
pub(super) type Text = Rc<[u8]>;

/// The environment as a template sees it.
pub(super) type Variables = BTreeMap<Text, Text>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Go's untyped nil.
    Nil,
    Bool(bool),
    Int(i64),
    /// `uint8`: a byte of an indexed string.
    Byte(u8),
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    String(Text),
    Ints(List<i64>),
    Strings(List<Text>),
    Environment(Rc<Variables>),
}

/// A Go slice: a view of elements that others may see, too. Behind its end there may be more, up to its capacity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T> {
    elements: Rc<[T]>,
    start: usize,
    end: usize,
    capacity_end: usize,
}

impl<T> List<T> {
    pub(super) fn new(elements: Vec<T>) -> Self {
        let length = elements.len();
        Self { elements: elements.into(), start: 0, end: length, capacity_end: length }
    }

    pub(super) fn as_slice(&self) -> &[T] {
        self.elements.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// How far a slice of this one may reach.
    pub(super) fn capacity(&self) -> usize {
        self.capacity_end - self.start
    }

    /// `self[from:to:limit]`; the caller has checked that they ascend and that `limit` is within the capacity.
    pub(super) fn slice(&self, from: usize, to: usize, limit: usize) -> Self {
        let offset = |index: usize| self.start.saturating_add(index).min(self.capacity_end);
        Self { elements: Rc::clone(&self.elements), start: offset(from), end: offset(to), capacity_end: offset(limit) }
    }
}

impl Value {
    pub(super) fn string(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// The environment of a rendering. Values are whole: v3.8 lost what followed a second `=` (design §4 row 14).
    pub(super) fn environment(env: &Environment) -> Self {
        let variables = env.iter().map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()));
        Self::Environment(Rc::new(variables.collect()))
    }

    /// The name of its type as Go prints it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::String(_) => "string",
            Self::Ints(_) => "[]int",
            Self::Strings(_) => "[]string",
            Self::Environment(_) => "template.Environment",
        }
    }

    /// What it is, for people.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Nil => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Byte(_) => "a whole number",
            Self::Float(_) | Self::Complex(..) => "a number",
            Self::String(_) => "a text",
            Self::Ints(_) => "a list of numbers",
            Self::Strings(_) => "a list of texts",
            Self::Environment(_) => "the environment",
        }
    }

    /// What `if` makes of it: everything but zeros and empty things is true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Ints(list) => list.len() > 0,
            Self::Strings(list) => list.len() > 0,
            Self::Environment(variables) => !variables.is_empty(),
        }
    }

    /// Length of what has one.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::String(text) => Some(text.len()),
            Self::Ints(list) => Some(list.len()),
            Self::Strings(list) => Some(list.len()),
            Self::Environment(variables) => Some(variables.len()),
            _ => None,
        }
    }
}

/// A length or an index as Go's `int`. Nothing here comes near to the limit.
pub(super) fn int(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_a_slice_may_reach_beyond_its_end_but_not_its_capacity() {
        let list = List::new(vec![0, 1, 2, 3, 4]);
        let part = list.slice(1, 3, 4);
        assert_eq!((part.as_slice(), part.len(), part.capacity()), (&[1, 2][..], 2, 3));
        assert_eq!(part.slice(1, 3, 3).as_slice(), [2, 3]);
    }

    #[test]
    fn empty_things_and_zeros_are_false() {
        let empty = [
            Value::Nil,
            Value::Int(0),
            Value::Byte(0),
            Value::Float(-0.0),
            Value::Complex(0.0, 0.0),
            Value::string(&b""[..]),
            Value::Ints(List::new(vec![])),
        ];
        assert!(empty.iter().all(|value| !value.is_true()));
        assert!(Value::string(&b"false"[..]).is_true() && Value::Complex(0.0, 1.0).is_true());
    }
}
