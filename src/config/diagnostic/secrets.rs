//! Secrets in excerpts: what stands behind the word `token`, or one that is nearly spelt so, is shown as stars
//! (reliability rows 64 and 69).
//!
//! It reads the text of the file, before the template and before it is known whether the file can be read at all, and
//! changes the place of no character. Where a key with its value, or a string, is beyond doubt, only the value, or the rest
//! of the string, is hidden. Everywhere else (the file may be broken just there, and comments keep old lines) it is all
//! that follows on the line: rather too much than too little.

use std::borrow::Cow;
use std::ops::Range;

use super::Span;
use super::passwords::without_passwords;
use crate::nearest::nearest;

/// The key whose value nobody shall read in a log.
const KEY: &str = "token";

/// Which bytes of a source are hidden. Made once for a source and asked of its places.
#[derive(Debug)]
pub(in crate::config) struct Secrets {
    /// For each byte.
    hidden: Vec<bool>,
}

impl Secrets {
    /// Those of a file as it is written.
    pub(in crate::config) fn of(source: &str) -> Self {
        let mut scanner = Scanner { source, at: 0, hidden: vec![false; source.len()], known: Vec::new() };
        scanner.structure();
        scanner.lines();
        Self { hidden: scanner.hidden }
    }

    /// Whether anything hidden stands in this place, so that it can't be repeated in a message.
    pub(in crate::config) fn touch(&self, span: Span) -> bool {
        let end = span.end.min(self.hidden.len());
        self.hidden.get(span.start..end).is_some_and(|place| place.contains(&true))
    }

    /// Whether a text repeats a word out of what is hidden in this source.
    pub(in crate::config) fn are_told_by(&self, text: &str, source: &str) -> bool {
        /// Shorter ones are in any sentence.
        const SHORTEST: usize = 4;
        let tells = |word: &str| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            word.len() >= SHORTEST && text.contains(word)
        };
        let mut from = 0;
        for (at, c) in source.char_indices() {
            let shown = !self.hidden.get(at).is_some_and(|hidden| *hidden);
            if shown || c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | '|') {
                if source.get(from..at).is_some_and(tells) {
                    return true;
                }
                from = at + c.len_utf8();
            }
        }
        source.get(from..).is_some_and(tells)
    }

    /// The source with stars for them, and for the passwords of addresses.
    pub(super) fn hide<'s>(&self, source: &'s str) -> Cow<'s, str> {
        if !self.hidden.contains(&true) {
            return without_passwords(source);
        }
        let is_hidden = |at: usize| self.hidden.get(at).is_some_and(|hidden| *hidden);
        let shown: String = source.char_indices().map(|(at, c)| if is_hidden(at) { star(c) } else { c }).collect();
        Cow::Owned(without_passwords(&shown).into_owned())
    }
}

/// The text with everything behind such words made stars, and so the passwords of addresses.
pub(super) fn hidden(source: &str) -> Cow<'_, str> {
    Secrets::of(source).hide(source)
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
    hidden: Vec<bool>,
    /// Where such a word needs no second look, in order.
    known: Vec<Range<usize>>,
}

