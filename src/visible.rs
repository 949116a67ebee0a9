//! What a terminal may make of a character beside showing it: a leaf, since files and jobs write odd ones alike.

/// Characters that make the text around them appear in another order than it has, and line separators.
pub const fn is_reordering(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
