//! The room as a whole: the page, and questions over a real socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::plan::{MetricKind, MetricSpec};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn plan(port: i64, metrics: Vec<MetricSpec>) -> plan::Telemetry {
    plan::Telemetry { port, address: LOCALHOST, tags: Vec::new(), metrics }
}

fn metric(name: &str, kind: MetricKind) -> MetricSpec {
    MetricSpec {
        namespace: String::new(),
        subsystem: String::new(),
        name: name.to_owned(),
        help: "of the configuration".to_owned(),
        kind,
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    StdListener::bind((LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Asks with these lines, while the loop's part is played beside.
async fn ask(telemetry: &mut Telemetry, port: u16, request: &str) -> String {
    let request = format!("{request}\r\nHost: x\r\n\r\n");
    let asking = async {
        // The server may still be on its way.
        let mut stream = loop {
            match TcpStream::connect(SocketAddr::new(LOCALHOST, port)).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::pin!(asking);
    loop {
        tokio::select! {
            answer = &mut asking => return answer,
            () = telemetry.ready() => {
                while let Some(scrape) = telemetry.take() {
                    telemetry.answer(scrape, &Snapshot::default(), Moment::default());
                }
            }
        }
    }
}

#[test]
fn a_configured_metric_takes_the_place_of_one_of_ours() {
    let specs =
        vec![metric("containerpilot_loop_lag_seconds_count", MetricKind::Gauge), metric("x", MetricKind::Gauge)];
    let mut telemetry = Telemetry::new(&plan(9090, specs), "4.0.0");
    let page = telemetry.metrics(Format::Text, &Snapshot::default(), Moment::default());
    let lags: Vec<&str> = page.lines().filter(|line| line.contains("loop_lag") && !line.starts_with('#')).collect();
    assert_eq!(lags, ["containerpilot_loop_lag_seconds_count 0"]);
    assert!(page.contains("\nx 0\n") && page.contains("process_max_fds"), "{page}");
}

#[test]
fn without_jobs_and_metrics_the_page_is_short() {
    let mut telemetry = Telemetry::new(&plan(9090, Vec::new()), "4.0.0");
    let page = telemetry.metrics(Format::Text, &Snapshot::default(), Moment::default());
    let families: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        families,
        [
            "containerpilot_build_info gauge",
            "containerpilot_log_blocked_seconds gauge",
            "containerpilot_log_lines_dropped_total counter",
            "containerpilot_loop_lag_seconds histogram",
            "containerpilot_orphans_reaped_total counter",
            "process_cpu_seconds_total counter",
            "process_max_fds gauge",
            "process_open_fds gauge",
            "process_resident_memory_bytes gauge",
            "process_start_time_seconds gauge",
            "process_virtual_memory_bytes gauge",
        ]
    );
}

#[tokio::test]
async fn questions_are_answered_by_the_loop() {
    let port = free_port();
    let mut telemetry = Telemetry::new(&plan(i64::from(port), Vec::new()), "4.0.0");
    telemetry.serve();
    let healthy = ask(&mut telemetry, port, "GET /healthz HTTP/1.1").await;
    assert!(healthy.starts_with("HTTP/1.1 200 OK\r\n") && healthy.ends_with("\r\n\r\nok\n"), "{healthy}");
    let page = ask(&mut telemetry, port, "POST /metrics HTTP/1.1").await;
    assert!(page.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{page}");
    let open = ask(&mut telemetry, port, "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text").await;
    assert!(open.ends_with("# EOF\n") && open.contains("application/openmetrics-text; version=1.0.0"), "{open}");
    let status = ask(&mut telemetry, port, "GET /status HTTP/1.1").await;
    assert!(status.contains("content-type: application/json\r\n"), "{status}");
    assert!(status.ends_with("{\"Version\":\"4.0.0\",\"Jobs\":null,\"Services\":null,\"Watches\":null}\n"), "{status}");
    let head = ask(&mut telemetry, port, "HEAD /status HTTP/1.1").await;
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET\r\n"), "{head}");
    let ready = ask(&mut telemetry, port, "HEAD /readyz HTTP/1.1").await;
    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.ends_with("\r\n\r\n"), "{ready}");
    let lost = ask(&mut telemetry, port, "GET / HTTP/1.1").await;
    assert!(lost.starts_with("HTTP/1.1 404 ") && lost.ends_with("\r\n\r\n404 page not found\n"), "{lost}");
}

#[tokio::test]
async fn the_server_moves_with_its_address_only() {
    let (port, other) = (free_port(), free_port());
    let mut telemetry = Telemetry::new(&plan(i64::from(port), Vec::new()), "4.0.0");
    telemetry.serve();
    telemetry.event(EventCode::Startup, "global");
    telemetry.heartbeat("gone", Moment::default());
    ask(&mut telemetry, port, "GET /healthz HTTP/1.1").await;
    telemetry.reconfigure(&plan(i64::from(port), vec![metric("x", MetricKind::Gauge)]), |_| false, |_| false);
    assert!(ask(&mut telemetry, port, "GET /metrics HTTP/1.1").await.contains("\nx 0\n"));
    telemetry.reconfigure(&plan(i64::from(other), Vec::new()), |_| false, |_| false);
    let page = ask(&mut telemetry, other, "GET /metrics HTTP/1.1").await;
    assert!(page.contains(r#"containerpilot_events{code="Startup",source="global"} 1"#), "counts stay: {page}");
    assert!(TcpStream::connect(SocketAddr::new(LOCALHOST, port)).await.is_err(), "the old address is free");
}

#[tokio::test]
async fn a_port_that_is_none_fails_at_once() {
    let mut telemetry = Telemetry::new(&plan(70_000, Vec::new()), "4.0.0");
    telemetry.serve();
    while telemetry.failed().is_none() {
        telemetry.ready().await;
        assert!(telemetry.take().is_none());
    }
    let told = "telemetry: error listening to socket at 127.0.0.1:70000: invalid port";
    assert_eq!(telemetry.failed(), Some(told));
}

#[tokio::test]
async fn the_failure_of_a_server_that_was_replaced_is_not_that_of_the_new_one() {
    let port = free_port();
    let mut telemetry = Telemetry::new(&plan(70_000, Vec::new()), "4.0.0");
    telemetry.serve();
    // It has failed, and that waits in the queue when the reload comes.
    telemetry.ready().await;
    telemetry.reconfigure(&plan(i64::from(port), Vec::new()), |_| false, |_| false);
    assert!(ask(&mut telemetry, port, "GET /healthz HTTP/1.1").await.ends_with("\r\n\r\nok\n"));
    assert_eq!(telemetry.failed(), None);
}
