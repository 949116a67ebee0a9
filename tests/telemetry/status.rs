//! `/status`, and the answers to probes.

use std::fs;

use crate::setup::start;
use crate::support::http::ask;
use crate::support::{DEADLINE, Signal, wait_until};

const JOBS: &str = r#"{
    consul: "127.0.0.1:1",
    telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
    jobs: [
        { name: "web", port: 8080, interfaces: "static:192.0.2.7", exec: ["sleep", "1000"],
          health: { exec: ["test", "!", "-e", "{{ .DIR }}/sick"], interval: 1, ttl: 5 } },
        { name: "side", exec: ["sleep", "1000"] },
        { name: "later", exec: "true", when: { source: "SIGHUP" } },
    ],
    watches: [{ name: "up", interval: 5 }],
}"#;

fn whole(web: &str, port: u16, telemetry: &str) -> String {
    format!(
        concat!(
            r#"{{"Version":"{}","Jobs":[{{"Name":"side","Status":"{}"}},{{"Name":"later","Status":"{}"}}],"#,
            r#""Services":[{{"Name":"web","Address":"192.0.2.7","Port":8080,"Status":"{}"}},"#,
            r#"{{"Name":"containerpilot","Address":"127.0.0.1","Port":{},"Status":"{}"}}],"Watches":["up"]}}"#,
            "\n"
        ),
        env!("CARGO_PKG_VERSION"),
        if web == "maintenance" { web } else { "unknown" },
        if web == "maintenance" { web } else { "unknown" },
        web,
        port,
        telemetry
    )
}

#[test]
fn status_is_what_version_3_said() {
    let told = start(JOBS);
    let port = told.at.port();
    let says = |text: &str| told.get("/status").text() == text;
    wait_until(DEADLINE, || says(&whole("healthy", port, "healthy")), "everything is well");
    assert_eq!(told.get("/status").header("Content-Type"), Some("application/json"));
    fs::write(told.pilot.path("sick"), "").unwrap();
    wait_until(DEADLINE, || says(&whole("unhealthy", port, "healthy")), "one is unhealthy");
    told.pilot.signal(Signal::SIGUSR1);
    wait_until(DEADLINE, || says(&whole("maintenance", port, "healthy")), "maintenance");
    for method in ["HEAD", "POST", "PUT"] {
        assert_eq!(ask(told.at, method, "/status", &[], b"").unwrap().status, 405, "{method}");
    }
    told.pilot.finish();
}

#[test]
fn f24_a_job_that_could_not_be_started_yet_is_neither_ready_nor_running() {
    let told = start(
        r#"{ consul: false, telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [{ name: "web", exec: ["sleep", "1000"], main: true, restarts: "unlimited", when: { source: "SIGHUP" } }] }"#,
    );
    let state = |word: &str| told.sample(&format!(r#"containerpilot_job_state{{name="web",state="{word}"}}"#));
    assert_eq!(state("waiting").as_deref(), Some("1"));
    told.pilot.leave_descriptors(2);
    told.pilot.signal(Signal::SIGHUP);
    wait_until(DEADLINE, || state("backoff").as_deref() == Some("1"), "its start is tried");
    // Through several runs that never begin, whether they are tried or wait.
    let mut looks = 0;
    let is_told = || told.pilot.stdout().matches("unable to start web: pipe2: too many open files").count() > 2;
    wait_until(
        DEADLINE,
        || {
            let ready = told.get("/readyz");
            assert_eq!((ready.status, ready.text().as_str()), (503, "not ready: web (backoff)\n"));
            assert_eq!((state("running").as_deref(), state("backoff").as_deref()), (Some("0"), Some("1")));
            looks += 1;
            looks > 50 && is_told()
        },
        "it fails again and again",
    );
    told.pilot.limit_descriptors(1000);
    wait_until(DEADLINE, || told.get("/readyz").status == 200, "it runs");
    told.pilot.finish();
}

#[test]
fn empty_lists_are_null() {
    let told = start(
        r#"{ consul: false, telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [{ name: "a", exec: ["sleep", "1000"] }] }"#,
    );
    let text = told.get("/status").text();
    assert!(text.contains(r#""Jobs":[{"Name":"a","Status":"unknown"}],"#), "{text}");
    assert!(text.ends_with("\"Watches\":null}\n"), "{text}");
    told.pilot.finish();
}

#[test]
fn probes_tell_alive_from_ready() {
    let told = start(JOBS);
    assert_eq!((told.get("/healthz").status, told.get("/healthz").text().as_str()), (200, "ok\n"));
    wait_until(DEADLINE, || told.get("/readyz").status == 200, "all checks pass");
    assert_eq!(told.get("/readyz").text(), "ready\n");
    fs::write(told.pilot.path("sick"), "").unwrap();
    wait_until(DEADLINE, || told.get("/readyz").status == 503, "a check fails");
    assert_eq!(told.get("/readyz").text(), "not ready: web (unhealthy)\n");
    assert_eq!(told.get("/healthz").status, 200);
    told.pilot.signal(Signal::SIGUSR1);
    wait_until(DEADLINE, || told.get("/readyz").text() == "not ready: maintenance\n", "maintenance");
    assert_eq!(ask(told.at, "POST", "/readyz", &[], b"").unwrap().status, 405);
    assert_eq!(ask(told.at, "HEAD", "/healthz", &[], b"").unwrap().status, 200);
    told.pilot.finish();
}

#[test]
fn the_main_job_alone_decides_where_there_is_one() {
    let told = start(
        r#"{ telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] }, jobs: [
            { name: "app", main: true, exec: ["sleep", "1000"], when: { source: "side", each: "healthy" } },
            { name: "side", exec: ["sleep", "1000"],
              health: { exec: ["test", "-e", "{{ .DIR }}/well"], interval: 1, ttl: 5 } },
        ] }"#,
    );
    assert_eq!(told.get("/readyz").text(), "not ready: app (waiting)\n");
    fs::write(told.pilot.path("well"), "").unwrap();
    wait_until(DEADLINE, || told.get("/readyz").status == 200, "the main job runs");
    fs::remove_file(told.pilot.path("well")).unwrap();
    told.pilot.wait_stdout("side is unhealthy");
    assert_eq!(told.get("/readyz").status, 200, "it does not depend on others");
    told.pilot.finish();
}
