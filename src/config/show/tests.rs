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
    for text in texts {
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

#[test]
fn the_default_socket_is_told_but_not_claimed() {
    let shown = show(&plan_of("{}"));
    assert!(shown.contains("// socket: the default, /var/run/containerpilot.socket,"), "{shown}");
    assert!(!plan_of(&shown).control.configured);
}
