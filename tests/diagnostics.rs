//! What people are told about broken configurations: snapshots to be read as user interface, and the promise that no
//! value of the environment is ever repeated.

#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use containerpilot::config::diagnostic::{one_line, render, to_json};
use containerpilot::config::interfaces::Address;
use containerpilot::config::json5::{self, Node, Value};
use containerpilot::config::{Context, Outcome, Source, compile};
use containerpilot::env::Environment;
use proptest::prelude::*;
use serde_json::Value as Json;

fn compiled(text: &str, env: &[(&str, &str)], strict: bool) -> Outcome {
    let env: Environment = env.iter().copied().collect();
    let addresses = vec![
        Address { interface: "lo".to_owned(), ip: [127, 0, 0, 1].into() },
        Address { interface: "eth0".to_owned(), ip: [192, 0, 2, 2].into() },
    ];
    let context = Context { env, addresses: addresses.into(), hostname: "host".to_owned() };
    compile(&Source { origin: "app.json5".to_owned(), text: text.to_owned() }, &context, strict)
}

/// What `config check` prints.
fn checked(text: &str, env: &[(&str, &str)]) -> String {
    let outcome = compiled(text, env, true);
    render(&outcome.diagnostics, "app.json5", text)
}

/// What a start prints of a file that `config check` would refuse.
fn started(text: &str, env: &[(&str, &str)]) -> String {
    let outcome = compiled(text, env, false);
    assert!(outcome.plan.is_some(), "{:?}", outcome.diagnostics);
    let lines: Vec<String> = outcome.diagnostics.iter().map(|d| one_line(d, "app.json5", text)).collect();
    lines.join("\n")
}

#[test]
fn misspelt_keys_and_words() {
    insta::assert_snapshot!(checked(
        r#"{
  consul: "localhost:8500",
  loging: { level: "INFO" },
  jobs: [
    {
      name: "web",
      command: "/bin/web",
      restart: "always",
      restarts: "always",
      when: { source: "setup", once: "exitsucces" },
      health: { exec: "/bin/check", poll: 5, ttl: 10 },
    },
  ],
}
"#,
        &[],
    ));
}

#[test]
fn values_of_the_wrong_kind() {
    insta::assert_snapshot!(checked(
        r#"{
  consul: 8500,
  stopTimeout: "5s",
  logging: "DEBUG",
  control: { socket: ["/tmp/socket"] },
  jobs: [
    "web",
    { name: ["web"], exec: { run: "web" }, timeout: 0.5, port: "http", tags: "a,b", main: "yes" },
    { name: "cron", exec: "", when: { interval: "5 minutes" }, health: { interval: "5s", ttl: 0 } },
  ],
  telemetry: { interfaces: "eth0", metrics: [ { name: "a-b", help: "h", type: "counter" }, { name: "b", type: "timer" } ] },
}
"#,
        &[],
    ));
}

#[test]
fn a_service_that_cannot_be_advertised() {
    insta::assert_snapshot!(checked(
        r#"{
  consul: { address: "ftp://consul", tls: { cafile: "/nonexistent/ca.pem" } },
  jobs: [
    { name: "Web_App", exec: "web", port: 80, interfaces: ["eth9", "10.0.0.0/8"], initial_status: "up",
      consul: { deregisterCriticalServiceAfter: "10" }, health: { exec: "check", interval: 10, ttl: 10 } },
    { name: "api", exec: "api", port: 70000, interfaces: "127.0.0.1", health: { exec: "check", interval: 1, ttl: 5 } },
    { name: "db", exec: "db", port: 5432 },
  ],
}
"#,
        &[],
    ));
}

