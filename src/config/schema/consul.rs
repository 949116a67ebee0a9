//! What is said of Consul: the agent, what a job's registration has beside the usual, watches.

use super::kind::{OFF, SIXTEEN_BITS, TEMPLATE, either, seconds, service_name, switch, text, unit_duration, whole};
use super::{Field, object};
use crate::config::raw;

/// `consul` at the top.
pub(super) fn agent() -> String {
    either(&[r#"{"type": "string"}"#.to_owned(), OFF.to_owned(), object(raw::CONSUL, &[], &agent_field)])
}

fn agent_field(key: &str) -> Option<Field> {
    Some(match key {
        "address" => (
            text(),
            "Where the agent is. Without a port it is 80, or 443 for https.",
            r#""default": "127.0.0.1:8500", "examples": ["unix:///run/consul.sock"]"#,
        ),
        "scheme" => {
            (text(), "`http` or `https`; a scheme in the address wins.", r#""default": "http", "examples": ["https"]"#)
        }
        "token" => (
            text(),
            "The ACL token. Better kept in a variable: CONSUL_HTTP_TOKEN.",
            r#""examples": ["{{ .CONSUL_TOKEN }}"]"#,
        ),
        "tls" => (
            object(raw::TLS, &[], &tls),
            "TLS towards the agent; certificates are verified.",
            r#""examples": [{"cafile": "/etc/consul/ca.pem"}]"#,
        ),
        "failingHeartbeat" => (
            switch(),
            "A failing health check is told to Consul at once, as critical. Without it Consul hears nothing and waits for the `ttl`. New in 4.0.",
            r#""default": false, "examples": [true]"#,
        ),
        _ => return None,
    })
}

fn tls(key: &str) -> Option<Field> {
    Some(match key {
        "cafile" => {
            (text(), "A PEM file with the authorities that are trusted.", r#""examples": ["/etc/consul/ca.pem"]"#)
        }
        "capath" => (text(), "A folder of such files; counts without `cafile`.", r#""examples": ["/etc/consul/ca"]"#),
        "clientcert" => {
            (text(), "Our certificate, for agents that want one.", r#""examples": ["/etc/consul/client.pem"]"#)
        }
        "clientkey" => (text(), "The key of `clientcert`.", r#""examples": ["/etc/consul/client-key.pem"]"#),
        "servername" => (
            text(),
            "The name that the agent's certificate must have, if it is not that of the address.",
            r#""examples": ["server.dc1.consul"]"#,
        ),
        "verify" => (
            switch(),
            "`false`: the agent's certificate is not verified, which is told at every start.",
            r#""default": true, "examples": [false]"#,
        ),
        _ => return None,
    })
}

/// A job's `consul`.
pub(super) fn extras() -> String {
    object(raw::EXTRAS, &[], &|key| {
        Some(match key {
            "enableTagOverride" => {
                (switch(), "Others may change the tags in the catalog.", r#""default": false, "examples": [true]"#)
            }
            "deregisterCriticalServiceAfter" => (
                unit_duration(),
                "Consul forgets the service after it has been critical for so long: a duration with a unit.",
                r#""examples": ["10m"]"#,
            ),
            "meta" => (
                meta(),
                "Pairs of texts: at most 64, with keys of up to 128 letters, digits, dashes and underscores, and values of up to 512 bytes. New in 4.0.",
                r#""examples": [{"version": "1.10"}]"#,
            ),
            "taggedAddresses" => (
                tagged_addresses(),
                "Other addresses, by tag. New in 4.0.",
                r#""examples": [{"lan": "192.0.2.10", "wan": {"address": "web.example", "port": 443}}]"#,
            ),
            "weights" => (
                object(raw::WEIGHTS, &[], &weight),
                "How often DNS answers with this instance. New in 4.0.",
                r#""examples": [{"passing": 10, "warning": 1}]"#,
            ),
            _ => return None,
        })
    })
}

fn meta() -> String {
    format!(
        r#"{{"type": ["object", "null"], "maxProperties": 64, "propertyNames": {{"pattern": "^[A-Za-z0-9_-]{{1,128}}$|{TEMPLATE}", "not": {{"pattern": "^consul-"}}}}, "additionalProperties": {{"type": ["string", "number", "boolean", "null"], "maxLength": 512}}}}"#
    )
}

fn tagged_addresses() -> String {
    let parts = object(raw::TAGGED_ADDRESS, &["address"], &|key| {
        let field = match key {
            "address" => (host(), "An IP address or a name. New in 4.0.", r#""examples": ["web.example"]"#),
            "port" => {
                (whole(SIXTEEN_BITS), "Its port. It is the job's unless given. New in 4.0.", r#""examples": [443]"#)
            }
            _ => return None,
        };
        Some(field)
    });
    format!(r#"{{"type": ["object", "null"], "additionalProperties": {}}}"#, either(&[host(), parts]))
}

fn host() -> String {
    r#"{"type": "string", "minLength": 1}"#.to_owned()
}

/// A number of 16 bits.
const WEIGHT: &str = r#", "exclusiveMinimum": -1, "exclusiveMaximum": 65536"#;

fn weight(key: &str) -> Option<Field> {
    let field = match key {
        "passing" => (whole(SIXTEEN_BITS), "While its check passes. New in 4.0.", r#""default": 1, "examples": [10]"#),
        "warning" => (whole(WEIGHT), "While its check warns. New in 4.0.", r#""default": 1, "examples": [0]"#),
        _ => return None,
    };
    Some(field)
}

/// A watch.
pub(super) fn watch() -> String {
    object(raw::WATCH, &["name", "interval"], &|key| {
        Some(match key {
            "name" => (service_name(), "The service. Its events come from `watch.NAME`.", r#""examples": ["db"]"#),
            "interval" => (seconds(), "Seconds that what we know may be old.", r#""examples": [5]"#),
            "tag" => (text(), "Only instances with this tag.", r#""examples": ["primary"]"#),
            "dc" => (text(), "The data centre; the agent's own unless given.", r#""examples": ["dc2"]"#),
            "filter" => (
                text(),
                "Only instances for which this expression in Consul's filter language is true. New in 4.0.",
                r#""examples": ["Service.Meta.version == `2`"]"#,
            ),
            _ => return None,
        })
    })
}
