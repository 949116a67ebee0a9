//! The lists of objects at the top: `jobs` and `watches`.

use crate::config::decode::Decoder;
use crate::config::json5::{Node, Value};
use crate::config::report::{Place, Problem, Rank, Report, Step};

/// A decoded element of a list, with its index in the file.
pub(super) struct Element<T> {
    /// Counts `null`s.
    pub(super) index: usize,
    /// Nothing, if it is no object.
    pub(super) raw: Option<T>,
}

/// A list of objects.
pub(super) struct Section {
    /// Its key at the top.
    pub(super) key: &'static str,
    /// The original's step.
    pub(super) step: Step,
    /// How the original's message of a failed decode begins.
    pub(super) prefix: &'static str,
}

impl Section {
    /// Decodes every element with `one`. What is no list is ignored with a warning, and so are `null`s (v3 §3).
    pub(super) fn decode<'n, T>(
        &self,
        node: Option<&'n Node>,
        one: impl Fn(&mut Decoder, &'n Node, &Place) -> Option<T>,
        report: &mut Report,
    ) -> Vec<Element<T>> {
        let Some(node) = node else { return Vec::new() };
        let Value::Array(nodes) = &node.value else {
            let message = format!("{} is ignored: expected a list, `[…]`, found {}", self.key, report.found(node));
            report.add(Problem::warning(self.key, node.span, message));
            return Vec::new();
        };
        let mut decoder = Decoder::new(report, Rank::decoding(self.step));
        let place = Place::section(self.key);
        // The original counted without the `null`s.
        let objects = nodes.iter().enumerate().filter(|(_, node)| node.value != Value::Null).enumerate();
        let mut elements = Vec::with_capacity(objects.clone().count());
        for (theirs, (index, node)) in objects {
            let raw = one(&mut decoder, node, &place.index(index, theirs));
            elements.push(Element { index, raw });
        }
        decoder.finish(self.prefix);
        elements
    }
}
