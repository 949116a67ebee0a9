//! The JSON5 dialect of the original, with the place of every key and value (v3 §5).
use super::diagnostic::Span;

/// A value and where it stands in the text that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Its place.
    pub span: Span,
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Every number is a 64-bit float, as in the original.
    Number(f64),
    /// A string, escapes resolved.
    String(String),
    /// `[…]`
    Array(Vec<Node>),
    /// `{…}` in file order; duplicate keys are kept here (the last one counts).
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key, escapes resolved.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Why a text is no JSON5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The offending byte, or the text's length at a premature end.
    pub offset: usize,
    /// Go's words for it: `invalid character 'x' looking for beginning of value`.
    pub reason: String,
}

/// How many arrays and objects may stand inside each other.
pub const MAX_DEPTH: usize = 64;

/// Parses one text: exactly one value between blanks and comments.
///
/// # Errors
/// The first byte that can't be, in Go's words; or a number that no float can hold, or nesting deeper than [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0 };
    parser.skip_blanks()?;
    let node = parser.value(0)?;
    parser.end()?;
    Ok(node)
}

/// A byte as Go's JSON errors quote it.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

const BEGIN_VALUE: &str = "looking for beginning of value";
const BEGIN_KEY: &str = "looking for beginning of object key";
const AFTER_KEY: &str = "after object key";
const AFTER_PAIR: &str = "after object key:value pair";
const AFTER_ELEMENT: &str = "after array element";
const AFTER_TOP: &str = "after top-level value";
const IN_NUMBER: &str = "in numeric literal";

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes the next byte if it is one of these.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let byte = self.peek().filter(|&byte| wanted(byte))?;
        self.at += 1;
        Some(byte)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.take(&wanted).is_some() {}
    }

    fn premature_end(&self) -> SyntaxError {
        SyntaxError { offset: self.bytes.len(), reason: "unexpected end of JSON input".to_owned() }
    }

    /// The next byte can't be between two tokens.
    fn between(&self, context: &str) -> SyntaxError {
        if self.peek().is_some() { self.within(context) } else { self.premature_end() }
    }

    /// The next byte can't be inside a token. As Go does, the end of the text is read as a blank here.
    fn within(&self, context: &str) -> SyntaxError {
        let byte = self.peek().unwrap_or(b' ');
        SyntaxError { offset: self.at, reason: format!("invalid character {} {context}", quote(byte)) }
    }

    fn slice(&self, start: usize) -> &str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c));
            if self.take(|byte| byte == b'/').is_none() {
                return Ok(());
            }
            if !self.comment()? {
                return Err(self.premature_end());
            }
        }
    }

    /// After the first slash; `false` if the text ends inside a block comment.
    fn comment(&mut self) -> Result<bool, SyntaxError> {
        if self.take(|byte| byte == b'/').is_some() {
            self.take_while(|byte| !matches!(byte, b'\n' | b'\r'));
            return Ok(true);
        }
        if self.take(|byte| byte == b'*').is_none() {
            return Err(self.within("potentially starting comment"));
        }
        let mut star = false;
        while let Some(byte) = self.take(|_| true) {
            if star && byte == b'/' {
                return Ok(true);
            }
            star = byte == b'*';
        }
        Ok(false)
    }

    /// Nothing but blanks and comments may follow; a comment needs no end here, nor does its beginning, as in the
    /// original. A form feed is no blank here.
    fn end(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            match self.peek() {
                None => return Ok(()),
                Some(b'/') => self.at += 1,
                Some(_) => return Err(self.within(AFTER_TOP)),
            }
            if self.peek().is_none() || !self.comment()? {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                return Err(SyntaxError { offset: start, reason: format!("nesting deeper than {MAX_DEPTH}") });
            }
            Some(b'{') => self.object(depth + 1)?,
            Some(b'[') => self.array(depth + 1)?,
            Some(b'"' | b'\'') => Value::String(self.string()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            Some(b'N') => self.literal("NaN", Value::Number(f64::NAN))?,
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'I') => self.number()?,
            _ => return Err(self.between(BEGIN_VALUE)),
        };
        Ok(Node { value, span: Span { start, end: self.at } })
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, SyntaxError> {
        for wanted in word.bytes() {
            if self.take(|byte| byte == wanted).is_none() {
                return Err(self.within(&format!("in literal {word} (expecting {})", quote(wanted))));
            }
        }
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut nodes = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.take(|byte| byte == b']').is_some() {
                return Ok(Value::Array(nodes));
            }
            nodes.push(self.value(depth)?);
            self.skip_blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {}
                _ => return Err(self.between(AFTER_ELEMENT)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.take(|byte| byte == b'}').is_some() {
                return Ok(Value::Object(members));
            }
            let start = self.at;
            let key = self.key()?;
            let key_span = Span { start, end: self.at };
            self.skip_blanks()?;
            if self.take(|byte| byte == b':').is_none() {
                return Err(self.between(AFTER_KEY));
            }
            self.skip_blanks()?;
            let value = self.value(depth)?;
            members.push(Member { key, key_span, value });
            self.skip_blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => return Err(self.between(AFTER_PAIR)),
            }
        }
    }

    fn key(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string(),
            // The original checks such a key like a string, and then takes it as it stands, quotes and all.
            Some(b'\'') => {
                self.string()?;
                Ok(self.slice(start).to_owned())
            }
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') => {
                self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'));
                match self.peek() {
                    None | Some(b':' | b' ' | b'\t' | b'\r' | b'\n' | 0x0c) => Ok(self.slice(start).to_owned()),
                    Some(_) => Err(self.within("in key literal")),
                }
            }
            _ => Err(self.between(BEGIN_KEY)),
        }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let end = self.take(|_| true).unwrap_or(b'"');
        let mut out = String::new();
        loop {
            let run = self.at;
            self.take_while(|byte| byte >= 0x20 && byte != end && byte != b'\\');
            out.push_str(self.slice(run));
            match self.peek() {
                None => return Err(self.premature_end()),
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(byte) if byte == end => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(_) => return Err(self.within("in string literal")),
            }
        }
    }

    /// After the backslash.
    fn escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(byte @ (b'\\' | b'/' | b'"' | b'\'')) => out.push(char::from(byte)),
            Some(b'\n') => {}
            Some(b'\r') => {
                self.at += 1;
                self.take(|byte| byte == b'\n');
                return Ok(());
            }
            Some(b'u') => {
                self.at += 1;
                return self.unicode(out);
            }
            _ => return Err(self.within("in string escape code")),
        }
        self.at += 1;
        Ok(())
    }

    /// After `\u`.
    fn unicode(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let first = self.four_digits()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
            let before = self.at;
            self.at += 2;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            self.at = before;
        }
        out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.take(|byte| byte.is_ascii_hexdigit()).and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.within(r"in \u hexadecimal character escape")) };
            code = code * 16 + digit;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        let signed = self.take(|byte| matches!(byte, b'+' | b'-')).is_some();
        if signed {
            // After a sign any number of dots may follow, and then what may follow a sign: the original's own rule.
            self.take_while(|byte| byte == b'.');
        }
        match self.peek() {
            Some(b'I') => {
                self.literal("Infinity", Value::Null)?;
            }
            Some(b'0') => {
                self.at += 1;
                if self.take(|byte| matches!(byte, b'x' | b'X')).is_some() {
                    if self.take(|byte| byte.is_ascii_hexdigit()).is_none() {
                        return Err(self.within("in hex number"));
                    }
                    self.take_while(|byte| byte.is_ascii_hexdigit());
                } else {
                    self.fraction_and_exponent()?;
                }
            }
            Some(b'1'..=b'9') => {
                self.take_while(|byte| byte.is_ascii_digit());
                self.fraction_and_exponent()?;
            }
            Some(b'.') => self.fraction_and_exponent()?,
            _ => return Err(self.within(IN_NUMBER)),
        }
        let token = self.slice(start);
        to_float(token).map(Value::Number).ok_or_else(|| SyntaxError {
            offset: start,
            reason: format!("json: cannot unmarshal number {token} into Go value of type float64"),
        })
    }

    fn fraction_and_exponent(&mut self) -> Result<(), SyntaxError> {
        if self.take(|byte| byte == b'.').is_some() {
            self.take_while(|byte| byte.is_ascii_digit());
        }
        if self.take(|byte| matches!(byte, b'e' | b'E')).is_some() {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            if self.take(|byte| byte.is_ascii_digit()).is_none() {
                return Err(self.within("in exponent of numeric literal"));
            }
            self.take_while(|byte| byte.is_ascii_digit());
        }
        Ok(())
    }
}

fn to_float(token: &str) -> Option<f64> {
    let (negative, rest) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token.strip_prefix('+').unwrap_or(token)),
    };
    let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
    let magnitude = match hex {
        _ if rest == "Infinity" => f64::INFINITY,
        Some(digits) => digits.chars().filter_map(|c| c.to_digit(16)).fold(0.0, |sum, d| sum * 16.0 + f64::from(d)),
        None => rest.parse::<f64>().ok().filter(|number| number.is_finite())?,
    };
    Some(if negative { -magnitude } else { magnitude })
}
