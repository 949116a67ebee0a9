//! Renders a parsed template: nodes, pipelines and commands. Operands and calls are in [`super::call`].

use crate::config::diagnostic::Span;
use crate::env::Environment;

use super::ast::{Action, Call, Command, Node, Pipe, Term};
use super::budget::{Budget, Failure, MAX_DEPTH, MAX_TEMPLATES, MAX_TEXT, too_long};
use super::error::{Class, Stage, TemplateError};
use super::parse::Templates;
use super::printf::Printer;
use super::quote::{Show, quote};
use super::source_map::SourceMap;
use super::values::{Value, int};

/// What evaluating gives or how it fails.
pub(super) type Evaluated<T> = Result<T, Box<TemplateError>>;

/// What an error is said to happen in: what was evaluated last.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'t> {
    /// Nothing yet.
    Start,
    Action(&'t Action),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Term(&'t Term),
    Call(&'t Call),
}

impl Place<'_> {
    /// Where Go says it is, where it is, and how it is shown.
    fn describe(self) -> (usize, Span, String) {
        match self {
            Self::Start => (0, Span::default(), String::new()),
            Self::Action(action) => (action.pipe.position, action.span, format!("{{{{{}}}}}", action.pipe)),
            Self::Pipe(pipe) => (pipe.position, pipe.span, pipe.to_string()),
            Self::Command(command) => (command.position, command.span, command.to_string()),
            Self::Term(term) => (term.position, term.span, term.to_string()),
            Self::Call(call) => (call.position, call.span, call.to_string()),
        }
    }
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Renders the template without a name, and gives the text with its origins.
pub(super) fn render(source: &[u8], templates: &Templates, env: &Environment) -> Evaluated<(Vec<u8>, SourceMap)> {
    let environment = Value::environment(env);
    let mut machine = Machine {
        source,
        templates,
        variables: vec![("$", environment.clone())],
        environment,
        out: Vec::new(),
        map: SourceMap::default(),
        budget: Budget::new(),
        place: Place::Start,
        template: &[],
        called: 0,
        depth: 0,
    };
    let dot = machine.environment.clone();
    if let Some(root) = templates.get(&[][..]) {
        machine.nodes(root, &dot)?;
    }
    Ok((machine.out, machine.map))
}

/// The state of a rendering.
pub(super) struct Machine<'t> {
    source: &'t [u8],
    templates: &'t Templates,
    pub(super) environment: Value,
    /// Variables of the current template, the innermost last.
    variables: Vec<(&'t str, Value)>,
    out: Vec<u8>,
    map: SourceMap,
    pub(super) budget: Budget,
    /// What is being evaluated.
    pub(super) place: Place<'t>,
    /// The name of the current template.
    template: &'t [u8],
    /// How many templates are being called.
    called: usize,
    /// How many blocks, parentheses and calls are being evaluated.
    depth: usize,
}

impl<'t> Machine<'t> {
    /// The error that Go would give now. `reason` holds no value, only names of types and what stands in the file.
    pub(super) fn error<T>(&self, class: Class, reason: impl Into<String>) -> Evaluated<T> {
        let reason = reason.into();
        self.error_told(class, reason.clone(), reason)
    }

    /// The error that Go would give now, of which people are told something else.
    pub(super) fn error_told<T>(&self, class: Class, reason: String, told: String) -> Evaluated<T> {
        let (position, span, shown) = self.place.describe();
        let before = self.source.get(..position).unwrap_or_default();
        let line = before.split(|&byte| byte == b'\n').count();
        let column = position - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let template = quote(self.template, Show::Printable);
        let message = format!("template: :{line}:{column}: executing {template} at <{shown}>: {reason}");
        Err(Box::new(TemplateError { stage: Stage::Exec, class, message, reason, told, span }))
    }

