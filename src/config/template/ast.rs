//! A parsed template.
//!
//! Nodes know two places: `position` is where Go says they are (its messages print it), `span` is all of their text.
//! They print as Go prints them, which is how an error shows what was executed.

use std::fmt::{self, Display};
use std::rc::Rc;

use crate::config::diagnostic::Span;

use super::funcs::Function;
use super::numbers::Number;
use super::quote::{Show, quote};

/// Something that is rendered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Literal text: its place in the source.
    Text(Span),
    /// `{{pipeline}}`.
    Action(Action),
    /// `{{if}}`, with all its `{{else if}}` in a row: Go nests them, which a long chain would make a deep stack.
    If { branches: Vec<(Pipe, Vec<Node>)>, otherwise: Vec<Node> },
    /// `{{range}}`.
    Range { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    /// `{{with}}`.
    With { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    /// `{{template}}`, and what `{{block}}` leaves behind.
    Template(Call),
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

/// An action that prints its value, unless it sets variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Action {
    /// From `{{` to `}}`.
    pub(super) span: Span,
    pub(super) pipe: Pipe,
}

/// A call of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) position: usize,
    pub(super) span: Span,
    pub(super) name: Vec<u8>,
    /// What its dot will be.
    pub(super) pipe: Option<Pipe>,
}

/// `$x := command | command`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pipe {
    pub(super) position: usize,
    pub(super) span: Span,
    /// `=`, not `:=`.
    pub(super) assign: bool,
    /// The variables that get the value.
    pub(super) variables: Vec<String>,
    pub(super) commands: Vec<Command>,
}

/// A term and its arguments. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) span: Span,
    pub(super) first: Term,
    pub(super) arguments: Vec<Term>,
}

/// An operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) position: usize,
    pub(super) span: Span,
    pub(super) kind: TermKind,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermKind {
    Nil,
    Dot,
    Bool(bool),
    Number(Box<Number>),
    String {
        /// With its quotes, as it stands in the source.
        text: String,
        value: Rc<[u8]>,
    },
    /// `.A.B`.
    Field(Vec<String>),
    /// `$x.A`.
    Variable {
        name: String,
        fields: Vec<String>,
    },
    Function(&'static Function),
    /// `(pipeline).A`, `function.A`.
    Chain {
        inner: Box<Term>,
        fields: Vec<String>,
    },
    /// `(pipeline)`.
    Pipe(Box<Pipe>),
}

impl Term {
    /// Whether its value stands in the source.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.kind, TermKind::Nil | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. })
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted =
            |f: &mut fmt::Formatter<'_>, fields: &[String]| fields.iter().try_for_each(|field| write!(f, ".{field}"));
        match &self.kind {
            TermKind::Nil => f.write_str("nil"),
            TermKind::Dot => f.write_str("."),
            TermKind::Bool(value) => write!(f, "{value}"),
            TermKind::Number(number) => f.write_str(&number.text),
            TermKind::String { text, .. } => f.write_str(text),
            TermKind::Field(fields) => dotted(f, fields),
            TermKind::Variable { name, fields } => {
                f.write_str(name)?;
                dotted(f, fields)
            }
            TermKind::Function(function) => f.write_str(function.name),
            TermKind::Chain { inner, fields } => {
                match inner.kind {
                    TermKind::Pipe(_) => write!(f, "({inner})")?,
                    _ => write!(f, "{inner}")?,
                }
                dotted(f, fields)
            }
            TermKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in std::iter::once(&self.first).chain(&self.arguments).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match term.kind {
                TermKind::Pipe(_) => write!(f, "({term})")?,
                _ => write!(f, "{term}")?,
            }
        }
        Ok(())
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let operator = if self.assign { "=" } else { ":=" };
            write!(f, "{} {operator} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(&self.name, Show::Printable))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

/// Whether a template is nothing but white space; such a one may be defined again.
pub(super) fn is_empty(nodes: &[Node], source: &[u8]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(span) => {
            let text = source.get(span.start..span.end).unwrap_or_default();
            String::from_utf8_lossy(text).trim().is_empty()
        }
        _ => false,
    })
}
