//! What a job's `consul` adds to its registration: the original's two fields, and three of ours within the limits that
//! Consul itself sets (its `ValidateServiceMetadata` and `ValidateWeights`, the same from 1.8 on).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::judge::{Judge, duration_label};
use crate::config::decode::Field;
use crate::config::diagnostic::Span;
use crate::config::duration::parse_go_duration;
use crate::config::json5::{Member, Node, Value};
use crate::config::raw::{self, Job, TaggedAddress as Raw};
use crate::plan::{TaggedAddress, Weights};

/// What the section says; all of it is optional.
#[derive(Default)]
pub(super) struct Extras {
    /// `EnableTagOverride`.
    pub(super) enable_tag_override: bool,
    /// `DeregisterCriticalServiceAfter`, as written.
    pub(super) deregister_after: Option<String>,
    /// `Meta`.
    pub(super) meta: BTreeMap<String, String>,
    /// `TaggedAddresses`.
    pub(super) tagged_addresses: BTreeMap<String, TaggedAddress>,
    /// `Weights`.
    pub(super) weights: Option<Weights>,
}

/// Judges the section of a job with this port (v3 §8.1 rule 6).
pub(super) fn extras(raw: &Job, port: i64, judge: &mut Judge) -> Extras {
    let Field::Given(extras, section) = &raw.consul else { return Extras::default() };
    Extras {
        enable_tag_override: extras.enable_tag_override.is_on(),
        deregister_after: deregister_after(raw, extras, *section, judge),
        meta: meta(&extras.meta, judge),
        tagged_addresses: tagged_addresses(&extras.tagged_addresses, port, judge),
        weights: weights(&extras.weights, judge),
    }
}

/// A pure Go duration. An absent one is wrong, too, as in the original, but only where nothing else tells why there is a
/// section: a key that nobody knows has been told already.
fn deregister_after(raw: &Job, extras: &raw::Extras, section: Span, judge: &mut Judge) -> Option<String> {
    let field = &extras.deregister_after;
    if field.field.is_bad() || (field.node.is_none() && (extras.has_ours() || extras.has_unknown)) {
        return None;
    }
    match parse_go_duration(field.text()) {
        Ok(_) => Some(field.text().to_owned()),
        Err(error) => {
            let key = "consul.deregisterCriticalServiceAfter";
            let name = raw.name.text();
            let original = format!("unable to parse job[{name}].{key}: {error}");
            let problem = match field.node {
                Some(node) => {
                    let message =
                        format!("expected a duration with a unit like \"90s\" or \"10m\", {}", judge.found(node));
                    judge.error(61, key, node.span, message, original).label(duration_label(error.class))
                }
                None => judge.error(61, key, section, "missing: a `consul` section needs it", original),
            };
            judge.add(problem);
            None
        }
    }
}

/// The key of a value below one that may be any, unless a template made it.
fn below(judge: &Judge, key: &str, member: &Member) -> String {
    match judge.report.literal(member.key_span) {
        Some(_) => format!("{key}.{}", member.key),
        None => key.to_owned(),
    }
}

/// The most pairs of `meta`, and the longest key and value in bytes.
const MOST_META: usize = 64;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 512;

/// Keys that begin so are Consul's own.
const RESERVED: &str = "consul-";

fn meta(field: &Field<Vec<(&Member, Field<String>)>>, judge: &mut Judge) -> BTreeMap<String, String> {
    let mut meta = BTreeMap::new();
    let Field::Given(pairs, span) = field else { return meta };
    if pairs.len() > MOST_META {
        let message = format!("expected at most {MOST_META} pairs, found {}", pairs.len());
        let problem = judge.our_error("consul.meta", *span, message);
        judge.add(problem);
        return meta;
    }
    for (member, value) in pairs {
        let path = below(judge, "consul.meta", member);
        meta_key(member, judge);
        let Field::Given(value, span) = value else { continue };
        if value.len() > LONGEST_VALUE {
            let message = format!("expected at most {LONGEST_VALUE} bytes, found {}", value.len());
            let problem = judge.our_error(&path, *span, message);
            judge.add(problem);
        }
        warn_of_respelling(&path, &member.value, value, judge);
        meta.insert(member.key.clone(), value.clone());
    }
    meta
}

fn meta_key(member: &Member, judge: &mut Judge) {
    let key = member.key.as_str();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let message = if key.starts_with(RESERVED) {
        format!("expected a key that does not begin with \"{RESERVED}\", which is Consul's own")
    } else if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(good) {
        format!("expected a key of ASCII letters, digits, dashes and underscores, at most {LONGEST_KEY} of them")
    } else {
        return;
    };
    let found = judge.report.found_at(member.key_span);
    let problem = judge.our_error("consul.meta", member.key_span, format!("{message}, found {found}"));
    judge.add(problem);
}

/// Consul keeps texts. A number or a switch becomes one as everywhere else, which is not always how it is written: `1.10`
/// is 1.1, and true is 1.
fn warn_of_respelling(path: &str, node: &Node, text: &str, judge: &mut Judge) {
    let is_text = matches!(node.value, Value::String(_));
    if is_text || judge.report.reads(node.span, text) {
        return;
    }
    let found = judge.report.found_at(node.span);
    let said = if judge.report.literal(node.span).is_some() && text.len() <= LONGEST_KEY {
        format!("{found} is sent as \"{text}\"")
    } else {
        format!("{found} is sent in another spelling")
    };
    let problem = judge.warning(path, node.span, format!("{said}: Consul keeps texts"));
    judge.add(problem.label("between quotes it is sent as it is written"));
}

