//! What `/v4/env` does not tell (rows 30 and 64).

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::http::ask_socket;
use crate::support::{BINARY, Launch, PATH, Pilot, Signal};
use crate::{get, with_socket};

/// The command line, beside the program.
fn command(pilot: &Pilot, args: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    command.args(args).env_clear().env("PATH", PATH).env("CONTAINERPILOT_SOCKET", pilot.path("s"));
    let output = command.current_dir(pilot.dir()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

// Seen red with src/driver/answers.rs:
//- let value = shown_variable(&name, &value.to_string_lossy()).into_owned();
//+ let value = value.to_string_lossy().into_owned();
#[test]
fn f30_f64_consuls_secrets_are_not_among_the_variables_and_jobs_have_them_all_the_same() {
    const JOB: &str = r#"{ name: "a", exec: ["sh", "-c", "echo $CONSUL_HTTP_TOKEN >> $LOG; sleep 1000"],
        when: { source: "SIGHUP" } }, { name: "b", exec: ["sleep", "1000"] }"#;
    let launch = Launch::config(&with_socket(JOB))
        .env("CONSUL_HTTP_TOKEN", "hush-of-the-start")
        .env("CONSUL_HTTP_AUTH", "admin:hush-of-the-agent")
        .env("CONSUL_HTTP_ADDR", "http://admin:hush-of-the-address@192.0.2.1:8500");
    let pilot = launch.start();
    pilot.wait_stdout("control: serving at ");
    let told = || {
        let env = get(&pilot, "/v4/env");
        let has = |name: &str, value: &str| env["env"].as_array().unwrap().contains(&json!([name, value]));
        assert!(has("CONSUL_HTTP_TOKEN", "***") && has("CONSUL_HTTP_AUTH", "***"), "{env}");
        let texts = [env.to_string(), command(&pilot, &["env"]), command(&pilot, &["env", "--json"])];
        for text in &texts {
            assert!(text.contains("CONSUL_HTTP_TOKEN") && !text.contains("hush"), "{text}");
        }
        texts[1].clone()
    };
    assert!(told().contains("CONSUL_HTTP_ADDR=http://***@192.0.2.1:8500\n"), "{}", told());
    let new = br#"{"CONSUL_HTTP_TOKEN": "hush-put-later", "CONSUL_HTTP_ADDR": "hush@c:1"}"#;
    assert_eq!(ask_socket(&pilot.path("s"), "POST", "/v3/environ", new).unwrap().status, 200);
    assert!(told().contains("CONSUL_HTTP_ADDR=***@c:1\n"), "{}", told());
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("hush-put-later");
    pilot.finish();
}
