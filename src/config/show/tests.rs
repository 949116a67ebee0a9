use super::*;
use crate::config::{Context, Source, compile};

fn plan_of(text: &str) -> Plan {
    let source = Source { origin: "f".to_owned(), text: text.to_owned() };
    let outcome = compile(&source, &Context::default(), false);
    outcome.plan.unwrap_or_else(|| panic!("{text}\n{:?}", outcome.diagnostics))
}

/// The vectors of the original know none of our own fields.
#[test]
fn our_own_fields_and_what_has_no_plain_spelling_are_read_back() {
    let texts = [
        "{ consul: false, stopTimeout: -3, exitCode: \"zero\" }",
        "{ signals: { SIGUSR1: \"reopenLogs\", SIGHUP: \"ignore\", SIGWINCH: { job: \"a\", signal: \"SIGQUIT\" } },
           jobs: [ { name: \"a\", exec: \"x\" } ] }",
        "{ jobs: [ { name: \"a\", exec: [\"\", \"{{ \"{{{\" }}\", \"\\n\\u001b\"], main: true, exitCode: \"override\" } ] }",
        "{ jobs: [ { name: \"a\", restarts: \"unlimited\", backoff: false, stopTimeout: \"0\" } ] }",
        "{ jobs: [ { name: \"a\", restarts: \"unlimited\",
             backoff: { free: 0, initial: \"1ms\", factor: 1.25, max: \"1.5s\", healthyAfter: 7, jitter: 0.1 } } ] }",
        "{ jobs: [ { name: \"a\", restarts: \"9007199254740993\" } ] }",
        "{ jobs: [ { name: \"a\", exec: \"x\", health: { exec: \"y\", interval: 1, ttl: 2, timeout: \"-1s\",
             logging: { raw: true } } } ] }",
        "{ jobs: [ { name: \"a\", when: {} }, { name: \"b\", when: { source: \"a\" } },
             { name: \"c\", when: { source: \"SIGHUP\", timeout: 5 } }, { name: \"d\", when: { once: \"healthy\" } } ] }",
        "{ consul: \"http://http://http://c\" }",
        "{ consul: { address: \"unix://\" } }",
        "{ consul: { address: \"http://\", scheme: \"gopher\" } }",
        "{ consul: { address: \"c\", scheme: \"gopher\", tls: { verify: false, servername: \"[::1]:8501\" } } }",
        "{ consul: \"c\", jobs: [ { name: \"aa\", port: -1, interfaces: \"static:2001:db8::1\",
             health: { interval: 1, ttl: 1 } } ] }",
    ];
    let job = "name: \"aa\", port: 80, interfaces: \"static:10.0.0.1\", health: { interval: 1, ttl: 1 }";
    let extras = [
        "deregisterCriticalServiceAfter: \"10m\"",
        "enableTagOverride: true, weights: null, meta: {}",
        "meta: { \"a-b\": \"{{ \"{{{\" }}\", C: \"\" }",
        "taggedAddresses: { lan: \"10.0.0.1\", \"a tag\": { address: \"2001:db8::1\", port: 8080 } }",
        "weights: {}",
        "weights: { passing: 65535, warning: 0 }, deregisterCriticalServiceAfter: \"-1s\"",
    ];
    let extras = extras.map(|extras| {
        format!("{{ consul: {{ failingHeartbeat: true }}, jobs: [ {{ {job}, consul: {{ {extras} }} }} ] }}")
    });
    let watch =
        "{ consul: \"c\", watches: [ { name: \"db\", interval: 1, filter: \"Service.Meta.v == \\\"1\\\"\" } ] }";
    let paused = "{ jobs: [ { name: \"a\", exec: \"x\", pauseInMaintenance: true } ] }";
    for text in texts.into_iter().chain(extras.iter().map(String::as_str)).chain([watch, paused]) {
        let plan = plan_of(text);
        let shown = show(&plan);
        assert_eq!(plan_of(&shown), plan, "{text}\n{shown}");
    }
}

#[test]
fn a_token_is_masked() {
    let shown = show(&plan_of("{ consul: { token: \"hunter2\" } }"));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("token: \"***\""), "{shown}");
}

/// What only the environment can say has no spelling in a file, and is told as a comment that nothing can get out of.
#[test]
fn what_the_environment_says_of_consul_is_told() {
    let env = [
        ("CONSUL_HTTP_TOKEN_FILE", "/run/\n{{ .X }}\u{2028}token"),
        ("CONSUL_NAMESPACE", "team"),
        ("CONSUL_PARTITION", "*/ \"{{"),
    ];
    let source = Source { origin: "f".to_owned(), text: "{ consul: \"c\" }".to_owned() };
    let context = Context { env: env.into_iter().collect(), ..Context::default() };
    let plan = compile(&source, &context, false).plan.unwrap();
    let shown = show(&plan);
    insta::assert_snapshot!(shown.lines().filter(|line| line.contains("//")).collect::<Vec<_>>().join("\n"), @r#"
    // CONSUL_HTTP_TOKEN_FILE: "/run/\n{\u007b .X }}\u2028token"
    // CONSUL_NAMESPACE: "team"
    // CONSUL_PARTITION: "*/ \"{\u007b"
    // socket: the default, /var/run/containerpilot.socket, or none where it can't be had
    "#);
    let again = plan_of(&shown).consul.unwrap();
    assert_eq!((again.token_file, again.namespace, again.partition), (None, None, None));
}

#[test]
fn the_default_socket_is_told_but_not_claimed() {
    let shown = show(&plan_of("{}"));
    assert!(shown.contains("// socket: the default, /var/run/containerpilot.socket,"), "{shown}");
    assert!(!plan_of(&shown).control.configured);
}
