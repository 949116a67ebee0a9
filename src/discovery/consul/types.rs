//! What is sent to Consul, byte for byte what the original sends (v3 §13.2 to §13.4), and what comes back (v3 §14).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::error::CallError;
use crate::core::Instance;
use crate::duration::GoDuration;
use crate::plan::{CheckStatus, ServiceSpec, WatchSpec};

/// Consul cuts a check's output here by itself (`check_output_max_size`); more need not travel.
const LONGEST_OUTPUT: usize = 4096;

/// `AgentServiceRegistration` of Consul's own client, in its order; members that are zero are left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Registration<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "no_tags")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    port: i64,
    address: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tagged_addresses: BTreeMap<&'a str, TaggedAddress<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    enable_tag_override: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Weights>,
    check: Check<'a>,
    /// Always `null`, as the original's library writes it.
    checks: (),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TaggedAddress<'a> {
    address: &'a str,
    port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
    warning: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Check<'a> {
    #[serde(rename = "TTL")]
    ttl: String,
    status: CheckStatus,
    notes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_critical_service_after: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Update<'a> {
    status: CheckStatus,
    output: &'a str,
}

fn no_tags(tags: &&[String]) -> bool {
    tags.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// The body that registers a service, whose check has this status until its first heartbeat.
pub(crate) fn registration(spec: &ServiceSpec, status: CheckStatus) -> Vec<u8> {
    let tagged = spec.tagged_addresses.iter();
    let after = spec.deregister_critical_service_after.as_deref();
    line(&Registration {
        id: &spec.id,
        name: &spec.name,
        tags: &spec.tags,
        port: spec.port,
        address: spec.address.to_string(),
        tagged_addresses: tagged
            .map(|(tag, to)| (tag.as_str(), TaggedAddress { address: &to.address, port: to.port }))
            .collect(),
        enable_tag_override: spec.enable_tag_override,
        meta: &spec.meta,
        weights: spec.weights.map(|weights| Weights { passing: weights.passing, warning: weights.warning }),
        check: Check {
            ttl: ttl(spec.ttl),
            status,
            notes: format!("TTL for {} set by containerpilot", spec.name),
            deregister_critical_service_after: after.filter(|after| !after.is_empty()),
        },
        checks: (),
    })
}

/// The body that updates a check.
pub(crate) fn update(status: CheckStatus, output: &str) -> Vec<u8> {
    let end = output.floor_char_boundary(LONGEST_OUTPUT);
    line(&Update { status, output: output.get(..end).unwrap_or_default() })
}

/// `3s`, as the original writes whole seconds.
fn ttl(ttl: Duration) -> String {
    if ttl.subsec_nanos() == 0 { format!("{}s", ttl.as_secs()) } else { GoDuration::from(ttl).to_string() }
}

/// One line of JSON. What is serialised here has only text keys, so it can't fail.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    body
}

/// A query for the healthy instances of a service.
#[derive(Debug, Clone)]
pub(crate) struct HealthQuery<'a>(pub(crate) &'a WatchSpec);

/// How a query waits for a change: after which index, and how long at most, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) index: u64,
    pub(crate) seconds: u64,
}

impl HealthQuery<'_> {
    /// Adds the query to a URL. The original's library sorts by key, so do we.
    pub(super) fn put(&self, url: &mut Url, wait: Option<Wait>) {
        let spec = self.0;
        let index = wait.map(|wait| wait.index.to_string()).unwrap_or_default();
        let longest = wait.map(|wait| format!("{}s", wait.seconds)).unwrap_or_default();
        let pairs = [
            ("dc", spec.dc.as_str()),
            ("filter", &spec.filter),
            ("index", &index),
            ("passing", "1"),
            ("tag", &spec.tag),
            ("wait", &longest),
        ];
        url.query_pairs_mut().extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    }
}

/// The answer to a [`HealthQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Healthy {
    /// `X-Consul-Index`; none or 0 where the agent can't wait for changes.
    pub(crate) index: Option<u64>,
    /// Sorted by id, node, address and port: Consul promises no order.
    pub(crate) instances: Vec<Instance>,
    /// Whose address is none: anybody may register anything.
    pub(crate) odd: Vec<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    node: Node,
    service: Service,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    node: String,
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: i64,
    tags: Option<Vec<String>>,
}

/// Reads the answer to a [`HealthQuery`]: the instances, and those whose address is none. Members that we don't know are
/// none of our business.
pub(super) fn instances(body: &[u8]) -> Result<(Vec<Instance>, Vec<Instance>), CallError> {
    // Go's library writes `null` for a list that is empty.
    let entries: Option<Vec<Entry>> = serde_json::from_slice(body).map_err(|error| garbage(&error))?;
    let mut instances: Vec<Instance> = entries.unwrap_or_default().into_iter().map(Entry::into_instance).collect();
    instances.sort_by(|a, b| {
        (&a.id, &a.node, &a.address, a.port, &a.tags).cmp(&(&b.id, &b.node, &b.address, b.port, &b.tags))
    });
    Ok(instances.into_iter().partition(|instance| is_address(&instance.address)))
}

/// Where it can't be read. The library's words repeat what stands there, which may be long and anything.
fn garbage(error: &serde_json::Error) -> CallError {
    let what = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "it is not a list of instances",
        Category::Syntax | Category::Io => "it is not JSON",
    };
    CallError::Garbage(format!("{what} (line {}, column {})", error.line(), error.column()))
}

/// Whether it is an IP address or a plain host name. It becomes part of a line that scripts read (`..._ADDRS`), so a line
/// break or a space in it would be somebody else's instance.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(plain))
}

impl Entry {
    fn into_instance(self) -> Instance {
        let Self { node, service } = self;
        let address = if service.address.is_empty() { node.address } else { service.address };
        let tags = service.tags.unwrap_or_default();
        Instance { id: service.id, address, port: service.port, tags, node: node.node }
    }
}

#[cfg(test)]
mod tests;