#[test]
fn what_consul_would_not_take_of_a_job() {
    insta::assert_snapshot!(checked(
        r#"{
  consul: { address: "consul", failingHeartbeats: true },
  jobs: [
    { name: "web", exec: "web", port: 80, interfaces: "static:10.0.0.1", health: { interval: 5, ttl: 15 },
      consul: {
        meta: { "a b": "x", "consul-x": "y", version: 1.10, canary: true, none: null, twice: "a", twice: "b" },
        taggedAddresses: { lan: "10.0.0.300", wan: { port: 80 }, virtual: { address: "10.0.0.1:80" }, v6: "2001:db8::1" },
        weights: { passing: 0, warnings: 5 },
      } },
    { name: "api", exec: "api", port: 81, interfaces: "static:10.0.0.1", health: { interval: 5, ttl: 15 },
      consul: { meta: ["a"], taggedAddresses: { lan: ["10.0.0.1"], wan: { adress: "h" } }, weights: 5 } },
    { name: "db", exec: "db", port: 82, interfaces: "static:10.0.0.1", health: { interval: 5, ttl: 15 },
      consul: { metadata: {}, taggedAdresses: {}, weigths: {}, deregisterCriticalServiceAfter: "10m" } },
    { name: "mq", exec: "mq", port: 83, interfaces: "static:10.0.0.1", health: { interval: 5, ttl: 15 },
      consul: { enableTagOverride: true }, pauseInMaintenence: true },
    { name: "idle", pauseInMaintenance: true },
    { name: "odd", exec: "odd", pauseInMaintenance: "yes" },
  ],
  watches: [ { name: "db", interval: 5, filter: ["x"] }, { name: "mq", interval: 5, filters: "x" } ],
}
"#,
        &[],
    ));
}

/// The values are those of the environment, the keys, too.
#[test]
fn what_a_template_makes_of_a_registration_is_not_repeated() {
    insta::assert_snapshot!(checked(
        r#"{
  consul: "c:1",
  jobs: [
    { name: "web", exec: "web", port: 80, interfaces: "static:10.0.0.1", health: { interval: 5, ttl: 15 },
      consul: {
        meta: { "{{ .KEY }}": "x", version: {{ .VERSION }}, long: "{{ .LONG }}" },
        taggedAddresses: { "{{ .KEY }}": "{{ .KEY }}" },
        weights: { passing: {{ .WEIGHT }} },
      } },
  ],
}
"#,
        &[("KEY", "secret secret"), ("VERSION", "1.2345678900"), ("LONG", &"secret".repeat(100)), ("WEIGHT", "-12345")],
    ));
}

#[test]
fn whens_that_never_come() {
    let text = r#"{
  jobs: [
    { name: "setup", exec: "setup" },
    { name: "a", exec: "a", when: { source: "setpu", once: "exitSuccess" } },
    { name: "b", exec: "b", when: { once: "healthy" } },
    { name: "c", exec: "c", when: { source: "SIGTERM" } },
    { name: "d", exec: "d", when: { source: "sighup" } },
    { name: "e", exec: "e", when: { source: "watch.db", each: "changed" } },
    { name: "f", exec: "f", when: { source: "global", once: "shutdown" } },
    { name: "g", exec: "g", when: {} },
    { name: "h", exec: "h", when: { interval: "5s", source: "setup" } },
    { name: "i", exec: "i", when: { source: "j", once: "exitSuccess" }, health: { exec: "c", interval: 1, ttl: 5 } },
    { name: "j", exec: "j", when: { source: "k", each: "healthy" } },
    { name: "k", exec: "k", when: { source: "check.i", once: "exitFailed" }, health: { exec: "c", interval: 1, ttl: 5 } },
    { name: "l", exec: "l", when: { source: "l", once: "stopped" } },
    { name: "m", exec: "m", when: { source: "n", each: "stopping" } },
    { name: "n", exec: "n", when: { source: "m", once: "stopped" } },
    { name: "o", exec: "o", when: { source: "setup", once: "healthy" }, health: { interval: 1, ttl: 5 } },
    { name: "p", exec: "p", when: { source: "check.o", each: "exitFailed" } },
    { name: "q", exec: "q", when: { source: "k", each: "changed" } },
    { name: "r", exec: "r", when: { source: "setup", each: "SIGHUP" } },
    { name: "s", when: { source: "containerpilot", once: "stopped" } },
    { name: "t", exec: "t", when: { source: "s", once: "exitSuccess" } },
  ],
}
"#;
    insta::assert_snapshot!(checked(text, &[]));
    insta::assert_snapshot!(started(text, &[]));
}

