//! Weak decoding, as the original's library did it (v3 §6): names in any case, scalars turned into one another, unknown
//! keys refused, all errors of one decode told together.

use std::collections::HashMap;

use super::coerce::{parse_bool, parse_int, truncate};
use super::diagnostic::Span;
use super::duration::parse_go_duration;
use super::go_value::go_type;
use super::json5::{Member, Node, Value};
use super::report::{Place, Problem, Rank, Report};
use crate::nearest::nearest;
use crate::number::number_as_string;

/// A field of a section.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Field<T> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// There, but wrong; that has been said.
    Bad,
    /// There.
    Given(T, Span),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub(super) fn value(&self) -> Option<&T> {
        if let Self::Given(value, _) = self { Some(value) } else { None }
    }

    /// Whether it is there but wrong.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self, Self::Bad)
    }

    /// Whether it is not there.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Its place, if it has a value.
    pub(super) fn span(&self) -> Option<Span> {
        if let Self::Given(_, span) = self { Some(*span) } else { None }
    }
}

impl Field<String> {
    /// The text; nothing is the empty one.
    pub(super) fn text(&self) -> &str {
        self.value().map_or("", String::as_str)
    }
}

impl Field<bool> {
    /// The switch; nothing is off.
    pub(super) fn is_on(&self) -> bool {
        self.value().copied().unwrap_or(false)
    }
}

impl Field<i64> {
    /// The number; nothing is 0.
    pub(super) fn number(&self) -> i64 {
        self.value().copied().unwrap_or(0)
    }
}

/// An object whose keys have been matched with the names of fields.
pub(super) struct Fields<'n> {
    /// The object's place.
    pub(super) span: Span,
    matched: Vec<(&'static str, &'n Member)>,
}

impl<'n> Fields<'n> {
    /// A field's value; `null` is as good as nothing.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.member(name).map(|m| &m.value).filter(|node| node.value != Value::Null)
    }

    fn member(&self, name: &str) -> Option<&'n Member> {
        self.matched.iter().find(|(known, _)| *known == name).map(|(_, member)| *member)
    }
}

/// The names that a section's keys may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// What the original documents, and ours.
    pub(super) fields: &'static [&'static str],
    /// Internal fields of the original: taken and ignored.
    pub(super) private: &'static [&'static str],
}

/// One decode: its errors make one message of the original.
pub(super) struct Decoder<'r, 'a> {
    report: &'r mut Report<'a>,
    rank: Rank,
    /// The original's lines.
    bullets: Vec<String>,
    /// The only error is about the whole value: the original printed it without a frame.
    bare: bool,
    /// There was no error.
    fine: bool,
}

impl<'r, 'a> Decoder<'r, 'a> {
    /// Begins a decode.
    pub(super) fn new(report: &'r mut Report<'a>, rank: Rank) -> Self {
        Self { report, rank, bullets: Vec::new(), bare: false, fine: true }
    }

    /// Ends the decode: its errors get the original's message, which begins with `prefix`. Whether there were none.
    pub(super) fn finish(mut self, prefix: &str) -> bool {
        if self.fine {
            return true;
        }
        self.bullets.sort();
        let count = self.bullets.len();
        let original = if self.bare {
            format!("{prefix}{}", self.bullets.concat())
        } else {
            format!("{prefix}{count} error(s) decoding:\n\n* {}", self.bullets.join("\n* "))
        };
        self.report.refused_by_the_original(self.rank, original);
        false
    }

    /// Ends a decode that the original knew nothing of.
    pub(super) fn finish_ours(self) -> bool {
        self.fine
    }

    fn add(&mut self, problem: Problem) {
        self.fine = false;
        self.report.add(problem);
    }

