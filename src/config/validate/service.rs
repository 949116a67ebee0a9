//! What a job advertises (v3 §8.1 rules 4 to 6).

use std::net::IpAddr;
use std::time::Duration;

use super::extras::extras;
use super::judge::Judge;
use crate::config::context::Context;
use crate::config::decode::Field;
use crate::config::diagnostic::Span;
use crate::config::interfaces;
use crate::config::json5::{Node, Value};
use crate::config::names::{check_service_name, ip_variable};
use crate::config::raw::Job;
use crate::plan::{CheckStatus, ServiceSpec};

/// What a service is made of.
pub(super) struct Part<'p, 'n> {
    /// The job.
    pub(super) raw: &'p Job<'n>,
    /// For the address and the id.
    pub(super) context: &'p Context,
    /// The health check's time to live.
    pub(super) ttl: Duration,
}

/// The service of a job with a port.
pub(super) fn service(from: &Part, judge: &mut Judge) -> Option<ServiceSpec> {
    let Part { raw, context, ttl } = from;
    let name = raw.name.text();
    let Field::Given(port, port_span) = raw.port else { return None };
    warn_of_odd_port(judge, "port", port, port_span);
    let initial_status = initial_status(raw, judge);
    if let (Some(node), false) = (raw.name_node, name.is_empty()) {
        check_name(judge, 50, "name", name, node);
    }
    let at = Advertised { key: "interfaces", rule: 60 };
    let address = address(raw.interfaces, port_span, &at, context, judge);
    let extras = extras(raw, port, judge);
    Some(ServiceSpec {
        id: format!("{name}-{}", context.hostname),
        name: name.to_owned(),
        port,
        address: address?,
        tags: raw.tags.value().cloned().unwrap_or_default(),
        ttl: *ttl,
        initial_status,
        enable_tag_override: extras.enable_tag_override,
        deregister_critical_service_after: extras.deregister_after,
        meta: extras.meta,
        tagged_addresses: extras.tagged_addresses,
        weights: extras.weights,
        ip_variable: ip_variable(name),
    })
}

/// What a job without a port says of a service that it is not.
pub(super) fn warn_of_no_port(raw: &Job, judge: &mut Judge) {
    let told = [
        ("tags", raw.tags.span()),
        ("interfaces", raw.interfaces.map(|node| node.span)),
        ("initial_status", raw.initial_status_node.map(|node| node.span)),
        ("consul", raw.consul.span()),
    ];
    let told: Vec<(&str, Span)> = told.into_iter().filter_map(|(key, span)| Some((key, span?))).collect();
    let (Some((key, span)), Some((last, before))) = (told.first(), told.split_last()) else { return };
    let words: Vec<String> = before.iter().map(|(key, _)| format!("`{key}`")).collect();
    let message = if words.is_empty() {
        "has no effect without `port`".to_owned()
    } else {
        format!("{} and `{}` have no effect without `port`", words.join(", "), last.0)
    };
    let problem = judge.warning(key, *span, message);
    judge.add(problem);
}

/// Like the original we take any number, and let others judge; but hardly anybody means it.
pub(super) fn warn_of_odd_port(judge: &mut Judge, key: &str, port: i64, span: Span) {
    if !(1..=65_535).contains(&port) {
        let found = judge.report.found_at(span);
        let problem = judge.warning(key, span, format!("{found} is no port: those are 1 to 65535"));
        judge.add(problem);
    }
}

/// The rule for names that a service discovery will see.
pub(super) fn check_name(judge: &mut Judge, rule: u8, key: &str, name: &str, node: &Node) {
    if let Err(original) = check_service_name(name) {
        let message = format!(
            "expected a lower-case letter, then letters, digits and dashes, at least two in all, {}",
            judge.found(node)
        );
        let problem = judge.error(rule, key, node.span, message, original);
        judge.add(problem.help("Consul and DNS must be able to look it up"));
    }
}