#[test]
fn more_than_one_of_what_can_be_once() {
    insta::assert_snapshot!(checked(
        r#"{
  jobs: [
    { name: "a", exec: "a", exec: "b", main: true, when: { interval: "5s", once: "healthy" } },
    { name: "a", exec: "a", main: true, restarts: "unlimited", when: { source: "a", each: "exitSuccess" } },
    { name: "b", exec: "a", restarts: -1, timeout: "0", ttl: 5 },
  ],
  jobs: [
    { name: "a", exec: "a", exec: "b", main: true, when: { interval: "5s", once: "healthy" } },
    { name: "a", exec: "a", main: true, restarts: "unlimited", when: { source: "a", each: "exitSuccess" } },
    { name: "b", exec: "a", restarts: -1, timeout: "0", ttl: 5 },
  ],
}
"#,
        &[],
    ));
}

#[test]
fn our_own_fields() {
    insta::assert_snapshot!(checked(
        r#"{
  exitCode: 0,
  signals: {
    SIGUSR1: "reloadMain",
    SIGKILL: "ignore",
    SIGFOO: "event",
    SIGWINCH: { job: "nginxx", signal: "SIGWINHC" },
    SIGQUIT: { job: "nginx" },
    HUP: 5,
  },
  jobs: [
    { name: "nginx", exec: "nginx", exitCode: "zero", restarts: "unlimited",
      backoff: { initial: "1us", max: "1m", factor: 0.5, jitter: 2, free: -1, healthy: 5 } },
    { name: "slow", exec: "slow", restarts: "unlimited", backoff: { initial: "1m" , max: "10s" } },
    { name: "once", exec: "once", backoff: { free: 1 } },
    { name: "odd", exec: "odd", restarts: "unlimited", backoff: "none" },
  ],
}
"#,
        &[],
    ));
}

#[test]
fn without_consul() {
    let text = r#"{
  jobs: [
    { name: "web", exec: "web", port: 80, health: { exec: "check", interval: 1, ttl: 5 } },
    { name: "api", exec: "api", port: 81, health: { exec: "check", interval: 1, ttl: 5 } },
  ],
  WATCHES
}
"#;
    insta::assert_snapshot!(checked(&text.replace("WATCHES", "watches: [ { name: \"db\", interval: 5 } ],"), &[]));
    insta::assert_snapshot!(started(&text.replace("WATCHES", ""), &[]));
}

#[test]
fn an_environment_that_spoils_the_agent() {
    insta::assert_snapshot!(checked(
        "{ consul: {}, jobs: [ { name: \"a\", exec: \"a\" } ] }\n",
        &[
            ("CONSUL_HTTP_ADDR", "gopher://secret"),
            ("CONSUL_HTTP_SSL", "true"),
            ("CONSUL_HTTP_SSL_VERIFY", "secret"),
            ("CONSUL_CACERT", "/nonexistent/secret.pem"),
        ],
    ));
    let headers = [
        ("CONSUL_HTTP_TOKEN_FILE", "/nonexistent/secret"),
        ("CONSUL_NAMESPACE", "secret\n"),
        ("CONSUL_PARTITION", "\u{1b}secret"),
    ];
    let text = "{ consul: {}, jobs: [ { name: \"a\", exec: \"a\" } ] }\n";
    insta::assert_snapshot!(checked(text, &headers));
    insta::assert_snapshot!(checked(text, &[headers[0], ("CONSUL_HTTP_TOKEN", "secret\n")]));
    insta::assert_snapshot!(checked(&text.replace("{}", "{ token: \"secret\\n\" }"), &[]));
}

