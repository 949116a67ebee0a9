//! Hostile and unlucky peers (reliability rows 76 and 77).

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::setup::{at, launch, sample, start};
use crate::support::http::ask;
use crate::support::wait::holds_for;
use crate::support::{DEADLINE, wait_until};

const WEB: &str = r#"{
    telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
    jobs: [{ name: "web", exec: ["sh", "-c", "while :; do echo beat >> $LOG; sleep 0.1; done"] }],
}"#;

// Seen red with src/log/writer/standing.rs:
//- let blocked = waited.filter(|waited| *waited >= PATIENCE);
//+ let blocked = None::<Duration>;
#[test]
fn f78_a_log_that_nobody_reads_is_measured() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let config = r#"{
        consul: false,
        telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [{ name: "flood", exec: ["sh", "-c", "while :; do printf '%01000d' 1; echo; done"] }],
    }"#;
    let (launch, ports) = launch(config);
    let pilot = launch.stdout(writer).start();
    let blocked = || {
        let page = ask(at(&ports, 0), "GET", "/metrics", &[], b"").ok()?.text();
        sample(&page, "containerpilot_log_blocked_seconds")?.parse::<f64>().ok()
    };
    wait_until(DEADLINE, || blocked().is_some_and(|seconds| seconds >= 2.0), "it is measured");
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    wait_until(DEADLINE, || blocked() == Some(0.0), "it takes lines again");
    pilot.finish();
    reading.join().unwrap().unwrap();
}

// Seen red with src/core/turn.rs:
//- self.effects.push(Effect::Published { event: event.clone(), of: command.into(), note: String::new() });
//+ self.effects.push(Effect::Published { event: event.clone(), of: Arc::clone(&event.source), note: command });
#[test]
fn f76_no_error_text_is_a_label() {
    let told = start(
        r#"{
        telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },
        jobs: [
            { name: "failing", exec: ["sh", "-c", "exit $(( $$ % 200 + 1 ))"], restarts: 20 },
            { name: "missing", exec: "/no/such/program" },
            { name: "sick", exec: ["sleep", "1000"], health: { exec: ["sh", "-c", "exit 7"], interval: 1, ttl: 5 } },
        ],
    }"#,
    );
    let errors = || -> Vec<String> {
        let page = told.page();
        let errors = page.lines().filter(|line| line.starts_with("containerpilot_events{code=\"Error\""));
        errors.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    // Each run of the first ends with a status of its own, and so with another text.
    let failed = || -> u32 {
        let page = told.page();
        let of = page
            .lines()
            .filter(|line| line.starts_with("containerpilot_events{code=\"Error\"") && line.contains("failing"));
        of.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok()).sum()
    };
    wait_until(DEADLINE, || failed() >= 21, "all of its runs have failed");
    wait_until(DEADLINE, || errors().len() >= 3, "all three have failed");
    let texts = || -> BTreeSet<String> {
        let stdout = told.pilot.stdout();
        stdout.lines().filter_map(|line| Some(line.split_once("failing exited with error: ")?.1.to_owned())).collect()
    };
    wait_until(DEADLINE, || texts().len() > 10, "as many texts as there might be labels");
    let expected = ["check.sick", "failing", "missing"]
        .map(|source| format!("containerpilot_events{{code=\"Error\",source=\"{source}\"}}"));
    assert_eq!(errors(), expected);
    told.pilot.finish();
}

#[test]
fn f77_a_port_that_stays_taken_ends_the_program_and_hurts_no_job_before() {
    let (launch, ports) = launch(WEB);
    let taken = TcpListener::bind(at(&ports, 0)).unwrap();
    let begin = Instant::now();
    let mut pilot = launch.start();
    pilot.wait_logged("beat", 20);
    assert_eq!(pilot.wait_exit(), 69);
    assert!(begin.elapsed() > Duration::from_secs(8), "it was asked for ten times");
    let told = format!("telemetry: error listening to socket at {}: address already in use", at(&ports, 0));
    pilot.wait_stdout(&told);
    assert!(pilot.logged("beat") > 40, "the job ran all the time: {}", pilot.logged("beat"));
    drop(taken);
    pilot.finish();
}