    /// An object with its keys matched; unknown keys are errors, private names and repeated keys are warnings.
    pub(super) fn object<'n>(&mut self, node: &'n Node, place: &Place, names: Names) -> Option<Fields<'n>> {
        let Value::Object(members) = &node.value else {
            self.bare |= place.theirs.is_empty();
            let kind = match &node.value {
                Value::Array(_) => "slice",
                other => go_type(other),
            };
            let original = format!("'{}' expected a map, got '{kind}'", place.theirs);
            self.wrong(node, place, "an object, `{…}`", original);
            return None;
        };
        warn_of_repeated_keys(self.report, members, place);
        let last = |key: &str| members.iter().rev().find(|m| m.key == key);
        let mut matched = Vec::new();
        for name in names.fields.iter().chain(names.private) {
            let any_case = || members.iter().rev().find(|m| m.key.eq_ignore_ascii_case(name));
            if let Some(member) = last(name).or_else(any_case) {
                matched.push((*name, member));
            }
        }
        self.warn_of_private_keys(&matched, place, names);
        let used = |member: &Member| matched.iter().any(|(_, m)| m.key == member.key);
        let unknown: Vec<&Member> = members.iter().filter(|m| !used(m)).collect();
        self.unknown_keys(&unknown, place, names, &matched);
        Some(Fields { span: node.span, matched })
    }

    /// An object with any keys: each that has a value, with the place of that. Of equal keys the last one counts.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, place: &Place) -> Option<Vec<(&'n Member, Place)>> {
        let Value::Object(members) = &node.value else {
            let kind = go_type(&node.value);
            let original = format!("'{}' expected a map, got '{kind}'", place.theirs);
            self.wrong(node, place, "an object, `{…}`", original);
            return None;
        };
        warn_of_repeated_keys(self.report, members, place);
        let last: HashMap<&str, usize> = members.iter().enumerate().map(|(index, m)| (m.key.as_str(), index)).collect();
        let counts = |(index, member): &(usize, &Member)| {
            last.get(member.key.as_str()) == Some(index) && member.value.value != Value::Null
        };
        let counting = members.iter().enumerate().filter(counts);
        Some(counting.map(|(_, member)| (member, self.report.place_of(member, place))).collect())
    }

    fn unknown_keys(&mut self, unknown: &[&Member], place: &Place, names: Names, matched: &[(&str, &Member)]) {
        if unknown.is_empty() {
            return;
        }
        let mut keys: Vec<&str> = unknown.iter().map(|m| m.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        self.bullets.push(format!("'{}' has invalid keys: {}", place.theirs, keys.join(", ")));
        for member in unknown {
            let twice = matched.iter().find(|(name, _)| name.eq_ignore_ascii_case(&member.key));
            if let (Some((name, _)), Some(_)) = (twice, self.report.literal(member.key_span)) {
                let path = place.key(name).ours;
                let message = format!("{path} is given twice: `{}` is the same key", member.key);
                self.add(Problem::error(self.rank, &path, member.key_span, message).label("one of them is too many"));
                continue;
            }
            // What nobody will read needs no suggestion.
            let fields = if self.report.is_full() { &[] } else { names.fields };
            self.add(unknown_key(self.report, self.rank, member, place, fields));
        }
    }

    fn warn_of_private_keys(&mut self, matched: &[(&'static str, &Member)], place: &Place, names: Names) {
        for (name, member) in matched.iter().filter(|(name, _)| names.private.contains(name)) {
            let path = place.key(name).ours;
            let mut problem = Problem::warning(
                &path,
                member.key_span,
                format!("{path} is ignored: it was the name of an internal field of ContainerPilot"),
            );
            if place.theirs.starts_with('[') && *name == "ttl" {
                problem = problem.help(format!("the time to live is {}", place.key("health").key("ttl").ours));
            }
            self.report.add(problem);
        }
    }

    /// A text.
    pub(super) fn string(&mut self, node: Option<&Node>, place: &Place) -> Field<String> {
        let Some(node) = node else { return Field::Absent };
        let text = match &node.value {
            Value::Null => return Field::Absent,
            Value::String(text) => text.clone(),
            Value::Number(number) => number_as_string(*number),
            Value::Bool(on) => i32::from(*on).to_string(),
            Value::Array(_) | Value::Object(_) => return self.unconvertible(node, place, "string", "a text"),
        };
        Field::Given(text, node.span)
    }

    /// A whole number.
    pub(super) fn integer(&mut self, node: Option<&Node>, place: &Place) -> Field<i64> {
        self.whole(node, place, "a whole number")
    }

    /// A time in whole seconds, without a unit.
    pub(super) fn seconds(&mut self, node: Option<&Node>, place: &Place) -> Field<i64> {
        self.whole(node, place, "whole seconds")
    }

    fn whole(&mut self, node: Option<&Node>, place: &Place, expected: &str) -> Field<i64> {
        let Some(node) = node else { return Field::Absent };
        let number = match &node.value {
            Value::Null => return Field::Absent,
            Value::Number(number) => truncate(*number),
            Value::Bool(on) => i64::from(*on),
            Value::String(text) => match parse_int(text) {
                Ok(number) => number,
                Err(why) => {
                    self.bare |= place.theirs.is_empty();
                    let original = format!("cannot parse '{}' as int: {why}", place.theirs);
                    let problem = self.problem(node, place, expected, original);
                    let label = self.bare_seconds(node, text);
                    self.add(problem.label(label));
                    return Field::Bad;
                }
            },
            Value::Array(_) | Value::Object(_) => return self.unconvertible(node, place, "int", expected),
        };
        Field::Given(number, node.span)
    }

    /// That a whole number of seconds has no unit here, where one is written.
    fn bare_seconds(&self, node: &Node, text: &str) -> String {
        let Ok(duration) = parse_go_duration(text) else { return String::new() };
        let duration = duration.to_std();
        let whole = duration.subsec_nanos() == 0 && !duration.is_zero() && self.report.literal(node.span).is_some();
        if whole { format!("did you mean {}?", duration.as_secs()) } else { String::new() }
    }

    /// A switch.
    pub(super) fn boolean(&mut self, node: Option<&Node>, place: &Place) -> Field<bool> {
        let Some(node) = node else { return Field::Absent };
        let on = match &node.value {
            Value::Null => return Field::Absent,
            Value::Bool(on) => *on,
            Value::Number(number) => *number != 0.0,
            Value::String(text) => match parse_bool(text) {
                Ok(on) => on,
                Err(why) => {
                    self.wrong(node, place, "true or false", format!("cannot parse '{}' as bool: {why}", place.theirs));
                    return Field::Bad;
                }
            },
            Value::Array(_) | Value::Object(_) => return self.unconvertible(node, place, "bool", "true or false"),
        };
        Field::Given(on, node.span)
    }

    /// A number with a fraction; only in fields of ours.
    pub(super) fn float(&mut self, node: Option<&Node>, place: &Place) -> Field<f64> {
        let Some(node) = node else { return Field::Absent };
        match &node.value {
            Value::Null => Field::Absent,
            Value::Number(number) => Field::Given(*number, node.span),
            _ => self.unconvertible(node, place, "float64", "a number"),
        }
    }

    /// The elements of a list, `null`s included; an empty object counts as an empty list.
    pub(super) fn list<'n>(&mut self, node: Option<&'n Node>, place: &Place) -> Field<&'n [Node]> {
        let Some(node) = node else { return Field::Absent };
        let kind = match &node.value {
            Value::Null => return Field::Absent,
            Value::Array(elements) => return Field::Given(elements, node.span),
            Value::Object(members) if members.is_empty() => return Field::Given(&[], node.span),
            Value::Object(_) => "map",
            other => go_type(other),
        };
        let original = format!("'{}': source data must be an array or slice, got {kind}", place.theirs);
        self.wrong(node, place, "a list, `[…]`", original);
        Field::Bad
    }

    /// A list of texts; a `null` in it is an empty text.
    pub(super) fn strings(&mut self, node: Option<&Node>, place: &Place) -> Field<Vec<String>> {
        let (elements, span) = match self.list(node, place) {
            Field::Given(elements, span) => (elements, span),
            Field::Absent => return Field::Absent,
            Field::Bad => return Field::Bad,
        };
        let mut texts = Vec::new();
        let mut bad = false;
        for (index, element) in elements.iter().enumerate() {
            match self.string(Some(element), &place.index(index, index)) {
                Field::Given(text, _) => texts.push(text),
                Field::Absent => texts.push(String::new()),
                Field::Bad => bad = true,
            }
        }
        if bad { Field::Bad } else { Field::Given(texts, span) }
    }

    /// An error of this decode at a value, with the original's line for it.
    pub(super) fn wrong(&mut self, node: &Node, place: &Place, expected: &str, original: String) {
        let problem = self.problem(node, place, expected, original);
        self.add(problem);
    }

    fn problem(&mut self, node: &Node, place: &Place, expected: &str, original: String) -> Problem {
        // Whoever wrote a secret in the wrong form still wrote a secret.
        let found = if place.ours == SECRET { "something else".to_owned() } else { self.report.found(node) };
        let message = format!("{}: expected {expected}, found {found}", place.ours);
        self.bullets.push(original);
        Problem::error(self.rank, &place.ours, node.span, message)
    }

    fn unconvertible<T>(&mut self, node: &Node, place: &Place, wanted: &str, expected: &str) -> Field<T> {
        self.bare |= place.theirs.is_empty();
        let kind = go_type(&node.value);
        let original = format!("'{}' expected type '{wanted}', got unconvertible type '{kind}'", place.theirs);
        self.wrong(node, place, expected, original);
        Field::Bad
    }
}

