//! How much a template may do (design §4 row 26).
//!
//! Work is counted, not timed: the same template fails at the same place on every machine. A step is about what
//! evaluating one operand costs; functions that walk over bytes or elements pay for them.

use super::error::Class;

/// The largest text: of the result, and of any value on the way, in bytes.
pub(super) const MAX_TEXT: usize = 1024 * 1024;
/// Steps of one rendering; about a tenth of a second.
pub(super) const MAX_STEPS: usize = 1_000_000;
/// Templates that call each other.
pub(super) const MAX_TEMPLATES: usize = 64;
/// Blocks and parentheses within each other in the source.
pub(super) const MAX_NESTING: usize = 64;
/// Variables that are declared at one place.
pub(super) const MAX_VARIABLES: usize = 1000;
/// Blocks, parentheses and templates within each other while rendering; what the stack holds.
pub(super) const MAX_DEPTH: usize = 256;

/// Bytes that cost as much as one step.
pub(super) const BYTES_PER_STEP: usize = 16;

/// What a function says when it can't do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind of mistake it is.
    pub(super) class: Class,
    /// What is wrong, in Go's words where Go has some.
    pub(super) message: String,
    /// Where `message` repeats a value.
    pub(super) repeats: Option<Repeated>,
}

/// A message repeats an argument, which may be a secret out of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeated {
    /// Which one. Where it stands in the file as a constant nothing is given away.
    pub(super) argument: usize,
    /// The message without it.
    pub(super) told: String,
}

impl Failure {
    /// A failure whose message holds no value: names of types, numbers of arguments and our own words.
    pub(super) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), repeats: None }
    }

    /// A failure whose message repeats an argument, as `told` does not.
    pub(super) fn repeating(class: Class, argument: usize, message: String, told: impl Into<String>) -> Self {
        Self { class, message, repeats: Some(Repeated { argument, told: told.into() }) }
    }
}

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { steps: MAX_STEPS }
    }

    /// Pays for `steps` steps.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Failure> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None => Err(Failure::new(Class::Limit, format!("the template needs more than {MAX_STEPS} steps"))),
        }
    }

    /// Pays for a text of `length` bytes, which must not be too long.
    pub(super) fn spend_text(&mut self, length: usize) -> Result<(), Failure> {
        if length > MAX_TEXT {
            return Err(too_long());
        }
        self.spend(length / BYTES_PER_STEP)
    }
}

/// A value or the result is larger than [`MAX_TEXT`].
pub(super) fn too_long() -> Failure {
    Failure::new(Class::Limit, format!("the text is longer than {MAX_TEXT} bytes"))
}
