//! Where the instance is asked: `--socket`, the variable, the configuration, the default path, the runtime directory.

use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::stand_in::{StandIn, command, overview, serve, told, whole};
use serde_json::json;

/// Serves at a path below the directory; what is shown tells which one it was.
fn named(dir: &Path, name: &str) {
    let body = overview(&[], &json!({ "ready": false, "count": 0, "of": 0, "reason": name })).to_string();
    serve(&dir.join(name), move |_, stream| whole(stream, 200, &body));
}

/// Who was asked.
#[track_caller]
fn who(dir: &Path, line: &str, variables: &[(&str, &str)]) -> String {
    let mut command = command(dir, line);
    command.envs(variables.iter().copied());
    let (code, _, stderr) = told(&command.output().unwrap());
    assert_eq!(code, 1, "{stderr}");
    stderr.trim_end().strip_prefix("containerpilot: not ready: ").unwrap_or(&stderr).to_owned()
}

#[test]
fn the_flag_counts_before_the_variable_that_before_the_configuration_that_before_the_runtime_directory() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for name in ["flag", "variable", "configured", "containerpilot.socket"] {
        named(dir, name);
    }
    let config = format!(
        r#"{{ control: {{ socket: "{}" }}, jobs: [{{ name: "a", exec: "true" }}] }}"#,
        dir.join("configured").display()
    );
    std::fs::write(dir.join("f.json5"), config).unwrap();
    std::fs::write(dir.join("broken.json5"), "{ jobs: 7, control: { socket: ").unwrap();
    std::fs::write(dir.join("silent.json5"), r#"{ jobs: [{ name: "a", exec: "true" }] }"#).unwrap();
    let (xdg, socket) = (("XDG_RUNTIME_DIR", dir.to_str().unwrap()), ("CONTAINERPILOT_SOCKET", "variable"));
    let config = |file| ("CONTAINERPILOT", file);
    let ready = "status --ready";
    assert_eq!(who(dir, "status --ready --socket flag", &[socket, config("f.json5"), xdg]), "flag");
    assert_eq!(who(dir, ready, &[socket, config("f.json5"), xdg]), "variable");
    assert_eq!(who(dir, ready, &[("CONTAINERPILOT_SOCKET", ""), config("f.json5"), xdg]), "configured");
    // One that can't be used, or says nothing of the socket, is as none.
    for file in ["missing.json5", "broken.json5", "silent.json5", ""] {
        assert_eq!(who(dir, ready, &[config(file), xdg]), "containerpilot.socket", "{file}");
    }
    assert_eq!(who(dir, ready, &[xdg]), "containerpilot.socket");
}

#[test]
fn where_nobody_answers_all_places_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let default = "/var/run/containerpilot.socket: no such file or directory";
    let hint = "--socket PATH or the variable CONTAINERPILOT_SOCKET names another place";
    let told = |line, variables: &[(&str, &str)]| who(dir, line, variables).trim_end().replace("\n  ", " | ");
    let none = "containerpilot: no running instance answers";
    assert_eq!(told("status", &[]), format!("{none} | {default} | {hint}"));
    let xdg = format!("{}: no such file or directory", dir.join("containerpilot.socket").display());
    let variables = [("XDG_RUNTIME_DIR", dir.to_str().unwrap()), ("CONTAINERPILOT", "missing.json5")];
    let unusable = "missing.json5, which CONTAINERPILOT names, can't be used: these are the default places";
    assert_eq!(told("why x", &variables), format!("{none} | {default} | {xdg} | {unusable} | {hint}"));
    drop(UnixListener::bind(dir.join("dead")).unwrap());
    assert_eq!(told("logs --socket dead", &[]), format!("{none} | dead: connection refused | {hint}"));
}

#[test]
fn a_command_line_that_is_wrong_is_exit_2_and_asks_nobody() {
    let stand_in = StandIn::json(&json!({}));
    for line in ["stop", "status --watch --json", "maintenance perhaps", "logs -n x", "status -config f", "why a b"] {
        let (code, stdout, stderr) = stand_in.run(line);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(!stderr.is_empty());
    }
    assert_eq!(stand_in.asked(), [""; 0]);
}