    /// A failure of our own: a limit, which repeats nothing.
    pub(super) fn fail<T>(&self, failure: Failure) -> Evaluated<T> {
        let told = failure.repeats.map_or_else(|| failure.message.clone(), |repeats| repeats.told);
        self.error_told(failure.class, failure.message, told)
    }

    pub(super) fn step(&mut self) -> Evaluated<()> {
        match self.budget.spend(1) {
            Ok(()) => Ok(()),
            Err(failure) => self.fail(failure),
        }
    }

    /// Goes one level deeper, for as long as `inner` is evaluated.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Evaluated<T>) -> Evaluated<T> {
        if self.depth >= MAX_DEPTH {
            let reason = format!("more than {MAX_DEPTH} blocks, parentheses and templates within each other");
            return self.error(Class::Limit, reason);
        }
        self.depth += 1;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn write(&mut self, text: &[u8], source: Span, literal: bool) -> Evaluated<()> {
        if self.out.len() + text.len() > MAX_TEXT {
            return self.fail(too_long());
        }
        if let Err(failure) = self.budget.spend_text(text.len()) {
            return self.fail(failure);
        }
        self.out.extend_from_slice(text);
        self.map.push(self.out.len(), source, literal);
        Ok(())
    }

    fn nodes(&mut self, nodes: &'t [Node], dot: &Value) -> Evaluated<Flow> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(span) => {
                    let text = self.source.get(span.start..span.end).unwrap_or_default();
                    self.write(text, *span, true)?;
                    Flow::Next
                }
                Node::Action(action) => {
                    self.action(action, dot)?;
                    Flow::Next
                }
                Node::If { branches, otherwise } => {
                    self.scoped(|machine| machine.if_block(branches, otherwise, dot))?
                }
                Node::With { pipe, body, otherwise } => self.scoped(|machine| {
                    let value = machine.pipeline(pipe, dot)?;
                    if value.is_true() { machine.nodes(body, &value) } else { machine.nodes(otherwise, dot) }
                })?,
                Node::Range { pipe, body, otherwise } => {
                    self.scoped(|machine| machine.range(pipe, body, otherwise, dot))?
                }
                Node::Template(call) => {
                    self.nested(|machine| machine.call_template(call, dot))?;
                    Flow::Next
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, action: &'t Action, dot: &Value) -> Evaluated<()> {
        self.place = Place::Action(action);
        let value = self.pipeline(&action.pipe, dot)?;
        if !action.pipe.variables.is_empty() {
            return Ok(());
        }
        self.place = Place::Action(action);
        match &value {
            Value::Nil => self.write(b"<no value>", action.span, false),
            Value::String(text) => self.write(text, action.span, false),
            _ => {
                let mut printer = Printer::new(&mut self.budget);
                printer.argument(&value, 'v');
                match printer.finish() {
                    Ok(text) => self.write(&text, action.span, false),
                    Err(failure) => self.fail(failure),
                }
            }
        }
    }

    /// A block: the variables that it declares end with it.
    fn scoped(&mut self, block: impl FnOnce(&mut Self) -> Evaluated<Flow>) -> Evaluated<Flow> {
        let declared = self.variables.len();
        let flow = self.nested(block)?;
        self.variables.truncate(declared);
        Ok(flow)
    }

    fn if_block(&mut self, branches: &'t [(Pipe, Vec<Node>)], otherwise: &'t [Node], dot: &Value) -> Evaluated<Flow> {
        for (condition, body) in branches {
            self.step()?;
            if self.pipeline(condition, dot)?.is_true() {
                return self.nodes(body, dot);
            }
        }
        self.nodes(otherwise, dot)
    }

