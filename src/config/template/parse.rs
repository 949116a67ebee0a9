//! From tokens to templates: the top level, blocks and actions. What stands in an action is in [`super::pipeline`].

use std::collections::BTreeMap;

use crate::config::diagnostic::Span;

use super::ast::{Action, Call, Node, Pipe, is_empty};
use super::budget::MAX_NESTING;
use super::error::{Class, Stage, TemplateError};
use super::lex::Lexer;
use super::quote::{Show, quote, unquote};
use super::token::{Keyword, Kind, Token};

/// Every template of a file by name; the file itself has the empty name.
pub(super) type Templates = BTreeMap<Vec<u8>, Vec<Node>>;

/// What parsing gives or how it fails.
pub(super) type Parsed<T> = Result<T, Box<TemplateError>>;

/// Parses a source with all the templates that it defines.
pub(super) fn parse(source: &[u8]) -> Parsed<Templates> {
    let mut parser = Parser {
        source,
        lexer: Lexer::new(source),
        pending: Vec::new(),
        latest: Token { kind: Kind::EndOfFile, at: 0..0, message: String::new() },
        variables: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
        openers: Vec::new(),
        action: None,
        templates: Templates::new(),
    };
    let root = parser.top_level()?;
    parser.add(Vec::new(), root)?;
    Ok(parser.templates)
}

/// What ended a list of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    End,
    Else,
    /// `{{else if`: the rest of that action is still to be read.
    ElseIf,
}

impl Ending {
    fn show(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else | Self::ElseIf => "{{else}}",
        }
    }
}

/// A node, or what ends the list of nodes.
enum Item {
    Node(Node),
    Ending(Ending),
}

pub(super) struct Parser<'s> {
    pub(super) source: &'s [u8],
    lexer: Lexer<'s>,
    /// Tokens that were looked at, the next one last.
    pending: Vec<Token>,
    /// The token that the lexer made last: where Go says an error is.
    pub(super) latest: Token,
    /// Variables that are declared here.
    pub(super) variables: Vec<String>,
    /// How many `range` bodies we are in.
    ranges: usize,
    /// How many blocks and parentheses we are in.
    depth: usize,
    /// The places of the blocks that are open.
    openers: Vec<Span>,
    /// The place of the current action's `{{`, when it matters for a message.
    action: Option<usize>,
    templates: Templates,
}

