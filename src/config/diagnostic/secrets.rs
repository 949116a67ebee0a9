//! Secrets in excerpts: what stands behind the word `token`, or one that is nearly spelt so, is shown as stars
//! (reliability rows 64 and 69).
//!
//! It reads the text of the file, before the template and before it is known whether the file can be read at all, and
//! changes the place of no character. Where a key with its value, or a string, is beyond doubt, only the value, or the rest
//! of the string, is hidden. Everywhere else (the file may be broken just there, and comments keep old lines) it is all
//! that follows, up to a line that begins with a key: rather too much than too little.

mod lexis;

use std::borrow::Cow;
use std::ops::Range;

use self::lexis::{
    action, begins_with_a_key, blank, closes, ends_well, ends_with_such_a_word, has_colon, is_of_a_word, is_one_string,
    is_quote, is_secret, lead, nested, string, word,
};
use super::Span;
use super::passwords::without_passwords;

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
            // What looks like a comment may be the value.
            let near = self.source.get(place.end..self.at).is_some_and(|between| !between.contains('/'));
            // And what looks like a key may be half the file, between two quotes that are none of one string.
            let plain = inner.chars().all(|c| is_of_a_word(c) || matches!(c, '-' | '.'));
            if self.value() && near && plain {
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
        let ends_well = ends_well(self.rest());
        if !ends_well {
            // It may have gone on: half an action over two lines looks like an object, and is none.
            self.at += self.rest().find(|c| !closes(c)).unwrap_or(0);
            self.line();
        }
        sure && ends_well
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

    /// Hides what follows on this line, and on the next ones up to one that begins with a key: there the value has surely
    /// ended, but within quotes, within an action, and between `if` and `end`.
    fn line(&mut self) {
        let lead = lead(self.rest());
        let start = self.at + lead;
        let mut open =
            self.source.get(self.at..start).and_then(|lead| lead.chars().next_back()).filter(|c| is_quote(*c));
        let (mut before, mut end) = (' ', self.source.len());
        // The place of a quote further on, looked for once for all lines before it.
        let mut next_quote: Option<(char, usize)> = None;
        // `lead` takes the brackets of an action.
        let mut blocks = Blocks::default();
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
            if c == '\n' {
                let is_over = before != '\\' && !blocks.are_open() && begins_with_a_key(behind);
                if !is_over || self.source.get(start..here).is_some_and(ends_with_such_a_word) {
                    before = c;
                    continue;
                }
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
        self.at = end;
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

/// One that is as long, so that places in bytes and in characters stay what they are.
pub(super) fn star(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '\u{66d}',
        3 => '\u{2217}',
        _ => '\u{1f7b6}',
    }
}

#[cfg(test)]
mod tests;
