//! Text as Go sees it: bytes that need not be UTF-8.

use super::regexp::unicode;

/// Decodes the first character and tells its length. A byte that is no UTF-8 is U+FFFD of length 1.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    for length in 2..=4 {
        let decoded = bytes.get(..length).and_then(|start| std::str::from_utf8(start).ok());
        if let Some(c) = decoded.and_then(|text| text.chars().next()) {
            return Some((c, length));
        }
    }
    Some((char::REPLACEMENT_CHARACTER, 1))
}

/// Decodes the last character, likewise.
pub(super) fn decode_last(bytes: &[u8]) -> Option<(char, usize)> {
    for length in 1..=bytes.len().min(4) {
        let tail = bytes.get(bytes.len() - length..)?;
        if let Some((c, used)) = decode(tail)
            && used == length
            && (length > 1 || c.is_ascii())
        {
            return Some((c, length));
        }
    }
    bytes.last().map(|_| (char::REPLACEMENT_CHARACTER, 1))
}

/// The characters of a text, each with its bytes.
pub(super) fn runes(mut bytes: &[u8]) -> impl Iterator<Item = (char, &[u8])> {
    std::iter::from_fn(move || {
        let (c, length) = decode(bytes)?;
        let (start, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        Some((c, start))
    })
}

/// How many characters a text has.
pub(super) fn count(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).map_or_else(|_| runes(bytes).count(), |text| text.chars().count())
}

/// Appends a character.
pub(super) fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Letters, digits and the underscore: what names are made of.
pub(super) fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() { c == '_' || c.is_ascii_alphanumeric() } else { unicode::is_letter_or_digit(c) }
}

/// Whether Go prints a character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(super) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    // The library's own table has no other door. The first character of a text is escaped more strictly, hence `a`.
    let mut text = String::from('a');
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

/// `U+0040 '@'`, as `%#U` prints a character.
pub(super) fn describe(c: char) -> String {
    let code = u32::from(c);
    if is_print(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_are_characters_of_length_one() {
        let text = b"a\xff\xe6\x97\xa5\xe6\x97";
        let seen: Vec<(char, usize)> = runes(text).map(|(c, bytes)| (c, bytes.len())).collect();
        assert_eq!(seen, [('a', 1), ('\u{fffd}', 1), ('日', 3), ('\u{fffd}', 1), ('\u{fffd}', 1)]);
        assert_eq!(count(text), 5);
        assert_eq!(decode_last(text), Some(('\u{fffd}', 1)));
        assert_eq!(decode_last("日".as_bytes()), Some(('日', 3)));
        assert_eq!(decode_last(b""), None);
    }

    #[test]
    fn printable_is_what_go_says() {
        for c in ['a', ' ', 'é', '日', '\u{fffd}', '\u{301}', '🚀'] {
            assert!(is_print(c), "{c:?}");
        }
        for c in ['\n', '\0', '\u{7f}', '\u{a0}', '\u{2028}', '\u{feff}', '\u{e000}', '\u{3000}'] {
            assert!(!is_print(c), "{c:?}");
        }
        assert_eq!(describe('@'), "U+0040 '@'");
        assert_eq!(describe('\u{1}'), "U+0001");
    }
}
