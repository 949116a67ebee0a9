//! The words of the template language.

use std::ops::Range;

use super::error::Class;
use super::quote::{Show, quote};
use super::runes;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No token: what the lexer can't read; the text is the message.
    Error(Class),
    Bool,
    /// Any other printable ASCII character.
    Char,
    CharConstant,
    /// `1+2i`.
    Complex,
    /// `=`.
    Assign,
    /// `:=`.
    Declare,
    EndOfFile,
    /// `.name`.
    Field,
    Identifier,
    LeftDelimiter,
    LeftParenthesis,
    Number,
    Pipe,
    RawString,
    RightDelimiter,
    RightParenthesis,
    Space,
    String,
    Text,
    /// `$name`, or `$` alone.
    Variable,
    /// `.` alone.
    Dot,
    Keyword(Keyword),
}

/// The words that are no functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Keyword {
    /// The keyword that a word is.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Its bytes in the source. At the end, empty.
    pub(super) at: Range<usize>,
    /// What [`Kind::Error`] says.
    pub(super) message: String,
}

impl Token {
    /// The token as an error message shows it.
    pub(super) fn show(&self, source: &[u8]) -> String {
        let text = source.get(self.at.clone()).unwrap_or_default();
        match self.kind {
            Kind::EndOfFile => "EOF".to_owned(),
            Kind::Error(_) => self.message.clone(),
            Kind::Keyword(_) | Kind::Dot => format!("<{}>", String::from_utf8_lossy(text)),
            _ if text.len() > 10 => {
                let start: usize = runes::runes(text).take(10).map(|(_, bytes)| bytes.len()).sum();
                format!("{}...", quote(text.get(..start).unwrap_or_default(), Show::Printable))
            }
            _ => quote(text, Show::Printable),
        }
    }
}