/// The one field whose value no message repeats.
const SECRET: &str = "consul.token";

/// What counts for all services is looked for in a job, or beside `consul`.
const OF_THE_AGENT: &str = "failingHeartbeat";

/// The error for a key that no field has; `fields` are those that it could have meant.
pub(super) fn unknown_key(report: &Report, rank: Rank, member: &Member, place: &Place, fields: &[&str]) -> Problem {
    let inside = if place.ours.is_empty() { "at the top level".to_owned() } else { format!("in {}", place.ours) };
    let Some(_) = report.literal(member.key_span) else {
        let message = format!("unknown key {inside}, {}", report.unseen(member.key_span));
        return Problem::error(rank, &place.ours, member.key_span, message);
    };
    let path = place.key(&member.key).ours;
    let problem = Problem::error(rank, &path, member.key_span, format!("unknown key `{}` {inside}", member.key));
    if member.key.eq_ignore_ascii_case(OF_THE_AGENT) && place.ours != "consul" {
        return problem.help(format!(
            "it belongs in the `consul` object at the top: consul: {{ address: \"localhost:8500\", {OF_THE_AGENT}: true }}"
        ));
    }
    match nearest(&member.key, fields.iter().copied()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help(format!("known keys: {}", fields.join(", "))),
    }
}

/// The last of equal keys counts; that is worth a word.
pub(super) fn warn_of_repeated_keys(report: &mut Report, members: &[Member], place: &Place) {
    let last: HashMap<&str, usize> = members.iter().enumerate().map(|(index, m)| (m.key.as_str(), index)).collect();
    for (index, member) in members.iter().enumerate() {
        let later = last.get(member.key.as_str()).is_some_and(|last| *last > index);
        if later && report.literal(member.key_span).is_some() {
            let path = place.key(&member.key).ours;
            let message = format!("{path} is given more than once: the last one counts");
            report.add(Problem::warning(&path, member.key_span, message).label("this one does not"));
        }
    }
}

#[cfg(test)]
mod tests;
