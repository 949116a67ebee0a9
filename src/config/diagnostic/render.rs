//! Diagnostics as people and machines read them.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostic, Severity, Span, secrets, without_passwords};
use crate::visible::{is_odd, is_reordering};

/// Widest line of an excerpt, in columns; longer ones are cut around the marked place.
const WIDTH: usize = 120;
/// Characters kept of a line on either side of the marked place's start, so that a file of one endless line costs
/// no more than others. More than [`WIDTH`], so that the cut is always shown.
const REACH: usize = 160;
/// Longest message, label or help in characters: they may repeat what the file says.
const LONGEST: usize = 1_000;

/// All diagnostics as text, in file order, with excerpts and an empty line after each, and a last line that counts them.
/// No colour.
///
/// `source` is the file as written. Lines end in `\n`; of a place over several lines only the first is shown; control
/// characters are shown as symbols or escapes.
pub fn render(diagnostics: &[Diagnostic], origin: &str, source: &str) -> String {
    let source = secrets::hidden(source);
    let lines = Lines::new(&source);
    let origin = clean(origin, false);
    let renderer = Renderer::plain().term_width(WIDTH);
    let mut text = String::new();
    for diagnostic in in_file_order(diagnostics) {
        text.push_str(&one(&renderer, diagnostic, &origin, &lines));
        text.push_str("\n\n");
    }
    let (errors, warnings) = count(diagnostics);
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(format!("{errors} error{}", plural(errors)));
    }
    if warnings > 0 {
        parts.push(format!("{warnings} warning{}", plural(warnings)));
    }
    let summary = if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") };
    text + &origin + ": " + &summary + "\n"
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic, origin: &str, lines: &Lines<'_>) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpt = diagnostic.span.map(|span| lines.excerpt(span));
    let mut elements: Vec<Element<'_>> = Vec::new();
    match &excerpt {
        Some(excerpt) => {
            let marked = AnnotationKind::Primary.span(excerpt.start..excerpt.end);
            let label = clean(&diagnostic.label, false);
            let marked = if label.is_empty() { marked } else { marked.label(label) };
            let snippet =
                Snippet::source(excerpt.text.as_ref()).path(origin).line_start(excerpt.line).annotation(marked);
            elements.push(snippet.into());
        }
        None => elements.push(Origin::path(origin).into()),
    }
    if !diagnostic.help.is_empty() {
        elements.push(Level::HELP.message(clean(&diagnostic.help, true)).into());
    }
    let title = level.primary_title(clean(&diagnostic.message, false));
    let text = renderer.render(&[title.elements(elements)]);
    match excerpt {
        Some(Excerpt { line, column, shown_column, .. }) if column != shown_column => {
            // The renderer counts in what it was given, which is a piece of the line.
            let place = |column| format!("--> {origin}:{line}:{column}\n");
            text.replacen(&place(shown_column), &place(column), 1)
        }
        // As far to the right as where there is an excerpt.
        None => text.replacen("\n--> ", "\n --> ", 1),
        _ => text,
    }
}

/// One diagnostic as one line, for a log: `file:line:column: message (label; help)`, without the place where it has none.
pub fn one_line(diagnostic: &Diagnostic, origin: &str, source: &str) -> String {
    let place = diagnostic.span.map(|span| line_col(source, span.start));
    let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let more = [&diagnostic.label, &diagnostic.help].into_iter().filter(|text| !text.is_empty());
    let more: Vec<String> = more.map(|text| clean(text, false)).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    format!("{}{place}: {}{more}", clean(origin, false), clean(&diagnostic.message, false))
}

/// One object for machines: `file`, how many `errors` and `warnings`, and `diagnostics` in file order, each with
/// `severity`, `path`, `line` and `column` (from 1, in characters; `null` without a place), `message`, `label`, `help`.
pub fn to_json(diagnostics: &[Diagnostic], origin: &str, source: &str) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        file: &'a str,
        errors: usize,
        warnings: usize,
        diagnostics: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        severity: Severity,
        path: Cow<'a, str>,
        line: Option<usize>,
        column: Option<usize>,
        message: Cow<'a, str>,
        label: Cow<'a, str>,
        help: Cow<'a, str>,
    }
    let lines = Lines::new(source);
    let entries = in_file_order(diagnostics)
        .into_iter()
        .map(|diagnostic| {
            let place = diagnostic.span.map(|span| lines.line_col(span.start));
            Entry {
                severity: diagnostic.severity,
                path: without_passwords(&diagnostic.path),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message: without_passwords(&diagnostic.message),
                label: without_passwords(&diagnostic.label),
                help: without_passwords(&diagnostic.help),
            }
        })
        .collect();
    let (errors, warnings) = count(diagnostics);
    let report = Report { file: origin, errors, warnings, diagnostics: entries };
    // Nothing in it can fail to serialise: text, numbers and lists.
    serde_json::to_string(&report).unwrap_or_default()
}

