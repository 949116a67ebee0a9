//! Row 74, with the halves of rows 28 and 77 that are about this socket: clients that do what they should not.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};

use crate::harness::{KEEP, ask, serving, socket, start, with_socket};
use crate::support::http::send_socket;
use crate::support::wait::holds_for;
use crate::support::{DEADLINE, Launch, Pilot, Signal, count, wait_until};

const TELLS: &str =
    r#"{ name: "tell", when: { source: "SIGHUP" }, exec: ["/bin/sh", "-c", "echo A=${A-unset} >> $LOG"] }"#;

fn connect(pilot: &Pilot) -> UnixStream {
    let stream = UnixStream::connect(socket(pilot)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// A connection, unless the kernel's queue of those who wait to be let in is full: to wait for a place there would be to wait
/// for somebody's end.
fn connect_at_once(path: &Path) -> Option<UnixStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(path).unwrap()).ok()?;
    Some(socket.into())
}

/// Reads to the end, which must come.
fn rest(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the connection stays open"),
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

// Seen red with src/http/serve.rs:
//- body: 64 * 1024,
//+ body: 64 * 1024 * 1024,
#[test]
fn f74_what_is_no_request_changes_nothing() {
    let pilot = start(&format!("{KEEP}, {TELLS}"));
    let long = "x".repeat(70_000);
    let body = r#"{"A": "x"}"#;
    for bytes in [
        "\0\r\n\r\n".to_owned(),
        format!("POST /v3/environ HTTP/9.9\r\nContent-Length: 10\r\n\r\n{body}"),
        format!("POST /v3/environ HTTP/1.1\r\nContent-Length: -10\r\n\r\n{body}"),
        format!("POST /v3/environ HTTP/1.1\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n{body} "),
        format!("POST /v3/environ HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{body}"),
        format!("POST /v3/environ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{body}\r\n0\r\n\r\n"),
        // All of it is right, but for its length.
        format!("POST /v3/environ HTTP/1.1\r\nContent-Length: 70009\r\n\r\n{{\"A\": \"{long}\"}}"),
        "POST /v3/environ HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n{".to_owned(),
        format!("POST /v3/environ HTTP/1.1\r\nContent-Length: 11\r\n\r\n{body}}}"),
        format!("POST /v3/environ HTTP/1.1\r\nX: {long}\r\nContent-Length: 10\r\n\r\n{body}"),
        format!("POST /v3/environ/{long} HTTP/1.1\r\nContent-Length: 10\r\n\r\n{body}"),
    ] {
        let answer = send_socket(&socket(&pilot), bytes.as_bytes()).unwrap();
        let start: String = bytes.chars().take(80).collect();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start:?}: {answer:?}");
    }
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=unset");
}

