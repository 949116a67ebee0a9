//! From text to tokens.
//!
//! Outside `{{ }}` everything is text; a marker `{{- ` or ` -}}` takes away the white space on its other side.
//! Tokens are made one at a time, when the parser asks, so that the first mistake of the file is the one reported.

use super::error::Class;
use super::quote::{Show, quote};
use super::runes::{decode, describe, is_alphanumeric};
use super::token::{Keyword, Kind, Token};

/// Where the lexer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Action,
    End,
}

/// Makes tokens of a source.
#[derive(Debug)]
pub(super) struct Lexer<'s> {
    source: &'s [u8],
    /// First byte of the token that is being read.
    start: usize,
    /// First byte that is not read yet.
    position: usize,
    place: Place,
    /// Start of the `{{` of the current action.
    action: usize,
    open_parentheses: usize,
}

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `- ` after `{{`.
fn has_left_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space(*space))
}

/// ` -` before `}}`.
fn has_right_marker(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space(*space))
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s [u8]) -> Self {
        Self { source, start: 0, position: 0, place: Place::Text, action: 0, open_parentheses: 0 }
    }

    /// The place of the current action's `{{`.
    pub(super) fn action_start(&self) -> usize {
        self.action
    }

    /// The next token; at the end, again and again the end.
    pub(super) fn next_token(&mut self) -> Token {
        loop {
            let token = match self.place {
                Place::Text => self.text(),
                Place::Action => Some(self.in_action()),
                Place::End => Some(self.token(Kind::EndOfFile)),
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    fn rest(&self) -> &'s [u8] {
        self.source.get(self.position..).unwrap_or_default()
    }

    fn token(&mut self, kind: Kind) -> Token {
        let at = self.start..self.position;
        self.start = self.position;
        Token { kind, at, message: String::new() }
    }

    fn error(&mut self, class: Class, message: impl Into<String>) -> Token {
        self.place = Place::End;
        let at = self.start..self.position.max(self.start);
        self.position = self.source.len();
        self.start = self.position;
        Token { kind: Kind::Error(class), at, message: message.into() }
    }

    fn skip(&mut self, bytes: usize) {
        self.position += bytes;
        self.start = self.position;
    }

    fn peek(&self) -> Option<char> {
        decode(self.rest()).map(|(c, _)| c)
    }

    fn next_char(&mut self) -> Option<char> {
        let (c, length) = decode(self.rest())?;
        self.position += length;
        Some(c)
    }

    fn skip_white_space(&mut self) {
        let length = self.rest().iter().take_while(|&&byte| is_space(byte)).count();
        self.skip(length);
    }

    /// Text up to the next action or the end; without text, what comes then. `None` means: ask again.
    fn text(&mut self) -> Option<Token> {
        let rest = self.rest();
        let Some(length) = find(rest, LEFT) else {
            self.position = self.source.len();
            if self.position > self.start {
                return Some(self.token(Kind::Text));
            }
            self.place = Place::End;
            return None;
        };
        let (text, after) = rest.split_at_checked(length)?;
        let trimmed = if has_left_marker(after.get(LEFT.len()..).unwrap_or_default()) {
            text.iter().rev().take_while(|&&byte| is_space(byte)).count()
        } else {
            0
        };
        if length > trimmed {
            self.position += length - trimmed;
            let token = self.token(Kind::Text);
            self.skip(trimmed);
            return Some(token);
        }
        self.skip(length);
        self.left_delimiter()
    }

    /// `{{`, or a whole comment, which is no token.
    fn left_delimiter(&mut self) -> Option<Token> {
        self.action = self.start;
        self.position += LEFT.len();
        let marker = if has_left_marker(self.rest()) { 2 } else { 0 };
        if self.rest().get(marker..).is_some_and(|rest| rest.starts_with(b"/*")) {
            self.skip(marker);
            return self.comment();
        }
        let token = self.token(Kind::LeftDelimiter);
        self.skip(marker);
        self.open_parentheses = 0;
        self.place = Place::Action;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        self.position += 2;
        let Some(length) = find(self.rest(), b"*/") else {
            return Some(self.error(Class::UnclosedComment, "unclosed comment"));
        };
        self.position += length + 2;
        let Some(trim) = self.at_right_delimiter() else {
            return Some(self.error(Class::BadComment, "comment ends before closing delimiter"));
        };
        self.skip(if trim { 2 } else { 0 } + RIGHT.len());
        if trim {
            self.skip_white_space();
        }
        None
    }

    /// Whether `}}` or ` -}}` is next, and if so, whether it trims.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_marker(rest) && rest.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn right_delimiter(&mut self, trim: bool) -> Token {
        if trim {
            self.skip(2);
        }
        self.position += RIGHT.len();
        let token = self.token(Kind::RightDelimiter);
        if trim {
            self.skip_white_space();
        }
        self.place = Place::Text;
        token
    }

    fn in_action(&mut self) -> Token {
        if let Some(trim) = self.at_right_delimiter() {
            if self.open_parentheses > 0 {
                return self.error(Class::UnbalancedParenthesis, "unclosed left paren");
            }
            return self.right_delimiter(trim);
        }
        let Some(c) = self.next_char() else {
            return self.error(Class::UnclosedAction, "unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.token(Kind::Assign),
            ':' => {
                if self.next_char() == Some('=') {
                    self.token(Kind::Declare)
                } else {
                    self.error(Class::UnexpectedToken, "expected :=")
                }
            }
            '|' => self.token(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => match find(self.rest(), b"`") {
                Some(length) => {
                    self.position += length + 1;
                    self.token(Kind::RawString)
                }
                None => self.error(Class::UnterminatedString, "unterminated raw quoted string"),
            },
            '$' => self.name(Kind::Variable, Kind::Variable),
            '.' if !self.rest().first().is_some_and(u8::is_ascii_digit) && !self.rest().is_empty() => {
                self.name(Kind::Dot, Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position = self.start;
                self.number()
            }
            '(' => {
                self.open_parentheses += 1;
                self.token(Kind::LeftParenthesis)
            }
            ')' => {
                // One too many is the parser's to refuse: it sees this token first.
                self.open_parentheses = self.open_parentheses.saturating_sub(1);
                self.token(Kind::RightParenthesis)
            }
            _ if is_alphanumeric(c) => self.identifier(),
            ' '..='~' => self.token(Kind::Char),
            _ => self.error(Class::BadCharacter, format!("unrecognized character in action: {}", describe(c))),
        }
    }

    /// A run of white space, but for the last if it belongs to ` -}}`.
    fn space(&mut self) -> Token {
        let length = self.rest().iter().take_while(|&&byte| is_space(byte)).count();
        self.position += length;
        let last = self.position - 1;
        let tail = self.source.get(last..).unwrap_or_default();
        if has_right_marker(tail) && tail.get(2..).is_some_and(|tail| tail.starts_with(RIGHT)) {
            self.position = last;
            if length == 0 {
                return self.in_action();
            }
        }
        self.token(Kind::Space)
    }

    /// The rest of a constant up to its closing quote, on one line.
    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Token {
        loop {
            match self.next_char() {
                None | Some('\n') => return self.error(Class::UnterminatedString, unterminated),
                // Whatever is escaped does not end the constant, but the end of the line does.
                Some('\\') if matches!(self.next_char(), None | Some('\n')) => {
                    return self.error(Class::UnterminatedString, unterminated);
                }
                Some(c) if c == quote => return self.token(kind),
                Some(_) => {}
            }
        }
    }

    /// What may follow a name.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(RIGHT),
        }
    }

    /// After `.` or `$`: `alone`, or with a name `named`.
    fn name(&mut self, alone: Kind, named: Kind) -> Token {
        if self.at_terminator() {
            return self.token(alone);
        }
        self.skip_alphanumeric();
        if self.at_terminator() { self.token(named) } else { self.bad_character() }
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next_char();
        }
    }

    fn bad_character(&mut self) -> Token {
        let c = self.peek().unwrap_or(char::REPLACEMENT_CHARACTER);
        // The span is the character; Go only tells the line.
        self.start = self.position;
        self.next_char();
        self.error(Class::BadCharacter, format!("bad character {}", describe(c)))
    }

    fn identifier(&mut self) -> Token {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let word = self.source.get(self.start..self.position).unwrap_or_default();
        let kind = match Keyword::of(word) {
            Some(keyword) => Kind::Keyword(keyword),
            None if word == b"true" || word == b"false" => Kind::Bool,
            None => Kind::Identifier,
        };
        self.token(kind)
    }

    fn accept(&mut self, bytes: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|byte| bytes.contains(byte));
        self.position += usize::from(found);
        found
    }

    /// A number, or two that make a complex one. Misspelt digits are left to [`super::numbers`].
    fn number(&mut self) -> Token {
        let mut right = self.scan_number();
        let mut kind = Kind::Number;
        if right && matches!(self.peek(), Some('+' | '-')) {
            let imaginary = |lexer: &Self| lexer.source.get(lexer.position - 1) == Some(&b'i');
            right = self.scan_number() && imaginary(self);
            kind = Kind::Complex;
        }
        if right {
            return self.token(kind);
        }
        let text = quote(self.source.get(self.start..self.position).unwrap_or_default(), Show::Printable);
        self.error(Class::BadNumber, format!("bad number syntax: {text}"))
    }

    /// Whether what was read could be a number.
    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let mut exponent: &[u8] = b"eE";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            } else if self.accept(b"oO") {
                (digits, exponent) = (b"01234567_", b"");
            } else if self.accept(b"bB") {
                (digits, exponent) = (b"01_", b"");
            }
        }
        while self.accept(digits) {}
        if self.accept(b".") {
            while self.accept(digits) {}
        }
        if self.accept(exponent) {
            self.accept(b"+-");
            while self.accept(b"0123456789_") {}
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next_char();
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<(Kind, String)> {
        let mut lexer = Lexer::new(source.as_bytes());
        let mut all = Vec::new();
        loop {
            let token = lexer.next_token();
            if token.kind == Kind::EndOfFile {
                return all;
            }
            all.push((token.kind, source.get(token.at.clone()).unwrap().to_owned()));
        }
    }

    #[test]
    fn markers_take_the_white_space_away() {
        let tokens = kinds("a \n{{- .B -}} \n c");
        let texts: Vec<&str> = tokens.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a", "{{", ".B", "}}", "c"]);
    }

    #[test]
    fn every_token_is_its_part_of_the_source() {
        let tokens = kinds(r#"{{$x := .A.B|f (1+2i) "s" 'c' `r` . true nil , 0x1p-2}}"#);
        let without_space: Vec<Kind> = tokens.iter().map(|(kind, _)| *kind).filter(|&k| k != Kind::Space).collect();
        assert_eq!(
            without_space,
            [
                Kind::LeftDelimiter,
                Kind::Variable,
                Kind::Declare,
                Kind::Field,
                Kind::Field,
                Kind::Pipe,
                Kind::Identifier,
                Kind::LeftParenthesis,
                Kind::Complex,
                Kind::RightParenthesis,
                Kind::String,
                Kind::CharConstant,
                Kind::RawString,
                Kind::Dot,
                Kind::Bool,
                Kind::Keyword(Keyword::Nil),
                Kind::Char,
                Kind::Number,
                Kind::RightDelimiter,
            ]
        );
    }

    #[test]
    fn a_mistake_is_the_last_token() {
        assert_eq!(kinds("{{ \"x\\").last().unwrap().0, Kind::Error(Class::UnterminatedString));
        assert_eq!(kinds("{{ \"x\\\"").last().unwrap().0, Kind::Error(Class::UnterminatedString));
        assert_eq!(kinds("{{ .x-y }}").last().unwrap(), &(Kind::Error(Class::BadCharacter), "-".to_owned()));
        assert_eq!(kinds("{{/* }}").last().unwrap().0, Kind::Error(Class::UnclosedComment));
    }
}
