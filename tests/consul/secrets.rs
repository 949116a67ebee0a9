//! No secret where others read: through a life with everything that goes wrong, at the most talkative level, everything that
//! the program says, shows and is started with is looked through (rows 30, 64 and 69, promise P6).
//!
//! What is meant to tell is left out: `/v4/env`, commands in `/v4/jobs` and below it, what a job writes itself, and the line of a
//! timeout, which repeats the arguments as the original does (docs/security.md).

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::setup::launch;
use crate::support::consul::Options;
use crate::support::http::{ask, ask_socket};
use crate::support::ports::Ports;
use crate::support::{Answer, BINARY, DEADLINE, Launch, PATH, Pilot, Scripted, Signal, wait_until};

/// What must not show. Each is told apart, so that a failure says whose it is.
const TOKEN: &str = "5ec2e7f0-70c3-4bad-9bad-5ec2e75ec2e7";
const PASSWORD: &str = "pa55w0rd-of-the-address";
const OF_JOB: &str = "hunter2-of-the-job";
const PUT: &str = "hunter3-put-later";
const OF_FILE: &str = "hunter4-in-a-new-file";

const SECRETS: [&str; 5] = [TOKEN, PASSWORD, OF_JOB, PUT, OF_FILE];

/// Everything happens here: checks, failures to start, failing runs, restarts, watches, metrics, and jobs with secrets among
/// their arguments.
fn config(consul: &str, logging: &str) -> String {
    format!(
        r#"{{
        consul: {consul},
        logging: {{ {logging} }}, stopTimeout: 2, reload: {{ quiesce: "20ms" }},
        control: {{ socket: "{{{{ .DIR }}}}/s" }},
        telemetry: {{ port: {{{{ .PORT }}}}, interfaces: ["static:127.0.0.1"],
            metrics: [{{ namespace: "app", name: "n", type: "gauge", help: "n" }}] }},
        watches: [{{ name: "db", interval: 1 }}],
        jobs: [
            {{ name: "web", exec: ["sh", "-c", "sleep 1000", "--password={{{{ .SECRET }}}}"], port: 8080,
               interfaces: "static:192.0.2.7", tags: ["a"],
               health: {{ exec: ["sh", "-c", "[ ! -e $DIR/sick ]", "{{{{ .SECRET }}}}"], interval: 1, ttl: 3, timeout: "30s" }} }},
            {{ name: "missing", exec: ["/nowhere/app", "--password={{{{ .SECRET }}}}"], restarts: 2 }},
            {{ name: "forbidden", exec: ["{{{{ .DIR }}}}/forbidden", "{{{{ .SECRET }}}}"] }},
            {{ name: "failing", exec: ["sh", "-c", "exit 3", "{{{{ .SECRET }}}}"], restarts: 2 }},
            {{ name: "killed", exec: ["sh", "-c", "kill -9 $$", "{{{{ .SECRET }}}}"] }},
            {{ name: "slow", exec: ["sh", "-c", "sleep 1000"], timeout: "100ms" }},
            {{ name: "late", exec: ["sh", "-c", "echo put ${{#PUT_LATER}} >> $LOG; exit 4"], when: {{ source: "SIGHUP" }} }},
        ],
    }}"#
    )
}

fn start(launch: Launch, ports: &Ports) -> Pilot {
    let launch = launch
        .env("SECRET", OF_JOB)
        .env("PORT", &ports.port(0).to_string())
        .setup("echo '#!/bin/sh' > $DIR/forbidden; chmod 600 $DIR/forbidden; printenv -0 > /dev/null");
    let pilot = launch.start();
    let answers = || ask(([127, 0, 0, 1], ports.port(0)).into(), "GET", "/healthz", &[], b"").is_ok();
    wait_until(DEADLINE, answers, "telemetry is served");
    pilot
}