/// The words for the status of a check.
pub(in crate::config) const STATUSES: [(&str, CheckStatus); 3] =
    [("passing", CheckStatus::Passing), ("warning", CheckStatus::Warning), ("critical", CheckStatus::Critical)];

fn initial_status(raw: &Job, judge: &mut Judge) -> Option<CheckStatus> {
    let node = raw.initial_status_node?;
    let word = raw.initial_status.value()?;
    match STATUSES.iter().find(|(name, _)| name == word) {
        Some((_, status)) => Some(*status),
        None if word.is_empty() => None,
        None => {
            let message = format!("expected \"passing\", \"warning\" or \"critical\", {}", judge.found(node));
            let job = raw.name.text();
            let original = format!("job[{job}].initialStatus must be one of 'passing', 'warning' or 'critical'");
            let problem = judge.error(40, "initial_status", node.span, message, original);
            judge.add(problem);
            None
        }
    }
}

/// Where `interfaces` stands.
pub(super) struct Advertised {
    /// Its key.
    pub(super) key: &'static str,
    /// Its rule.
    pub(super) rule: u8,
}

/// Examples of what `interfaces` accepts.
const SPECS: &str = "\"eth0\", \"eth0:inet6\", \"eth0[1]\", \"inet\", \"inet6\", \"10.0.0.0/8\" or \"static:10.0.0.5\"";

/// The advertised address. `owner` is the place to mark where the field is absent.
pub(super) fn address(
    node: Option<&Node>,
    owner: Span,
    at: &Advertised,
    context: &Context,
    judge: &mut Judge,
) -> Option<IpAddr> {
    let specs = match node.map(interfaces::from_node) {
        None => Vec::new(),
        Some(Ok(specs)) => specs,
        Some(Err(original)) => {
            let span = node.map_or(owner, |node| node.span);
            let found = node.map(|node| judge.report.found(node)).unwrap_or_default();
            let message = format!("expected a text or a list of texts, found {found}");
            let problem = judge.error(at.rule, at.key, span, message, original);
            judge.add(problem.help(format!("for example {SPECS}")));
            return None;
        }
    };
    let original = match interfaces::choose(&specs, context.addresses.get()) {
        Ok(address) => return Some(address),
        Err(original) => original,
    };
    let unreadable = unreadable(node, &specs);
    if unreadable.is_empty() {
        let span = node.map_or(owner, |node| node.span);
        let message = match node.map(|node| judge.report.found(node)) {
            Some(found) => format!("no address of this machine matches {found}"),
            None => "no address of this machine can be advertised".to_owned(),
        };
        let problem = judge.error(at.rule, at.key, span, message, original);
        judge.add(problem.help(here(context)));
        return None;
    }
    for node in unreadable {
        let message = format!("no way to name an address, {}", judge.found(node));
        let problem = judge.error(at.rule, at.key, node.span, message, original.clone());
        judge.add(problem.help(format!("expected {SPECS}")));
    }
    None
}

/// Those elements that are no specification at all.
fn unreadable<'n>(node: Option<&'n Node>, specs: &[String]) -> Vec<&'n Node> {
    let Some(node) = node else { return Vec::new() };
    let nodes: Vec<&Node> = match &node.value {
        Value::Array(elements) => elements.iter().collect(),
        _ => vec![node],
    };
    // Against no address at all a specification that can be read matches nothing; one that can't says so first.
    let cannot_be_read = |spec: &String| {
        interfaces::choose(std::slice::from_ref(spec), &[]).is_err_and(|why| why.starts_with("Unable to parse"))
    };
    nodes.into_iter().zip(specs).filter(|(_, spec)| cannot_be_read(spec)).map(|(node, _)| node).collect()
}

/// The machine's addresses, for a person who must choose.
fn here(context: &Context) -> String {
    let mut addresses = context.addresses.get().to_vec();
    interfaces::sort(&mut addresses);
    let words: Vec<String> = addresses.iter().map(|a| format!("{} {}", a.interface, a.ip)).collect();
    if words.is_empty() { "this machine has no address".to_owned() } else { format!("it has: {}", words.join(", ")) }
}
