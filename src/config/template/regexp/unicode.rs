//! Classes of characters.

use std::sync::OnceLock;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// Letters and decimal digits of any script.
pub(in super::super) fn is_letter_or_digit(c: char) -> bool {
    static TABLE: OnceLock<ClassUnicode> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut both = category("L").unwrap_or_else(ClassUnicode::empty);
        both.union(&category("Nd").unwrap_or_else(ClassUnicode::empty));
        both
    });
    contains(table, c)
}

/// Whether a class holds a character.
pub(super) fn contains(class: &ClassUnicode, c: char) -> bool {
    let ranges = class.ranges();
    let index = ranges.partition_point(|range| range.end() < c);
    ranges.get(index).is_some_and(|range| range.start() <= c)
}

/// A class of a few ranges.
pub(super) fn class(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|&(start, end)| ClassUnicodeRange::new(start, end)))
}

/// The characters of a general category or script. `None` if there is no such name.
pub(super) fn category(name: &str) -> Option<ClassUnicode> {
    if name == "Any" {
        return Some(class(&[('\0', char::MAX)]));
    }
    // Go knows the short names of categories and the long names of scripts, spelled exactly.
    let known = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !known {
        return None;
    }
    let pattern = format!("\\p{{{name}}}");
    let hir = ParserBuilder::new().build().parse(&pattern).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character.
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(class(&[(c, c)]))
        }
        _ => None,
    }
}

/// `\d`, `\s` and `\w`: ASCII only, as in Go.
pub(super) fn perl(letter: char) -> Option<ClassUnicode> {
    let ranges: &[(char, char)] = match letter {
        'd' | 'D' => &[('0', '9')],
        's' | 'S' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
        'w' | 'W' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        _ => return None,
    };
    let mut class = class(ranges);
    if letter.is_ascii_uppercase() {
        class.negate();
    }
    Some(class)
}

/// `[:name:]`.
pub(super) fn posix(name: &str) -> Option<ClassUnicode> {
    Some(class(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    }))
}

/// Adds what differs from a class in its case only.
pub(super) fn fold(class: &mut ClassUnicode) {
    // Fails without the table only, which is compiled in.
    let _ = class.try_case_fold_simple();
}
