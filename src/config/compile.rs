//! From a [`Source`] to an [`Outcome`].

use super::context::Context;
use super::diagnostic::{Diagnostic, Secrets, Severity, Span};
use super::load::Source;
use super::report::{Problem, Report};
use super::template::{Class, Rendered, TemplateError};
use super::{json5, template, validate};
use crate::plan::Plan;

/// What became of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was decided; there if and only if no diagnostic is an error.
    pub plan: Option<Plan>,
    /// Everything that was found, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The one message with which ContainerPilot 3.8 would have refused the file, if it would have. For comparison only:
    /// it may hold text that a template made, so it is never printed.
    pub original: Option<String>,
}

/// Renders, parses and validates a configuration (v3 §3). `strict` is for `config check`: then a job that can
/// never start refuses the file (design §4 row 20), and more is warned of.
///
/// Besides its arguments it looks at the files that the configuration names (certificates, the log's directory).
pub fn compile(source: &Source, context: &Context, strict: bool) -> Outcome {
    let rendered = match template::render(&source.text, &context.env) {
        Ok(rendered) => rendered,
        Err(error) => return refused(template_problem(&error, &source.text)),
    };
    let tree = match json5::parse(&rendered.text) {
        Ok(tree) => tree,
        Err(error) => return refused(syntax_problem(&source.text, &rendered, &error)),
    };
    let mut report = Report::new(&source.text, &rendered.text, &rendered.map).strictly(strict);
    warn_of_lost_bytes(&source.text, &rendered.text, &mut report);
    let plan = validate::plan(&tree, context, &mut report).filter(|_| !report.refused());
    let (diagnostics, original) = report.finish();
    Outcome { plan, diagnostics, original }
}

/// What was no UTF-8 is U+FFFD by now, as in the original. Nobody writes that, so whoever finds it has lost a character.
fn warn_of_lost_bytes(source: &str, rendered: &str, report: &mut Report) {
    let count = source.matches(char::REPLACEMENT_CHARACTER).count();
    let Some(start) = rendered.find(char::REPLACEMENT_CHARACTER).filter(|_| count > 0) else { return };
    let span = Span { start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() };
    let more = if count > 1 { format!(", {count} times in the file") } else { String::new() };
    let message = format!("there is a byte that is no UTF-8{more}: it is read as U+FFFD");
    report.add(Problem::warning("", span, message).help("save the file as UTF-8"));
}

fn refused(diagnostic: Diagnostic) -> Outcome {
    Outcome { plan: None, original: diagnostic.original.clone(), diagnostics: vec![diagnostic] }
}

pub(super) fn template_problem(error: &TemplateError, source: &str) -> Diagnostic {
    let secrets = Secrets::of(source);
    let told = if secrets.touch(error.span) || secrets.are_told_by(&error.told, source) {
        unseen(error.class)
    } else {
        error.told.clone()
    };
    let help = match error.class {
        Class::FunctionNotDefined => "a variable of the environment has a dot before it: {{ .NAME }}",
        Class::UnexpectedEndOfFile => "an {{ end }} is missing",
        Class::UnterminatedString => "is `}}` missing before it?",
        _ if told.contains('…') && told != error.reason => {
            "… is what the environment or a function gave: it may be a secret and is not shown"
        }
        _ => "",
    };
    Diagnostic {
        severity: Severity::Error,
        path: String::new(),
        span: Some(error.span),
        message: format!("the template can't be rendered: {told}"),
        label: String::new(),
        help: help.to_owned(),
        untold: None,
        original: Some(format!("could not apply template to config: {}", error.message)),
    }
}

/// What is wrong with a template where a secret may stand, in words that repeat nothing of it.
fn unseen(class: Class) -> String {
    match class {
        Class::FunctionNotDefined => "a function that is not defined".to_owned(),
        class => format!("{}, where a secret may stand", class.as_str().replace('-', " ")),
    }
}

/// Whether the text begins at this place, with something that begins YAML or TOML rather than JSON5.
fn begins_another_language(text: &str, place: usize) -> bool {
    let Some((before, here)) = text.split_at_checked(place) else { return false };
    before.trim().is_empty() && here.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-')
}

/// The action that stands before a place and made nothing of what should be there.
fn made_nothing(source: &str, secrets: &Secrets, rendered: &Rendered, place: usize) -> Option<String> {
    let before = rendered.text.get(..place)?.trim_end().len();
    // Where the last character before the place ends in the source, and what stands between.
    let last = rendered.map.source_span(before.saturating_sub(1)..before).end;
    let here = rendered.map.source_span(place..place.saturating_add(1)).start;
    let seen = !secrets.touch(Span { start: last, end: here });
    let between = source.get(last..here)?.trim();
    let action = between.rfind("{{").and_then(|open| between.get(open..)).filter(|action| action.ends_with("}}"))?;
    // A word that closes a block tells nothing.
    let tells = action.contains('.') || action.contains("env");
    let short = action.chars().count() <= LONGEST_ACTION && !action.contains('\n');
    Some(if tells && short && seen { format!("`{action}`") } else { "the template".to_owned() })
}

/// The longest action that a message repeats, in characters.
const LONGEST_ACTION: usize = 60;

/// What is no JSON5, at its place in the source. What stands at the place is only told if it stands in the file so.
fn syntax_problem(source: &str, rendered: &Rendered, error: &json5::SyntaxError) -> Diagnostic {
    let mut diagnostic = json5::diagnostic(&rendered.text, error);
    let place = diagnostic.span.unwrap_or_default();
    let span = rendered.map.source_span(place.start..place.end);
    let secrets = Secrets::of(source);
    diagnostic.span = Some(span);
    if rendered.text.trim().is_empty() {
        "a configuration is an object, `{…}`, found nothing at all".clone_into(&mut diagnostic.message);
        if !source.trim().is_empty() {
            "the template made nothing of it: is a variable not set?".clone_into(&mut diagnostic.help);
        }
    } else if source.get(span.start..span.end) != rendered.text.get(place.start..place.end) {
        diagnostic.message = format!("syntax error: expected {}, found what the template makes here", error.expected);
        "made by the template".clone_into(&mut diagnostic.label);
        "is the value to be quoted, or has it a quote, a backslash or a line break in it?"
            .clone_into(&mut diagnostic.help);
    } else if secrets.touch(span) {
        diagnostic.message = format!("syntax error: expected {}, found what may be a secret", error.expected);
    } else if begins_another_language(&rendered.text, place.start) {
        "a configuration is one object, `{…}`, in JSON5; neither YAML nor TOML is read"
            .clone_into(&mut diagnostic.help);
    } else if let Some(action) = made_nothing(source, &secrets, rendered, place.start) {
        diagnostic.help = format!("{action} before it made nothing: is a variable not set?");
    }
    diagnostic
}
