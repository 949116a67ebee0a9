//! What others see of us: Consul, watches, telemetry and the control socket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The `control` section (v3 §15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Path of the unix socket.
    pub socket: PathBuf,
    /// Whether the file names the path; a configured path that can't be had is fatal, the default one is not.
    pub configured: bool,
}

impl Default for Control {
    /// The original's place, not named by the file.
    fn default() -> Self {
        Self { socket: PathBuf::from("/var/run/containerpilot.socket"), configured: false }
    }
}

/// The `consul` section with the environment's overrides applied (v3 §13.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consul {
    /// `host:port`, or a path when `scheme` is [`ConsulScheme::Unix`].
    pub address: String,
    /// How the agent is spoken to. The original passes any text on (`httpshttps`).
    pub scheme: ConsulScheme,
    /// The ACL token.
    pub token: Option<Secret>,
    /// A file that holds the ACL token, read again when Consul refuses the token (`CONSUL_HTTP_TOKEN_FILE`). Only where
    /// nothing else gives one.
    pub token_file: Option<PathBuf>,
    /// Consul Enterprise's namespace (`CONSUL_NAMESPACE`).
    pub namespace: Option<String>,
    /// Consul Enterprise's admin partition (`CONSUL_PARTITION`).
    pub partition: Option<String>,
    /// Whether a failing health check is told at once as critical; v3 lets the time to live lapse.
    pub failing_heartbeat: bool,
    /// TLS settings; only used with [`ConsulScheme::Https`].
    pub tls: ConsulTls,
}

impl Consul {
    /// The address for people: a user name and a password, with which no request succeeds, are not for them.
    pub fn shown_address(&self) -> String {
        match self.address.rsplit_once('@') {
            Some((_, host)) if self.scheme != ConsulScheme::Unix => format!("{STARS}@{host}"),
            _ => self.address.clone(),
        }
    }
}

/// The value of an environment variable for people: those of Consul and of a proxy that are a secret or hold one are not for
/// them. What is none of these, or has nothing to hide, is itself.
pub fn shown_variable<'v>(name: &str, value: &'v str) -> Cow<'v, str> {
    match name {
        // The second is not ours: jobs that run Consul's own programs give it to them.
        "CONSUL_HTTP_TOKEN" | "CONSUL_HTTP_AUTH" if !value.is_empty() => Cow::Borrowed(STARS),
        "CONSUL_HTTP_ADDR" if !value.starts_with("unix://") => without_user(value),
        // Our requests to Consul take that way, and proxies have passwords.
        "HTTP_PROXY" | "http_proxy" | "HTTPS_PROXY" | "https_proxy" => without_user(value),
        _ => Cow::Borrowed(value),
    }
}

/// An address without the user name and password in it.
fn without_user(address: &str) -> Cow<'_, str> {
    let Some((user, host)) = address.rsplit_once('@') else { return Cow::Borrowed(address) };
    let scheme = user.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    Cow::Owned(format!("{scheme}{STARS}@{host}"))
}

/// How the Consul agent is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsulScheme {
    /// Plain HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// Plain HTTP over a unix socket.
    Unix,
    /// A word the original would have handed to its HTTP library; every request fails.
    Other(String),
}

/// TLS towards Consul.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsulTls {
    /// PEM file with the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files with authorities to trust.
    pub ca_path: Option<PathBuf>,
    /// PEM file with our certificate.
    pub client_cert: Option<PathBuf>,
    /// PEM file with our key.
    pub client_key: Option<PathBuf>,
    /// The name expected in the agent's certificate, without a port.
    pub server_name: Option<String>,
    /// Whether the agent's certificate is verified: unless something says otherwise, it is (design §4 row 10).
    pub verify: bool,
}

impl Default for ConsulTls {
    fn default() -> Self {
        Self { ca_file: None, ca_path: None, client_cert: None, client_key: None, server_name: None, verify: true }
    }
}

/// A text that is never printed nor written: `Debug` and a snapshot have `***`. Who adopts a snapshot takes it out of the
/// configuration again.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What stands for it.
const STARS: &str = "***";

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(STARS)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(STARS)
    }
}

/// What is registered with Consul (v3 §13.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// `<job name>-<host name>`.
    pub id: String,
    /// The job's name.
    pub name: String,
    /// The port as configured, never 0. Like the original we take any number (-1, 70000) and let Consul judge.
    pub port: i64,
    /// The advertised address.
    pub address: IpAddr,
    /// Tags in file order.
    pub tags: Vec<String>,
    /// The time to live of the check.
    pub ttl: Duration,
    /// Register at once, with this status.
    pub initial_status: Option<CheckStatus>,
    /// Consul's `EnableTagOverride`.
    pub enable_tag_override: bool,
    /// Consul's `DeregisterCriticalServiceAfter`, as written.
    pub deregister_critical_service_after: Option<String>,
    /// Consul's `Meta`.
    pub meta: BTreeMap<String, String>,
    /// Consul's `TaggedAddresses`, by tag (`lan`, `wan`, …).
    pub tagged_addresses: BTreeMap<String, TaggedAddress>,
    /// Consul's `Weights` for answers by DNS.
    pub weights: Option<Weights>,
    /// The variable that tells every child the advertised address (v3 §9).
    pub ip_variable: String,
}

