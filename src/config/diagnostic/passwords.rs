//! Passwords in addresses: of `http://user:password@host` and `user:password@host` what stands before the `@` is shown as
//! stars (reliability rows 64 and 69).
//!
//! It reads plain text, line by line, in an excerpt or in a message, and changes the place of no character. It hides too
//! much rather than too little: what looks like a password is one.

use std::borrow::Cow;

use super::secrets::star;

/// The text without what may be a password.
pub(in crate::config) fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or("");
        // From the first one on where a line has several: `user:p@ssword@host`.
        let Some(from) = begin(before).map(|from| from.max(done)) else { continue };
        shown.push_str(text.get(done..from).unwrap_or(""));
        shown.extend(before.get(from..).unwrap_or("").chars().map(star));
        done = at;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(text.get(done..).unwrap_or(""));
    Cow::Owned(shown)
}

/// Where what is to be hidden begins, in the text before an `@`.
fn begin(before: &str) -> Option<usize> {
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    // The user is hidden with his password: some write a token there.
    let in_quotes = after_last(before, line, |c| matches!(c, '"' | '`'));
    if let Some(at) = before.get(in_quotes..)?.find("://") {
        return Some(in_quotes + at + 3);
    }
    let word = after_last(before, line, |c| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    before.get(word..)?.find(':').map(|at| word + at + 1)
}

/// Behind the last such character from `line` on, or there.
fn after_last(text: &str, line: usize, is_end: impl Fn(char) -> bool) -> usize {
    let found = text.get(line..).and_then(|text| text.char_indices().rfind(|(_, c)| is_end(*c)));
    found.map_or(line, |(at, c)| line + at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn f69_passwords_are_stars_and_everything_stays_in_its_place() {
        for (given, want) in [
            (r#"consul: "http://u:hush@c:8500", a: "b@c""#, r#"consul: "http://******@c:8500", a: "b@c""#),
            (r#"consul: "u:hush@c:8500""#, r#"consul: "u:****@c:8500""#),
            ("['http://u:hush@c']", "['http://******@c']"),
            ("{ consul: http://u:hush@c, x: 1 }", "{ consul: http://******@c, x: 1 }"),
            ("http://hush@c", "http://****@c"),
            ("http://u:hu@sh@c", "http://*******@c"),
            ("u:hu@sh@c", "u:*****@c"),
            (r#""http://u:hu sh's,]@c""#, r#""http://***********@c""#),
            (r#""u:hu/sh,]@c""#, r#""u:*******@c""#),
            ("found `postgres://u:hush@db/x`: no", "found `postgres://******@db/x`: no"),
            ("http:\\/\\/u:hush@c", "http:**********@c"),
            ("http://u:aüﬓ😀@c", "http://***\u{66d}\u{2217}\u{1f7b6}@c"),
            ("http://a\nb@c", "http://a\nb@c"),
            // No password.
            ("mail -s hello me@example.com", "mail -s hello me@example.com"),
            (r#"{ consul: "http://c:8500", exec: "mail me@c" }"#, r#"{ consul: "http://c:8500", exec: "mail me@c" }"#),
            ("http://c:8500", "http://c:8500"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(given), want);
        }
    }

    proptest! {
        #[test]
        fn no_character_moves(text in "(://|:|@|\"|'|`| |\n|a|ü|ﬓ|😀){0,40}") {
            let shown = without_passwords(&text);
            let places = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
            prop_assert_eq!(places(&shown), places(&text));
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn what_stands_before_the_last_at_of_a_word_is_never_shown(password in "[a-z@:/,%.]{4,12}", around in "[\"' ]") {
            let text = format!("{around}http://u:{password}@c{around}");
            let shown = without_passwords(&text);
            prop_assert!(!shown.contains(&password), "{}", shown);
            let shown = without_passwords(&text).replace("http://", "");
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
