//! The words and ranks that the rules of one job, watch or section share.

use std::fmt::Display;

use crate::config::diagnostic::Span;
use crate::config::duration::{DurationError, DurationErrorClass, GoDuration, parse_job_duration};
use crate::config::json5::Node;
use crate::config::raw::Text;
use crate::config::report::{Problem, Rank, Report, Step};

/// Judges one job, watch or section.
pub(super) struct Judge<'j, 'a> {
    /// Where problems go.
    pub(super) report: &'j mut Report<'a>,
    /// The path of what is judged: `jobs[1]`.
    pub(super) path: String,
    /// The original's step.
    pub(super) step: Step,
    /// Its number in the step, from 1.
    pub(super) item: usize,
    /// How the original's messages of this step begin.
    pub(super) prefix: &'static str,
}

/// What a duration field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Nothing.
    Unset,
    /// Something wrong, which has been said.
    Bad,
    /// This long.
    Is(GoDuration),
}

impl Judge<'_, '_> {
    /// The path of a field.
    pub(super) fn path_of(&self, key: &str) -> String {
        if key.is_empty() { self.path.clone() } else { format!("{}.{key}", self.path) }
    }

    /// A breach of one of the original's rules: `rule` is its place in the order of v3 §8.1, `message` reads after the
    /// path, `original` after the step's prefix.
    pub(super) fn error(
        &mut self,
        rule: u8,
        key: &str,
        span: Span,
        message: impl Display,
        original: impl Display,
    ) -> Problem {
        let path = self.path_of(key);
        Problem::error(Rank(self.step, self.item, rule), &path, span, format!("{path}: {message}"))
            .original(format!("{}{original}", self.prefix))
    }

    /// A breach of a rule of ours.
    pub(super) fn our_error(&mut self, key: &str, span: Span, message: impl Display) -> Problem {
        let path = self.path_of(key);
        Problem::error(Rank::OURS, &path, span, format!("{path}: {message}"))
    }

    /// Something that is taken, but hardly meant.
    pub(super) fn warning(&mut self, key: &str, span: Span, message: impl Display) -> Problem {
        let path = self.path_of(key);
        Problem::warning(&path, span, format!("{path}: {message}"))
    }

    /// Notes a problem.
    pub(super) fn add(&mut self, problem: Problem) {
        self.report.add(problem);
    }

    /// `found …` for a value.
    pub(super) fn found(&self, node: &Node) -> String {
        format!("found {}", self.report.found(node))
    }

    /// A duration as v3 §7.1 has it. `original` makes the original's message from Go's.
    pub(super) fn length(
        &mut self,
        rule: u8,
        key: &str,
        text: &Text,
        original: impl FnOnce(&DurationError) -> String,
    ) -> Length {
        let Some(node) = text.node else { return Length::Unset };
        if text.field.is_bad() {
            return Length::Bad;
        }
        match parse_job_duration(text.text()) {
            Ok(None) => Length::Unset,
            Ok(Some(duration)) => Length::Is(duration),
            Err(error) => {
                let message = format!("expected {DURATION}, {}", self.found(node));
                let problem = self.error(rule, key, node.span, message, original(&error));
                self.add(problem.label(duration_label(error.class)));
                Length::Bad
            }
        }
    }

    /// As [`length`](Self::length), for a field that the original did not have.
    pub(super) fn length_of_ours(&mut self, key: &str, text: &Text) -> Length {
        let Some(node) = text.node else { return Length::Unset };
        match parse_job_duration(text.text()) {
            _ if text.field.is_bad() => Length::Bad,
            Ok(None) => Length::Unset,
            Ok(Some(duration)) => Length::Is(duration),
            Err(error) => {
                let message = format!("expected {DURATION}, {}", self.found(node));
                let problem = self.our_error(key, node.span, message);
                self.add(problem.label(duration_label(error.class)));
                Length::Bad
            }
        }
    }

    /// As [`length`](Self::length), at least 1 ms.
    pub(super) fn length_from_1ms(&mut self, rule: u8, key: &str, text: &Text, names: (&str, &str)) -> Length {
        let (parse, minimum) = names;
        let length = self.length(rule, key, text, |e| format!("unable to parse {parse} '{}': {e}", text.text()));
        match (length, text.node) {
            (Length::Is(GoDuration(ns)), Some(node)) if ns < 1_000_000 => {
                let message = format!("expected at least \"1ms\", {}", self.found(node));
                let original = format!("{minimum} '{}' cannot be less than 1ms", text.text());
                let problem = self.error(rule, key, node.span, message, original);
                self.add(problem);
                Length::Bad
            }
            _ => length,
        }
    }
}

/// What a duration field accepts.
pub(super) const DURATION: &str = "seconds or a duration like \"1500ms\", \"30s\" or \"1h30m\"";

/// Said at the place of a wrong duration.
pub(super) fn duration_label(class: DurationErrorClass) -> &'static str {
    match class {
        DurationErrorClass::InvalidDuration => "",
        DurationErrorClass::MissingUnit => "a unit is missing: ns, us, ms, s, m or h",
        DurationErrorClass::UnknownUnit => "units are ns, us, ms, s, m and h",
    }
}
