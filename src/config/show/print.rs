//! Values as JSON5 text that the configuration's own dialect reads back, also through the template.
//!
//! Not the `json5` crate's printer: that writes control characters as they are, which the dialect refuses and a terminal
//! obeys, and it knows neither comments nor `{{`.

use std::fmt::Write;

use crate::visible::is_odd;

/// A longer line is broken, in characters.
const WIDTH: usize = 100;

/// The greatest number up to which a float holds every whole one.
const WHOLE: u64 = 1 << 53;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// Written as it is.
    Plain(String),
    /// A text.
    Text(String),
    /// `[…]`
    List(Vec<Item>),
    /// `{…}`
    Object(Vec<Entry>),
}

/// A line of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    /// A key, quoted if it needs that, and its value.
    Field(String, Item),
    /// A comment, for what has no spelling.
    Note(String),
}

impl Item {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A switch.
    pub(super) fn switch(on: bool) -> Self {
        Self::Plain(on.to_string())
    }

    /// A whole number. All numbers of the dialect are floats: one that a float can't hold is written as a text, which the
    /// weak decoding takes as well.
    pub(super) fn whole(number: i128) -> Self {
        if number.unsigned_abs() <= u128::from(WHOLE) {
            Self::Plain(number.to_string())
        } else {
            Self::text(number.to_string())
        }
    }

    /// The value in one line, if nothing in it needs more.
    fn in_one_line(&self) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.clone()),
            Self::Text(text) => Some(quote(text)),
            Self::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Self::in_one_line).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Self::Object(entries) if entries.is_empty() => Some("{}".to_owned()),
            Self::Object(entries) => {
                let fields = entries.iter().map(|entry| match entry {
                    Entry::Field(key, value) => Some(format!("{key}: {}", value.in_one_line()?)),
                    Entry::Note(_) => None,
                });
                let fields: Option<Vec<String>> = fields.collect();
                Some(format!("{{ {} }}", fields?.join(", ")))
            }
        }
    }

    /// Writes the value; the line it begins on has `used` characters already.
    fn write(&self, text: &mut String, depth: usize, used: usize) {
        let line = self.in_one_line().filter(|line| used + line.chars().count() < WIDTH);
        match (self, line) {
            (_, Some(line)) => text.push_str(&line),
            (Self::Plain(plain), None) => text.push_str(plain),
            (Self::Text(plain), None) => text.push_str(&quote(plain)),
            (Self::List(items), None) => {
                text.push_str("[\n");
                for item in items {
                    indent(text, depth + 1);
                    item.write(text, depth + 1, 2 * depth + 3);
                    text.push_str(",\n");
                }
                indent(text, depth);
                text.push(']');
            }
            (Self::Object(entries), None) => {
                text.push_str("{\n");
                write_entries(entries, text, depth + 1);
                indent(text, depth);
                text.push('}');
            }
        }
    }
}

/// A whole file: one object, each of its sections broken into lines.
pub(super) fn file(entries: &[Entry]) -> String {
    let mut text = "{\n".to_owned();
    write_entries(entries, &mut text, 1);
    text.push_str("}\n");
    text
}

fn write_entries(entries: &[Entry], text: &mut String, depth: usize) {
    for entry in entries {
        indent(text, depth);
        match entry {
            Entry::Field(key, value) => {
                text.push_str(key);
                text.push_str(": ");
                value.write(text, depth, 2 * depth + key.chars().count() + 3);
                text.push_str(",\n");
            }
            Entry::Note(note) => {
                text.push_str("// ");
                text.push_str(note);
                text.push('\n');
            }
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

/// A text between quotes. What a terminal might obey is escaped, and so is what would begin an action of the template.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut before = None;
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if is_odd(c) || (c == '{' && before == Some('{')) => {
                // All of them are in the first plane, so that four digits are enough.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
        before = Some(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::json5::{self, Value};
    use crate::config::template;
    use crate::env::Environment;

    fn read_back(text: &str) -> Value {
        let rendered = template::render(text, &Environment::default()).unwrap();
        json5::parse(&rendered.text).unwrap().value
    }

    #[test]
    fn short_values_stay_in_one_line_and_long_ones_do_not() {
        let words = |count: usize| Item::List(vec![Item::text("a word"); count]);
        let field = |key: &str, value| Entry::Field(key.to_owned(), value);
        let inner = Item::Object(vec![field("a", Item::whole(1)), field("b", Item::switch(true))]);
        let noted = Item::Object(vec![Entry::Note("as it comes".to_owned())]);
        insta::assert_snapshot!(file(&[
            field("none", Item::Object(Vec::new())),
            field("few", words(2)),
            field("many", words(12)),
            field("inner", inner),
            field("noted", noted),
        ]), @r#"
        {
          none: {},
          few: ["a word", "a word"],
          many: [
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
            "a word",
          ],
          inner: { a: 1, b: true },
          noted: {
            // as it comes
          },
        }
        "#);
    }

    #[test]
    fn great_numbers_are_written_so_that_no_digit_is_lost() {
        assert_eq!(Item::whole(1 << 53), Item::Plain("9007199254740992".to_owned()));
        assert_eq!(Item::whole(i128::from(i64::MIN)), Item::text("-9223372036854775808"));
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_and_harmless_on_the_way(text in "(\\PC|[{}\"\\\\\\x00-\\x1f\\x7f\u{9b}\u{2028}\u{202e}]){0,20}") {
            let written = file(&[Entry::Field("text".to_owned(), Item::text(&text))]);
            prop_assert!(!written.chars().any(|c| is_odd(c) && c != '\n'), "{:?}", written);
            let Value::Object(members) = read_back(&written) else { panic!("{written}") };
            prop_assert_eq!(&members[0].value.value, &Value::String(text));
        }
    }
}
