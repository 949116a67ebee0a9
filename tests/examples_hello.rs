//! `examples/hello` does what the README says of it.

#![expect(clippy::panic, reason = "a test: what is missing makes it fail")]

mod support;

use std::time::Duration;

use support::{DEADLINE, Launch, Pilot, Signal, wait_until};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hello");

fn start() -> Pilot {
    Launch::default()
        .args(&["-config", &format!("{EXAMPLE}/containerpilot.json5")])
        .own_network()
        .env("HELLO_DIR", EXAMPLE)
        .env("HELLO_DATA", "data")
        .env("HELLO_SOCKET", "socket")
        .env("HELLO_INTERVAL", "100ms")
        .start()
}

/// The place of a text in the output.
#[track_caller]
fn place(output: &str, text: &str) -> usize {
    output.find(text).unwrap_or_else(|| panic!("{text:?} is not in the output"))
}

#[test]
fn hello_serves_checks_and_says_goodbye_on_ctrl_c() {
    let mut pilot = start();
    pilot.wait_stdout("the server is healthy: http://127.0.0.1:8080/");
    wait_until(DEADLINE, || pilot.stdout().matches(" seconds, load ").count() >= 3, "the periodic job ran three times");
    assert!(pilot.path("data/index.html").exists());

    pilot.signal(Signal::SIGINT);
    assert_eq!(pilot.wait_exit(), 0);
    let output = pilot.stdout();
    let order = ["the page is ready", "listening on", "the server is healthy", "closing", "tidied up, goodbye"];
    assert!(order.map(|text| place(&output, text)).is_sorted(), "the order is wrong");
    assert!(!pilot.path("data").exists());
    pilot.finish();
}

#[test]
fn a_killed_server_comes_back() {
    let pilot = start();
    pilot.wait_stdout("the server is healthy");
    for restarts in 1..=3 {
        let server = pilot.wait_process("server.pl");
        pilot.signal_process(&server, Signal::SIGKILL);
        let times = restarts + 1;
        wait_until(DEADLINE, || pilot.stdout().matches("listening on").count() == times, "the server is back");
    }
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn the_examples_shell_scripts_are_valid() {
    for file in ["prepare.sh", "check.sh"] {
        let path = format!("{EXAMPLE}/{file}");
        let checked = std::process::Command::new("bash").args(["-n", &path]).output().unwrap();
        assert!(checked.status.success() && checked.stderr.is_empty(), "{file}: {checked:?}");
    }
}

#[test]
fn stopping_is_quick() {
    let mut pilot = start();
    pilot.wait_stdout("the server is healthy");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
