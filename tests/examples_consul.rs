//! `examples/consul` does what its first lines say: Consul, a database and an application with one command.

#![expect(clippy::unwrap_used, reason = "a test: what can't be run makes it fail")]

mod support;

use std::process::Command;
use std::time::Duration;

use support::{DEADLINE, Launch, Pilot, Signal, wait_until};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/consul");

/// In a network of its own, so that all ports are those of the example.
fn start() -> Pilot {
    start_with(Launch::default())
}

fn start_with(launch: Launch) -> Pilot {
    let pilot = launch
        .args(&["-config", &format!("{EXAMPLE}/containerpilot.json5")])
        .own_network()
        .own_hostname("left")
        .env("EXAMPLE_DIR", EXAMPLE)
        .env("DATA", "data")
        .start();
    pilot.wait_stdout("the application is healthy: http://127.0.0.1:8080/");
    pilot
}

/// What a command says inside the network.
fn inside(pilot: &Pilot, command: &[&str]) -> String {
    let target = pilot.pid.to_string();
    let output = Command::new("nsenter").args(["--target", &target, "--net", "--"]).args(command).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn get(pilot: &Pilot, url: &str) -> String {
    inside(pilot, &["curl", "-s", "--max-time", "20", url])
}

/// How many healthy instances Consul has of a service.
fn healthy(pilot: &Pilot, name: &str) -> usize {
    let list = get(pilot, &format!("http://127.0.0.1:8500/v1/health/service/{name}?passing=1"));
    serde_json::from_str::<serde_json::Value>(&list).ok().and_then(|list| Some(list.as_array()?.len())).unwrap_or(0)
}

#[test]
fn the_application_finds_its_database_and_everybody_leaves_in_order() {
    let mut pilot = start();
    assert_eq!(get(&pilot, "http://127.0.0.1:8080/"), "visit 1, says 127.0.0.1:5432\n");
    wait_until(DEADLINE, || healthy(&pilot, "app") == 1 && healthy(&pilot, "database") == 1, "both are known");

    let second = ["-name", "database", "-id", "second", "-address", "127.0.0.1", "-port", "5433"];
    inside(&pilot, &[&["consul", "services", "register"], &second[..]].concat());
    pilot.wait_stdout("databases: 127.0.0.1:5432 127.0.0.1:5433");
    pilot.wait_stdout("using 127.0.0.1:5432 127.0.0.1:5433");

    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(8), "{took:?}");
    let output = pilot.stdout();
    assert!(!output.contains("deregistering failed"), "{output}");
    assert!(!output.contains("alive"), "the list of members is in the log: {output}");
    let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("{text:?} is not in the output"));
    assert!(place("listening on 127.0.0.1:5432") < place("listening on 127.0.0.1:8080"));
    pilot.finish();
}

#[test]
fn maintenance_takes_all_of_it_out_and_brings_it_back() {
    let pilot = start();
    pilot.signal(Signal::SIGUSR1);
    pilot.wait_stdout("in maintenance");
    wait_until(DEADLINE, || healthy(&pilot, "app") == 0 && healthy(&pilot, "database") == 0, "both are gone");
    pilot.wait_stdout("using no database");
    assert_eq!(get(&pilot, "http://127.0.0.1:8080/"), "there is no database\n");
    pilot.signal(Signal::SIGUSR1);
    pilot.wait_stdout("back to work");
    wait_until(DEADLINE, || healthy(&pilot, "app") == 1 && healthy(&pilot, "database") == 1, "both are back");
    wait_until(DEADLINE, || get(&pilot, "http://127.0.0.1:8080/").starts_with("visit "), "and it finds its database");
    pilot.finish();
}

#[test]
fn its_consul_may_listen_on_another_port() {
    let pilot = start_with(Launch::default().env("CONSUL", "127.0.0.1:9500"));
    let is_there = || get(&pilot, "http://127.0.0.1:9500/v1/agent/services").contains("\"app-left\"");
    wait_until(DEADLINE, is_there, "it is registered there");
    pilot.finish();
}

#[test]
fn a_database_that_is_killed_comes_back() {
    let pilot = start();
    let database = pilot.wait_process("database.pl 5432");
    pilot.signal_process(&database, Signal::SIGKILL);
    wait_until(DEADLINE, || pilot.find("database.pl 5432").iter().any(|it| it.pid != database.pid), "a new one");
    wait_until(DEADLINE, || get(&pilot, "http://127.0.0.1:8080/").starts_with("visit "), "it is used");
    pilot.finish();
}