    fn range(&mut self, pipe: &'t Pipe, body: &'t [Node], otherwise: &'t [Node], dot: &Value) -> Evaluated<Flow> {
        let value = self.pipeline(pipe, dot)?;
        let mut pairs: Box<dyn Iterator<Item = (Value, Value)> + '_> = match &value {
            Value::Ints(list) => {
                Box::new(list.as_slice().iter().enumerate().map(|(i, &v)| (Value::Int(int(i)), Value::Int(v))))
            }
            Value::Strings(list) => Box::new(
                list.as_slice().iter().enumerate().map(|(i, v)| (Value::Int(int(i)), Value::String(v.clone()))),
            ),
            Value::Environment(variables) => Box::new(
                variables.iter().map(|(name, text)| (Value::String(name.clone()), Value::String(text.clone()))),
            ),
            Value::Nil => Box::new(std::iter::empty()),
            _ => {
                let mut printer = Printer::new(&mut self.budget);
                printer.argument(&value, 'v');
                let shown = printer.finish().unwrap_or_default();
                let shown = String::from_utf8_lossy(&shown).into_owned();
                let told = format!("range can't iterate over {}", value.noun());
                return self.error_told(Class::NotIterable, format!("range can't iterate over {shown}"), told);
            }
        };
        let declared = self.variables.len();
        let mut empty = true;
        for (index, element) in pairs.by_ref() {
            empty = false;
            self.step()?;
            match pipe.variables.as_slice() {
                [] => {}
                [one] => self.set_in_range(one, element.clone(), pipe.assign, 1)?,
                [first, second, ..] => {
                    self.set_in_range(second, element.clone(), pipe.assign, 1)?;
                    self.set_in_range(first, index, pipe.assign, 2)?;
                }
            }
            let flow = self.nodes(body, &element)?;
            self.variables.truncate(declared);
            if flow == Flow::Break {
                break;
            }
        }
        if empty { self.nodes(otherwise, dot) } else { Ok(Flow::Next) }
    }

    /// Sets a variable of `range`: the one that it assigns to, or the `from_top`-th that was declared last.
    fn set_in_range(&mut self, name: &'t str, value: Value, assign: bool, from_top: usize) -> Evaluated<()> {
        if assign {
            return self.assign(name, value);
        }
        let index = self.variables.len().checked_sub(from_top);
        if let Some((_, slot)) = index.and_then(|index| self.variables.get_mut(index)) {
            *slot = value;
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) -> Evaluated<()> {
        match self.variables.iter_mut().rev().find(|(declared, _)| *declared == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(Class::UndefinedVariable, format!("undefined variable: {name}")),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Evaluated<Value> {
        match self.variables.iter().rev().find(|(declared, _)| *declared == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.error(Class::UndefinedVariable, format!("undefined variable: {name}")),
        }
    }

    fn call_template(&mut self, call: &'t Call, dot: &Value) -> Evaluated<()> {
        self.place = Place::Call(call);
        let Some((name, nodes)) = self.templates.get_key_value(&call.name) else {
            let quoted = quote(&call.name, Show::Printable);
            return self.error(Class::TemplateNotDefined, format!("template {quoted} not defined"));
        };
        if self.called >= MAX_TEMPLATES {
            return self.error(Class::RecursionTooDeep, format!("exceeded maximum template depth ({MAX_TEMPLATES})"));
        }
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(pipe, dot)?,
            None => Value::Nil,
        };
        // Nothing of the caller's variables is seen, and nothing of ours is left.
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let template = std::mem::replace(&mut self.template, name);
        self.called += 1;
        self.nodes(nodes, &dot)?;
        self.called -= 1;
        self.template = template;
        self.variables = variables;
        Ok(())
    }

    /// The value of a pipeline, whose variables are set to it.
    pub(super) fn pipeline(&mut self, pipe: &'t Pipe, dot: &Value) -> Evaluated<Value> {
        self.place = Place::Pipe(pipe);
        let mut value = None;
        for command in &pipe.commands {
            self.step()?;
            // The value so far is the last argument of the next command.
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// A pipeline in parentheses.
    pub(super) fn inner_pipeline(&mut self, pipe: &'t Pipe, dot: &Value) -> Evaluated<Value> {
        self.nested(|machine| machine.pipeline(pipe, dot))
    }
}
