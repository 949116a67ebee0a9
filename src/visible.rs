//! What a terminal may make of a character beside showing it: a leaf, since files and jobs write odd ones alike.

/// Characters that make the text around them appear in another order than it has, and line separators.
pub const fn is_reordering(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a terminal may obey, or be misled by, instead of showing it: also the control characters of the second kind, whose
/// U+009B begins a sequence as escape and bracket do.
pub fn is_odd(c: char) -> bool {
    c.is_control() || is_reordering(c)
}