/// Another address of a service, for those who are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaggedAddress {
    /// An IP address or a name.
    pub address: String,
    /// The port there.
    pub port: u16,
}

/// How often a service is in an answer by DNS, beside other instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// While its check passes, from 1 up.
    pub passing: u32,
    /// While its check warns.
    pub warning: u32,
}

/// The status of a check in Consul.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Everything is well.
    Passing,
    /// Something is not.
    Warning,
    /// Not to be used.
    Critical,
}

impl CheckStatus {
    /// As Consul and configurations spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A watch of other services (v3 §14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// The service looked for; events come from `watch.NAME`.
    pub name: String,
    /// The longest staleness.
    pub interval: Duration,
    /// Only instances with this tag; empty is any.
    pub tag: String,
    /// The data centre; empty is the agent's own.
    pub dc: String,
    /// An expression in Consul's filter language that instances must fulfil; empty is any.
    pub filter: String,
}

impl WatchSpec {
    /// The source of its events.
    pub fn source(&self) -> String {
        format!("watch.{}", self.name)
    }
}

/// The `telemetry` section (v3 §16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// The port to listen on.
    pub port: i64,
    /// The address to listen on.
    pub address: IpAddr,
    /// Tags of the `containerpilot` service, our version not yet added.
    pub tags: Vec<String>,
    /// Metrics that jobs feed.
    pub metrics: Vec<MetricSpec>,
}

/// A metric that jobs feed through the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// First part of the name, may be empty.
    pub namespace: String,
    /// Second part of the name, may be empty.
    pub subsystem: String,
    /// Last part of the name.
    pub name: String,
    /// The help line, not empty.
    pub help: String,
    /// What it is.
    pub kind: MetricKind,
}

impl MetricSpec {
    /// The exposed name: the parts that are not empty, joined by `_`.
    pub fn exposed_name(&self) -> String {
        let parts = [&self.namespace, &self.subsystem, &self.name];
        parts.into_iter().filter(|p| !p.is_empty()).map(String::as_str).collect::<Vec<_>>().join("_")
    }

    /// The name under which v3 records: empty parts kept (`__bare`).
    pub fn post_key(&self) -> String {
        format!("{}_{}_{}", self.namespace, self.subsystem, self.name)
    }
}

/// The kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// The last value.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Quantiles over ten minutes.
    Summary,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consul() -> Consul {
        Consul {
            address: "127.0.0.1:8500".to_owned(),
            scheme: ConsulScheme::Http,
            token: Some(Secret::new("s3cr3t")),
            token_file: None,
            namespace: None,
            partition: None,
            failing_heartbeat: false,
            tls: ConsulTls::default(),
        }
    }

    #[test]
    fn f64_neither_a_debug_line_nor_a_snapshot_holds_the_token() {
        let consul = consul();
        let written = serde_json::to_string(&consul).unwrap();
        assert!(!written.contains("s3cr3t") && written.contains(r#""token":"***""#), "{written}");
        assert!(!format!("{consul:?}").contains("s3cr3t"));
        assert_eq!(consul.token.as_ref().map(Secret::expose), Some("s3cr3t"));
    }

    #[test]
    fn f64_the_address_is_shown_without_a_password() {
        for (scheme, address, shown) in [
            (ConsulScheme::Http, "127.0.0.1:8500", "127.0.0.1:8500"),
            (ConsulScheme::Http, "u:p@ss@c:8500", "***@c:8500"),
            (ConsulScheme::Other("httpx".to_owned()), "u@c", "***@c"),
            (ConsulScheme::Unix, "/run/consul@1.sock", "/run/consul@1.sock"),
        ] {
            assert_eq!(Consul { scheme, address: address.to_owned(), ..consul() }.shown_address(), shown);
        }
    }

    #[test]
    fn f30_f64_consuls_secrets_are_not_shown_as_variables() {
        for (name, value, shown) in [
            ("CONSUL_HTTP_TOKEN", "s3cr3t", "***"),
            ("CONSUL_HTTP_TOKEN", "", ""),
            ("CONSUL_HTTP_TOKEN_FILE", "/run/token", "/run/token"),
            ("CONSUL_HTTP_AUTH", "u:p", "***"),
            ("CONSUL_HTTP_ADDR", "http://u:p@ss@c:8500", "http://***@c:8500"),
            ("CONSUL_HTTP_ADDR", "u:p@c:8500", "***@c:8500"),
            ("CONSUL_HTTP_ADDR", "https://c:8500", "https://c:8500"),
            ("CONSUL_HTTP_ADDR", "unix:///run/consul@1.sock", "unix:///run/consul@1.sock"),
            ("HTTPS_PROXY", "http://u:p@proxy:3128", "http://***@proxy:3128"),
            ("http_proxy", "proxy:3128", "proxy:3128"),
            ("MAIL", "me@here", "me@here"),
        ] {
            assert_eq!(shown_variable(name, value), shown, "{name}={value}");
        }
    }
}
