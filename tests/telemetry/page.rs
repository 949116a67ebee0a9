//! The page of metrics.

use std::time::Duration;

use crate::setup::start;
use crate::support::http::ask;
use crate::support::{DEADLINE, Signal, wait_until};

const JOBS: &str = r#"{
    telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"], metrics: [
        { namespace: "app", subsystem: "sub", name: "m", help: "a help text", type: "counter" },
    ] },
    jobs: [
        { name: "web", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
        { name: "failing", exec: ["sh", "-c", "exit 3"], restarts: 2 },
        { name: "missing", exec: "/no/such/program" },
    ],
}"#;

#[test]
fn it_is_the_text_format_for_any_method() {
    let told = start(JOBS);
    for method in ["GET", "POST", "DELETE"] {
        let reply = ask(told.at, method, "/metrics", &[], b"").unwrap();
        assert_eq!(reply.status, 200, "{method}");
        assert_eq!(reply.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(reply.text().contains("# HELP app_sub_m a help text\n# TYPE app_sub_m counter\napp_sub_m 0\n"));
    }
    assert_eq!(told.get("/metrics/").status, 404);
    assert_eq!(told.get("/").text(), "404 page not found\n");
    told.pilot.finish();
}

#[test]
fn open_metrics_come_when_asked_for() {
    let told = start(JOBS);
    let accept = [("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")];
    let reply = ask(told.at, "GET", "/metrics", &accept, b"").unwrap();
    assert_eq!(reply.header("Content-Type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(reply.text().ends_with("# EOF\n"));
    assert!(reply.text().contains("# TYPE app_sub_m unknown\napp_sub_m 0\n"), "{}", reply.text());
    told.pilot.finish();
}

#[test]
fn events_are_counted_by_code_and_source() {
    let told = start(JOBS);
    let count = |code: &str, source: &str| {
        told.sample(&format!("containerpilot_events{{code=\"{code}\",source=\"{source}\"}}"))
    };
    wait_until(DEADLINE, || count("Stopped", "failing").is_some(), "the job that fails has stopped");
    assert_eq!(count("Startup", "global").as_deref(), Some("1"));
    assert_eq!(count("ExitFailed", "failing").as_deref(), Some("3"));
    assert_eq!(count("Error", "failing").as_deref(), Some("3"), "the job's name, not the error's text");
    wait_until(DEADLINE, || count("StatusHealthy", "web").is_some(), "a check passed");
    assert!(count("ExitSuccess", "check.web").is_some());
    told.pilot.signal(Signal::SIGHUP);
    wait_until(DEADLINE, || count("Signal", "SIGHUP").as_deref() == Some("1"), "a signal");
    told.pilot.finish();
}

#[test]
fn jobs_show_what_they_do() {
    let told = start(JOBS);
    let of = |metric: &str, labels: &str| told.sample(&format!("containerpilot_job_{metric}{{{labels}}}"));
    let is = |metric: &str, labels: &str, value: &str| of(metric, labels).as_deref() == Some(value);
    wait_until(DEADLINE, || is("state", r#"name="failing",state="done""#, "1"), "the job that fails is done");
    wait_until(DEADLINE, || is("state", r#"name="missing",state="done""#, "1"), "the other one, too");
    assert!(is("state", r#"name="web",state="running""#, "1"));
    assert!(is("state", r#"name="web",state="done""#, "0"));
    assert!(is("restarts_total", r#"name="failing""#, "2"));
    assert!(is("exits_total", r#"code="3",name="failing""#, "3"));
    assert!(is("last_exit_code", r#"name="failing""#, "3"));
    assert!(is("last_exit_code", r#"name="missing""#, "127"));
    assert_eq!(of("last_exit_code", r#"name="web""#), None);
    let number = |metric: &str, labels: &str| of(metric, labels).map_or(f64::NAN, |text| text.parse().unwrap());
    wait_until(DEADLINE, || number("check_duration_seconds_count", r#"name="web""#) >= 3.0, "three checks");
    assert!(number("check_duration_seconds_sum", r#"name="web""#) > 0.0);
    assert!(number("run_seconds_total", r#"name="web""#) > 0.2);
    assert!(number("heartbeat_age_seconds", r#"name="web""#) < 30.0);
    told.pilot.finish();
}

#[test]
fn the_process_is_there_as_version_3_showed_it() {
    let told = start(JOBS);
    let page = told.page();
    for name in [
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    ] {
        let value: f64 = crate::setup::sample(&page, name).expect(name).parse().unwrap();
        assert!(value >= 0.0, "{name} {value}");
    }
    assert!(!page.contains("go_") && !page.contains("http_request"), "design §4 row 29");
    told.pilot.finish();
}

#[test]
fn orphans_are_counted() {
    let config = r#"{
        telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [{ name: "web", exec: ["sh", "-c", "sh -c 'setsid true & exit' ; exec sleep 1000"] }],
    }"#;
    let told = start(config);
    let reaped = || told.sample("containerpilot_orphans_reaped_total");
    wait_until(DEADLINE, || reaped().is_some_and(|count| count != "0"), "an orphan was reaped");
    told.pilot.finish();
}

#[test]
fn nobody_who_does_not_ask_costs_anything() {
    let config = r#"{
        telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [{ name: "web", exec: ["sleep", "1000"] }],
    }"#;
    let told = start(config);
    told.page();
    // What it has to do for the answer and after its start may not be over yet; what wakes it each second never is.
    let sleeps = || {
        let before = told.pilot.wakeups();
        crate::support::wait::holds_for(Duration::from_secs(3), || true, "time passes");
        told.pilot.wakeups() - before <= 1
    };
    wait_until(DEADLINE, sleeps, "it sleeps for three seconds");
    told.pilot.finish();
}
