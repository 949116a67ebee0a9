//! `examples/nginx`: a real application, nginx from Debian's packages, with the program as PID 1.

#![expect(clippy::unwrap_used, reason = "a test: what can't be run makes it fail")]

mod support;

use std::process::Command;
use std::time::Duration;

use support::{DEADLINE, Launch, Pilot, Process, Signal, wait_until};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nginx");

fn start() -> Pilot {
    let pilot = Launch::default()
        .args(&["-config", &format!("{EXAMPLE}/containerpilot.json5")])
        .own_network()
        .env("CONTAINERPILOT_BINARY", support::BINARY)
        .env("EXAMPLE_DIR", EXAMPLE)
        .env("LISTEN", "127.0.0.1")
        .env("STATISTICS_INTERVAL", "200ms")
        .start();
    pilot.wait_stdout("nginx is healthy on port 8080");
    pilot
}

/// What curl says inside the namespace: the status code and the body.
fn get(pilot: &Pilot, path: &str) -> String {
    let target = pilot.pid.to_string();
    let url = format!("http://127.0.0.1:8080{path}");
    let curl = ["curl", "-s", "--max-time", "20", "-w", "%{http_code}", &url];
    let output = Command::new("nsenter").args(["--target", &target, "--net", "--"]).args(curl).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn workers(pilot: &Pilot) -> Vec<Process> {
    pilot.find("nginx: worker process")
}

#[track_caller]
fn wait_serving(pilot: &Pilot) {
    wait_until(DEADLINE, || get(pilot, "/") == "Hello from nginx under containerpilot.\n200", "nginx serves");
    wait_until(DEADLINE, || workers(pilot).len() == 2, "two workers");
}

#[test]
fn nginx_is_rendered_checked_measured_and_stopped_in_order() {
    let mut pilot = start();
    wait_serving(&pilot);
    wait_until(DEADLINE, || pilot.stdout().matches("active connections: ").count() >= 2, "the periodic job runs");
    // A check may come while nginx begins, and says so.
    let fails = |line: &str| line.contains(" statistics ") && line.contains("curl:");
    assert!(!pilot.stdout().lines().any(fails), "nothing fails, also before nginx is there");
    let master = pilot.wait_process("nginx: master process");
    assert_eq!(master.parent, pilot.pid);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let output = pilot.stdout();
    let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("{text:?} is not in the output"));
    let order = ["configuration written", "nginx is healthy", "draining", "cleaned up"];
    assert!(order.map(place).is_sorted(), "the order is wrong");
    pilot.finish();
}

#[test]
fn killed_workers_come_back() {
    let pilot = start();
    wait_serving(&pilot);
    let master = pilot.wait_process("nginx: master process");
    let before = workers(&pilot);
    for worker in &before {
        pilot.signal_process(worker, Signal::SIGKILL);
    }
    let is_new = |worker: &Process| before.iter().all(|old| old.pid != worker.pid);
    wait_until(DEADLINE, || workers(&pilot).iter().filter(|w| is_new(w)).count() == 2, "two new workers");
    wait_serving(&pilot);
    assert_eq!(pilot.wait_process("nginx: master process").pid, master.pid, "nginx brought them back itself");
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn killed_nginx_comes_back_and_leaves_no_old_worker() {
    let pilot = start();
    wait_serving(&pilot);
    for _ in 0..3 {
        let master = pilot.wait_process("nginx: master process");
        let old = workers(&pilot);
        pilot.signal_process(&master, Signal::SIGKILL);
        let others = || pilot.find("nginx: master process").iter().any(|p| p.pid != master.pid);
        wait_until(DEADLINE, others, "a new master");
        wait_until(DEADLINE, || workers(&pilot).iter().all(|w| old.iter().all(|o| o.pid != w.pid)), "old workers go");
        wait_serving(&pilot);
    }
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn the_pre_stop_job_turns_clients_away_before_nginx_ends() {
    let pilot = start();
    wait_serving(&pilot);
    assert_eq!(get(&pilot, "/health"), "ok\n200");
    // Fail the health check by hand, as the pre-stop job does; nginx goes on.
    let run = format!("/proc/{}/root/run/nginx", pilot.pid);
    std::fs::write(format!("{run}/draining"), "").unwrap();
    assert!(get(&pilot, "/health").ends_with("503"));
    assert!(get(&pilot, "/").ends_with("200"));
    std::fs::remove_file(format!("{run}/draining")).unwrap();
    assert_eq!(pilot.finish(), 0);
}
