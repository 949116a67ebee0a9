//! What is said of Consul: the agent, what a job's registration has beside the usual, watches.

use serde_json::{Value, json};

use super::kind::{either, seconds, service_name, switch, templated, text, unit_duration, whole_from};
use super::{Field, object};
use crate::config::raw;
use crate::config::validate::DEFAULT_ADDRESS;

/// `consul` at the top.
pub(super) fn agent() -> Value {
    either(&[json!({"type": "string"}), json!({"const": false}), object(raw::CONSUL, &[], agent_field)])
}

fn agent_field(key: &str) -> Option<Field> {
    Some(match key {
        "address" => Field::new("Where the agent is. Without a port it is 80, or 443 for https.", text())
            .default(DEFAULT_ADDRESS)
            .example("unix:///run/consul.sock"),
        "scheme" => Field::new("`http` or `https`; a scheme in the address wins.", text()).default("http").example("https"),
        "token" => Field::new("The ACL token. Better kept in a variable: CONSUL_HTTP_TOKEN.", text())
            .example("{{ .CONSUL_TOKEN }}"),
        "tls" => Field::new("TLS towards the agent; certificates are verified.", object(raw::TLS, &[], tls))
            .example(json!({"cafile": "/etc/consul/ca.pem"})),
        "failingHeartbeat" => Field::new(
            "A failing health check is told to Consul at once, as critical. Without it Consul hears nothing and waits for the `ttl`.",
            switch(),
        )
        .ours()
        .default(false)
        .example(true),
        _ => return None,
    })
}

fn tls(key: &str) -> Option<Field> {
    Some(match key {
        "cafile" => {
            Field::new("A PEM file with the authorities that are trusted.", text()).example("/etc/consul/ca.pem")
        }
        "capath" => Field::new("A folder of such files; counts without `cafile`.", text()).example("/etc/consul/ca"),
        "clientcert" => {
            Field::new("Our certificate, for agents that want one.", text()).example("/etc/consul/client.pem")
        }
        "clientkey" => Field::new("The key of `clientcert`.", text()).example("/etc/consul/client-key.pem"),
        "servername" => {
            Field::new("The name that the agent's certificate must have, if it is not that of the address.", text())
                .example("server.dc1.consul")
        }
        "verify" => {
            Field::new("`false`: the agent's certificate is not verified, which is told at every start.", switch())
                .default(true)
                .example(false)
        }
        _ => return None,
    })
}

/// A job's `consul`.
pub(super) fn extras() -> Value {
    object(raw::EXTRAS, &[], |key| {
        Some(match key {
            "enableTagOverride" => {
                Field::new("Others may change the tags in the catalog.", switch()).default(false).example(true)
            }
            "deregisterCriticalServiceAfter" => Field::new(
                "Consul forgets the service after it has been critical for so long: a duration with a unit.",
                unit_duration(),
            )
            .example("10m"),
            "meta" => Field::new(
                "Pairs of texts: at most 64, with keys of up to 128 letters, digits, dashes and underscores, and values of up to 512 bytes.",
                meta(),
            )
            .ours()
            .example(json!({"version": "1.10"})),
            "taggedAddresses" => Field::new("Other addresses, by tag.", tagged_addresses())
                .ours()
                .example(json!({"lan": "192.0.2.10", "wan": {"address": "web.example", "port": 443}})),
            "weights" => Field::new("How often DNS answers with this instance.", object(raw::WEIGHTS, &[], weight))
                .ours()
                .example(json!({"passing": 10, "warning": 1})),
            _ => return None,
        })
    })
}

fn meta() -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": 64,
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,128}$|\\{\\{", "not": {"pattern": "^consul-"}},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 512},
    })
}

fn tagged_addresses() -> Value {
    let parts = object(raw::TAGGED_ADDRESS, &["address"], |key| {
        let field = match key {
            "address" => {
                Field::new("An IP address or a name.", json!({"type": "string", "minLength": 1})).example("web.example")
            }
            "port" => Field::new("Its port. It is the job's unless given.", whole_from(1, Some(65_535))).example(443),
            _ => return None,
        };
        Some(field.ours())
    });
    let whole = json!({"type": "string", "minLength": 1});
    json!({"type": ["object", "null"], "additionalProperties": either(&[whole, templated(), parts])})
}

fn weight(key: &str) -> Option<Field> {
    let field = match key {
        "passing" => Field::new("While its check passes.", whole_from(1, Some(65_535))).default(1).example(10),
        "warning" => Field::new("While its check warns.", whole_from(0, Some(65_535))).default(1).example(0),
        _ => return None,
    };
    Some(field.ours())
}

/// A watch.
pub(super) fn watch() -> Value {
    object(raw::WATCH, &["name", "interval"], |key| {
        Some(match key {
            "name" => Field::new("The service. Its events come from `watch.NAME`.", service_name()).example("db"),
            "interval" => Field::new("Seconds that what we know may be old.", seconds()).example(5),
            "tag" => Field::new("Only instances with this tag.", text()).example("primary"),
            "dc" => Field::new("The data centre; the agent's own unless given.", text()).example("dc2"),
            "filter" => {
                Field::new("Only instances for which this expression in Consul's filter language is true.", text())
                    .ours()
                    .example("Service.Meta.version == `2`")
            }
            _ => return None,
        })
    })
}
