//! An explanation, step below step.

use std::fmt::Write as _;

use super::table::{filled, width};
use super::visible;
use crate::api::{Fact, Why};

/// What is so, and what that comes from.
pub(in crate::console) fn why(why: &Why) -> String {
    let mut text = visible(&why.summary) + "\n";
    tell(&why.facts, 1, &mut text);
    text
}

/// The depth is bounded by the JSON that it was read from.
fn tell(facts: &[Fact], depth: usize, text: &mut String) {
    let longest = facts.iter().map(|fact| width(&visible(&fact.about))).max().unwrap_or(0);
    for fact in facts {
        let about = visible(&fact.about);
        let gap = if about.is_empty() { 0 } else { longest + 2 };
        let _ = writeln!(text, "{}{}{}", "  ".repeat(depth), filled(&about, gap), visible(&fact.says));
        tell(&fact.because, depth + 1, text);
    }
}
