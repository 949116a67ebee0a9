//! One problem of a configuration, told so that it can be mended without the manual.

use serde::Serialize;

/// A range of bytes in the *source* of the configuration, before the template was rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Whether a problem refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; somebody should know.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it refuses the file.
    pub severity: Severity,
    /// The key's path (`jobs[1].health.ttl`), empty for the file as a whole.
    pub path: String,
    /// Where, if it has a place.
    pub span: Option<Span>,
    /// What is wrong, what was found, what is accepted; a lower-case sentence that names the key's path.
    pub message: String,
    /// Said at the marked place (`did you mean …?`), may be empty.
    pub label: String,
    /// The way out, may be empty.
    pub help: String,
    /// The exact words of ContainerPilot 3.8, where scripts may look for them; for golden comparison. Not printed.
    #[serde(skip)]
    pub original: Option<String>,
}

/// Line and column of a byte, both from 1; the column counts characters.
pub fn line_col(source: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// The candidate that is most like the word, if one is like enough for a "did you mean": at most a third of its letters
/// wrong, and never more than three.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    candidates
        .into_iter()
        .map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            let limit = word.len().max(other.len()).div_ceil(3).min(3);
            (distance(&word, &other), limit, candidate)
        })
        .filter(|(distance, limit, _)| distance <= limit && *distance < word.len().max(1))
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, &above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

impl Severity {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// In file order; those without a place come first.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.span.map(|span| span.start));
    sorted
}

fn counts(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

/// All problems with their excerpts, in file order, and a last line that counts them; every line ends with a newline.
/// Nothing at all if there are none.
pub fn render(diagnostics: &[Diagnostic], origin: &str, source: &str) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let out: String = sorted(diagnostics).into_iter().map(|one| render_one(one, origin, source)).collect();
    let (errors, warnings) = counts(diagnostics);
    let parts: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    out + &format!("{origin}: {}\n", parts.join(", "))
}

fn render_one(diagnostic: &Diagnostic, origin: &str, source: &str) -> String {
    let mut out = format!("{}: {}\n", diagnostic.severity.name(), diagnostic.message);
    let mut gutter = String::from(" ");
    if let Some(span) = diagnostic.span {
        let (line, column) = line_col(source, span.start);
        gutter = " ".repeat(line.to_string().len());
        let text = source.split('\n').nth(line - 1).unwrap_or("").trim_end_matches('\r');
        let shown: String = text.chars().map(shown).collect();
        let (end_line, end_column) = line_col(source, span.end.max(span.start));
        let last = if end_line == line { end_column } else { text.chars().count() + 1 };
        let marks = "^".repeat(last.saturating_sub(column).max(1));
        let indent = " ".repeat(column - 1);
        let label = if diagnostic.label.is_empty() { String::new() } else { format!(" {}", diagnostic.label) };
        out += &format!(
            "{gutter}--> {origin}:{line}:{column}\n{gutter} |\n{line} | {shown}\n{gutter} | {indent}{marks}{label}\n{gutter} |\n"
        );
    } else {
        out += &format!("{gutter}--> {origin}\n");
    }
    if !diagnostic.help.is_empty() {
        out += &format!("{gutter} = help: {}\n", diagnostic.help);
    }
    out
}

/// One column for each character, so that the marks stand below what they mark; nothing that moves a terminal's cursor.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// `file:line:col: message (help)`, for a log.
pub fn one_line(d: &Diagnostic, origin: &str, source: &str) -> String {
    let place = d.span.map_or_else(String::new, |span| {
        let (line, column) = line_col(source, span.start);
        format!(":{line}:{column}")
    });
    let hint = [&d.label, &d.help].into_iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; ");
    let hint = if hint.is_empty() { hint } else { format!(" ({hint})") };
    format!("{origin}{place}: {}{hint}", d.message).replace('\n', " ")
}

/// One JSON object: `file`, `errors`, `warnings` (counts) and `problems` in file order.
pub fn to_json(diagnostics: &[Diagnostic], origin: &str, source: &str) -> String {
    let problems: Vec<serde_json::Value> = sorted(diagnostics)
        .into_iter()
        .map(|one| {
            let place = one.span.map(|span| line_col(source, span.start));
            serde_json::json!({
                "severity": one.severity.name(),
                "path": one.path,
                "line": place.map(|(line, _)| line),
                "column": place.map(|(_, column)| column),
                "message": one.message,
                "label": one.label,
                "help": one.help,
            })
        })
        .collect();
    let (errors, warnings) = counts(diagnostics);
    serde_json::json!({ "file": origin, "errors": errors, "warnings": warnings, "problems": problems }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place() {
        let source = "{\n  é: 1,\n  tll: 10,\n}";
        let start = source.find("tll").unwrap();
        let problem = Diagnostic {
            severity: Severity::Error,
            path: "tll".into(),
            span: Some(Span { start, end: start + 3 }),
            message: "unknown key `tll`".into(),
            label: "did you mean `ttl`?".into(),
            help: "see above".into(),
            original: None,
        };
        assert_eq!(
            render(std::slice::from_ref(&problem), "a.json5", source),
            "error: unknown key `tll`\n --> a.json5:3:3\n  |\n3 |   tll: 10,\n  |   ^^^ did you mean `ttl`?\n  |\n  = help: see above\na.json5: 1 error\n"
        );
        assert_eq!(one_line(&problem, "a", source), "a:3:3: unknown key `tll` (did you mean `ttl`?; see above)");
        assert!(
            to_json(&[problem], "a", source).starts_with(r#"{"file":"a","errors":1,"warnings":0,"problems":[{"sev"#)
        );
        assert_eq!(nearest("tll", ["interval", "ttl"]), Some("ttl"));
        assert_eq!(nearest("EXEC", ["each", "exec"]), Some("exec"));
        assert_eq!(nearest("zzz", ["each", "exec"]), None);
    }
}