fn tagged_addresses(
    field: &Field<Vec<(&Member, Raw)>>,
    job_port: i64,
    judge: &mut Judge,
) -> BTreeMap<String, TaggedAddress> {
    let mut tagged = BTreeMap::new();
    for (member, raw) in field.value().into_iter().flatten() {
        let path = below(judge, "consul.taggedAddresses", member);
        if member.key.trim().is_empty() {
            let message = "expected a tag like `lan` or `wan`, found an empty one";
            let problem = judge.our_error("consul.taggedAddresses", member.key_span, message);
            judge.add(problem);
        }
        let read = match raw {
            Raw::Whole(text) => whole(&path, text, judge),
            Raw::Parts { address, port, node } => parts(&path, (address, port, node.span), judge),
        };
        let Some((address, port)) = read else { continue };
        let Some(port) = port.or_else(|| as_port(job_port)) else {
            let message = "no port: it would be the job's own, which is none";
            let problem = judge.our_error(&path, member.value.span, message);
            judge.add(problem.help("for example { address: \"10.0.0.5\", port: 80 }"));
            continue;
        };
        tagged.insert(member.key.clone(), TaggedAddress { address, port });
    }
    tagged
}

/// An address in one text, with or without a port.
fn whole(path: &str, text: &raw::Text, judge: &mut Judge) -> Option<(String, Option<u16>)> {
    let read = address_and_port(text.field.value()?);
    if let (None, Some(node)) = (&read, text.node) {
        let found = judge.found(node);
        let message = format!("expected an IP address or a name, with a port or without, {found}");
        let problem = judge.our_error(path, node.span, message);
        judge.add(
            problem.help("for example \"10.0.0.5\", \"10.0.0.5:80\", \"[2001:db8::5]:80\" or \"host.example:80\""),
        );
    }
    read
}

/// An address and a port, each in a field of its own.
fn parts(
    path: &str,
    (address, port, object): (&raw::Text, &Field<i64>, Span),
    judge: &mut Judge,
) -> Option<(String, Option<u16>)> {
    let port = match port {
        Field::Absent | Field::Bad => None,
        Field::Given(number, span) => {
            let port = as_port(*number);
            if port.is_none() {
                let found = judge.report.found_at(*span);
                let message = format!("expected a port from 1 to 65535, found {found}");
                let problem = judge.our_error(&format!("{path}.port"), *span, message);
                judge.add(problem);
                // Its stand-in.
                return None;
            }
            port
        }
    };
    if address.field.is_bad() {
        return None;
    }
    let key = format!("{path}.address");
    let Some(node) = address.node else {
        let problem = judge.our_error(&key, object, "missing: expected an IP address or a name");
        judge.add(problem);
        return None;
    };
    match address_and_port(address.text()) {
        Some((address, None)) => return Some((address, port)),
        with_port => {
            let message = format!("expected an IP address or a name, {}", judge.found(node));
            let problem = judge.our_error(&key, node.span, message);
            judge.add(problem.label(if with_port.is_some() { "the port has a field of its own, `port`" } else { "" }));
        }
    }
    None
}

fn as_port(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port > 0)
}

/// The address, and the port if there is one. With a port an IPv6 address stands in brackets: without them every colon is
/// its own.
fn address_and_port(text: &str) -> Option<(String, Option<u16>)> {
    // A zone is a matter of this machine: others can't use it.
    if text.contains('%') {
        return None;
    }
    if text.parse::<IpAddr>().is_ok() {
        return Some((text.to_owned(), None));
    }
    if let Ok(both) = text.parse::<SocketAddr>() {
        return Some((both.ip().to_string(), Some(both.port()))).filter(|_| both.port() > 0);
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().is_ok().then(|| (inside.to_owned(), None));
    }
    let (name, port) = match text.split_once(':') {
        None => (text, None),
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, Some(port.parse().ok().filter(|port| *port > 0)?))
        }
        Some(_) => return None,
    };
    is_host_name(name).then(|| (name.to_owned(), port))
}

/// Whether a text can be a name for DNS; digits and dots alone are an address that went wrong.
fn is_host_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 253 && text.bytes().all(good) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// The greatest weight: DNS has 16 bits for it.
const GREATEST_WEIGHT: u32 = 65_535;

fn weights(field: &Field<raw::Weights>, judge: &mut Judge) -> Option<Weights> {
    let raw = field.value()?;
    let passing = weight("consul.weights.passing", &raw.passing, 1, judge);
    let warning = weight("consul.weights.warning", &raw.warning, 0, judge);
    Some(Weights { passing, warning })
}

/// A weight from `least` up; 1, as in Consul, where nothing is said.
fn weight(key: &str, field: &Field<i64>, least: u32, judge: &mut Judge) -> u32 {
    let Field::Given(number, span) = field else { return 1 };
    let weight = u32::try_from(*number).ok().filter(|weight| (least..=GREATEST_WEIGHT).contains(weight));
    if weight.is_none() {
        let found = judge.report.found_at(*span);
        let message = format!("expected a whole number from {least} to {GREATEST_WEIGHT}, found {found}");
        let problem = judge.our_error(key, *span, message);
        judge.add(problem);
    }
    weight.unwrap_or(1)
}

#[cfg(test)]
mod tests;
