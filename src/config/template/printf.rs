//! `print`, `println` and `printf`: Go's fmt for the values that templates have.
//!
//! This file reads formats and walks over values; how a single value is written is in [`super::verbs`].

use super::budget::{Budget, Failure, MAX_TEXT, too_long};
use super::runes;
use super::values::Value;

/// Larger widths and precisions are refused.
const MAX_WIDTH: i64 = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`: Go syntax.
    pub(super) go_syntax: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// Collects formatted text.
///
/// The text is bounded and every byte is paid for: once that fails nothing more is written, and
/// [`Printer::finish`] tells.
pub(super) struct Printer<'b> {
    out: Vec<u8>,
    budget: &'b mut Budget,
    failure: Option<Failure>,
    pub(super) flags: Flags,
}

/// `%v` of a value, as a value.
pub(super) fn value_text(value: &Value, budget: &mut Budget) -> Result<Value, Failure> {
    let mut printer = Printer::new(budget);
    printer.argument(value, 'v');
    Ok(Value::string(printer.finish()?))
}

impl<'b> Printer<'b> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self { out: Vec::new(), budget, failure: None, flags: Flags::default() }
    }

    /// All that was written.
    pub(super) fn finish(self) -> Result<Vec<u8>, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.out),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.admits(bytes.len()) {
            self.out.extend_from_slice(bytes);
        }
    }

    pub(super) fn repeat(&mut self, byte: u8, count: usize) {
        if self.admits(count) {
            self.out.resize(self.out.len() + count, byte);
        }
    }

    /// Pays for bytes; `false` if they can't be had.
    fn admits(&mut self, bytes: usize) -> bool {
        if self.failure.is_none() {
            let paid = self.budget.spend(1 + bytes / 16);
            let fits = self.out.len().saturating_add(bytes) <= MAX_TEXT;
            self.failure = paid.err().or_else(|| (!fits).then(too_long));
        }
        self.failure.is_none()
    }

    /// `print`: a space between two values of which neither is text.
    pub(super) fn print(&mut self, arguments: &[Value]) {
        // There is nothing before the first, so no space either.
        let mut before_is_text = true;
        for argument in arguments {
            let is_text = matches!(argument, Value::String(_));
            if !is_text && !before_is_text {
                self.write(b" ");
            }
            self.argument(argument, 'v');
            before_is_text = is_text;
        }
    }

    /// `println`: spaces between all values, and a line end.
    pub(super) fn println(&mut self, arguments: &[Value]) {
        for (index, argument) in arguments.iter().enumerate() {
            if index > 0 {
                self.write(b" ");
            }
            self.argument(argument, 'v');
        }
        self.write(b"\n");
    }

    /// One argument of a format.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => self.string_verb(value.type_name().as_bytes(), 's', value),
            (_, 'p') => match value {
                // Go prints an address, which means nothing to anybody.
                Value::Ints(_) | Value::Strings(_) | Value::Environment(_) => self.pad(b"0x0"),
                _ => self.bad_verb(value, verb),
            },
            _ => self.value(value, verb),
        }
    }

    /// A value, or an element of one.
    fn value(&mut self, value: &Value, verb: char) {
        match value {
            Value::Nil => self.pad(b"<nil>"),
            Value::Bool(boolean) => match verb {
                't' | 'v' => self.pad(if *boolean { b"true" } else { b"false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(number) => self.integer_verb(number.unsigned_abs(), *number < 0, verb, value),
            Value::Byte(byte) if verb == 'v' && self.flags.go_syntax => {
                self.flags.sharp = true;
                self.integer_verb(u64::from(*byte), false, 'x', value);
                self.flags.sharp = false;
            }
            Value::Byte(byte) => self.integer_verb(u64::from(*byte), false, verb, value),
            Value::Float(number) => self.float_verb(*number, verb, value),
            Value::Complex(real, imaginary) => self.complex_verb(*real, *imaginary, verb, value),
            Value::String(text) => self.string_verb(text, verb, value),
            Value::Ints(list) => {
                self.list("[]int", list.as_slice().iter().map(|&number| Value::Int(number)), verb);
            }
            Value::Strings(list) => {
                self.list("[]string", list.as_slice().iter().cloned().map(Value::String), verb);
            }
            Value::Environment(variables) => {
                let go_syntax = self.flags.go_syntax;
                self.write(if go_syntax { b"template.Environment{" } else { b"map[" });
                for (index, (name, text)) in variables.iter().enumerate() {
                    if index > 0 {
                        self.write(if go_syntax { b", " } else { b" " });
                    }
                    self.value(&Value::String(name.clone()), verb);
                    self.write(b":");
                    self.value(&Value::String(text.clone()), verb);
                }
                self.write(if go_syntax { b"}" } else { b"]" });
            }
        }
    }

    fn list(&mut self, type_name: &str, elements: impl Iterator<Item = Value>, verb: char) {
        let go_syntax = self.flags.go_syntax;
        if go_syntax {
            self.write(type_name.as_bytes());
        }
        self.write(if go_syntax { b"{" } else { b"[" });
        for (index, element) in elements.enumerate() {
            if self.failure.is_some() {
                return;
            }
            if index > 0 {
                self.write(if go_syntax { b", " } else { b" " });
            }
            self.value(&element, verb);
        }
        self.write(if go_syntax { b"}" } else { b"]" });
    }

    /// `%!d(string=x)`.
    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
        self.write(format!("%!{verb}(").as_bytes());
        if *value == Value::Nil {
            self.write(b"<nil>");
        } else {
            self.write(value.type_name().as_bytes());
            self.write(b"=");
            self.value(value, 'v');
        }
        self.write(b")");
    }
}

/// Formats as Go's `Sprintf`. What is wrong with the format or its arguments is told within the text.
pub(super) fn printf(format: &[u8], arguments: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Failure> {
    let mut reader = Format { text: format, at: 0, arguments, next: 0, reordered: false, index_is_good: true };
    let mut printer = Printer::new(budget);
    while let Some(rest) = format.get(reader.at..).filter(|rest| !rest.is_empty()) {
        let literal = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
        printer.write(rest.get(..literal).unwrap_or_default());
        reader.at += literal + 1;
        if literal == rest.len() {
            break;
        }
        reader.index_is_good = true;
        if !reader.directive(&mut printer) || printer.failure.is_some() {
            break;
        }
    }
    if !reader.reordered && reader.next < arguments.len() {
        printer.flags = Flags::default();
        printer.write(b"%!(EXTRA ");
        for (index, argument) in arguments.iter().skip(reader.next).enumerate() {
            if index > 0 {
                printer.write(b", ");
            }
            if *argument != Value::Nil {
                printer.write(argument.type_name().as_bytes());
                printer.write(b"=");
            }
            printer.argument(argument, 'v');
        }
        printer.write(b")");
    }
    printer.finish()
}

/// Reads a format.
struct Format<'f> {
    text: &'f [u8],
    /// The next byte.
    at: usize,
    arguments: &'f [Value],
    /// The next argument.
    next: usize,
    /// Some index chose an argument, so that unused ones are no mistake.
    reordered: bool,
    index_is_good: bool,
}

impl Format<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// One directive after its `%`. `false` at the end of the format.
    fn directive(&mut self, printer: &mut Printer<'_>) -> bool {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = !flags.minus,
                b'+' => flags.plus = true,
                b'-' => (flags.minus, flags.zero) = (true, false),
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.argument_index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.int_argument() {
                Some(width) => {
                    if width < 0 {
                        (flags.minus, flags.zero) = (true, false);
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.write(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number(self.text.len());
            if after_index && flags.width.is_some() {
                self.index_is_good = false;
            }
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if after_index {
                self.index_is_good = false;
            }
            after_index = self.argument_index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                flags.precision = self.int_argument().and_then(|precision| usize::try_from(precision).ok());
                if flags.precision.is_none() {
                    printer.write(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number(self.text.len()).unwrap_or(0));
            }
        }
        if !after_index {
            self.argument_index();
        }
        let Some((verb, length)) = self.text.get(self.at..).and_then(runes::decode) else {
            printer.write(b"%!(NOVERB)");
            return false;
        };
        self.at += length;
        if verb == '%' {
            printer.write(b"%");
            return true;
        }
        if !self.index_is_good {
            printer.write(format!("%!{verb}(BADINDEX)").as_bytes());
            return true;
        }
        let Some(argument) = self.arguments.get(self.next) else {
            printer.write(format!("%!{verb}(MISSING)").as_bytes());
            return true;
        };
        if matches!(verb, 'v' | 'w') {
            flags.go_syntax = std::mem::take(&mut flags.sharp);
            flags.plus = false;
        }
        printer.flags = flags;
        printer.argument(argument, verb);
        self.next += 1;
        true
    }

    /// `[n]` chooses the next argument. Whether one stands here.
    fn argument_index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(close) = rest.iter().position(|&byte| byte == b']').filter(|_| rest.len() >= 3) else {
            self.index_is_good = false;
            self.at += 1;
            return false;
        };
        let end = self.at + close;
        self.at += 1;
        let number = self.number(end).filter(|_| self.at == end);
        self.at = end + 1;
        match number.and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.arguments.len() => {
                self.next = index;
                true
            }
            _ => {
                self.index_is_good = false;
                number.is_some()
            }
        }
    }

    /// A decimal number before `end`.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut number: Option<usize> = None;
        while self.at < end
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            let so_far = number.unwrap_or(0);
            if int_limit() < so_far {
                // Go gives the whole rest of the format up.
                self.at = end;
                return None;
            }
            number = Some(so_far * 10 + usize::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// `*`: the next argument, which must be a whole number.
    fn int_argument(&mut self) -> Option<i64> {
        let number = match self.arguments.get(self.next)? {
            Value::Int(number) => Some(*number),
            Value::Byte(byte) => Some(i64::from(*byte)),
            _ => None,
        };
        self.next += 1;
        number.filter(|number| (-MAX_WIDTH..=MAX_WIDTH).contains(number))
    }
}

fn int_limit() -> usize {
    usize::try_from(MAX_WIDTH).unwrap_or(usize::MAX)
}
