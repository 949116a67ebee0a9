//! Collects what is wrong with a configuration while it is decoded and validated.
//!
//! Two orders matter. People read problems in the order of the file; the original stopped at the first one it met, in
//! the order of its own steps (v3 §3). So every problem carries a [`Rank`], and the report can tell both.
//!
//! The text that was parsed is the rendered one and may hold secrets from the environment. This is the one place that
//! decides what may be repeated in a message: only what stands in the file just so, and not where a secret may stand
//! ([`Report::literal`]).

use std::cell::OnceCell;

use super::diagnostic::{Diagnostic, Secrets, Severity, Span, without_passwords};
use super::json5::{Member, Node, Value};
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

/// The most problems that are told one by one.
pub(super) const MOST: usize = 100;

/// All problems so far, but no more of them than are told: a file of a megabyte can have a hundred thousand.
pub(super) struct Report<'a> {
    source: &'a str,
    rendered: &'a str,
    map: &'a SourceMap,
    strict: bool,
    /// Where secrets may stand in the source; most files are never asked.
    secrets: OnceCell<Secrets>,
    /// Those to be told, in the places of the source, and others until they are twice as many.
    kept: Vec<Diagnostic>,
    /// How many were noted in all, and how many of them errors.
    problems: usize,
    errors: usize,
    /// The first refusal of the original.
    refusal: Option<(Rank, String)>,
    /// The first refusal of the original that is none of ours.
    lifted: Option<(Rank, String)>,
}