/// The command line of somebody who looks after it.
fn command(pilot: &Pilot, args: &[&str]) -> String {
    let output = Command::new(BINARY)
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .env("CONTAINERPILOT_SOCKET", pilot.path("s"))
        .current_dir(pilot.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whatever can be asked for, with its path before it; apart from it what shows commands as they are, as it says.
fn views(pilot: &Pilot, ports: &Ports) -> (String, String) {
    let (mut seen, mut commands) = (String::new(), String::new());
    let jobs = ["web", "missing", "forbidden", "failing", "killed", "slow", "late", "nobody"];
    let mut paths: Vec<String> =
        ["/v4/jobs", "/v4/watches", "/v4/events", "/v4/logs", "/v4/maintenance", "/v4/ping", "/v4/nothing"]
            .map(str::to_owned)
            .to_vec();
    for job in jobs {
        paths.extend(["", "/why", "/logs"].map(|view| format!("/v4/jobs/{job}{view}")));
    }
    for path in paths {
        let answer = ask_socket(&pilot.path("s"), "GET", &path, b"").unwrap();
        let has_commands = path.starts_with("/v4/jobs") && !path.ends_with("/logs");
        let of = if has_commands { &mut commands } else { &mut seen };
        writeln!(of, "{path}: {} {}", answer.status, answer.text()).unwrap();
    }
    for path in ["/status", "/metrics", "/readyz", "/healthz", "/nothing"] {
        let answer = ask(([127, 0, 0, 1], ports.port(0)).into(), "GET", path, &[], b"").unwrap();
        writeln!(seen, "{path}: {} {:?} {}", answer.status, answer.headers, answer.text()).unwrap();
    }
    for words in [&["status"][..], &["why", "missing"], &["why", "failing"], &["watches"], &["events"]] {
        writeln!(seen, "{words:?}: {}", command(pilot, words)).unwrap();
    }
    for words in [&["status", "--json"], &["status", "web"], &["why", "web"]] {
        writeln!(commands, "{words:?}: {}", command(pilot, words)).unwrap();
    }
    (seen, commands)
}

/// Everything that was written, and what the kernel shows of the program to all.
fn output(pilot: &Pilot) -> String {
    let of_kernel = ["cmdline", "comm", "status", "mounts"]
        .map(|name| String::from_utf8_lossy(&fs::read(format!("/proc/{}/{name}", pilot.pid)).unwrap()).into_owned());
    [pilot.stdout(), pilot.stderr(), pilot.read("told"), of_kernel.concat()].concat()
}

#[track_caller]
fn assert_silent(text: &str, of: &str) {
    for secret in SECRETS {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} in {of}");
    }
}

/// Reloads with files that are wrong in ways that make people print them.
fn bad_reloads(pilot: &Pilot) -> String {
    let file = pilot.path("containerpilot.json5");
    let good = fs::read_to_string(&file).unwrap();
    let mut said = String::new();
    for bad in [
        good.replacen("jobs:", "jbos:", 1),
        good.replacen("port: 8080", "prt: 8080", 1),
        good.replacen("interval: 1, ttl: 3", "interval: \"{{ .SECRET }}\", ttl: 3", 1),
        good.replacen("restarts: 2", "restarts: \"{{ .SECRET | nothing }}\"", 1),
        good.replacen("\"{{ .SECRET }}\"] }", "\"{{ .SECRET }}\" x ] }", 1),
        format!(
            "{{ consul: {{ address: \"http://admin:{OF_FILE}@127.0.0.1:1\", token: \"{OF_FILE}\", adress: 1 }}, jobs: [{{ nam: 1 }}] }}"
        ),
        format!("{{ consul: \"admin:{OF_FILE}@127.0.0.1:1\" jobs: [] }}"),
    ] {
        assert_ne!(bad, good);
        fs::write(&file, bad).unwrap();
        for (path, body) in [("/v3/reload", ""), ("/v4/reload", ""), ("/v4/reload", r#"{"dryRun": true}"#)] {
            let answer = ask_socket(&pilot.path("s"), "POST", path, body.as_bytes()).unwrap();
            assert_eq!(answer.status, 422, "{}", answer.text());
            writeln!(said, "{}", answer.text()).unwrap();
        }
        for words in [&["-config", "containerpilot.json5", "-reload"][..], &["reload"], &["reload", "--dry-run"]] {
            writeln!(said, "{}", command(pilot, words)).unwrap();
        }
    }
    // And one that is good, so that what changes is told.
    fs::write(&file, good.replacen("tags: [\"a\"]", "tags: [\"b\"]", 1)).unwrap();
    let answer = ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    said + &answer.text()
}

/// A whole life; all that is seen of it.
fn live(launch: Launch) {
    let ports = Ports::take();
    let mut pilot = start(launch, &ports);
    let own = fs::read(format!("/proc/{}/environ", pilot.pid)).unwrap();
    let told = |pilot: &Pilot, text: &str, times: usize| {
        let count = |pilot: &Pilot| (pilot.stdout() + &pilot.read("told")).matches(text).count();
        wait_until(DEADLINE, || count(pilot) >= times, &format!("{times} × {text:?}"));
    };
    told(&pilot, "StatusHealthy web", 2);
    for words in
        ["loaded config", "slow exited", "unable to start missing", "unable to start forbidden", "killed exited"]
    {
        told(&pilot, words, 1);
    }
    // A variable that comes later, as people do it and as a script does it.
    assert_eq!(command(&pilot, &["-putenv", &format!("PUT_LATER={PUT}")]), "");
    let environ = format!(r#"{{"PUT_LATER": "{PUT}", "": "{PUT}", "A=": "{PUT}"}}"#);
    for (path, body, status) in [
        ("/v3/environ", environ.as_str(), 200),
        ("/v3/environ", environ.trim_end_matches('}'), 422),
        ("/v3/metric", &format!(r#"{{"app_n": 1, "{PUT}": 1}}"#), 200),
        ("/v4/jobs/web/signal", &format!(r#"{{"signal": "{PUT}"}}"#), 400),
    ] {
        let answer = ask_socket(&pilot.path("s"), "POST", path, body.as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        // Who sends a word may have it back.
        if status != 400 {
            assert_silent(&answer.text(), path);
        }
    }
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log(&format!("put {}", PUT.len()));
    assert_silent(&bad_reloads(&pilot), "the answers of reloads");
    fs::write(pilot.path("sick"), "").unwrap();
    told(&pilot, "StatusUnhealthy web", 1);
    pilot.signal(Signal::SIGUSR1);
    told(&pilot, "{EnterMaintenance global}", 1);
    pilot.signal(Signal::SIGUSR1);
    told(&pilot, "{ExitMaintenance global}", 1);
    let (seen, commands) = views(&pilot, &ports);
    assert_silent(&seen, "what it shows");
    assert!(commands.contains(OF_JOB), "who may ask sees commands as they are: {commands}");
    assert_silent(&commands.replace(OF_JOB, ""), "what it shows of jobs");
    assert_eq!(fs::read(format!("/proc/{}/environ", pilot.pid)).unwrap(), own, "nothing is added to our environment");
    let running = output(&pilot);
    assert_silent(&running, "its output");
    assert_eq!(pilot.stop().0, 0);
    assert_silent(&(pilot.stdout() + &pilot.stderr() + &pilot.read("told")), "its last words");
    pilot.finish();
}

const DEBUG: &str = r#"level: "DEBUG""#;
const JSON: &str = r#"level: "DEBUG", format: "json""#;
const TO_FILE: &str = r#"level: "DEBUG", format: "text", output: "{{ .DIR }}/told""#;

/// A server that shows what it got, as some proxies do.
fn echo() -> Scripted {
    Scripted::start(|request| {
        let token = request.header("X-Consul-Token").unwrap_or_default().to_owned();
        Answer::Status(403, format!("token {token} is not allowed: {:?}", request.headers))
    })
}

#[test]
fn f30_f64_f69_a_token_that_consul_refuses_is_nowhere_in_a_whole_life() {
    let agent = Options::default().acl().start();
    let address = r#"{ address: "{{ .CONSUL }}", token: "{{ .TOKEN }}" }"#;
    for logging in [DEBUG, JSON, TO_FILE] {
        live(launch(&config(address, logging), agent.address()).env("TOKEN", TOKEN));
    }
    let literal = address.replace("{{ .TOKEN }}", TOKEN);
    live(launch(&config(&literal, DEBUG), agent.address()));
}

// Seen red with src/discovery/consul/client.rs:
//- text = text.replace(token.expose(), "***");
//+
#[test]
fn f30_f64_f69_a_token_out_of_the_environment_or_a_file_is_nowhere_when_consul_repeats_it() {
    let server = echo();
    let address = r#""{{ .CONSUL }}""#;
    live(launch(&config(address, DEBUG), server.address()).env("CONSUL_HTTP_TOKEN", TOKEN));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    live(launch(&config(address, JSON), server.address()).env("CONSUL_HTTP_TOKEN_FILE", file));
    assert!(server.requests().iter().all(|request| request.header("X-Consul-Token") == Some(TOKEN)), "it was sent");
}

// Seen red with src/driver/reload.rs:
//- self.consul.as_ref().map(Consul::shown_address)
//+ self.consul.as_ref().map(|consul| consul.address.clone())
#[test]
fn f30_f64_f69_a_password_in_consuls_address_is_nowhere() {
    let server = echo();
    for address in
        [r#""http://admin:{{ .PASSWORD }}@{{ .CONSUL }}""#, r#"{ address: "admin:{{ .PASSWORD }}@{{ .CONSUL }}" }"#]
    {
        live(launch(&config(address, DEBUG), server.address()).env("PASSWORD", PASSWORD));
        // As it is written, so that excerpts could show it.
        let literal = address.replace("{{ .PASSWORD }}", PASSWORD);
        live(launch(&config(&literal, DEBUG), server.address()));
    }
    let address = format!("http://admin:{PASSWORD}@{}", server.address());
    live(launch(&config(r#""127.0.0.1:1""#, DEBUG), "").env("CONSUL_HTTP_ADDR", &address));
}
