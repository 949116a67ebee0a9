//! v3 §15, path by path.

use crate::harness::{KEEP, ask, post, serving, socket, start, with_socket};
use crate::support::http::Reply;
use crate::support::{DEADLINE, Launch, Signal, wait_until};

/// Writes these variables when it is asked to by HUP.
const TELLS: &str = r#"{ name: "tell", when: { source: "SIGHUP" }, exec: ["/bin/sh", "-c",
    "echo A=${A-unset} B=${B-unset} >> $LOG"] }"#;

#[track_caller]
fn is(reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status, reply.text().as_str()), (status, body));
    assert_eq!(reply.header("Connection"), Some("close"));
    assert_eq!(reply.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("X-Content-Type-Options"), (status != 200).then_some("nosniff"));
}

#[test]
fn environ_is_seen_by_what_starts_later() {
    let pilot = start(&format!("{KEEP}, {TELLS}"));
    is(&post(&pilot, "/v3/environ", r#"{"A": "one=two", "B": null}"#), 200, "\n");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=one=two B=");
    is(&post(&pilot, "/v3/environ", r#"{"A": ""}"#), 200, "\n");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A= B=");
}

#[test]
fn environ_applies_all_or_nothing() {
    let pilot = start(&format!("{KEEP}, {TELLS}"));
    for body in [r#"{"A": "x", "B": 1}"#, r#"{"A": "x""#, r#"["A"]"#, "", r#"{"A": "x", "B": {}}"#] {
        is(&post(&pilot, "/v3/environ", body), 422, "Unprocessable Entity\n");
    }
    for body in ["null", "{}"] {
        is(&post(&pilot, "/v3/environ", body), 200, "\n");
    }
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=unset B=unset");
}

#[test]
fn environ_skips_names_that_cannot_be() {
    let pilot = start(&format!("{KEEP}, {TELLS}"));
    is(&post(&pilot, "/v3/environ", r#"{"": "x", "A=1": "x", "A\u0000": "x", "A": "x\u0000", "B": "y"}"#), 200, "\n");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=unset B=y");
}

#[test]
fn values_of_the_environment_are_not_logged() {
    let pilot = start(KEEP);
    is(&post(&pilot, "/v3/environ", r#"{"A": "s3cret", "B=": "s3cret"}"#), 200, "\n");
    is(&post(&pilot, "/v3/environ", r#"{"A": "s3cret""#), 422, "Unprocessable Entity\n");
    assert!(!pilot.stdout().contains("s3cret"));
}

#[test]
fn metric_takes_anything_that_is_an_object() {
    let pilot = start(KEEP);
    for body in [r#"{"unknown": 1, "other": "x", "third": null}"#, "{}", "null"] {
        is(&post(&pilot, "/v3/metric", body), 200, "\n");
    }
    for body in ["", "[]", "1", "{"] {
        is(&post(&pilot, "/v3/metric", body), 422, "Unprocessable Entity\n");
    }
}

#[test]
fn maintenance_is_an_event_each_time() {
    let job = |name: &str| {
        let exec = format!(r#"["/bin/sh", "-c", "echo {name} >> $LOG"]"#);
        format!(r#"{{ name: "{name}", exec: {exec}, when: {{ source: "global", each: "{name}Maintenance" }} }}"#)
    };
    let pilot = start(&format!("{KEEP}, {}, {}", job("enter"), job("exit")));
    for n in 1..=2 {
        is(&post(&pilot, "/v3/maintenance/enable", "ignored"), 200, "\n");
        pilot.wait_logged("enter", n);
    }
    is(&post(&pilot, "/v3/maintenance/disable", ""), 200, "\n");
    pilot.wait_log("exit");
}

#[test]
fn ping_takes_any_method() {
    let pilot = start(KEEP);
    for method in ["GET", "POST", "PUT", "DELETE", "BREW"] {
        is(&ask(&pilot, method, "/v3/ping", "ignored"), 200, "\n");
    }
    assert_eq!(ask(&pilot, "HEAD", "/v3/ping", "").status, 200);
}

#[test]
fn the_others_take_only_post() {
    let pilot = start(KEEP);
    for path in ["/v3/environ", "/v3/metric", "/v3/reload", "/v3/maintenance/enable", "/v3/maintenance/disable"] {
        for method in ["GET", "PUT", "DELETE"] {
            is(&ask(&pilot, method, path, "{}"), 405, "Method Not Allowed\n");
        }
    }
    assert!(!pilot.stdout().contains("reloading app"));
}

#[test]
fn there_are_no_other_paths() {
    let pilot = start(KEEP);
    for path in ["/", "/v3", "/v3/env", "/v3/ping/", "/v3/maintenance"] {
        is(&post(&pilot, path, "{}"), 404, "404 page not found\n");
    }
}

#[test]
fn the_server_is_told_of_in_the_original_s_words() {
    let mut pilot = start(KEEP);
    let path = socket(&pilot).display().to_string();
    pilot.wait_log("keep-start");
    let (code, _) = pilot.stop();
    assert_eq!(code, 0);
    let log = pilot.stdout();
    for line in [
        "control: initialized router for control server".to_owned(),
        format!("control: listening to {path}"),
        format!("control: serving at {path}"),
        "control: stopping control server".to_owned(),
        format!("control: stopped serving at {path}"),
        "control: completed graceful shutdown of control server".to_owned(),
    ] {
        assert_eq!(log.matches(&format!(" {line}\n")).count(), 1, "{line}");
    }
    pilot.finish();
}

#[test]
fn it_is_served_until_the_jobs_are_stopped_and_gone_at_the_end() {
    let until_told = "while [ ! -e $DIR/go ]; do sleep 0.01; done; exit 0";
    let script = format!("trap 'echo term >> $LOG; {until_told}' TERM; echo up >> $LOG; sleep 1000 & wait");
    let slow = format!(r#"{{ name: "slow", exec: ["/bin/sh", "-c", "{script}"] }}"#);
    let launch = Launch::config(&with_socket(&slow).replace("stopTimeout: 2", "stopTimeout: 30"));
    let mut pilot = serving(launch.start());
    pilot.wait_log("up");
    pilot.signal(Signal::SIGTERM);
    pilot.wait_log("term");
    is(&ask(&pilot, "GET", "/v3/ping", ""), 200, "\n");
    std::fs::write(pilot.path("go"), "").unwrap();
    pilot.wait_exit();
    wait_until(DEADLINE, || !socket(&pilot).exists(), "the socket's file is removed");
    pilot.finish();
}