#[test]
fn files_of_version_2() {
    insta::assert_snapshot!(checked("{ consul: \"c:1\", preStart: \"x\", services: [ { nmae: 5 } ] }\n", &[]));
    insta::assert_snapshot!(checked("{ consul: \"c:1\", preStart: \"x\", jobs: [ { nmae: 5 } ] }\n", &[]));
}

#[test]
fn broken_syntax() {
    insta::assert_snapshot!(checked("{\n  jobs: [\n    { name: \"a\" exec: \"b\" }\n  ]\n}\n", &[]));
    insta::assert_snapshot!(checked("{\n  jobs: [\n    { name: \"a\", exec: \"b\n\" }\n  ]\n}\n", &[]));
    insta::assert_snapshot!(checked("jobs:\n  - name: a\n", &[]));
    insta::assert_snapshot!(checked("", &[]));
    insta::assert_snapshot!(checked("{{ if .X }}{{ end }}\n", &[]));
}

#[test]
fn templates_that_fail() {
    insta::assert_snapshot!(checked("{\n  consul: \"{{ CONSUL }}\",\n}\n", &[]));
    insta::assert_snapshot!(checked("{\n  consul: \"{{ .CONSUL \",\n}\n", &[]));
    insta::assert_snapshot!(checked("{\n{{ range loop .COUNT }}\n}\n", &[]));
    insta::assert_snapshot!(checked("{ jobs: [ {{ range loop .COUNT }}{{ end }} ] }\n", &[("COUNT", "secret")]));
}

#[test]
fn templates_that_make_something_else_than_meant() {
    insta::assert_snapshot!(checked(
        "{\n  jobs: [ { name: \"{{ .NAME }}\", exec: \"{{ .EXEC }}\", restarts: \"{{ .RESTARTS }}\",\n    port: \"{{ .PORT }}\",\n    \
         when: { source: \"{{ .SOURCE }}\", once: \"{{ .EVENT }}\" },\n    {{ .KEY }}: 5 } ]\n}\n",
        &[("RESTARTS", "secret"), ("PORT", "secret"), ("KEY", "secret"), ("SOURCE", "secret"), ("EVENT", "secret")],
    ));
    insta::assert_snapshot!(checked("{\n  jobs: [ { name: \"a\", port: {{ .PORT }}, exec: \"x\" } ]\n}\n", &[]));
    insta::assert_snapshot!(checked("{\n  consul: \"{{ .CONSUL }}\",\n}\n", &[("CONSUL", "secret\"secret")]));
}

#[test]
fn problems_for_machines() {
    let text = "{\n  consul: \"{{ .A }}\",\n  jobs: [ { nmae: \"é\", exec: \"\" } ],\n}\n";
    let outcome = compiled(text, &[], true);
    let json: Json = serde_json::from_str(&to_json(&outcome.diagnostics, "app.json5", text)).unwrap();
    insta::assert_json_snapshot!(json);
}

/// Part of every value that the property below puts into the environment. No number, word or path holds it by chance.
const CANARY: &str = "31415926535";

/// Values that lead astray: as a number, a text, a name, out of a string, into a regular expression.
const VALUES: [&str; 14] = [
    "31415926535",
    "-31415926535",
    "secret31415926535",
    "31415926535s",
    "0x31415926535g",
    "SIG31415926535",
    "secret\"31415926535",
    "\\31415926535",
    "31415926535\n31415926535",
    "[`31415926535",
    "`31415926535",
    "/nonexistent/31415926535",
    "gopher://31415926535",
    "{{31415926535}}",
];