impl<'s> Scanner<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    /// Follows the structure as long as there is one: hides the values of keys, and notes what is beyond doubt.
    fn structure(&mut self) {
        // A string begins where one may begin: at the start, or behind one of these.
        let mut expected = true;
        while let Some(first) = self.rest().chars().next() {
            let blank = blank(self.rest());
            if blank > 0 {
                self.at += blank;
                continue;
            }
            let quoted = matches!(first, '"' | '\'');
            if self.rest().starts_with("{{") {
                self.at += action(self.rest());
            } else if quoted || is_of_a_word(first) {
                self.word(word(self.rest()), quoted && expected);
            } else {
                self.at += first.len_utf8();
            }
            expected = matches!(first, '{' | '[' | ',' | ':');
        }
    }

    /// A word or a string; if it is such a key, its value follows.
    fn word(&mut self, length: usize, expected_string: bool) {
        let Some((word, behind)) = self.rest().split_at_checked(length) else {
            self.at = self.source.len();
            return;
        };
        let place = self.at..self.at + length;
        self.at = place.end;
        let is_key = has_colon(behind);
        let inner = word.trim_matches(['"', '\'']);
        if is_key && (is_secret(inner) || inner.contains('\\')) {
            self.at += blank(behind) + 1;
            self.at += blank(self.rest());
            if self.value() {
                self.known.push(place);
            }
        } else if expected_string && (is_key || ends_well(behind)) && is_one_string(word) {
            self.string(place);
        }
    }

    /// Hides a value. Whether it is beyond doubt where it ends.
    fn value(&mut self) -> bool {
        let rest = self.rest();
        let (length, sure) = match rest.chars().next() {
            Some('"' | '\'') => {
                let length = string(rest);
                (length, length > 2 && rest.get(..length).is_some_and(is_one_string))
            }
            // What is between `if` and `end` is behind it, and half an action looks like an object.
            Some('{') if rest.starts_with("{{") => (action(rest), false),
            Some('[' | '{') => (nested(rest), false),
            _ => (rest.find([',', '}', ']', '\n']).unwrap_or(rest.len()), false),
        };
        self.hide(self.at..self.at + length);
        self.at += length;
        sure && ends_well(self.rest())
    }

    /// A string in its place: of a text in which such a word stands only the rest is hidden.
    fn string(&mut self, place: Range<usize>) {
        let text = self.source.get(place.clone()).unwrap_or("");
        let Some(at) = text.to_ascii_lowercase().find(KEY) else {
            return self.known.push(place);
        };
        let behind = at + KEY.len();
        // Where it ends the string the value may stand behind that.
        if text.get(behind..).is_some_and(|behind| behind.contains(char::is_alphanumeric)) {
            let from = place.start + behind;
            let lead = self.source.get(from..place.end).map_or(0, lead);
            self.hide(from + lead..place.end);
            self.known.push(place);
        }
    }

    /// Looks at all words that are not known, wherever they stand, and hides what follows on the line.
    fn lines(&mut self) {
        let known = std::mem::take(&mut self.known);
        let mut known = known.into_iter().peekable();
        self.at = 0;
        while let Some(begin) = self.rest().find(is_of_a_word) {
            let from = self.at + begin;
            let text = self.source.get(from..).unwrap_or("");
            let length = word(text);
            self.at = from + length;
            while known.next_if(|known| known.end <= from).is_some() {}
            let is_known = known.peek().is_some_and(|known| known.start <= from);
            if !is_known && text.get(..length).is_some_and(is_secret) {
                self.line();
            }
        }
    }

    /// Hides what follows on this line: on the next one, if there is nothing, and on further ones within quotes, within
    /// an action, and between `if` and `end`.
    fn line(&mut self) {
        let lead = lead(self.rest());
        let start = self.at + lead;
        let mut open =
            self.source.get(self.at..start).and_then(|lead| lead.chars().next_back()).filter(|c| is_quote(*c));
        let (mut before, mut crossed, mut end) = (' ', false, self.source.len());
        // The place of a quote further on, looked for once for all lines before it.
        let mut next_quote: Option<(char, usize)> = None;
        // `lead` takes the brackets of an action.
        let mut blocks = Blocks::default();
        let mut lines = self.source.get(self.at..).and_then(|rest| rest.find('\n')).map_or(end, |at| self.at + at);
        if self.source.get(self.at..start).is_some_and(|lead| lead.contains("{{")) {
            blocks.enter(self.source.get(start..).unwrap_or(""));
        }
        for (at, c) in self.source.get(start..).unwrap_or("").char_indices() {
            let here = start + at;
            let behind = self.source.get(here + c.len_utf8()..).unwrap_or("");
            match (before, c) {
                ('{', '{') => blocks.enter(behind),
                ('}', '}') => blocks.inside = false,
                _ => {}
            }
            if c == '\n' && blocks.are_open() {
                lines = here;
            } else if c == '\n' && before != '\\' {
                crossed = true;
                let is_known = |quote: char| next_quote.is_some_and(|(of, place)| of == quote && place > here);
                if let Some(quote) = open.filter(|quote| !is_known(*quote)) {
                    next_quote = behind.find(quote).map(|at| (quote, here + c.len_utf8() + at));
                }
                if open.is_none() || next_quote.is_none() {
                    end = here;
                    break;
                }
            } else if open == Some(c) && before != '\\' {
                open = None;
                if crossed {
                    end = here;
                    break;
                }
            } else if open.is_none() && is_quote(c) {
                // As in `it's`.
                let apostrophe = before.is_alphanumeric() && behind.starts_with(char::is_alphanumeric);
                open = Some(c).filter(|_| !apostrophe);
            }
            before = c;
        }
        let text = self.source.get(start..end).unwrap_or("");
        let shown = |c: char| c.is_whitespace() || is_quote(c) || matches!(c, ',' | ';' | '}' | ']' | ')');
        self.hide(start..start + text.trim_end_matches(shown).len());
        // Further lines may have a word of their own.
        self.at = if end == self.source.len() && blocks.are_open() { end } else { lines.max(self.at) };
    }

    /// Hides all but what holds a value together: its lines and brackets, and the quotes around it.
    fn hide(&mut self, place: Range<usize>) {
        let text = self.source.get(place.clone()).unwrap_or("");
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        for (at, c) in text.char_indices() {
            let quote = matches!(c, '"' | '\'') && (at == 0 || at == last);
            let from = place.start + at;
            if !quote
                && !matches!(c, '\n' | '\r' | '[' | ']' | '{' | '}')
                && let Some(hidden) = self.hidden.get_mut(from..from + c.len_utf8())
            {
                hidden.fill(true);
            }
        }
    }
}

