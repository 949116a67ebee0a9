use super::super::said::{job, said_of_job};
use super::*;
use crate::plan::ServiceSpec;

const SERVICE: &str = "port: 80, interfaces: \"static:10.0.0.1\", health: { interval: 1, ttl: 5 }";

fn service(extras: &str) -> ServiceSpec {
    *job(&format!("{SERVICE}, consul: {{ {extras} }}")).service.unwrap()
}

fn said(extras: &str) -> Vec<String> {
    said_of_job(&format!("{SERVICE}, consul: {{ {extras} }}"))
}

/// So many pairs with keys of their own.
fn pairs(count: usize) -> String {
    (0..count).map(|n| format!("k{n}: \"v\"")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_original_s_section_needs_a_duration_and_ours_does_not() {
    let missing = "E jobs[0].consul.deregisterCriticalServiceAfter: missing: a `consul` section needs it";
    assert_eq!(said(""), [missing]);
    assert_eq!(said("enableTagOverride: true, meta: null"), [missing]);
    for ours in ["meta: {}", "taggedAddresses: {}", "weights: {}"] {
        let service = service(&format!("enableTagOverride: true, {ours}"));
        assert_eq!((service.enable_tag_override, service.deregister_critical_service_after), (true, None));
    }
    // What is given is judged all the same.
    assert_eq!(said("deregisterCriticalServiceAfter: \"\", meta: {}").len(), 1);
    assert_eq!(
        service("deregisterCriticalServiceAfter: \"10m\", meta: {}").deregister_critical_service_after.as_deref(),
        Some("10m")
    );
}

#[test]
fn meta_is_kept_within_what_consul_takes() {
    assert_eq!(
        service("meta: { version: \"1.10\", \"a-b_C9\": \"\", gone: null, n: 5 }").meta,
        [("version", "1.10"), ("a-b_C9", ""), ("n", "5")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    assert_eq!(service(&format!("meta: {{ {} }}", pairs(64))).meta.len(), 64);
    assert_eq!(
        said(&format!("meta: {{ {} }}", pairs(65))),
        ["E jobs[0].consul.meta: expected at most 64 pairs, found 65"]
    );

    let long = "k".repeat(128);
    assert_eq!(service(&format!("meta: {{ {long}: \"v\" }}")).meta.len(), 1);
    for bad in [format!("{long}k"), "\"\"".to_owned(), "\"a b\"".to_owned(), "\"a.b\"".to_owned(), "\"é\"".to_owned()]
    {
        let said = said(&format!("meta: {{ {bad}: \"v\" }}"));
        let [said] = said.as_slice() else { panic!("{bad}: {said:?}") };
        assert!(said.starts_with("E jobs[0].consul.meta: expected a key of ASCII letters"), "{bad}: {said}");
    }
    assert_eq!(
        said("meta: { \"consul-x\": \"v\", Consul-x: \"v\" }").len(),
        1,
        "as in Consul, the reserved beginning is in small letters"
    );

    assert_eq!(service(&format!("meta: {{ k: \"{}\" }}", "é".repeat(256))).meta.len(), 1);
    assert_eq!(
        said(&format!("meta: {{ k: \"{}x\" }}", "é".repeat(256))),
        ["E jobs[0].consul.meta.k: expected at most 512 bytes, found 513"]
    );
}

#[test]
fn what_is_no_text_in_meta_is_turned_into_one_and_told_if_that_shows() {
    let service = service("meta: { major: 1, minor: 1.10, canary: true, mask: 0x10 }");
    let sent: Vec<&str> = service.meta.values().map(String::as_str).collect();
    assert_eq!(sent, ["1", "1", "16", "1.1"]);
    let label = "[between quotes it is sent as it is written]";
    assert_eq!(
        said("meta: { major: 1, minor: 1.10, canary: true, mask: 0x10 }"),
        [
            format!("W jobs[0].consul.meta.minor: 1.10 is sent as \"1.1\": Consul keeps texts {label}"),
            format!("W jobs[0].consul.meta.canary: true is sent as \"1\": Consul keeps texts {label}"),
            format!("W jobs[0].consul.meta.mask: 0x10 is sent as \"16\": Consul keeps texts {label}"),
        ]
    );
}

#[test]
fn a_tagged_address_has_its_own_port_or_the_job_s() {
    let address = |value: &str| {
        let tagged = service(&format!("taggedAddresses: {{ wan: {value} }}")).tagged_addresses;
        tagged.get("wan").map(|one| (one.address.clone(), one.port)).unwrap()
    };
    for (written, want, port) in [
        ("\"10.0.0.1\"", "10.0.0.1", 80),
        ("\"10.0.0.1:8080\"", "10.0.0.1", 8080),
        ("\"2001:db8::1:8080\"", "2001:db8::1:8080", 80),
        ("\"[2001:db8::1]:8080\"", "2001:db8::1", 8080),
        ("\"[2001:db8::1]\"", "2001:db8::1", 80),
        ("\"host.example\"", "host.example", 80),
        ("\"host.example:8080\"", "host.example", 8080),
        ("{ address: \"10.0.0.1\" }", "10.0.0.1", 80),
        ("{ address: \"10.0.0.1\", port: \"8080\" }", "10.0.0.1", 8080),
        ("{ address: \"2001:db8::1\", port: 8080 }", "2001:db8::1", 8080),
    ] {
        assert_eq!(address(written), (want.to_owned(), port), "{written}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for bad in [
        "\"\"",
        "\"10.0.0.300\"",
        "\"10.0.0.1:0\"",
        "\"10.0.0.1:70000\"",
        "\"host:\"",
        "\"host:+80\"",
        "\"a:b:c\"",
        "\"http://host\"",
        "\"fe80::1%eth0\"",
        "\"[fe80::1%1]:80\"",
        "\"[host]\"",
        "\"a host\"",
        "5",
    ] {
        assert_eq!(
            said(&format!("taggedAddresses: {{ lan: {bad} }}")),
            [format!(
                "E jobs[0].consul.taggedAddresses.lan: expected an IP address or a name, with a port or without, \
                 found {bad}"
            )]
        );
    }
    let at = "E jobs[0].consul.taggedAddresses.lan";
    for (bad, want) in [
        ("{}", format!("{at}.address: missing: expected an IP address or a name")),
        ("{ address: \"h\", port: 0 }", format!("{at}.port: expected a port from 1 to 65535, found 0")),
        (
            "{ address: \"10.0.0.1:80\", port: 80 }",
            format!(
                "{at}.address: expected an IP address or a name, found \"10.0.0.1:80\" \
                 [the port has a field of its own, `port`]"
            ),
        ),
    ] {
        assert_eq!(said(&format!("taggedAddresses: {{ lan: {bad} }}")), [want]);
    }
    assert_eq!(
        said("taggedAddresses: { \"\": \"10.0.0.1\" }"),
        ["E jobs[0].consul.taggedAddresses: expected a tag like `lan` or `wan`, found an empty one"]
    );
}

#[test]
fn a_job_whose_port_is_none_lends_none() {
    let of_job = |value: &str| {
        let fields = SERVICE.replace("port: 80", "port: 70000");
        said_of_job(&format!("{fields}, consul: {{ taggedAddresses: {{ lan: {value} }} }}"))
    };
    let odd = "W jobs[0].port: 70000 is no port: those are 1 to 65535";
    assert_eq!(of_job("\"10.0.0.1:80\""), [odd]);
    assert_eq!(
        of_job("\"10.0.0.1\""),
        [odd, "E jobs[0].consul.taggedAddresses.lan: no port: it would be the job's own, which is none"]
    );
}

#[test]
fn weights_are_those_of_consul() {
    let of = |text: &str| service(&format!("weights: {{ {text} }}")).weights;
    assert_eq!(of(""), Some(Weights { passing: 1, warning: 1 }));
    assert_eq!(of("passing: 65535, warning: 0"), Some(Weights { passing: 65_535, warning: 0 }));
    assert_eq!(service("meta: {}").weights, None);
    assert_eq!(
        said("weights: { passing: 0, warning: -1 }"),
        [
            "E jobs[0].consul.weights.passing: expected a whole number from 1 to 65535, found 0",
            "E jobs[0].consul.weights.warning: expected a whole number from 0 to 65535, found -1",
        ]
    );
    assert_eq!(said("weights: { passing: 65536 }").len(), 1);
}

#[test]
fn a_job_without_a_port_is_not_judged() {
    assert_eq!(
        said_of_job("consul: { meta: { \"consul-x\": \"v\" }, weights: { passing: 0 } }"),
        ["W jobs[0].consul: has no effect without `port`"]
    );
}
