//! As a real Prometheus 2.42 reads it, in both formats, and what `promtool` thinks.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::setup::{Told, at, start};
use crate::support::http::ask;
use crate::support::wait::poll;
use crate::support::{DEADLINE, wait_until};

const CONFIG: &str = r#"{
    telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"], metrics: [
        { namespace: "app", name: "things", help: "of v3: \"no total\"", type: "counter" },
        { namespace: "app", name: "things_total", help: "with \\ and é", type: "counter" },
        { namespace: "app", name: "level", help: "help", type: "gauge" },
        { namespace: "app", name: "size_bytes", help: "help", type: "histogram" },
        { namespace: "app", name: "time_seconds", help: "help", type: "summary" },
    ] },
    jobs: [
        { name: "web", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
        { name: "failing", exec: "false", restarts: 1 },
    ],
}"#;

/// The names that version 3 fixed, and our configuration chose: they lack `_total`.
const FIXED: [&str; 3] = ["containerpilot_events", "containerpilot_control_http_requests", "app_things"];

/// The page is complete: the job that fails is done, the check of the other one has passed.
fn settled() -> Told {
    let told = start(CONFIG);
    let done = r#"containerpilot_job_state{name="failing",state="done"}"#;
    let passed = r#"containerpilot_job_heartbeat_age_seconds{name="web"}"#;
    wait_until(DEADLINE, || told.sample(done).as_deref() == Some("1"), "the job that fails is done");
    wait_until(DEADLINE, || told.sample(passed).is_some(), "a check has passed");
    told
}

#[test]
fn promtool_has_only_to_say_what_version_3_fixed() {
    let told = settled();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there (Debian: prometheus)");
    promtool.stdin.take().unwrap().write_all(told.page().as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let other = said.lines().filter(|line| {
        !FIXED.iter().any(|name| *line == format!("{name} counter metrics should have \"_total\" suffix"))
    });
    assert_eq!(other.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(said.contains("containerpilot_events"), "it did look: {said}");
    told.pilot.finish();
}

#[test]
fn prometheus_gets_the_same_series_in_both_formats() {
    let told = settled();
    let plain = without_open_metrics(told.at);
    let prometheus = Prometheus::start(&told, &[("open", told.at), ("text", plain)]);
    let series = |job: &str| prometheus.series(job);
    // A scrape that took too long leaves nothing behind until the next one.
    let both = || Some(series("open")).filter(|open| !open.is_empty() && *open == series("text"));
    let open = poll(DEADLINE, both).unwrap_or_else(|| panic!("{:#?}\n{:#?}", series("open"), series("text")));
    for one in [
        r#"{"__name__":"app_things"}"#,
        r#"{"__name__":"app_things_total"}"#,
        r#"{"__name__":"app_level"}"#,
        r#"{"__name__":"app_size_bytes_bucket","le":"1"}"#,
        r#"{"__name__":"app_size_bytes_bucket","le":"+Inf"}"#,
        r#"{"__name__":"app_time_seconds","quantile":"0.99"}"#,
        r#"{"__name__":"app_time_seconds_count"}"#,
        r#"{"__name__":"containerpilot_events","code":"ExitFailed","source":"failing"}"#,
        r#"{"__name__":"containerpilot_job_restarts_total","name":"failing"}"#,
        r#"{"__name__":"process_cpu_seconds_total"}"#,
    ] {
        assert!(open.contains(one), "{one} in {open:#?}");
    }
    let types = prometheus.types(told.at);
    let is = |family: &str, kind: &str| types.contains(&(family.to_owned(), kind.to_owned()));
    assert!(is("app_things", "unknown") && is("app_size_bytes", "histogram"), "{types:?}");
    assert!(is("containerpilot_events", "unknown") && is("app_time_seconds", "summary"), "{types:?}");
    drop(prometheus);
    told.pilot.finish();
}

/// A server that scrapes these every half second. It ends with the scope.
struct Prometheus {
    child: Child,
    at: SocketAddr,
}

impl Prometheus {
    fn start(told: &Told, targets: &[(&str, SocketAddr)]) -> Self {
        let at = at(&told.ports, 2);
        let dir = told.pilot.path("prometheus");
        fs::create_dir(&dir).unwrap();
        let mut config = "global: { scrape_interval: 500ms, scrape_timeout: 500ms }\nscrape_configs:\n".to_owned();
        for (name, target) in targets {
            config += &["- { job_name: ", name, ", static_configs: [{ targets: [\"", &target.to_string(), "\"] }] }\n"]
                .concat();
        }
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "prometheus", "--log.level=warn"])
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={at}"))
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus is there (Debian: prometheus)");
        let prometheus = Self { child, at };
        let is_ready = || ask(at, "GET", "/-/ready", &[], b"").is_ok_and(|reply| reply.status == 200);
        wait_until(DEADLINE, is_ready, "Prometheus is ready");
        prometheus
    }

    /// All series of a job, but for those that Prometheus adds, without the labels that it adds.
    fn series(&self, job: &str) -> BTreeSet<String> {
        let target = format!("/api/v1/query?query=%7Bjob%3D%22{job}%22%7D");
        let Ok(reply) = ask(self.at, "GET", &target, &[], b"") else { return BTreeSet::new() };
        let found = reply.json();
        let series = found.pointer("/data/result").and_then(Value::as_array).into_iter().flatten();
        series
            .filter_map(|one| {
                let mut labels = one.get("metric")?.as_object()?.clone();
                let name = labels.get("__name__")?.as_str()?;
                if name == "up" || name.starts_with("scrape_") {
                    return None;
                }
                labels.retain(|label, _| label != "job" && label != "instance");
                labels.sort_keys();
                Some(Value::Object(labels).to_string())
            })
            .collect()
    }

    /// The families of a target, and what they are.
    fn types(&self, target: SocketAddr) -> Vec<(String, String)> {
        let query = format!("/api/v1/targets/metadata?match_target=%7Binstance%3D%22{target}%22%7D");
        let found = ask(self.at, "GET", &query, &[], b"").unwrap().json();
        let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = found.get("data").and_then(Value::as_array).into_iter().flatten();
        all.map(|one| (text(one, "metric"), text(one, "type"))).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to the server on which nobody asks for OpenMetrics: this Prometheus can't be told not to.
fn without_open_metrics(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let _ = pass_on(&client, server);
        }
    });
    at
}

fn pass_on(mut client: &TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(client);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.to_ascii_lowercase().starts_with("accept:") {
            head += &line;
        }
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)
}
