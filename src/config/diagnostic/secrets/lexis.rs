//! The words, strings and brackets of a file that may be broken anywhere: how long each is, and what may be meant by it.

use super::KEY;
use crate::nearest::nearest;

/// Whether the first line of a text begins with a key: letters and a colon, perhaps behind brackets. Tokens have digits.
pub(super) fn begins_with_a_key(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t', ',', '{', '[', '}', ']']);
    let quoted = text.strip_prefix(['"', '\'']);
    let text = quoted.unwrap_or(text);
    let behind = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
    let ended = if quoted.is_some() { behind.strip_prefix(['"', '\'']) } else { Some(behind) };
    behind.len() < text.len() && ended.is_some_and(|behind| behind.trim_start_matches([' ', '\t']).starts_with(':'))
}

/// How much stands before a value, whatever was meant by it.
pub(super) fn lead(text: &str) -> usize {
    text.find(|c| !leads(c)).unwrap_or(text.len())
}

fn leads(c: char) -> bool {
    c.is_whitespace() || is_quote(c) || matches!(c, ':' | '=' | '>' | ';' | ',' | '{' | '[' | '(' | '|' | '/' | '*')
}

/// Whether such a word is the last of a text, so that its value is still to come.
pub(super) fn ends_with_such_a_word(text: &str) -> bool {
    let text = text.trim_end_matches(leads);
    let start = text.trim_end_matches(is_of_a_word).len();
    text.get(start..).is_some_and(is_secret)
}

/// Whether it may stand between what was taken for a value and the rest of it.
pub(super) fn closes(c: char) -> bool {
    c.is_whitespace() || matches!(c, '}' | ']' | ')')
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// Whether what follows is what stands behind a value: a comma or a closing bracket, perhaps more of them, and then the next
/// key, or nothing. One bracket alone may be what is broken, and a comment the end of the value.
pub(super) fn ends_well(behind: &str) -> bool {
    let mut rest = behind.trim_start();
    if !rest.is_empty() && !rest.starts_with([',', '}', ']']) {
        return false;
    }
    while let Some(further) = rest.strip_prefix([',', '}', ']', '{', '[']) {
        rest = further.trim_start();
    }
    let next = word(rest);
    rest.is_empty() || (next > 0 && rest.get(next..).is_some_and(has_colon))
}

/// How long the word or the string is that the text begins with.
pub(super) fn word(text: &str) -> usize {
    let quoted = text.starts_with(['"', '\'']);
    if quoted { string(text) } else { text.find(|c| !is_of_a_word(c)).unwrap_or(text.len()) }
}

/// Whether a colon follows, as behind a key.
pub(super) fn has_colon(behind: &str) -> bool {
    behind.get(blank(behind)..).is_some_and(|behind| behind.starts_with(':'))
}

/// Whether a string ends, and has no line break in it but behind a backslash.
pub(super) fn is_one_string(text: &str) -> bool {
    let broken = text.match_indices('\n').any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with('\\')));
    !broken && text.len() > 1 && text.chars().next() == text.chars().next_back()
}

pub(super) fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '\\')
}

/// Whether a word is such a key, or has it in itself; letters that are written as escapes count as what they mean.
pub(super) fn is_secret(word: &str) -> bool {
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
pub(super) fn blank(text: &str) -> usize {
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
pub(super) fn action(text: &str) -> usize {
    text.find("}}").map_or(text.len(), |end| end + 2)
}

/// How long the string is that the text begins with; quotes within a template's action don't end it.
pub(super) fn string(text: &str) -> usize {
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
pub(super) fn nested(text: &str) -> usize {
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
