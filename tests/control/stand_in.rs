//! The flags against a socket that is not ours: what is sent, and what is made of any answer. Needs no running program.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use crate::harness::{command, told};

/// Answers the next request with these bytes; gives what was asked.
fn answers(socket: &Path, answer: &'static str) -> thread::JoinHandle<String> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let length = stream.read(&mut piece).unwrap();
            asked.extend_from_slice(piece.get(..length).unwrap());
            let text = String::from_utf8_lossy(&asked).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                stream.write_all(answer.as_bytes()).unwrap();
                return text;
            }
        }
    })
}

fn dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = r#"{ control: { socket: "{{ .DIR }}/s" }, jobs: [{ name: "a", exec: "true" }] }"#;
    std::fs::write(dir.path().join("f.json5"), config).unwrap();
    dir
}

const FINE: &str = "HTTP/1.1 200 OK\r\n\r\n\n";

#[test]
fn what_is_sent_is_what_v3_sent() {
    for (args, line, body) in [
        (vec!["-reload"], "POST /v3/reload HTTP/1.1", ""),
        (vec!["-maintenance", "enable"], "POST /v3/maintenance/enable HTTP/1.1", ""),
        (vec!["-maintenance=disable"], "POST /v3/maintenance/disable HTTP/1.1", ""),
        (
            vec!["-putenv", "A=x=y", "-putenv=B=", "-putenv", "A=\"ü"],
            "POST /v3/environ HTTP/1.1",
            r#"{"A":"\"ü","B":""}"#,
        ),
        (vec!["-putmetric", "m=1"], "POST /v3/metric HTTP/1.1", r#"{"m":"1"}"#),
        (vec!["-ping"], "GET /v3/ping HTTP/1.1", ""),
    ] {
        let dir = dir();
        let server = answers(&dir.path().join("s"), FINE);
        let mut all = vec!["-config", "f.json5"];
        all.extend(&args);
        let (code, _, stderr) = told(&command(dir.path(), &all, &[]));
        assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
        let asked = server.join().unwrap();
        let (head, sent) = asked.split_once("\r\n\r\n").unwrap();
        assert_eq!((head.lines().next().unwrap(), sent), (line, body), "{args:?}");
        assert!(head.contains("\r\nHost: control\r\nContent-Type: application/json\r\n"), "{head}");
    }
}

#[test]
fn whatever_is_not_2xx_is_a_failure_with_the_server_s_words() {
    for (answer, expected) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", None),
        (
            "HTTP/1.1 422 Unprocessable Entity\r\n\r\nUnprocessable Entity\n",
            Some("unprocessable entity received by control server"),
        ),
        ("HTTP/1.1 422 Unprocessable Entity\r\n\r\nline 1\nline 2\n", Some("line 1\nline 2")),
        ("HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n", Some("404 page not found")),
        ("HTTP/1.1 500 Oh\r\n\r\n", Some("the server answered 500")),
        ("HTTP/1.1 301 Moved\r\n\r\n", Some("the server answered 301")),
        ("nonsense", Some("Post http://control/v3/reload: EOF")),
        ("", Some("Post http://control/v3/reload: EOF")),
    ] {
        let dir = dir();
        let server = answers(&dir.path().join("s"), answer);
        let (code, stdout, stderr) = told(&command(dir.path(), &["-config", "f.json5", "-reload"], &[]));
        server.join().unwrap();
        let text = expected.map(|words| format!("-reload: failed to run subcommand: {words}\n")).unwrap_or_default();
        let code_expected = i32::from(expected.is_some());
        assert_eq!((code, stdout.as_str(), stderr), (code_expected, "", text), "{answer:?}");
    }
}

#[test]
fn a_file_on_the_command_line_counts_before_the_variable_and_that_before_the_other_variable() {
    let dir = dir();
    let other = dir.path().join("other");
    let other_text = other.to_str().unwrap();
    let variables = [("CONTAINERPILOT_SOCKET", other_text), ("CONTAINERPILOT", "missing.json5")];
    let server = answers(&other, FINE);
    assert_eq!(told(&command(dir.path(), &["-ping"], &variables)), (0, "ok\n".to_owned(), String::new()));
    server.join().unwrap();
    let server = answers(&dir.path().join("s"), FINE);
    assert_eq!(told(&command(dir.path(), &["-config", "f.json5", "-ping"], &variables)).0, 0);
    server.join().unwrap();
    std::fs::remove_file(dir.path().join("s")).unwrap();
    let server = answers(&dir.path().join("s"), FINE);
    assert_eq!(told(&command(dir.path(), &["-ping"], &[("CONTAINERPILOT", "f.json5")])).0, 0);
    server.join().unwrap();
}

#[test]
fn the_runtime_directory_is_looked_into_when_the_default_place_has_none() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.json5"), r#"{ jobs: [{ name: "a", exec: "true" }] }"#).unwrap();
    let xdg = [("XDG_RUNTIME_DIR", dir.path().to_str().unwrap())];
    let (code, _, stderr) = told(&command(dir.path(), &["-config", "f.json5", "-ping"], &xdg));
    assert_eq!(code, 1);
    assert!(stderr.contains("dial unix /var/run/containerpilot.socket: connect: "), "{stderr}");
    // With a file that says nothing of it, and without any.
    for args in [vec!["-config", "f.json5", "-ping"], vec!["-ping"]] {
        let socket = dir.path().join("containerpilot.socket");
        let server = answers(&socket, FINE);
        assert_eq!(told(&command(dir.path(), &args, &xdg)).0, 0);
        server.join().unwrap();
        std::fs::remove_file(socket).unwrap();
    }
}