/// Line and column of a byte, both from 1, the column in characters. An offset beyond the end is the end; one within
/// a character is the character's.
pub fn line_col(source: &str, offset: usize) -> (usize, usize) {
    Lines::new(source).line_col(offset)
}

/// In file order; what concerns the file as a whole comes first.
fn in_file_order(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.span);
    sorted
}

fn count(diagnostics: &[Diagnostic]) -> (usize, usize) {
    diagnostics.iter().fold((0, 0), |(errors, warnings), diagnostic| {
        let (more_errors, more_warnings) = diagnostic.untold.unwrap_or(match diagnostic.severity {
            Severity::Error => (1, 0),
            Severity::Warning => (0, 1),
        });
        (errors.saturating_add(more_errors), warnings.saturating_add(more_warnings))
    })
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What terminals could take for a command, as an escape; passwords as stars; what is too long, cut.
fn clean(text: &str, keep_line_breaks: bool) -> String {
    let text = without_passwords(text);
    let mut cleaned = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        if index == LONGEST {
            cleaned.push('…');
            break;
        }
        if !is_odd(c) || (keep_line_breaks && c == '\n') {
            cleaned.push(c);
        } else {
            cleaned.extend(c.escape_default());
        }
    }
    cleaned
}

/// A piece of the source without what the renderer would let through: [`is_reordering`], and the control characters of the
/// second kind, which some terminals obey. All else that is not to be shown it replaces itself. Each is as long as what
/// takes its place, so that places stay right.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_late_control = |c| matches!(c, '\u{80}'..='\u{9f}');
    if !text.contains(|c| is_reordering(c) || is_late_control(c)) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match (is_reordering(c) || is_late_control(c), c.len_utf8()) {
        (true, 2) => '·',
        (true, _) => char::REPLACEMENT_CHARACTER,
        (false, _) => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A source with the starts of its lines, for many look-ups.
struct Lines<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

/// The line of a marked place, cut if it is very long.
struct Excerpt<'a> {
    text: Cow<'a, str>,
    /// The marked bytes of `text`.
    start: usize,
    end: usize,
    line: usize,
    column: usize,
    /// The column in `text`.
    shown_column: usize,
}

impl<'a> Lines<'a> {
    fn new(source: &'a str) -> Self {
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { source, starts: std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect() }
    }

    /// Index and start of the line with this byte.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let index = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        (index, self.starts.get(index).copied().unwrap_or(0))
    }

    fn line_col(&self, offset: usize) -> (usize, usize) {
        let offset = self.source.floor_char_boundary(offset);
        let (index, start) = self.line_of(offset);
        let before = self.source.get(start..offset).unwrap_or_default();
        (index + 1, before.chars().count() + 1)
    }

    fn excerpt(&self, span: Span) -> Excerpt<'a> {
        let start = self.source.floor_char_boundary(span.start);
        let (index, line_start) = self.line_of(start);
        let rest = self.source.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (_, column) = self.line_col(start);

        // A place at the line break itself is marked behind the line's last character.
        let start = (start - line_start).min(line.len());
        let end = self.source.ceil_char_boundary(span.end).saturating_sub(line_start).min(line.len()).max(start);
        let (before, after) = line.split_at_checked(start).unwrap_or((line, ""));
        let cut_start = before.char_indices().rev().nth(REACH).map_or(0, |(at, _)| at);
        let cut_end = after.char_indices().nth(REACH).map_or(line.len(), |(at, _)| start + at);
        let shown_before = line.get(cut_start..start).unwrap_or_default();
        Excerpt {
            text: harmless(line.get(cut_start..cut_end).unwrap_or_default()),
            start: start - cut_start,
            end: end.min(cut_end) - cut_start,
            line: index + 1,
            column,
            shown_column: shown_before.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests;