/// What of a template is open.
#[derive(Default)]
struct Blocks {
    inside: bool,
    depth: usize,
}

impl Blocks {
    /// An action begins before this text.
    fn enter(&mut self, action: &str) {
        self.inside = true;
        let action = action.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
        if ["if", "with", "range"].iter().any(|word| action.starts_with(word)) {
            self.depth += 1;
        } else if action.starts_with("end") {
            self.depth = self.depth.saturating_sub(1);
        }
    }

    fn are_open(&self) -> bool {
        self.inside || self.depth > 0
    }
}

/// How much stands before a value, whatever was meant by it.
fn lead(text: &str) -> usize {
    let leads = |c: char| {
        c.is_whitespace() || is_quote(c) || matches!(c, ':' | '=' | '>' | ';' | ',' | '{' | '[' | '(' | '|' | '/' | '*')
    };
    text.find(|c| !leads(c)).unwrap_or(text.len())
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// Whether what follows is what stands behind a value: a comma or a closing bracket, perhaps more of them, and then the next
/// key, or nothing. One bracket alone may be what is broken.
fn ends_well(behind: &str) -> bool {
    let mut rest = behind.get(blank(behind)..).unwrap_or("");
    if !rest.is_empty() && !rest.starts_with([',', '}', ']']) {
        return false;
    }
    while let Some(further) = rest.strip_prefix([',', '}', ']', '{', '[']) {
        rest = further.get(blank(further)..).unwrap_or("");
    }
    let next = word(rest);
    rest.is_empty() || (next > 0 && rest.get(next..).is_some_and(has_colon))
}

/// How long the word or the string is that the text begins with.
fn word(text: &str) -> usize {
    let quoted = text.starts_with(['"', '\'']);
    if quoted { string(text) } else { text.find(|c| !is_of_a_word(c)).unwrap_or(text.len()) }
}

/// Whether a colon follows, as behind a key.
fn has_colon(behind: &str) -> bool {
    behind.get(blank(behind)..).is_some_and(|behind| behind.starts_with(':'))
}

/// Whether a string ends, and has no line break in it but behind a backslash.
fn is_one_string(text: &str) -> bool {
    let broken = text.match_indices('\n').any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with('\\')));
    !broken && text.len() > 1 && text.chars().next() == text.chars().next_back()
}

/// One that is as long, so that places in bytes and in characters stay what they are.
pub(super) fn star(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '\u{66d}',
        3 => '\u{2217}',
        _ => '\u{1f7b6}',
    }
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '\\')
}

/// Whether a word is such a key, or has it in itself; letters that are written as escapes count as what they mean.
fn is_secret(word: &str) -> bool {
    // Two edits leave three of its letters, and most words don't have them.
    let shared = KEY.bytes().filter(|letter| word.bytes().any(|byte| byte.eq_ignore_ascii_case(letter))).count();
    if shared + 2 < KEY.len() && !word.contains('\\') {
        return false;
    }
    let word = if word.contains('\\') { unescaped(word) } else { word.to_owned() }.to_ascii_lowercase();
    word.contains(KEY) || nearest(&word, [KEY]).is_some()
}

/// `\u0074` and `\x74` as what they mean.
fn unescaped(word: &str) -> String {
    let mut parts = word.split('\\');
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let digits = match part.chars().next() {
            Some('u') => part.get(1..5),
            Some('x') => part.get(1..3),
            _ => None,
        };
        let meant = digits.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
        text.extend(meant);
        text.push_str(
            digits.filter(|_| meant.is_some()).and_then(|digits| part.get(digits.len() + 1..)).unwrap_or(part),
        );
    }
    text
}

/// How much white space and comments the text begins with.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        let behind = if let Some(comment) = trimmed.strip_prefix("//") {
            comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or("")
        } else if let Some(comment) = trimmed.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, behind)| behind)
        } else {
            return text.len() - trimmed.len();
        };
        rest = behind;
    }
}

/// How long the template's action is that the text begins with.
fn action(text: &str) -> usize {
    text.find("}}").map_or(text.len(), |end| end + 2)
}

/// How long the string is that the text begins with; quotes within a template's action don't end it.
fn string(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else { return 0 };
    let (mut escaped, mut action) = (false, false);
    let mut before = quote;
    for (at, c) in chars {
        match c {
            _ if escaped => escaped = false,
            '{' if before == '{' => action = true,
            '}' if before == '}' => action = false,
            _ if action => {}
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
        before = c;
    }
    text.len()
}

/// How long the list or object is that the text begins with.
fn nested(text: &str) -> usize {
    let (mut at, mut depth) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        match first {
            '"' | '\'' => at += string(rest),
            '{' if rest.starts_with("{{") => at += action(rest),
            '[' | '{' => (at, depth) = (at + 1, depth + 1),
            ']' | '}' => {
                (at, depth) = (at + 1, depth.saturating_sub(1));
                if depth == 0 {
                    return at;
                }
            }
            _ => at += first.len_utf8(),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
