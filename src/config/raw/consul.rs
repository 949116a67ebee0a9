//! What the file says of Consul: the agent, and what a job adds to its registration.

use super::{Text, nested, text};
use crate::config::decode::{Decoder, Field, Names};
use crate::config::json5::{Member, Node, Value};
use crate::config::report::Place;

/// The keys of `consul` as an object. The last one is ours.
pub(in crate::config) const CONSUL: Names =
    Names { fields: &["address", "scheme", "token", "tls", "failingHeartbeat"], private: &[] };
/// The keys of its `tls`.
pub(in crate::config) const TLS: Names =
    Names { fields: &["cafile", "capath", "clientcert", "clientkey", "servername", "verify"], private: &[] };
/// The keys of a job's `consul`. The last three are ours.
pub(in crate::config) const EXTRAS: Names = Names {
    fields: &["enableTagOverride", "deregisterCriticalServiceAfter", "meta", "taggedAddresses", "weights"],
    private: &[],
};
/// The keys of one of `taggedAddresses` as an object.
pub(in crate::config) const TAGGED_ADDRESS: Names = Names { fields: &["address", "port"], private: &[] };
/// The keys of a job's `weights`.
pub(in crate::config) const WEIGHTS: Names = Names { fields: &["passing", "warning"], private: &[] };

/// The `consul` section as an object.
#[derive(Debug, Default)]
pub(in crate::config) struct Consul<'n> {
    pub(in crate::config) address: Text<'n>,
    pub(in crate::config) scheme: Field<String>,
    pub(in crate::config) token: Field<String>,
    pub(in crate::config) tls: Option<Tls<'n>>,
    pub(in crate::config) failing_heartbeat: Field<bool>,
}

/// TLS towards Consul.
#[derive(Debug)]
pub(in crate::config) struct Tls<'n> {
    pub(in crate::config) ca_file: Text<'n>,
    pub(in crate::config) ca_path: Text<'n>,
    pub(in crate::config) client_cert: Text<'n>,
    pub(in crate::config) client_key: Text<'n>,
    pub(in crate::config) server_name: Field<String>,
    pub(in crate::config) verify: Field<bool>,
}

/// A job's `consul`.
#[derive(Debug)]
pub(in crate::config) struct Extras<'n> {
    pub(in crate::config) enable_tag_override: Field<bool>,
    pub(in crate::config) deregister_after: Text<'n>,
    /// Each key with its text, in file order.
    pub(in crate::config) meta: Field<Vec<(&'n Member, Field<String>)>>,
    /// Each tag with its address, in file order; what could not be decoded is left out.
    pub(in crate::config) tagged_addresses: Field<Vec<(&'n Member, TaggedAddress<'n>)>>,
    pub(in crate::config) weights: Field<Weights>,
    /// There is a key that nobody knows, which has been said.
    pub(in crate::config) has_unknown: bool,
}

impl Extras<'_> {
    /// Whether it has a field that the original did not know.
    pub(in crate::config) fn has_ours(&self) -> bool {
        !(self.meta.is_absent() && self.tagged_addresses.is_absent() && self.weights.is_absent())
    }
}

/// One of `taggedAddresses`.
#[derive(Debug)]
pub(in crate::config) enum TaggedAddress<'n> {
    /// A text, which may name the port, too.
    Whole(Text<'n>),
    /// An object.
    Parts {
        /// The object.
        node: &'n Node,
        /// Its address.
        address: Text<'n>,
        /// Its port.
        port: Field<i64>,
    },
}

/// A job's `weights`.
#[derive(Debug)]
pub(in crate::config) struct Weights {
    pub(in crate::config) passing: Field<i64>,
    pub(in crate::config) warning: Field<i64>,
}

/// The `consul` section as an object.
pub(in crate::config) fn consul<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Consul<'n>> {
    let f = d.object(node, place, CONSUL)?;
    let tls = nested(d, &f, place, "tls", tls);
    Some(Consul {
        address: text(d, &f, place, "address"),
        scheme: d.string(f.get("scheme"), &place.key("scheme")),
        token: d.string(f.get("token"), &place.key("token")),
        tls: if let Field::Given(tls, _) = tls { Some(tls) } else { None },
        failing_heartbeat: d.boolean(f.get("failingHeartbeat"), &place.key("failingHeartbeat")),
    })
}

fn tls<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Tls<'n>> {
    let f = d.object(node, place, TLS)?;
    Some(Tls {
        ca_file: text(d, &f, place, "cafile"),
        ca_path: text(d, &f, place, "capath"),
        client_cert: text(d, &f, place, "clientcert"),
        client_key: text(d, &f, place, "clientkey"),
        server_name: d.string(f.get("servername"), &place.key("servername")),
        verify: d.boolean(f.get("verify"), &place.key("verify")),
    })
}

/// A job's `consul`.
pub(super) fn extras<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<Extras<'n>> {
    let f = d.object(node, place, EXTRAS)?;
    let known = |key: &str| EXTRAS.fields.iter().any(|field| field.eq_ignore_ascii_case(key));
    Some(Extras {
        has_unknown: matches!(&node.value, Value::Object(members) if !members.iter().all(|m| known(&m.key))),
        enable_tag_override: d.boolean(f.get("enableTagOverride"), &place.key("enableTagOverride")),
        deregister_after: text(d, &f, place, "deregisterCriticalServiceAfter"),
        meta: nested(d, &f, place, "meta", |d, node, place| {
            let entries = d.entries(node, place)?;
            Some(entries.into_iter().map(|(member, place)| (member, d.string(Some(&member.value), &place))).collect())
        }),
        tagged_addresses: nested(d, &f, place, "taggedAddresses", |d, node, place| {
            let entries = d.entries(node, place)?;
            let one = |(member, place): (&'n Member, Place)| Some((member, tagged_address(d, &member.value, &place)?));
            Some(entries.into_iter().filter_map(one).collect())
        }),
        weights: nested(d, &f, place, "weights", |d, node, place| {
            let f = d.object(node, place, WEIGHTS)?;
            Some(Weights {
                passing: d.integer(f.get("passing"), &place.key("passing")),
                warning: d.integer(f.get("warning"), &place.key("warning")),
            })
        }),
    })
}

fn tagged_address<'n>(d: &mut Decoder, node: &'n Node, place: &Place) -> Option<TaggedAddress<'n>> {
    if !matches!(node.value, Value::Object(_)) {
        return Some(TaggedAddress::Whole(Text { field: d.string(Some(node), place), node: Some(node) }));
    }
    let f = d.object(node, place, TAGGED_ADDRESS)?;
    let port = d.integer(f.get("port"), &place.key("port"));
    Some(TaggedAddress::Parts { node, address: text(d, &f, place, "address"), port })
}
