//! Collects what is wrong with a configuration while it is decoded and validated.
//!
//! Two orders matter. People read problems in the order of the file; the original stopped at the first one it met, in
//! the order of its own steps (v3 §3). So every problem carries a [`Rank`], and the report can tell both.
//!
//! The text that was parsed is the rendered one and may hold secrets from the environment. This is the one place that
//! decides what may be repeated in a message: only what stands in the file just so ([`Report::literal`]).

use super::diagnostic::{Diagnostic, Severity, Span};
use super::json5::{Node, Value};
use super::template::SourceMap;

/// The original's steps, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Decoding `logging`.
    Logging,
    /// Decoding `stopTimeout`.
    StopTimeout,
    /// The keys at the top.
    Keys,
    /// The `consul` section.
    Consul,
    /// The `control` section.
    Control,
    /// All jobs.
    Jobs,
    /// All watches.
    Watches,
    /// The `telemetry` section.
    Telemetry,
    /// The values of `logging`.
    LogValues,
    /// The path of the control socket.
    Socket,
    /// What the original never looked at.
    Ours,
}

/// When the original would have met a problem: step, which one of a list (0: while decoding the list), which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(pub(super) Step, pub(super) usize, pub(super) u8);

impl Rank {
    /// A problem that only we see.
    pub(super) const OURS: Self = Self(Step::Ours, 0, 0);

    /// While decoding a section.
    pub(super) const fn decoding(step: Step) -> Self {
        Self(step, 0, 0)
    }
}

/// The path of a value as we write it (`jobs[1].health`) and as the original did (`[1].health`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// For people.
    pub(super) ours: String,
    /// For the original's messages.
    pub(super) theirs: String,
}

impl Place {
    /// A section: the original's paths begin below it.
    pub(super) fn section(name: &str) -> Self {
        Self { ours: name.to_owned(), theirs: String::new() }
    }

    /// The value of a key.
    pub(super) fn key(&self, key: &str) -> Self {
        let join = |base: &str| if base.is_empty() { key.to_owned() } else { format!("{base}.{key}") };
        Self { ours: join(&self.ours), theirs: join(&self.theirs) }
    }

    /// An element. The original had dropped the `null`s before it counted.
    pub(super) fn index(&self, ours: usize, theirs: usize) -> Self {
        Self { ours: format!("{}[{ours}]", self.ours), theirs: format!("{}[{theirs}]", self.theirs) }
    }
}

/// One problem, in the places of the rendered text.
#[derive(Debug)]
pub(super) struct Problem {
    rank: Rank,
    severity: Severity,
    path: String,
    span: Option<Span>,
    message: String,
    label: String,
    help: String,
    original: Option<String>,
    refused_by_check: bool,
}

impl Problem {
    /// What refuses the file.
    pub(super) fn error(rank: Rank, path: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, rank, path, Some(span), message)
    }

    /// What somebody should know.
    pub(super) fn warning(path: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Rank::OURS, path, Some(span), message)
    }

    fn new(severity: Severity, rank: Rank, path: &str, span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            rank,
            severity,
            path: path.to_owned(),
            span,
            message: message.into(),
            label: String::new(),
            help: String::new(),
            original: None,
            refused_by_check: false,
        }
    }

    /// Said at the marked place.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The way out.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// What the original would have said.
    pub(super) fn original(mut self, text: impl Into<String>) -> Self {
        self.original = Some(text.into());
        self
    }

    /// It has no place in the file: it comes from the environment, or from what is not there.
    pub(super) fn nowhere(mut self) -> Self {
        self.span = None;
        self
    }

    /// A warning that refuses the file where somebody only asks what is wrong with it.
    pub(super) fn refused_by_check(mut self) -> Self {
        self.refused_by_check = true;
        self
    }
}

/// All problems so far.
pub(super) struct Report<'a> {
    source: &'a str,
    rendered: &'a str,
    map: &'a SourceMap,
    strict: bool,
    problems: Vec<Problem>,
    /// Refusals of the original that are none of ours.
    lifted: Vec<(Rank, String)>,
}

impl<'a> Report<'a> {
    /// Nothing is wrong yet with a file and what its template made.
    pub(super) fn new(source: &'a str, rendered: &'a str, map: &'a SourceMap) -> Self {
        Self { source, rendered, map, strict: false, problems: Vec::new(), lifted: Vec::new() }
    }

