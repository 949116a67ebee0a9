//! Tokens: with one, without, revoked and replaced, and never shown (row 64).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::setup::{UPDATE, WEB, launch};
use crate::support::consul::Options;
use crate::support::scripted::well;
use crate::support::wait::{holds_for, poll};
use crate::support::{Agent, Answer, Pilot, Scripted};
use crate::told::wait_times;

const RULES: &str =
    r#"service "web" { policy = "write" } service "db" { policy = "read" } node_prefix "" { policy = "read" }"#;

/// A token nobody gave out.
const SECRET: &str = "5ec2e7f0-0000-4bad-9bad-5ec2e75ec2e7";

fn guarded() -> Agent {
    Options::default().acl().start()
}

fn is_unknown(agent: &Agent) -> bool {
    agent.service("web-left").is_none()
}

#[test]
fn a_token_in_the_file_the_environment_or_a_file_of_its_own_lets_in() {
    let agent = guarded();
    let token = agent.new_token(RULES);
    let secret = token.secret.as_str();
    let in_file =
        WEB.replace("\"{{ .CONSUL }}\"", &format!(r#"{{ address: "{{{{ .CONSUL }}}}", token: "{secret}" }}"#));
    let wrong = WEB.replace("\"{{ .CONSUL }}\"", &format!(r#"{{ address: "{{{{ .CONSUL }}}}", token: "{SECRET}" }}"#));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    // Editors end a file with a line's end.
    fs::write(&file, format!("{secret}\n")).unwrap();
    let launches = [
        launch(&in_file, agent.address()),
        // The variable wins over the file.
        launch(&wrong, agent.address()).env("CONSUL_HTTP_TOKEN", secret),
        launch(WEB, agent.address()).env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap()),
    ];
    for launch in launches {
        let pilot = launch.start();
        agent.wait_status("web-left", "passing");
        assert_eq!(pilot.finish(), 0);
        agent.wait_gone("web-left");
    }
}

#[test]
fn without_a_token_nothing_is_registered_and_everything_runs() {
    let agent = guarded();
    let pilot = launch(WEB, agent.address()).start();
    pilot.wait_stdout("service registration failed: ");
    pilot.wait_process("sleep 1000");
    assert!(is_unknown(&agent));
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/discovery/consul/token.rs:
//- let now = if known.as_ref() == refused { file.read_again().await? } else { known };
//+ let now = known;
#[test]
fn f54_a_token_that_was_revoked_is_replaced_by_what_stands_in_its_file() {
    let agent = guarded();
    let first = agent.new_token(RULES);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, &first.secret).unwrap();
    let pilot = launch(WEB, agent.address()).env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap()).start();
    agent.wait_status("web-left", "passing");

    agent.revoke(&first);
    pilot.wait_stdout("service update TTL failed: ");
    agent.wait_status("web-left", "critical");
    // As an orchestrator does it: another file in its place.
    let second = agent.new_token(RULES);
    fs::write(dir.path().join("new"), &second.secret).unwrap();
    fs::rename(dir.path().join("new"), &file).unwrap();
    agent.wait_status("web-left", "passing");
    assert_eq!(pilot.finish(), 0);
    agent.wait_gone("web-left");
}

#[test]
fn a_token_that_is_renewed_in_time_is_never_missed() {
    let agent = guarded();
    let first = agent.new_token(RULES);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, &first.secret).unwrap();
    let config = WEB.replace("ttl: 2", "ttl: 4");
    let pilot = launch(&config, agent.address()).env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap()).start();
    agent.wait_status("web-left", "passing");
    fs::write(&file, &agent.new_token(RULES).secret).unwrap();
    agent.revoke(&first);
    let lapsed =
        poll(Duration::from_secs(7), || (agent.status("web-left").as_deref() != Some("passing")).then_some(()));
    assert!(lapsed.is_none(), "it was refused once and tried again at once");
    assert!(!pilot.stdout().contains("service update TTL failed"), "{}", pilot.stdout());
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn a_watch_shows_the_token_too() {
    let agent = guarded();
    let token = agent.new_token(RULES);
    let config = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "db", interval: 1 } ], jobs: [
        { name: "main", exec: ["sleep", "1000"] },
        { name: "db-changed", exec: ["sh", "-c", "echo changed >> $LOG"], when: { source: "watch.db", each: "changed" } },
    ] }"#;
    let pilot = launch(config, agent.address()).env("CONSUL_HTTP_TOKEN", &token.secret).start();
    pilot.wait_process("sleep 1000");
    agent.register(&serde_json::json!({ "ID": "db-1", "Name": "db", "Port": 1 }));
    pilot.wait_log("changed");
    pilot.finish();
}

