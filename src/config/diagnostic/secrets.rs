//! Secrets in excerpts: the value of a key `token`, or of one that is nearly spelt so, is shown as stars (reliability
//! rows 64 and 69).
//!
//! It reads the text of the file, before the template and before it is known whether the file can be read at all, and
//! changes the place of no character. Where it can't be sure it hides too much rather than too little.

use std::borrow::Cow;

use super::passwords::without_passwords;
use crate::nearest::nearest;

/// The key whose value nobody shall read in a log.
const KEY: &str = "token";

/// The text with the values of such keys made stars, and so the passwords of addresses.
pub(super) fn hidden(source: &str) -> Cow<'_, str> {
    match of_tokens(source) {
        Cow::Borrowed(source) => without_passwords(source),
        Cow::Owned(source) => Cow::Owned(without_passwords(&source).into_owned()),
    }
}

fn of_tokens(source: &str) -> Cow<'_, str> {
    let mut scanner = Scanner { rest: source, shown: String::with_capacity(source.len()), found: false };
    scanner.run();
    if scanner.found { Cow::Owned(scanner.shown) } else { Cow::Borrowed(source) }
}

struct Scanner<'s> {
    rest: &'s str,
    shown: String,
    found: bool,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            let blank = blank(self.rest);
            if blank > 0 {
                self.show(blank);
            } else if self.rest.starts_with("{{") {
                self.show(action(self.rest));
            } else if matches!(first, '"' | '\'') {
                self.word(string(self.rest));
            } else if is_of_a_word(first) {
                let length = self.rest.find(|c| !is_of_a_word(c)).unwrap_or(self.rest.len());
                self.word(length);
            } else {
                self.show(first.len_utf8());
            }
        }
    }

    /// A word or a string; if it is such a key, its value follows.
    fn word(&mut self, length: usize) {
        let Some((word, behind)) = self.rest.split_at_checked(length) else { return self.show(self.rest.len()) };
        let secret = is_secret(word.trim_matches(['"', '\'']));
        let gap = blank(behind);
        let is_key = behind.get(gap..).is_some_and(|behind| behind.starts_with(':'));
        self.show(length);
        if is_key && secret {
            self.show(gap + 1);
            self.show(blank(self.rest));
            self.value();
        }
    }

    fn value(&mut self) {
        self.found = true;
        match self.rest.chars().next() {
            Some('"' | '\'') => self.hide(string(self.rest)),
            Some('{') if self.rest.starts_with("{{") => self.hide(action(self.rest)),
            Some('[' | '{') => self.hide(nested(self.rest)),
            _ => self.hide(self.rest.find([',', '}', ']', '\n']).unwrap_or(self.rest.len())),
        }
    }

    fn show(&mut self, length: usize) {
        let (shown, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.shown.push_str(shown);
        self.rest = rest;
    }

    /// Stars, but for what holds the value together: its lines and brackets, and the quotes around it.
    fn hide(&mut self, length: usize) {
        let (hidden, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        let last = hidden.char_indices().next_back().map_or(0, |(at, _)| at);
        for (at, c) in hidden.char_indices() {
            let quote = matches!(c, '"' | '\'') && (at == 0 || at == last);
            let stays = quote || matches!(c, '\n' | '\r' | '[' | ']' | '{' | '}');
            self.shown.push(if stays { c } else { star(c) });
        }
        self.rest = rest;
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

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '\\')
}

/// A key that is written with escapes may be any.
fn is_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word == KEY || word.contains('\\') || nearest(&word, [KEY]).is_some()
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_tokens_are_stars_and_everything_stays_in_its_place() {
        for (given, want) in [
            (r#"{consul: {token: "s3cr3t", adress: 1}}"#, r#"{consul: {token: "******", adress: 1}}"#),
            (r#"{"token" : 'a\'b', x: "y"}"#, r#"{"token" : '****', x: "y"}"#),
            ("{Token: \"s\", TOKEN: \"t\"}", "{Token: \"*\", TOKEN: \"*\"}"),
            ("{tokn: \"s\", tokens: \"t\"}", "{tokn: \"*\", tokens: \"*\"}"),
            (r#"{token /* c: "x" */ : // d: "y"#, r#"{token /* c: "x" */ : // d: "y"#),
            ("{token // a\n: \"s\"}", "{token // a\n: \"*\"}"),
            (r#"{"\u0074oken": "s"}"#, r#"{"\u0074oken": "*"}"#),
            (r#"{token: ["s", 't'], x: "y"}"#, r#"{token: [********], x: "y"}"#),
            (r#"{token: {a: "s}"}, x: "y"}"#, r#"{token: {*****}*}, x: "y"}"#),
            (r#"{token: "{{ .T | default "s" }}", x: "y"}"#, r#"{token: "{{******************}}", x: "y"}"#),
            ("{token: {{ .T }}, x: 1}", "{token: {{****}}, x: 1}"),
            ("{token: 12}", "{token: **}"),
            ("{token: \"a\\\nb\"}", "{token: \"**\n*\"}"),
            ("token: \"no end", "token: \"******"),
            ("{token: \"aüﬓ😀\"}", "{token: \"*\u{66d}\u{2217}\u{1f7b6}\"}"),
            // Not a key, or another one.
            ("{name: \"token\", \"x\": \"token: 's'\"}", "{name: \"token\", \"x\": \"token: 's'\"}"),
            ("// token: \"s\"\n{tag: \"a\"}", "// token: \"s\"\n{tag: \"a\"}"),
            ("nothing", "nothing"),
            ("token", "token"),
            ("", ""),
        ] {
            assert_eq!(hidden(given), want);
        }
    }

    proptest! {
        #[test]
        fn no_character_moves(text in "(token|Tokn|\"|'|:|,|\\{|\\}|\\[|\\]|//|/\\*|\\*/|\\\\| |\n|a|ü|ﬓ|😀){0,40}") {
            let shown = hidden(&text);
            let places = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
            prop_assert_eq!(places(&shown), places(&text));
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        }
    }
}
