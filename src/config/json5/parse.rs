//! Structure: values, objects, arrays, white space and comments.

use super::error::{self, Context, SyntaxError, SyntaxErrorKind};
use super::node::{Member, Node, Value, unmarshal_reason};
use crate::config::diagnostic::Span;

/// Levels of objects and arrays that a text may have; the outermost is the first (design §4 row 26).
pub const MAX_DEPTH: usize = 64;

/// Parses one value with white space and comments around it. Spans are byte offsets in `text`.
///
/// # Errors
/// The first violation of the grammar or of the depth limit; if there is none, the first number without a value.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    parse_bytes(text.as_bytes())
}

/// [`parse`] for bytes that may be no UTF-8: in strings each bad byte becomes U+FFFD, elsewhere it is an error.
///
/// # Errors
/// As [`parse`].
pub fn parse_bytes(text: &[u8]) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, at: 0, depth: 0, not_a_number: None, no_more_ends: false };
    let node = parser.value()?;
    parser.end()?;
    match parser.not_a_number {
        None => Ok(node),
        // To a top-level value that is no object the original objects first.
        Some(error) => {
            let reason = unmarshal_reason(&node.value).unwrap_or(error.reason);
            Err(SyntaxError { reason, ..error })
        }
    }
}

pub(super) struct Parser<'a> {
    pub text: &'a [u8],
    /// The next byte; never beyond the end.
    pub at: usize,
    /// Open brackets.
    pub depth: usize,
    /// The first number that has no value: told only when the grammar is kept to the end.
    pub not_a_number: Option<SyntaxError>,
    /// Whether the rest of the text is known to have no `*/`.
    pub no_more_ends: bool,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes the next byte if it is `byte`.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes bytes as long as they are wanted, and tells how many.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += count;
        count
    }

    pub(super) const fn span_from(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    /// The error for the next byte where white space would have been in order.
    pub(super) fn unexpected(&self, context: &Context) -> SyntaxError {
        if self.peek().is_some() {
            return self.unexpected_inside(context);
        }
        self.error("unexpected end of JSON input".to_owned(), context.expected)
    }

    /// The error for the next byte inside a token, where the original takes a premature end for a space.
    pub(super) fn unexpected_inside(&self, context: &Context) -> SyntaxError {
        let found = error::quote_byte(self.peek().unwrap_or(b' '));
        self.error(format!("invalid character {found} {}", context.go), context.expected)
    }

    pub(super) fn error(&self, reason: String, expected: &str) -> SyntaxError {
        SyntaxError { kind: SyntaxErrorKind::Syntax, offset: self.at, reason, expected: expected.to_owned() }
    }

    /// A value after white space. Recursion ends at [`MAX_DEPTH`].
    fn value(&mut self) -> Result<Node, SyntaxError> {
        self.skip_space()?;
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(quote @ (b'"' | b'\'')) => Value::String(self.string(quote)?),
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            Some(b'I') => self.literal("Infinity", Value::Number(f64::INFINITY))?,
            Some(b'N') => self.literal("NaN", Value::Number(f64::NAN))?,
            _ => return Err(self.unexpected(&error::VALUE)),
        };
        Ok(Node { value, span: self.span_from(start) })
    }

    /// Reads what the next bracket opens, one level deeper.
    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, SyntaxError>) -> Result<Value, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(SyntaxError {
                kind: SyntaxErrorKind::TooDeep,
                offset: self.at,
                reason: format!("exceeded max depth of {MAX_DEPTH}"),
                expected: format!("at most {MAX_DEPTH} levels of objects and arrays"),
            });
        }
        self.at += 1;
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Vec::new();
        loop {
            self.skip_space()?;
            if self.take(b'}') {
                break;
            }
            let (key, key_span) = self.key()?;
            self.skip_space()?;
            if !self.take(b':') {
                return Err(self.unexpected(&error::AFTER_KEY));
            }
            let value = self.value()?;
            members.push(Member { key, key_span, value });
            self.skip_space()?;
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.unexpected(&error::AFTER_PAIR));
            }
        }
        // Most objects are small, and a file can have very many: what the list has grown in advance is given back.
        members.shrink_to_fit();
        Ok(Value::Object(members))
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut nodes = Vec::new();
        loop {
            self.skip_space()?;
            if self.take(b']') {
                break;
            }
            nodes.push(self.value()?);
            self.skip_space()?;
            if self.take(b']') {
                break;
            }
            if !self.take(b',') {
                return Err(self.unexpected(&error::AFTER_ELEMENT));
            }
        }
        Ok(Value::Array(nodes))
    }

    /// After the value: white space (no form feed there) and comments, of which the last may be unfinished.
    fn end(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            match self.peek() {
                None => return Ok(()),
                Some(b'/') if self.at + 1 == self.text.len() => return Ok(()),
                Some(b'/') => self.comment()?,
                Some(_) => return Err(self.unexpected(&error::AFTER_ALL)),
            }
        }
    }

    pub(super) fn skip_space(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(is_space);
            if self.peek() != Some(b'/') {
                return Ok(());
            }
            self.comment()?;
        }
    }

    /// A comment from its `/`. An unfinished one reaches to the end of the text.
    fn comment(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        if self.take(b'/') {
            self.take_while(|byte| !matches!(byte, b'\r' | b'\n'));
            return Ok(());
        }
        if !self.take(b'*') {
            return Err(self.unexpected_inside(&error::COMMENT));
        }
        self.block_comment();
        Ok(())
    }

    /// A block comment from behind its opening to behind its `*/`.
    ///
    /// If none is left in the whole text it ends where the original ended every one: at the first `/` after any `*`. So
    /// whatever loaded there through this mistake only (`/* … * /`) still does.
    fn block_comment(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = if self.no_more_ends { None } else { rest.windows(2).position(|pair| pair == b"*/") };
        if let Some(end) = end {
            self.at += end + 2;
            return;
        }
        // Remembered, or a text of nothing but such comments would be searched to its end for each.
        self.no_more_ends = true;
        self.take_while(|byte| byte != b'*');
        self.take_while(|byte| byte != b'/');
        self.take(b'/');
    }
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c)
}
