//! From tokens to pipelines, commands and operands.

use crate::config::diagnostic::Span;

use super::ast::{Command, Pipe, Term, TermKind};
use super::budget::MAX_VARIABLES;
use super::error::Class;
use super::funcs;
use super::numbers::Number;
use super::parse::{Parsed, Parser, span_of};
use super::quote::{Show, quote, unquote};
use super::token::{Keyword, Kind, Token};

impl Parser<'_> {
    /// A pipeline up to and including its `end`. `context` says whose value it is.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let start = self.peek_non_space().at.start;
        let mut pipe = Pipe { position: start, span: Span { start, end: start }, ..Pipe::default() };
        self.declarations(context, &mut pipe)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                _ if token.kind == end => {
                    self.check_pipeline(context, &pipe)?;
                    pipe.span.end = pipe.commands.last().map_or(start, |command| command.span.end);
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Keyword(Keyword::Nil)
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.put_back(token);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and in `range` also `$i, $x :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            // Space is a token: without a declaration the variable is an operand, and the space behind it counts.
            let after = self.peek();
            let next = self.peek_non_space();
            let comma = next.kind == Kind::Char && self.text(&next) == b",";
            if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                if after.kind == Kind::Space {
                    self.put_back(after);
                }
                self.put_back(variable);
                return Ok(());
            }
            self.next_non_space();
            let name = String::from_utf8_lossy(self.text(&variable)).into_owned();
            if self.variables.len() >= MAX_VARIABLES {
                let reason = format!("more than {MAX_VARIABLES} variables");
                return self.error_at(Class::Limit, span_of(&variable), reason);
            }
            self.variables.push(name.clone());
            pipe.variables.push(name);
            if !comma {
                pipe.assign = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                let reason = format!("too many declarations in {context}");
                return self.error_at(Class::TooManyVariables, span_of(&next), reason);
            }
            let following = self.peek_non_space();
            if !matches!(following.kind, Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis) {
                let span = span_of(&following);
                return self.error_at(Class::UnexpectedToken, span, "range can only initialize variables");
            }
        }
    }

    fn check_pipeline(&self, context: &str, pipe: &Pipe) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(Class::MissingValue, format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            match command.first.kind {
                TermKind::Bool(_) | TermKind::Dot | TermKind::Nil | TermKind::Number(_) | TermKind::String { .. } => {
                    let reason = format!("non executable command in pipeline stage {}", index + 1);
                    return self.error_at(Class::NotACommand, command.span, reason);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Operands up to `|`, which is taken, or the end of the pipeline, which is not.
    fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_non_space().at.start;
        let mut terms = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(term) = self.operand()? {
                terms.push(term);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParenthesis => {
                    self.put_back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        let mut terms = terms.into_iter();
        let Some(first) = terms.next() else {
            return self.error(Class::MissingValue, "empty command");
        };
        let arguments: Vec<Term> = terms.collect();
        let end = arguments.last().unwrap_or(&first).span.end;
        Ok(Command { position, span: Span { start: position, end }, first, arguments })
    }

    /// A term with the fields behind it.
    fn operand(&mut self) -> Parsed<Option<Term>> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        let next = self.peek();
        if next.kind != Kind::Field {
            return Ok(Some(term));
        }
        // Go's place of a chain is the first dot behind its term.
        let position = next.at.start;
        let mut end = next.at.end;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            end = token.at.end;
            fields.push(field_name(self.text(&token)));
        }
        let span = Span { start: term.span.start, end };
        match &mut term.kind {
            TermKind::Field(before) | TermKind::Variable { fields: before, .. } => {
                before.append(&mut fields);
                Ok(Some(Term { position, span, kind: term.kind }))
            }
            TermKind::Bool(_) | TermKind::String { .. } | TermKind::Number(_) | TermKind::Nil | TermKind::Dot => {
                let shown = quote(term.to_string().as_bytes(), Show::Printable);
                self.error_at(Class::UnexpectedToken, span_of(&next), format!("unexpected . after term {shown}"))
            }
            TermKind::Function(_) | TermKind::Chain { .. } | TermKind::Pipe(_) => {
                Ok(Some(Term { position, span, kind: TermKind::Chain { inner: Box::new(term), fields } }))
            }
        }
    }

    /// One operand without fields. `None`, and nothing taken, if there is none.
    fn term(&mut self) -> Parsed<Option<Term>> {
        let token = self.next_non_space();
        let text = self.text(&token);
        let mut span = span_of(&token);
        let mut position = span.start;
        let kind = match token.kind {
            Kind::Identifier => {
                let Some(function) = funcs::find(text) else {
                    let reason = format!("function {} not defined", quote(text, Show::Printable));
                    return self.error_at(Class::FunctionNotDefined, span, reason);
                };
                TermKind::Function(function)
            }
            Kind::Dot => TermKind::Dot,
            Kind::Keyword(Keyword::Nil) => TermKind::Nil,
            Kind::Variable => {
                let name = String::from_utf8_lossy(text).into_owned();
                if !self.variables.contains(&name) {
                    let reason = format!("undefined variable {}", quote(text, Show::Printable));
                    return self.error_at(Class::UndefinedVariable, span, reason);
                }
                TermKind::Variable { name, fields: Vec::new() }
            }
            Kind::Field => TermKind::Field(vec![field_name(text)]),
            Kind::Bool => TermKind::Bool(text == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match Number::parse(text, token.kind) {
                Ok(number) => TermKind::Number(Box::new(number)),
                Err((class, reason)) => return self.error_at(class, span, reason),
            },
            Kind::LeftParenthesis => {
                let context = "parenthesized pipeline";
                let pipe = self.nested(span, |parser| parser.pipeline(context, Kind::RightParenthesis))?;
                // What follows is not looked at yet, so this is the closing parenthesis.
                span.end = self.latest.at.end;
                position = pipe.position;
                TermKind::Pipe(Box::new(pipe))
            }
            Kind::RawString | Kind::String => match unquote(text) {
                Some(value) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    TermKind::String { text, value: value.into() }
                }
                None => return self.error_at(Class::BadConstant, span, "invalid syntax"),
            },
            _ => {
                self.put_back(token);
                return Ok(None);
            }
        };
        Ok(Some(Term { position, span, kind }))
    }

    fn text(&self, token: &Token) -> &[u8] {
        self.source.get(token.at.clone()).unwrap_or_default()
    }
}

/// `.name` without its dot.
fn field_name(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(1..).unwrap_or_default()).into_owned()
}
