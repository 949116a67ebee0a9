//! Who comes to both sockets: many that nobody wants, and one who is to be answered all the same.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::Run;
use crate::support::http::{ask, ask_socket};
use crate::trouble::{Chance, Trouble, count};

/// All of them.
pub const ALL: [Trouble; 3] = [at_control, at_metrics, fair];

/// So many bad clients stay at one server at once: it has room for 32, and others must find a place, too.
const HELD: usize = 12;

/// A connection, whatever its kind.
enum Line {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Line {
    fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Unix(line) => line.write_all(bytes),
            Self::Tcp(line) => line.write_all(bytes),
        }
    }

    fn hear(&mut self, some: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(line) => line.read(some),
            Self::Tcp(line) => line.read(some),
        }
    }

    fn half_close(&self) -> std::io::Result<()> {
        match self {
            Self::Unix(line) => line.shutdown(Shutdown::Write),
            Self::Tcp(line) => line.shutdown(Shutdown::Write),
        }
    }
}

/// A client that stays.
struct Held {
    line: Line,
    until: Instant,
    /// What it goes on to say, a byte at a time.
    drops: VecDeque<u8>,
}

/// Does what nobody should do: says something, perhaps slowly or half of it, and stays for a while.
fn misbehave(run: &Run, mut chance: Chance, stream: &str, connect: &dyn Fn() -> std::io::Result<Line>) {
    let mut held: Vec<Held> = Vec::new();
    while run.pause(chance.millis(30, 300)) {
        for client in &mut held {
            // Whoever is thrown out has what he deserves.
            let _ = client.drops.pop_front().map(|byte| client.line.say(&[byte]));
        }
        held.retain(|client| client.until > Instant::now());
        if held.len() >= HELD {
            continue;
        }
        let Ok(mut line) = connect() else { continue };
        let mut drops = VecDeque::new();
        let said: Vec<u8> = match chance.below(10) {
            0 => Vec::new(),
            1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            2 => (0..chance.below(5000)).map(|_| u8::try_from(chance.below(256)).unwrap()).collect(),
            3 => format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(),
            4 => b"POST /v3/environ HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000\r\n\r\n{".to_vec(),
            5 => {
                let body = "{".repeat(300_000);
                format!("POST /v3/environ HTTP/1.1\r\nHost: c\r\nContent-Length: 300000\r\n\r\n{body}").into_bytes()
            }
            6 => b"POST /v3/metric HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: c\r\n\r\nffffffffff\r\n".to_vec(),
            7 => b"POST /v4/reload HTTP/1.1\r\nHost: c\r\nContent-Length: 7\r\n\r\n{nojson".to_vec(),
            8 => {
                drops.extend(b"GET /v4/jobs HTTP/1.1\r\nHost: control\r\nX-Slow: ".iter().chain([b'y'; 500].iter()));
                Vec::new()
            }
            // Reads nothing, or hardly anything, of what may be a lot.
            _ => format!("GET {stream} HTTP/1.1\r\nHost: c\r\n\r\n").into_bytes(),
        };
        let _ = line.say(&said);
        if chance.below(4) == 0 {
            let _ = line.half_close();
        }
        if chance.below(4) == 0 {
            let _ = line.hear(&mut [0; 100]);
        }
        count(&run.done.hostile);
        // The others go without a word.
        if chance.below(3) > 0 {
            held.push(Held { line, until: Instant::now() + chance.millis(100, 9000), drops });
        }
    }
}

fn at_control(run: &Run, chance: Chance) {
    let connect = || {
        let line = UnixStream::connect(run.pilot.path("s"))?;
        line.set_write_timeout(Some(Duration::from_millis(200)))?;
        line.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Line::Unix(line))
    };
    misbehave(run, chance, "/v4/logs?follow=1", &connect);
}

fn at_metrics(run: &Run, chance: Chance) {
    let connect = || {
        let line = TcpStream::connect_timeout(&run.metrics, Duration::from_secs(1))?;
        line.set_write_timeout(Some(Duration::from_millis(200)))?;
        line.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Line::Tcp(line))
    };
    misbehave(run, chance, "/metrics", &connect);
}

/// Who asks what is to be asked is answered, whatever others do.
fn fair(run: &Run, _: Chance) {
    let socket = run.pilot.path("s");
    let at_control = ["/v3/ping", "/v4/jobs", "/v4/jobs/svc10/why", "/v4/jobs/talk44/logs?lines=20"];
    let at_metrics = ["/metrics", "/status", "/healthz"];
    while run.pause(Duration::from_secs(1)) {
        for target in at_control.into_iter().chain(at_metrics) {
            let began = Instant::now();
            let reply = if at_metrics.contains(&target) {
                ask(run.metrics, "GET", target, &[], b"")
            } else {
                ask_socket(&socket, "GET", target, b"")
            };
            match reply {
                Ok(reply) if reply.status == 200 => count(&run.done.fair),
                // Streams have 16 places. Followers who do not read may have them all, for as long as they are let be.
                Ok(reply) if reply.status == 503 && target.contains("logs") => {}
                reply => run.fail(format!("{target}: {reply:?}")),
            }
            let mut slowest = run.done.slowest.lock().unwrap();
            *slowest = (*slowest).max((began.elapsed(), target));
        }
    }
}