    /// Whether this is `config check`, before any start.
    pub(super) fn strictly(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Whether this is `config check`.
    pub(super) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Notes a problem.
    pub(super) fn add(&mut self, mut problem: Problem) {
        if self.strict && problem.refused_by_check {
            problem.severity = Severity::Error;
        }
        self.problems.push(problem);
    }

    /// Notes that the original would have refused what we take.
    pub(super) fn lifted(&mut self, rank: Rank, original: &str) {
        self.lifted.push((rank, original.to_owned()));
    }

    /// Whether anything refuses the file.
    pub(super) fn refused(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }

    /// A piece of the rendered text, if the file holds it just so. What an action made is never given.
    pub(super) fn literal(&self, span: Span) -> Option<&'a str> {
        let rendered = self.rendered.get(span.start..span.end)?;
        let place = self.map.source_span(span.start..span.end);
        (self.source.get(place.start..place.end)? == rendered).then_some(rendered)
    }

    /// A value for the end of a sentence, `found …`: as written, if it may be repeated.
    pub(super) fn found(&self, node: &Node) -> String {
        match (&node.value, self.literal(node.span)) {
            (Value::Object(_), _) => "an object".to_owned(),
            // That there is nothing is no secret, and mostly the reason.
            (Value::String(text), None) if text.is_empty() => "an empty text made by the template".to_owned(),
            (_, None) => "a value made by the template".to_owned(),
            (Value::Array(_), Some(text)) if text.contains('\n') => "an array".to_owned(),
            (_, Some(text)) => shortened(text),
        }
    }

    /// As [`found`](Self::found), for a scalar of which only the place is at hand.
    pub(super) fn found_at(&self, span: Span) -> String {
        self.literal(span).map_or_else(|| "a value made by the template".to_owned(), shortened)
    }

    /// A name between backquotes, or words for it where it may not be repeated.
    pub(super) fn named(&self, node: &Node) -> String {
        match (&node.value, self.literal(node.span)) {
            (Value::String(name), Some(_)) => format!("`{name}`"),
            (_, Some(text)) => format!("`{text}`"),
            (_, None) => "a name made by the template".to_owned(),
        }
    }

    /// Ends the report: diagnostics in file order (what has no place first), at most [`MOST`] and one, and what the original would have said.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, Option<String>) {
        let refusals = self.problems.iter().filter_map(|p| Some((p.rank, p.original.as_ref()?)));
        let lifted = self.lifted.iter().map(|(rank, original)| (*rank, original));
        let original = refusals.chain(lifted).min_by_key(|(rank, _)| *rank).map(|(_, original)| original.clone());
        let mut diagnostics: Vec<Diagnostic> = self.problems.drain(..).map(|p| diagnostic(p, self.map)).collect();
        diagnostics.sort_by_key(|d| d.span);
        if diagnostics.len() > MOST {
            let rest = diagnostics.split_off(MOST);
            diagnostics.push(the_rest(&rest));
        }
        (diagnostics, original)
    }
}

/// The most problems that are told one by one.
pub(super) const MOST: usize = 1_000;

/// All others, which stand behind the last one told.
fn the_rest(rest: &[Diagnostic]) -> Diagnostic {
    let errors = rest.iter().filter(|d| d.severity == Severity::Error).count();
    let first = rest.first();
    Diagnostic {
        severity: if errors > 0 { Severity::Error } else { Severity::Warning },
        path: String::new(),
        span: first.and_then(|d| d.span),
        message: format!("{} more problems from here on, {errors} of them errors, are not shown", rest.len()),
        label: String::new(),
        help: String::new(),
        original: None,
    }
}

fn diagnostic(problem: Problem, map: &SourceMap) -> Diagnostic {
    Diagnostic {
        severity: problem.severity,
        path: problem.path,
        span: problem.span.map(|span| map.source_span(span.start..span.end)),
        message: problem.message,
        label: problem.label,
        help: problem.help,
        original: problem.original,
    }
}

/// The longest piece of a file that a message repeats, in characters.
const LONGEST_QUOTE: usize = 60;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or("")),
        None => text.to_owned(),
    }
}