/// What may stand where a value was. `VALUE` is the variable.
const FORMS: [&str; 16] = [
    "{{ .VALUE }}",
    "\"{{ .VALUE }}\"",
    "'{{ env \"VALUE\" }}'",
    "\"x{{ .VALUE }}y\"",
    "[\"{{ .VALUE }}\"]",
    "[{{ .VALUE }}, \"\"]",
    "{ a: \"{{ .VALUE }}\" }",
    "{ \"{{ .VALUE }}\": 5 }",
    "{ {{ .VALUE }}: 5, {{ .VALUE }}: 6 }",
    "{{ loop .VALUE }}",
    "{{ regexReplaceAll .VALUE \"\" \"x\" }}",
    "{{ .VALUE | split \":\" | join .VALUE }}",
    "\"{{ index .VALUE 5 }}\"",
    "{{ index (split \":\" .VALUE) 7 }}",
    "{{ len .VALUE .VALUE }}",
    "{{ slice .VALUE 1 900 }}",
];

const VARIABLES: [&str; 11] = [
    "VALUE",
    "CONSUL_HTTP_ADDR",
    "CONSUL_HTTP_TOKEN",
    "CONSUL_HTTP_SSL",
    "CONSUL_HTTP_SSL_VERIFY",
    "CONSUL_CACERT",
    "CONSUL_CAPATH",
    "CONSUL_TLS_SERVER_NAME",
    "CONSUL_HTTP_TOKEN_FILE",
    "CONSUL_NAMESPACE",
    "CONSUL_PARTITION",
];

/// Our own fields, which no vector of the original has.
const OURS: [&str; 2] = [
    r#"{ consul: { address: "c:1", token: "t", failingHeartbeat: true },
         watches: [ { name: "db", interval: 5, filter: "Service.Meta.version == 1" } ] }"#,
    r#"{ consul: "c:1", jobs: [ { name: "app", exec: "x", port: 80, interfaces: "static:10.0.0.1",
         health: { interval: 5, ttl: 10 }, pauseInMaintenance: true, consul: { meta: { version: "1", canary: 5 },
         taggedAddresses: { lan: "10.0.0.1", wan: { address: "h", port: 80 } },
         weights: { passing: 5, warning: 1 } } } ] }"#,
];

