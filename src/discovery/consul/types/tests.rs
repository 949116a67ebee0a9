use super::*;
use crate::plan::{TaggedAddress as Tagged, Weights as PlanWeights};

fn spec() -> ServiceSpec {
    ServiceSpec {
        id: "web-HOST".to_owned(),
        name: "web".to_owned(),
        port: 8080,
        address: "10.0.0.1".parse().unwrap(),
        tags: vec!["t1".to_owned()],
        ttl: Duration::from_secs(3),
        initial_status: None,
        enable_tag_override: true,
        deregister_critical_service_after: Some("10m".to_owned()),
        meta: BTreeMap::new(),
        tagged_addresses: BTreeMap::new(),
        weights: None,
        ip_variable: String::new(),
    }
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

#[test]
fn a_registration_is_byte_for_byte_the_originals() {
    assert_eq!(
        text(registration(&spec(), CheckStatus::Warning)),
        concat!(
            r#"{"ID":"web-HOST","Name":"web","Tags":["t1"],"Port":8080,"Address":"10.0.0.1","EnableTagOverride":true,"#,
            r#""Check":{"TTL":"3s","Status":"warning","Notes":"TTL for web set by containerpilot","#,
            r#""DeregisterCriticalServiceAfter":"10m"},"Checks":null}"#,
            "\n"
        )
    );
}

#[test]
fn members_that_are_zero_are_left_out() {
    let spec = ServiceSpec {
        tags: Vec::new(),
        enable_tag_override: false,
        deregister_critical_service_after: None,
        address: "fd00::1".parse().unwrap(),
        ..spec()
    };
    assert_eq!(
        text(registration(&spec, CheckStatus::Passing)),
        concat!(
            r#"{"ID":"web-HOST","Name":"web","Port":8080,"Address":"fd00::1","#,
            r#""Check":{"TTL":"3s","Status":"passing","Notes":"TTL for web set by containerpilot"},"Checks":null}"#,
            "\n"
        )
    );
}

#[test]
fn newer_members_are_where_consuls_own_client_has_them() {
    let mut spec = spec();
    spec.meta.insert("version".to_owned(), "1".to_owned());
    spec.tagged_addresses.insert("wan".to_owned(), Tagged { address: "192.0.2.1".to_owned(), port: 80 });
    spec.weights = Some(PlanWeights { passing: 10, warning: 1 });
    assert!(text(registration(&spec, CheckStatus::Passing)).contains(concat!(
        r#""Address":"10.0.0.1","TaggedAddresses":{"wan":{"Address":"192.0.2.1","Port":80}},"EnableTagOverride":true,"#,
        r#""Meta":{"version":"1"},"Weights":{"Passing":10,"Warning":1},"Check":{"#
    )));
}

#[test]
fn an_update_is_byte_for_byte_the_originals() {
    assert_eq!(text(update(CheckStatus::Passing, "ok")), "{\"Status\":\"passing\",\"Output\":\"ok\"}\n");
    let long = text(update(CheckStatus::Critical, &"ä".repeat(5000)));
    assert_eq!(long, format!("{{\"Status\":\"critical\",\"Output\":\"{}\"}}\n", "ä".repeat(2048)));
}

#[test]
fn a_query_is_sorted_by_key_as_the_originals() {
    let mut spec = WatchSpec {
        name: "db".to_owned(),
        interval: Duration::from_secs(5),
        tag: String::new(),
        dc: String::new(),
        filter: String::new(),
    };
    let query = |spec: &WatchSpec, wait| {
        let mut url = Url::parse("http://x/").unwrap();
        HealthQuery(spec).put(&mut url, wait);
        url.query().unwrap().to_owned()
    };
    assert_eq!(query(&spec, None), "passing=1");
    spec.tag = "prod & new".to_owned();
    spec.dc = "dc2".to_owned();
    assert_eq!(query(&spec, None), "dc=dc2&passing=1&tag=prod+%26+new");
    spec.filter = "Node.Node == \"a\"".to_owned();
    assert_eq!(
        query(&spec, Some(Wait { index: 42, seconds: 5 })),
        "dc=dc2&filter=Node.Node+%3D%3D+%22a%22&index=42&passing=1&tag=prod+%26+new&wait=5s"
    );
}

#[test]
fn an_answer_is_read_without_caring_for_what_we_dont_know() {
    let body = br#"[
        {"Node": {"Node": "n2", "Address": "10.0.0.2", "New": 1}, "Checks": [],
         "Service": {"ID": "db-2", "Service": "db", "Address": "", "Port": 5432, "Tags": null}},
        {"Node": {"Node": "n1", "Address": "10.0.0.1"},
         "Service": {"ID": "db-1", "Address": "10.1.0.1", "Port": 5433, "Tags": ["a"], "Connect": {}}}]"#;
    let instance = |id: &str, address: &str, port, tags: &[&str], node: &str| Instance {
        id: id.to_owned(),
        address: address.to_owned(),
        port,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        node: node.to_owned(),
    };
    let wanted = [instance("db-1", "10.1.0.1", 5433, &["a"], "n1"), instance("db-2", "10.0.0.2", 5432, &[], "n2")];
    assert_eq!(instances(body).unwrap(), (wanted.to_vec(), Vec::new()));
    assert_eq!(instances(b"null\n").unwrap(), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_no_answer_is_an_error() {
    let nested = "[".repeat(100_000);
    for body in ["", "{}", "[{}]", "[null]", "<html>", "[{\"Service\":{\"Port\":\"x\"}}]", "[] x", nested.as_str()] {
        assert!(matches!(instances(body.as_bytes()), Err(CallError::Garbage(_))), "{body:.20}");
    }
}

#[test]
fn f62_what_is_no_answer_is_told_by_its_place_and_not_repeated() {
    let hint = " (this may not be Consul)";
    let told = |body: &str| instances(body.as_bytes()).unwrap_err().to_string().replace(hint, "");
    let long = format!(r#"[{{"Service":{{"ID":"a","Address":"x","Port":"{}"}}}}]"#, "s".repeat(4_000_000));
    assert_eq!(told(&long), "unreadable answer: it is not a list of instances (line 1, column 4000045)");
    assert_eq!(told("<html>\n"), "unreadable answer: it is not JSON (line 1, column 1)");
    assert_eq!(told("[\n"), "unreadable answer: it ends too early (line 2, column 0)");
}

#[test]
fn an_address_is_an_ip_address_or_a_plain_host_name() {
    let list = |address: &str| {
        let body = serde_json::json!([{"Node": {"Address": ""}, "Service": {"ID": "a", "Address": address}}]);
        instances(body.to_string().as_bytes()).unwrap()
    };
    for good in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "db", "db-1.example.com.", "my_db"] {
        assert_eq!(list(good).0.len(), 1, "{good}");
    }
    for odd in ["", "10.0.0.1:80\n10.6.6.6", "a b", "fe80::1%eth0", "[fd00::1]", "$(reboot)", "d\u{e4}tabase", "a\0"] {
        let (instances, left_out) = list(odd);
        assert_eq!((instances.len(), left_out.len()), (0, 1), "{odd:?}");
    }
}