#[test]
fn a_watch_whose_token_is_revoked_does_not_see_an_empty_service() {
    let agent = guarded();
    let token = agent.new_token(RULES);
    let config = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "db", interval: 1 } ], jobs: [
        { name: "main", exec: ["sleep", "1000"] },
        { name: "changed", exec: ["sh", "-c", "echo changed >> $LOG"], when: { source: "watch.db", each: "changed" } },
    ] }"#;
    agent.register(&serde_json::json!({ "ID": "db-1", "Name": "db", "Port": 1 }));
    let pilot = launch(config, agent.address()).env("CONSUL_HTTP_TOKEN", &token.secret).start();
    pilot.wait_log("changed");
    agent.revoke(&token);
    pilot.wait_stdout("failed to query db: ");
    holds_for(Duration::from_secs(2), || pilot.log() == ["changed"], "what is known stays");
    pilot.finish();
}

/// Everything that a test can see of a program, the environment of its own process apart, which the test itself has set.
fn all_output(pilot: &Pilot) -> String {
    [pilot.stdout(), pilot.stderr(), pilot.log().join("\n")].concat()
}

// Seen red with src/discovery/consul/client.rs:
//- text = text.replace(token.expose(), "***");
//+
#[test]
fn f64_no_token_is_in_any_output() {
    let (agent, nobody) = (guarded(), Scripted::start(well));
    let echo = Scripted::start(|request| {
        // A proxy that shows what it got, as some do.
        let token = request.header("X-Consul-Token").unwrap_or_default().to_owned();
        Answer::Status(403, format!("token {token} is not allowed: {:?}", request.headers))
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, SECRET).unwrap();
    let with_token =
        WEB.replace("\"{{ .CONSUL }}\"", &format!(r#"{{ address: "{{{{ .CONSUL }}}}", token: "{SECRET}" }}"#));
    let watched = |text: &str| text.replacen("jobs:", r#"watches: [{ name: "db", interval: 1 }], jobs:"#, 1);
    let as_json = watched(&with_token).replace("level: \"DEBUG\"", "level: \"DEBUG\", format: \"json\"");
    let to = |server: &Scripted| server.address().to_string();
    let gone = "127.0.0.1:1".to_owned();
    let runs = [
        // Refused, understood, echoed, nobody there.
        launch(&watched(&with_token), agent.address()),
        launch(&as_json, agent.address()),
        launch(&watched(&with_token), to(&nobody)),
        launch(&watched(&with_token), to(&echo)),
        launch(&watched(WEB), to(&echo)).env("CONSUL_HTTP_TOKEN", SECRET),
        launch(&watched(WEB), to(&echo)).env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap()),
        launch(&watched(&with_token), &gone),
    ];
    for launch in runs {
        let mut pilot = launch.start();
        wait_times(&pilot, "StatusHealthy web", 2);
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", pilot.pid)).unwrap();
        assert!(!arguments.contains(SECRET));
        assert_eq!(pilot.stop().0, 0);
        let output = all_output(&pilot);
        assert!(!output.contains(SECRET), "{output}");
        pilot.finish();
    }
    for request in nobody.requests().into_iter().chain(echo.requests()) {
        assert_eq!(request.header("X-Consul-Token"), Some(SECRET), "in its header");
        assert!(!request.target.contains(SECRET) && !request.body.contains(SECRET), "and nowhere else");
    }
    assert!(!nobody.matching(UPDATE).is_empty());
}

#[test]
fn f64_no_token_is_in_what_the_command_line_prints() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = WEB.replace("\"{{ .CONSUL }}\"", &format!(r#"{{ address: "c", token: "{SECRET}" }}"#));
    let bad = good.replace("port:", "prt:");
    let said = |args: &[&str]| {
        let output = crate::support::run_with(args, &[("CONSUL_HTTP_TOKEN", SECRET), ("DIR", "/tmp")]);
        [output.stdout, output.stderr].concat()
    };
    let contains = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(SECRET);
    let good = write("good.json5", &WEB.replace("{{ .CONSUL }}", "c"));
    assert!(!contains(&said(&["config", "show", &good])));
    assert!(!contains(&said(&["config", "check", &good])));
    let bad = write("bad.json5", &bad.replace(SECRET, "{{ .CONSUL_HTTP_TOKEN }}"));
    let output = said(&["config", "check", &bad]);
    assert!(!contains(&output), "an excerpt shows what the file says, not what it becomes");
    assert!(Path::new(&bad).exists());
}
