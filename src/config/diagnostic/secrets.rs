//! Secrets in excerpts: what a file says behind a key `token` is shown as stars (reliability row 69).

use std::borrow::Cow;

/// The key whose value nobody shall read in a log.
const KEY: &str = "token";

/// The text with the quoted value behind each key `token` made stars, byte for byte: places stay where they are. It
/// looks at the text, not at what it means, since it must hold for one that can't be read, too.
pub(super) fn hidden(source: &str) -> Cow<'_, str> {
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once(KEY) {
        text.push_str(before);
        text.push_str(KEY);
        rest = after;
        let Some((gap, quote, value)) = value(after) else { continue };
        let end = end_of(value, quote);
        let (secret, behind) = value.split_at(end);
        text.push_str(gap);
        text.push(quote);
        text.extend(secret.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }));
        rest = behind;
    }
    if text.is_empty() {
        return Cow::Borrowed(source);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// What stands between the key and its quoted value, the quote, and everything behind that.
fn value(after: &str) -> Option<(&str, char, &str)> {
    let colon = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?.trim_start();
    let quote = colon.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let value = colon.strip_prefix(quote)?;
    let gap = after.get(..after.len() - value.len() - quote.len_utf8())?;
    Some((gap, quote, value))
}

/// Where the value ends: at its quote, or with the text.
fn end_of(value: &str, quote: char) -> usize {
    let mut escaped = false;
    let closing = value.char_indices().find(|&(_, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    closing.map_or(value.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_tokens_are_stars_and_everything_stays_in_its_place() {
        for (given, want) in [
            (r#"{consul: {token: "s3cr3t", adress: 1}}"#, r#"{consul: {token: "******", adress: 1}}"#),
            (r#"{"token" : 'a\'b', x: "y"}"#, r#"{"token" : '****', x: "y"}"#),
            ("{token: \"a\\\nb\"}", "{token: \"**\n*\"}"),
            ("token: \"no end", "token: \"******"),
            ("{token: 12, tokens: [\"a\"], name: \"token\"}", "{token: 12, tokens: [\"a\"], name: \"token\"}"),
            ("{token: \"ü\", token: \"b\"}", "{token: \"**\", token: \"*\"}"),
            ("nothing", "nothing"),
            ("token", "token"),
        ] {
            assert_eq!(hidden(given), want);
            assert_eq!(hidden(given).len(), given.len());
        }
    }
}