#[test]
fn f74_one_connection_is_one_request() {
    let pilot = start(&format!("{KEEP}, {TELLS}"));
    let environ = "POST /v3/environ HTTP/1.1\r\nContent-Length: 10\r\n\r\n{\"A\": \"x\"}";
    let pipelined = format!("GET /v3/ping HTTP/1.1\r\n\r\n{environ}");
    let smuggled =
        format!("POST /v3/ping HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{environ}");
    for bytes in [pipelined, smuggled] {
        let answer = send_socket(&socket(&pilot), bytes.as_bytes()).unwrap();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=unset");
}

// Seen red with src/http/serve.rs:
//- total: Duration::from_secs(5),
//+ total: Duration::from_secs(500),
#[test]
fn f74_slow_clients_are_let_go_after_five_seconds() {
    let pilot = start(KEEP);
    let begin = Instant::now();
    let mut mute = connect(&pilot);
    let mut half_a_header = connect(&pilot);
    half_a_header.write_all(b"POST /v3/environ HTTP/1.1\r\nContent-Le").unwrap();
    let mut half_a_body = connect(&pilot);
    half_a_body.write_all(b"POST /v3/environ HTTP/1.1\r\nContent-Length: 10\r\n\r\n{\"A\"").unwrap();
    let mut drip = connect(&pilot);
    let dripping = std::thread::spawn(move || {
        let _ = drip.write_all(b"POST /v3/environ HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
        while drip.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // Others are served meanwhile.
    assert_eq!(ask(&pilot, "GET", "/v3/ping", "").status, 200);
    assert!(begin.elapsed() < Duration::from_secs(4));
    for stream in [&mut mute, &mut half_a_header] {
        assert_eq!(rest(stream), "");
    }
    assert!(rest(&mut half_a_body).starts_with("HTTP/1.1 408"));
    dripping.join().unwrap();
    let took = begin.elapsed();
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn f74_thousands_of_connections_come_and_go() {
    let pilot = start(KEEP);
    pilot.wait_log("keep-start");
    let before = pilot.descriptors();
    let path = socket(&pilot);
    // What the queue does not hold waits in a thread of its own, or is refused.
    let crowd: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                for _ in 0..count(100, 2_500) {
                    if let Ok(mut stream) = UnixStream::connect(&path) {
                        let _ = stream.write_all(b"GET /v3/ping HTTP/1.1\r\n");
                    }
                }
            })
        })
        .collect();
    for one in crowd {
        one.join().unwrap();
    }
    assert_eq!(ask(&pilot, "GET", "/v3/ping", "").status, 200);
    pilot.wait_descriptors_back(&before);
}

// Seen red with src/http/serve.rs:
//- connections: 32,
//+ connections: 3200,
#[test]
fn f74_more_clients_than_are_let_in_wait_and_are_served() {
    let pilot = start(KEEP);
    pilot.wait_log("keep-start");
    // Not the pipes: one of those of the job's start may still be there.
    let sockets = || pilot.descriptors().iter().filter(|one| one.target.starts_with("socket:")).count();
    let before = sockets();
    let path = socket(&pilot);
    // All of them stay. The kernel's queue has room for 128 beside those who are let in; each has five seconds, if he was.
    let crowd: Vec<UnixStream> = (0..150).filter_map(|_| connect_at_once(&path)).collect();
    assert!(crowd.len() > 100, "more than are let in: {}", crowd.len());
    wait_until(DEADLINE, || sockets() >= before + 32, "as many as may are let in");
    holds_for(Duration::from_secs(1), || sockets() <= before + 32, "nobody else is let in");
    drop(crowd);
    let served = || send_socket(&path, b"GET /v3/ping HTTP/1.1\r\n\r\n").is_ok_and(|answer| answer.contains(" 200 "));
    wait_until(DEADLINE, served, "who comes afterwards is served");
}

#[test]
fn f74_who_is_only_connected_does_not_delay_the_end() {
    let mut pilot = start(KEEP);
    pilot.wait_log("keep-start");
    let mut idle = connect(&pilot);
    let mut half = connect(&pilot);
    half.write_all(b"POST /v3/environ HTTP/1.1\r\nContent-Le").unwrap();
    // So that both are accepted.
    assert_eq!(ask(&pilot, "GET", "/v3/ping", "").status, 200);
    pilot.stop();
    pilot.wait_stdout("control: completed graceful shutdown of control server");
    for stream in [&mut idle, &mut half] {
        assert_eq!(rest(stream), "");
    }
    pilot.finish();
}

#[test]
fn f28_without_descriptors_accepting_pauses_and_recovers() {
    let launch = Launch::config(&with_socket(KEEP)).prefix(&["prlimit", "--nofile=28"]);
    let pilot = serving(launch.start());
    pilot.wait_log("keep-start");
    let idle: Vec<UnixStream> = (0..30).map(|_| connect(&pilot)).collect();
    pilot.wait_stdout("control: failed to accept a connection: too many open files");
    let before = pilot.cpu_time();
    std::thread::sleep(Duration::from_secs(1));
    let used = pilot.cpu_time().saturating_sub(before);
    assert!(used < Duration::from_millis(200), "{used:?} of processor time in a second");
    drop(idle);
    wait_until(
        DEADLINE,
        || send_socket(&socket(&pilot), b"GET /v3/ping HTTP/1.1\r\n\r\n").is_ok_and(|a| a.contains(" 200 ")),
        "it recovers",
    );
}