impl<'a> Report<'a> {
    /// Nothing is wrong yet with a file and what its template made.
    pub(super) fn new(source: &'a str, rendered: &'a str, map: &'a SourceMap) -> Self {
        Self {
            source,
            rendered,
            map,
            strict: false,
            secrets: OnceCell::new(),
            kept: Vec::new(),
            problems: 0,
            errors: 0,
            refusal: None,
            lifted: None,
        }
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
        if let Some(original) = problem.original {
            self.refused_by_the_original(problem.rank, original);
        }
        self.problems = self.problems.saturating_add(1);
        if problem.severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
        }
        self.kept.push(Diagnostic {
            severity: problem.severity,
            path: problem.path,
            span: problem.span.map(|span| self.map.source_span(span.start..span.end)),
            message: problem.message,
            label: problem.label,
            help: problem.help,
            untold: None,
            original: None,
        });
        if self.kept.len() >= MOST.saturating_mul(2) {
            self.keep_the_most();
        }
    }

    /// Errors before warnings, of either the first ones in the file.
    fn keep_the_most(&mut self) {
        self.kept.sort_by_key(|d| (d.severity, d.span));
        self.kept.truncate(MOST);
    }

    /// Whether so many errors are noted that a further one will hardly be told.
    pub(super) fn is_full(&self) -> bool {
        self.errors > MOST
    }

    /// Notes what the original would have said of a problem.
    pub(super) fn refused_by_the_original(&mut self, rank: Rank, original: String) {
        if self.refusal.as_ref().is_none_or(|(first, _)| rank < *first) {
            self.refusal = Some((rank, original));
        }
    }

    /// Notes that the original would have refused what we take.
    pub(super) fn lifted(&mut self, rank: Rank, original: &str) {
        if self.lifted.as_ref().is_none_or(|(first, _)| rank < *first) {
            self.lifted = Some((rank, original.to_owned()));
        }
    }

    /// Whether anything refuses the file.
    pub(super) fn refused(&self) -> bool {
        self.errors > 0
    }

    /// A piece of the rendered text, if the file holds it just so. What an action made is never given, nor what stands
    /// where excerpts have stars.
    pub(super) fn literal(&self, span: Span) -> Option<&'a str> {
        let rendered = self.rendered.get(span.start..span.end)?;
        let place = self.map.source_span(span.start..span.end);
        let literal = self.source.get(place.start..place.end)? == rendered;
        (literal && !self.may_be_secret(place)).then_some(rendered)
    }

    /// Whether a place of the source is shown as stars.
    fn may_be_secret(&self, place: Span) -> bool {
        self.secrets.get_or_init(|| Secrets::of(self.source)).touch(place)
    }

    /// Why [`literal`](Self::literal) gives nothing, behind a noun.
    pub(super) fn unseen(&self, span: Span) -> &'static str {
        if self.may_be_secret(self.map.source_span(span.start..span.end)) {
            "that is not shown, since a secret may stand there"
        } else {
            "made by the template"
        }
    }

    /// The place of a value below a key that may be any: one that a template made is left out.
    pub(super) fn place_of(&self, member: &Member, place: &Place) -> Place {
        let below = place.key(&member.key);
        let ours = if self.literal(member.key_span).is_some() { below.ours } else { place.ours.clone() };
        Place { ours, ..below }
    }

    /// Whether the rendered text has just this text at a place.
    pub(super) fn reads(&self, span: Span, text: &str) -> bool {
        self.rendered.get(span.start..span.end) == Some(text)
    }

    /// A value for the end of a sentence, `found …`: as written, if it may be repeated.
    pub(super) fn found(&self, node: &Node) -> String {
        match (&node.value, self.literal(node.span)) {
            (Value::Object(_), _) => "an object".to_owned(),
            // That there is nothing is no secret, and mostly the reason.
            (Value::String(text), None) if text.is_empty() => format!("an empty text {}", self.unseen(node.span)),
            (_, None) => format!("a value {}", self.unseen(node.span)),
            (Value::Array(_), Some(text)) if text.contains('\n') => "an array".to_owned(),
            (_, Some(text)) => shortened(text),
        }
    }

    /// As [`found`](Self::found), for a scalar of which only the place is at hand.
    pub(super) fn found_at(&self, span: Span) -> String {
        self.literal(span).map_or_else(|| format!("a value {}", self.unseen(span)), shortened)
    }

    /// A name between backquotes, or words for it where it may not be repeated.
    pub(super) fn named(&self, node: &Node) -> String {
        match (&node.value, self.literal(node.span)) {
            (Value::String(name), Some(_)) => format!("`{name}`"),
            (_, Some(text)) => format!("`{text}`"),
            (_, None) => format!("a name {}", self.unseen(node.span)),
        }
    }

    /// Ends the report: diagnostics in file order (what has no place first), at most [`MOST`] and one that counts the
    /// others, and what the original would have said.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, Option<String>) {
        let original = self.refusal.take().into_iter().chain(self.lifted.take()).min_by_key(|(rank, _)| *rank);
        if self.problems > MOST {
            self.keep_the_most();
        }
        self.kept.sort_by_key(|d| d.span);
        let told_errors = self.kept.iter().filter(|d| d.severity == Severity::Error).count();
        let rest = (self.problems.saturating_sub(self.kept.len()), self.errors.saturating_sub(told_errors));
        if rest.0 > 0 {
            let last = self.kept.last().and_then(|d| d.span);
            self.kept.push(the_rest(rest, last));
        }
        (self.kept, original.map(|(_, original)| original))
    }
}

/// All problems that are not told, of which so many are errors. It stands behind the last one told.
fn the_rest((problems, errors): (usize, usize), last: Option<Span>) -> Diagnostic {
    Diagnostic {
        severity: if errors > 0 { Severity::Error } else { Severity::Warning },
        path: String::new(),
        span: last,
        message: format!(
            "and {problems} more problem{}, {errors} of them errors",
            if problems == 1 { "" } else { "s" }
        ),
        label: String::new(),
        help: String::new(),
        untold: Some((errors, problems.saturating_sub(errors))),
        original: None,
    }
}

/// The longest piece of a file that a message repeats, in characters.
const LONGEST_QUOTE: usize = 60;

/// A piece of a file, without passwords, cut where it is too long to be repeated.
pub(super) fn shortened(text: &str) -> String {
    // Before the cut, which may take the `@` away.
    let text = without_passwords(text);
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or("")),
        None => text.into_owned(),
    }
}
