//! Many at once, and rubbish.

use std::thread;

use crate::support::http::{ask_socket, send_socket};
use crate::{get, post, start, wait_state};

#[test]
fn many_orders_at_once_leave_one_process_and_the_last_word() {
    let pilot = start(r#"{ name: "a", exec: ["sleep", "1000"], restarts: "unlimited" }"#);
    let socket = pilot.path("s");
    let askers: Vec<_> = (0..8)
        .map(|n| {
            let socket = socket.clone();
            thread::spawn(move || {
                for round in 0..25 {
                    let what = ["start", "stop", "restart"][(n + round) % 3];
                    let reply = ask_socket(&socket, "POST", &format!("/v4/jobs/a/{what}"), b"").unwrap();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                }
            })
        })
        .collect();
    for asker in askers {
        asker.join().unwrap();
    }
    post(&pilot, "/v4/jobs/a/start", "");
    wait_state(&pilot, "a", "running");
    pilot.wait_process("sleep 1000");
    assert_eq!(pilot.zombies().len(), 0);
    post(&pilot, "/v4/jobs/a/stop", "");
    wait_state(&pilot, "a", "stopped");
    assert_eq!(pilot.find("sleep 1000").len(), 0);
    pilot.finish();
}

#[test]
fn rubbish_is_refused_in_the_one_shape_and_changes_nothing() {
    let pilot = start(r#"{ name: "a", exec: ["sleep", "1000"] }"#);
    for (request, code) in [
        ("POST /v4/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "tooLarge"),
        ("POST /v4/jobs/a/signal HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "badRequest"),
        ("GET /v4/jobs/%ff HTTP/1.1\r\nHost: x\r\n\r\n", "badRequest"),
        ("POST /v4/maintenance HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n[true]", "badRequest"),
        ("POST /v4/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n[true]", "badRequest"),
        ("GET /v4/jobs/%00/why HTTP/1.1\r\nHost: x\r\n\r\n", "badRequest"),
    ] {
        let answer = send_socket(&pilot.path("s"), request.as_bytes()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 4"), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], code);
    }
    assert_eq!(get(&pilot, "/v4/jobs")["jobs"][0]["runs"], 1);
    assert_eq!(get(&pilot, "/v4/ping"), serde_json::json!({}));
    assert_eq!(get(&pilot, "/v4/maintenance")["on"], false);
    pilot.finish();
}