#[test]
fn f77_a_port_that_becomes_free_is_taken() {
    let (launch, ports) = launch(WEB);
    let taken = TcpListener::bind(at(&ports, 0)).unwrap();
    let pilot = launch.start();
    pilot.wait_logged("beat", 5);
    assert!(!pilot.stdout().contains("telemetry: serving"));
    drop(taken);
    pilot.wait_stdout(&format!("telemetry: serving at {}", at(&ports, 0)));
    assert_eq!(ask(at(&ports, 0), "GET", "/healthz", &[], b"").unwrap().status, 200);
    pilot.finish();
}

#[test]
fn f77_slow_and_silent_clients_are_let_go_and_others_are_served() {
    let told = start(WEB);
    let before = told.pilot.descriptors();
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(told.at).unwrap()).collect();
    let mut slow = TcpStream::connect(told.at).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").unwrap();
    assert_eq!(told.get("/healthz").status, 200, "others are served meanwhile");
    let begin = Instant::now();
    let mut rest = Vec::new();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = slow.read_to_end(&mut rest);
    assert!(begin.elapsed() < Duration::from_secs(12), "let go after {:?}", begin.elapsed());
    told.pilot.wait_descriptors_back(&before);
    drop(silent);
    told.pilot.finish();
}

// Seen red with src/http/serve.rs:
//- connections: 32,
//+ connections: 3200,
#[test]
fn f77_more_clients_than_are_let_in_wait_and_are_served() {
    let told = start(WEB);
    let crowd: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(told.at).unwrap()).collect();
    let beats = told.pilot.logged("beat");
    told.pilot.wait_logged("beat", beats + 5);
    assert!(told.pilot.descriptors().len() < 80, "{:?}", told.pilot.descriptors().len());
    drop(crowd);
    wait_until(DEADLINE, || told.get("/healthz").status == 200, "it is served");
    told.pilot.finish();
}

#[test]
fn f77_a_reader_who_never_reads_costs_nobody_anything() {
    let told = start(WEB);
    let before = told.pilot.descriptors();
    let mut lazy: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(told.at).unwrap()).collect();
    for stream in &mut lazy {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    let beats = told.pilot.logged("beat");
    told.pilot.wait_logged("beat", beats + 5);
    assert_eq!(told.get("/metrics").status, 200);
    told.pilot.wait_descriptors_back(&before);
    told.pilot.finish();
}

#[test]
fn f77_what_is_no_http_is_refused() {
    let told = start(WEB);
    for words in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
    ] {
        let mut stream = TcpStream::connect(told.at).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.write_all(words.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let huge = vec![b'x'; 1 << 20];
    let refused = ask(told.at, "POST", "/metrics", &[], &huge);
    assert!(refused.is_err() || refused.unwrap().status == 413);
    holds_for(Duration::from_millis(200), || told.get("/healthz").status == 200, "it goes on");
    told.pilot.finish();
}

/// At the start a taken port is the end (see above); a reload must not end what runs.
#[test]
fn a_reload_to_a_port_that_is_taken_is_told_and_everything_goes_on() {
    let config = |telemetry: &str| {
        format!(
            r#"{{ consul: false, control: {{ socket: "{{{{ .DIR }}}}/s" }}, reload: {{ quiesce: "20ms" }}, {telemetry}
                jobs: [{{ name: "web", exec: ["sleep", "1000"] }}] }}"#
        )
    };
    let (launch, ports) = launch(&config(""));
    let taken = std::net::TcpListener::bind(at(&ports, 0)).unwrap();
    let mut pilot = launch.start();
    pilot.wait_stdout("control: serving at ");
    let with = config(r#"telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"] },"#);
    std::fs::write(pilot.path("containerpilot.json5"), with).unwrap();
    let reload = || crate::support::http::ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap().status;
    assert_eq!(reload(), 200);
    pilot.wait_stdout("nothing is served there, everything else goes on; a reload tries again");
    assert_eq!(pilot.find("sleep 1000").len(), 1);
    drop(taken);
    assert_eq!(reload(), 200);
    pilot.wait_stdout(&format!("telemetry: serving at {}", at(&ports, 0)));
    assert_eq!(pilot.try_exit(), None);
    pilot.finish();
}