/// The places of all values, and of all keys.
fn places(node: &Node, places: &mut Vec<(usize, usize)>) {
    places.push((node.span.start, node.span.end));
    match &node.value {
        Value::Array(elements) => elements.iter().for_each(|element| self::places(element, places)),
        Value::Object(members) => {
            for member in members {
                places.push((member.key_span.start, member.key_span.end));
                self::places(&member.value, places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn golden() -> Vec<String> {
    let cases: Vec<Json> = serde_json::from_str(include_str!("golden/configs.json")).unwrap();
    let texts = cases.iter().map(|case| case.get("config").and_then(Json::as_str).unwrap().to_owned());
    texts.filter(|text| json5::parse(text).is_ok()).collect()
}

fn everything_said(text: &str, outcome: &Outcome) -> String {
    let lines: Vec<String> = outcome.diagnostics.iter().map(|d| one_line(d, "app.json5", text)).collect();
    let shown = render(&outcome.diagnostics, "app.json5", text);
    let machine = to_json(&outcome.diagnostics, "app.json5", text);
    // With all that is kept but never printed, except the original's words.
    let kept: Vec<_> = outcome.diagnostics.iter().cloned().map(|mut d| (d.original.take(), d).1).collect();
    format!("{shown}{machine}{}{kept:?}", lines.join("\n"))
}

#[test]
fn no_diagnostic_repeats_a_value_of_the_environment() {
    let mut texts = golden();
    // As often as any hundred of the vectors, so that each of their places is met.
    texts.extend(OURS.iter().cycle().take(100).map(|text| (*text).to_owned()));
    let cases = if std::env::var_os("CONTAINERPILOT_LONG").is_some() { 50_000 } else { 2_000 };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let choice = (0..texts.len(), any::<prop::sample::Index>(), 0..FORMS.len(), 0..VALUES.len(), 0..VARIABLES.len());
    let property = |(text, place, form, value, variable): (usize, prop::sample::Index, usize, usize, usize)| {
        let source = &texts[text];
        let mut all = Vec::new();
        places(&json5::parse(source).unwrap(), &mut all);
        let (start, end) = all[place.index(all.len())];
        let text = format!("{}{}{}", source.get(..start).unwrap(), FORMS[form], source.get(end..).unwrap());
        let env = [("VALUE", VALUES[value]), (VARIABLES[variable], VALUES[value])];
        for strict in [true, false] {
            let said = everything_said(&text, &compiled(&text, &env, strict));
            prop_assert!(!said.contains(CANARY), "{text}\n{env:?}\n{said}");
        }
        Ok(())
    };
    if let Err(failure) = runner.run(&choice, property) {
        panic!("{failure}");
    }
}

/// Part of every value below, texts and numbers, and of the numbers between the two.
const MARKER: &str = "3141592";

/// Texts of every shape that can lead a message astray.
fn secret() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "",
        " ",
        ",",
        "\"",
        "`",
        "'",
        "\\",
        "\n",
        "\r\n",
        "[",
        "]",
        "map[",
        "(",
        ")",
        "*",
        "{",
        "}",
        "{{",
        "}}",
        "…",
        "é",
        "$1",
        "x",
        "-",
        "+",
        "9",
        "\u{1b}[0m",
    ]);
    (prop::collection::vec(part.clone(), 0..4), prop::collection::vec(part, 0..4))
        .prop_map(|(before, after)| format!("{}{MARKER}{}", before.concat(), after.concat()))
}

/// Operands that are or hold a secret, and some that do not.
const OPERANDS: [&str; 22] = [
    ".",
    "$",
    ".SECRET",
    ".LOW",
    "(env \"SECRET\")",
    "(split \",\" .SECRET)",
    "(split \"\" .SECRET)",
    "(loop .LOW .HIGH)",
    "(index (loop .LOW .HIGH) 0)",
    "(index (split \",\" .SECRET) 0)",
    "(index .SECRET 0)",
    "(printf \"%q\" .SECRET)",
    "(printf \"%v\" .)",
    "(print .SECRET .LOW)",
    "(join .SECRET (split \",\" .SECRET))",
    "(replaceAll \"x\" .SECRET \"axb\")",
    "(default .SECRET .NONE)",
    "(slice (loop .LOW .HIGH) 1 2)",
    "nil",
    "7",
    "2.5",
    "\"x\"",
];

/// Functions, more often those that fail, and what is none.
const CALLS: [&str; 29] = [
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "index",
    "index",
    "slice",
    "slice",
    "len",
    "call",
    "html",
    "js",
    "urlquery",
    "print",
    "printf",
    "println",
    "loop",
    "loop",
    "split",
    "join",
    "default",
    "env",
    "replaceAll",
    "regexReplaceAll",
    "regexReplaceAll",
    "not",
    "and",
];

/// What an expression may stand in.
const AROUND: [&str; 9] = [
    "{{ EXPRESSION }}",
    "{{ range EXPRESSION }}x{{ end }}",
    "{{ range $i, $e := EXPRESSION }}{{ range $e }}{{ end }}{{ end }}",
    "{{ with EXPRESSION }}{{ range . }}{{ .X }}{{ end }}{{ end }}",
    "{{ if EXPRESSION }}{{ end }}",
    "{{ $x := EXPRESSION }}{{ loop $x }}{{ eq $x $x }}",
    "{{ (EXPRESSION).FIELD.MORE }}",
    "{{ define \"T\" }}{{ eq . \"x\" }}{{ range . }}{{ end }}{{ end }}{{ template \"T\" EXPRESSION }}",
    "{{ template \"U\" EXPRESSION }}",
];

fn expression() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(OPERANDS.to_vec()).prop_map(str::to_owned);
    let call = |operand: BoxedStrategy<String>| {
        let operands = prop::collection::vec(operand, 0..5);
        (prop::sample::select(CALLS.to_vec()), operands, any::<bool>()).prop_map(|(function, mut operands, piped)| {
            match operands.pop() {
                Some(last) if piped => format!("{last} | {function} {}", operands.join(" ")),
                Some(last) => format!("{function} {} {last}", operands.join(" ")),
                None => function.to_owned(),
            }
        })
    };
    let inner = call(operand.clone().boxed()).prop_map(|call| format!("({call})"));
    let deep = call(prop_oneof![4 => operand.clone(), 1 => inner].boxed());
    prop_oneof![1 => operand, 8 => deep]
}

/// What each of these says of a failed template, the place apart.
#[test]
fn a_template_that_fails_is_told_without_its_values() {
    let env = [("SECRET", "secret,secret"), ("LOW", "1001"), ("HIGH", "1003")];
    for (expression, told) in [
        ("eq . \"x\"", "error calling eq: the environment can't be compared"),
        ("eq (split \",\" .SECRET) \"x\"", "error calling eq: a list of texts can't be compared"),
        ("ne nil (loop 3)", "error calling ne: a list of numbers can't be compared"),
        ("le . .", "error calling le: invalid type for comparison"),
        ("range .SECRET }}{{ end", "range can't iterate over a text"),
        ("range index (loop .LOW .HIGH) 0 }}{{ end", "range can't iterate over a whole number"),
        ("range 2.5 }}{{ end", "range can't iterate over a number"),
        ("loop .SECRET", "error calling loop: strconv.Atoi: parsing \"…\": invalid syntax"),
        ("loop \"5s\"", "error calling loop: strconv.Atoi: parsing \"5s\": invalid syntax"),
        ("loop 0 \"5s\"", "error calling loop: strconv.Atoi: parsing \"5s\": invalid syntax"),
        ("\"5s\" | loop", "error calling loop: strconv.Atoi: parsing \"…\": invalid syntax"),
        ("index .SECRET (index (loop .LOW .HIGH) 0)", "error calling index: index out of range: …"),
        ("index .SECRET 900", "error calling index: index out of range: 900"),
        ("slice .SECRET 2 1", "error calling slice: invalid slice index: … > …"),
        (
            "regexReplaceAll (printf \"(%s\" .SECRET) `` ``",
            "error calling regexReplaceAll: error parsing regexp: missing closing ): `…`",
        ),
        (
            "regexReplaceAll `(a` `` .SECRET",
            "error calling regexReplaceAll: error parsing regexp: missing closing ): `(a`",
        ),
    ] {
        let outcome = compiled(&format!("{{{{ {expression} }}}}"), &env, false);
        let messages: Vec<&str> = outcome.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, [format!("the template can't be rendered: {told}")], "{expression}");
    }
}

#[test]
fn no_failing_template_gives_a_value_of_the_environment_away() {
    let cases = if std::env::var_os("CONTAINERPILOT_LONG").is_some() { 200_000 } else { 5_000 };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let failed = std::cell::Cell::new(0_u32);
    let choice = (expression(), prop::sample::select(AROUND.to_vec()), secret());
    let property = |(expression, around, secret): (String, &str, String)| {
        let text = format!("{{ a: {} }}", around.replace("EXPRESSION", &expression));
        let (low, high) = (format!("{MARKER}0"), format!("{MARKER}3"));
        let env = [("SECRET", secret.as_str()), ("LOW", low.as_str()), ("HIGH", high.as_str())];
        let outcome = compiled(&text, &env, true);
        let said = everything_said(&text, &outcome);
        prop_assert!(!said.contains(MARKER), "{text}\n{env:?}\n{said}");
        failed.set(failed.get() + u32::from(said.contains("the template can't be rendered")));
        Ok(())
    };
    if let Err(failure) = runner.run(&choice, property) {
        panic!("{failure}");
    }
    // The words above are such that most are no good.
    assert!(failed.get() > cases / 4, "{} of {cases} templates failed", failed.get());
}