impl Parser<'_> {
    pub(super) fn next(&mut self) -> Token {
        self.pending.pop().unwrap_or_else(|| {
            self.latest = self.lexer.next_token();
            self.latest.clone()
        })
    }

    pub(super) fn put_back(&mut self, token: Token) {
        self.pending.push(token);
    }

    pub(super) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek(&mut self) -> Token {
        let token = self.next();
        self.put_back(token.clone());
        token
    }

    pub(super) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.put_back(token.clone());
        token
    }

    fn line_of(&self, offset: usize) -> usize {
        self.source.get(..offset).unwrap_or_default().split(|&byte| byte == b'\n').count()
    }

    /// The error that Go would give now, marked at `span`.
    pub(super) fn error_at<T>(&self, class: Class, span: Span, reason: impl Into<String>) -> Parsed<T> {
        let reason = reason.into();
        let message = format!("template: :{}: {reason}", self.line_of(self.latest.at.start));
        // Nothing is rendered yet: there are no values.
        let told = reason.clone();
        Err(Box::new(TemplateError { stage: Stage::Parse, class, message, reason, told, span }))
    }

    /// The same, marked at the token read last.
    pub(super) fn error<T>(&self, class: Class, reason: impl Into<String>) -> Parsed<T> {
        self.error_at(class, span_of(&self.latest), reason)
    }

    pub(super) fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if let Kind::Error(class) = token.kind {
            let mut reason = token.message.clone();
            if let Some(line) = self.action.map(|start| self.line_of(start))
                && line != self.line_of(token.at.start)
            {
                // Go avoids "action in action".
                let within = if reason.ends_with(" action") { "" } else { " in action" };
                reason = format!("{reason}{within} started at :{line}");
            }
            let mut span = span_of(token);
            if class == Class::UnclosedAction {
                span.start = self.lexer.action_start().min(span.start);
            }
            return self.error_at(class, span, reason);
        }
        let class = if token.kind == Kind::EndOfFile { Class::UnexpectedEndOfFile } else { Class::UnexpectedToken };
        self.error_at(class, span_of(token), format!("unexpected {} in {context}", token.show(self.source)))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// Goes one level deeper, for as long as `inner` parses.
    pub(super) fn nested<T>(&mut self, at: Span, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            let reason = format!("more than {MAX_NESTING} blocks and parentheses within each other");
            return self.error_at(Class::Limit, at, reason);
        }
        self.depth += 1;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn top_level(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::EndOfFile {
            if self.peek().kind == Kind::LeftDelimiter {
                let delimiter = self.next();
                let token = self.next_non_space();
                if token.kind == Kind::Keyword(Keyword::Define) {
                    self.define(&delimiter)?;
                    continue;
                }
                self.put_back(token);
                self.put_back(delimiter);
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    return self.error(Class::UnexpectedToken, format!("unexpected {}", ending.show()));
                }
            }
        }
        Ok(nodes)
    }

    fn define(&mut self, delimiter: &Token) -> Parsed<()> {
        let context = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::RightDelimiter, context)?;
        let nodes = self.own_template(Span { start: delimiter.at.start, end: token.at.end }, context)?;
        self.add(name, nodes)
    }

    /// The body of a template within the file: outer variables and loops don't reach into it.
    fn own_template(&mut self, opener: Span, context: &str) -> Parsed<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, ending) = self.item_list(opener)?;
        if ending != Ending::End {
            return self.error(Class::UnexpectedToken, format!("unexpected {} in {context}", ending.show()));
        }
        self.variables = variables;
        self.ranges = ranges;
        Ok(nodes)
    }

    fn add(&mut self, name: Vec<u8>, nodes: Vec<Node>) -> Parsed<()> {
        if self.templates.get(&name).is_none_or(|before| is_empty(before, self.source)) {
            self.templates.insert(name, nodes);
            return Ok(());
        }
        if is_empty(&nodes, self.source) {
            return Ok(());
        }
        let quoted = quote(&name, Show::Printable);
        self.error(Class::Redefinition, format!("template: multiple definition of template {quoted}"))
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<Vec<u8>> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        match unquote(self.source.get(token.at.clone()).unwrap_or_default()) {
            Some(name) => Ok(name),
            None => self.error_at(Class::BadConstant, span_of(token), "invalid syntax"),
        }
    }

    /// Everything up to `{{end}}` or `{{else}}` of the block that began at `opener`.
    fn item_list(&mut self, opener: Span) -> Parsed<(Vec<Node>, Ending)> {
        self.openers.push(opener);
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::EndOfFile {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    self.openers.pop();
                    return Ok((nodes, ending));
                }
            }
        }
        // What helps is not where the file ends but what was left open.
        self.error_at(Class::UnexpectedEndOfFile, opener, "unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(span_of(&token)))),
            Kind::LeftDelimiter => {
                self.action = Some(token.at.start);
                let item = self.action(token.at.start)?;
                self.action = None;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    /// An action after its `{{`, which is at `start`.
    fn action(&mut self, start: usize) -> Parsed<Item> {
        let token = self.next_non_space();
        let opener = Span { start, end: token.at.end };
        let node = match token.kind {
            Kind::Keyword(Keyword::Else) => {
                let next = self.peek_non_space();
                if next.kind == Kind::Keyword(Keyword::If) {
                    return Ok(Item::Ending(Ending::ElseIf));
                }
                self.expect(Kind::RightDelimiter, "else")?;
                return Ok(Item::Ending(Ending::Else));
            }
            Kind::Keyword(Keyword::End) => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::Keyword(Keyword::Block) => self.nested(opener, |parser| parser.block(opener))?,
            Kind::Keyword(Keyword::Break) => self.leave_loop("break", opener, Node::Break)?,
            Kind::Keyword(Keyword::Continue) => self.leave_loop("continue", opener, Node::Continue)?,
            Kind::Keyword(Keyword::If) => self.nested(opener, |parser| parser.if_block(opener))?,
            Kind::Keyword(Keyword::Range) => self.nested(opener, |parser| parser.range_block(opener))?,
            Kind::Keyword(Keyword::With) => self.nested(opener, |parser| parser.with_block(opener))?,
            Kind::Keyword(Keyword::Template) => self.template_call(start)?,
            _ => {
                self.put_back(token);
                let pipe = self.pipeline("command", Kind::RightDelimiter)?;
                Node::Action(Action { span: Span { start, end: self.latest.at.end }, pipe })
            }
        };
        Ok(Item::Node(node))
    }

    fn leave_loop(&mut self, word: &str, opener: Span, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(&token, &format!("{{{{{word}}}}}"));
        }
        if self.ranges == 0 {
            let span = Span { start: opener.start, end: token.at.end };
            return self.error_at(Class::BreakOutsideRange, span, format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn if_block(&mut self, opener: Span) -> Parsed<Node> {
        let declared = self.variables.len();
        let mut branches = Vec::new();
        let otherwise = loop {
            let pipe = self.pipeline("if", Kind::RightDelimiter)?;
            let (nodes, ending) = self.item_list(opener)?;
            branches.push((pipe, nodes));
            match ending {
                Ending::End => break Vec::new(),
                Ending::Else => break self.last_list(opener)?,
                Ending::ElseIf => {
                    self.next_non_space();
                }
            }
        };
        self.variables.truncate(declared);
        Ok(Node::If { branches, otherwise })
    }

    /// What follows `{{else}}`: only `{{end}}` may end it.
    fn last_list(&mut self, opener: Span) -> Parsed<Vec<Node>> {
        let (nodes, ending) = self.item_list(opener)?;
        if ending == Ending::End {
            return Ok(nodes);
        }
        self.error(Class::UnexpectedToken, format!("expected end; found {}", ending.show()))
    }

    fn range_block(&mut self, opener: Span) -> Parsed<Node> {
        let declared = self.variables.len();
        let pipe = self.pipeline("range", Kind::RightDelimiter)?;
        self.ranges += 1;
        let (body, ending) = self.item_list(opener)?;
        self.ranges -= 1;
        let otherwise = self.else_list(&ending, opener)?;
        self.variables.truncate(declared);
        Ok(Node::Range { pipe, body, otherwise })
    }

    fn with_block(&mut self, opener: Span) -> Parsed<Node> {
        let declared = self.variables.len();
        let pipe = self.pipeline("with", Kind::RightDelimiter)?;
        let (body, ending) = self.item_list(opener)?;
        let otherwise = self.else_list(&ending, opener)?;
        self.variables.truncate(declared);
        Ok(Node::With { pipe, body, otherwise })
    }

    /// The `{{else}}` of a block that knows no `{{else if}}`.
    fn else_list(&mut self, ending: &Ending, opener: Span) -> Parsed<Vec<Node>> {
        match ending {
            Ending::End => Ok(Vec::new()),
            // The `if` is still there, and no text or action.
            Ending::Else | Ending::ElseIf => self.last_list(opener),
        }
    }

    fn template_call(&mut self, start: usize) -> Parsed<Node> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let mut pipe = None;
        let next = self.next_non_space();
        if next.kind != Kind::RightDelimiter {
            self.put_back(next);
            pipe = Some(self.pipeline(context, Kind::RightDelimiter)?);
        }
        Ok(self.call(start, &token, name, pipe))
    }

    fn block(&mut self, opener: Span) -> Parsed<Node> {
        let context = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        let call = self.call(opener.start, &token, name.clone(), Some(pipe));
        let nodes = self.own_template(opener, context)?;
        self.add(name, nodes)?;
        Ok(call)
    }

    fn call(&self, start: usize, token: &Token, name: Vec<u8>, pipe: Option<Pipe>) -> Node {
        let span = Span { start, end: self.latest.at.end };
        Node::Template(Call { position: token.at.start, span, name, pipe })
    }
}

/// A token's place.
pub(super) fn span_of(token: &Token) -> Span {
    Span { start: token.at.start, end: token.at.end }
}
