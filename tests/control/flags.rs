//! v3 §2.1: the flags that ask a running instance, their output and exit status.

use crate::harness::{KEEP, command, flag, socket, start, told};
use crate::support::{DEADLINE, Launch, Signal, wait_until};

fn quiet() -> (i32, String, String) {
    (0, String::new(), String::new())
}

#[test]
fn ping_prints_ok() {
    let pilot = start(KEEP);
    assert_eq!(told(&flag(&pilot, &["-ping"])), (0, "ok\n".to_owned(), String::new()));
}

#[test]
fn putenv_sets_variables() {
    let tells = r#"{ name: "tell", when: { source: "SIGHUP" }, exec: ["/bin/sh", "-c",
        "echo A=${A-unset} B=${B-unset} >> $LOG"] }"#;
    let pilot = start(&format!("{KEEP}, {tells}"));
    assert_eq!(told(&flag(&pilot, &["-putenv", "A=x", "-putenv", "B=", "-putenv", "A=y=z"])), quiet());
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=y=z B=");
}

#[test]
fn putmetric_and_maintenance_and_reload_are_quiet() {
    let job = r#"{ name: "in", exec: ["/bin/sh", "-c", "echo in >> $LOG"],
                   when: { source: "global", each: "enterMaintenance" } }"#;
    let pilot = start(&format!("{KEEP}, {job}"));
    assert_eq!(told(&flag(&pilot, &["-putmetric", "m=1"])), quiet());
    assert_eq!(told(&flag(&pilot, &["-maintenance", "enable"])), quiet());
    pilot.wait_log("in");
    assert_eq!(told(&flag(&pilot, &["-maintenance", "disable"])), quiet());
    assert_eq!(told(&flag(&pilot, &["-reload"])), quiet());
    pilot.wait_stdout("control: reloaded app via control plane");
}

#[test]
fn a_child_finds_the_socket_without_the_file() {
    let binary = crate::support::BINARY;
    let asks =
        format!(r#"{{ name: "asks", exec: ["/bin/sh", "-c", "{binary} -ping > $DIR/pinged; echo $? >> $LOG"] }}"#);
    let pilot = start(&format!("{KEEP}, {asks}"));
    wait_until(DEADLINE, || pilot.read("pinged") == "ok\n", "the child's ping");
    pilot.wait_log("0");
}

#[test]
fn nobody_at_the_socket_is_exit_1_in_go_words() {
    let mut pilot = start(KEEP);
    pilot.wait_log("keep-start");
    pilot.stop();
    let path = socket(&pilot).display().to_string();
    let missing = |prefix: &str, verb: &str, what: &str| {
        let why = "connect: no such file or directory";
        (1, String::new(), format!("{prefix}: {verb} http://control/v3/{what}: dial unix {path}: {why}\n"))
    };
    let run = "failed to run subcommand";
    for (args, expected) in [
        (vec!["-reload"], missing(&format!("-reload: {run}"), "Post", "reload")),
        (vec!["-maintenance", "enable"], missing(&format!("-maintenance: {run}"), "Post", "maintenance/enable")),
        (vec!["-maintenance", "disable"], missing(&format!("-maintenance: {run}"), "Post", "maintenance/disable")),
        // The original calls both `-reload`.
        (vec!["-putenv", "A=x"], missing(&format!("-putenv: {run}"), "Post", "environ")),
        (vec!["-putmetric", "m=1"], missing(&format!("-putmetric: {run}"), "Post", "metric")),
        (vec!["-ping"], missing("-ping: failed", "Get", "ping")),
    ] {
        assert_eq!(told(&flag(&pilot, &args)), expected, "{args:?}");
    }
    pilot.finish();
}

#[test]
fn a_broken_file_is_exit_1_and_nobody_is_asked() {
    let pilot = start(KEEP);
    pilot.wait_log("keep-start");
    std::fs::write(pilot.path("broken.json5"), "{ jobs: [ { name: 7, } ], nonsense: 1 }").unwrap();
    for args in [["-reload"], ["-ping"]] {
        let mut all = vec!["-config", "broken.json5"];
        all.extend(args);
        let (code, stdout, stderr) = told(&command(pilot.dir(), &all, &[]));
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.starts_with(args[0]) && stderr.contains("broken.json5"), "{stderr}");
    }
    let missing = told(&command(pilot.dir(), &["-config", "missing.json5", "-ping"], &[]));
    assert!(missing.0 == 1 && missing.2.contains("missing.json5"), "{missing:?}");
    assert!(!pilot.stdout().contains("reloading app"));
}

#[test]
fn a_misspelt_word_is_a_usage_error() {
    let pilot = start(KEEP);
    for args in [vec!["-maintenance", "enabel"], vec!["-putenv", "FOO"], vec!["-maintenance"]] {
        let (code, stdout, stderr) = told(&flag(&pilot, &args));
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains("Usage of "), "{stderr}");
    }
    // With v3 the first would have ended maintenance.
    assert!(!pilot.stdout().contains("aintenance o"));
}

#[test]
fn an_empty_maintenance_is_no_flag() {
    // It starts, as with v3.
    let config = crate::harness::with_socket(KEEP);
    let pilot = Launch::config(&config).args(&["-maintenance", "", "-config", "containerpilot.json5"]).start();
    pilot.wait_log("keep-start");
}

#[test]
fn the_server_s_refusal_is_the_flag_s_failure() {
    let pilot = start(KEEP);
    let long = format!("A={}", "x".repeat(100_000));
    let (code, _, stderr) = told(&flag(&pilot, &["-putenv", &long]));
    assert_eq!((code, stderr.as_str()), (1, "-putenv: failed to run subcommand: Request Entity Too Large\n"));
}
