//! What is measured, by name, and the values of all rounds.

use std::collections::{BTreeMap, BTreeSet};

/// One figure of a measure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// The measure's letter.
    pub letter: char,
    /// What it is, for the table.
    pub label: &'static str,
    /// In what.
    pub unit: &'static str,
    /// More is better.
    pub more: bool,
}

/// What one system gave in all rounds.
#[derive(Debug, Default)]
pub struct Values {
    /// Of each figure.
    pub by_label: BTreeMap<&'static str, Vec<f64>>,
    /// What is missing, and why.
    pub missing: BTreeSet<String>,
    failures: u32,
    given_up: bool,
}

impl Values {
    /// Notes that something is missing.
    pub fn miss(&mut self, reason: String) {
        self.missing.insert(reason);
    }

    /// It is not made for that: no further try.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// It should have worked; no third try.
    pub fn fail(&mut self) {
        self.failures += 1;
    }

    /// Whether another try is of no use.
    pub fn has_given_up(&self) -> bool {
        self.given_up || self.failures > 1
    }

    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self, label: &str) -> Option<f64> {
        let mut values = self.by_label.get(label)?.clone();
        values.sort_by(f64::total_cmp);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get(values.len().saturating_sub(1) / 2)?;
        Some(f64::midpoint(lower, upper))
    }
}

/// A number with as many digits as mean something.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
