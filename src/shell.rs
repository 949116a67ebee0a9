//! Words as a shell reads them.

/// Quotes what a shell would take apart, so that the line can be copied into one.
///
/// ```
/// use containerpilot::shell::quoted;
/// assert_eq!(quoted(&["sh", "-c", "echo it's; exit 3"]), r"sh -c 'echo it'\''s; exit 3'");
/// ```
pub fn quoted<W: AsRef<str>>(words: &[W]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    let quote = |word: &W| {
        let word = word.as_ref();
        if !word.is_empty() && word.chars().all(plain) {
            return word.to_owned();
        }
        format!("'{}'", word.replace('\'', r"'\''"))
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
