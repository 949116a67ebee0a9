//! What most tests here begin with.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::http::{Reply, ask};
use crate::support::ports::Ports;
use crate::support::{Launch, Pilot};

/// The program and the port of its telemetry.
pub struct Told {
    pub pilot: Pilot,
    pub at: SocketAddr,
    /// For others: `port(1)` to `port(7)`.
    pub ports: Ports,
}

/// A program to be, and its ports. The first is for its telemetry, in the variable `PORT`; the second in `OTHER`.
pub fn launch(config: &str) -> (Launch, Ports) {
    let ports = Ports::take();
    let launch =
        Launch::config(config).env("PORT", &ports.port(0).to_string()).env("OTHER", &ports.port(1).to_string());
    (launch, ports)
}

/// Starts it, and waits until it serves.
pub fn start(config: &str) -> Told {
    let (launch, ports) = launch(config);
    let told = Told { pilot: launch.start(), at: at(&ports, 0), ports };
    told.pilot.wait_stdout(&format!("telemetry: serving at {}", told.at));
    told
}

/// The address of one of these ports.
pub fn at(ports: &Ports, number: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, ports.port(number)).into()
}

impl Told {
    /// The answer to a GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        ask(self.at, "GET", path, &[], b"").unwrap()
    }

    /// `/metrics`.
    #[track_caller]
    pub fn page(&self) -> String {
        let reply = self.get("/metrics");
        assert_eq!(reply.status, 200);
        reply.text()
    }

    /// The value of a sample, its labels included, as it is written.
    #[track_caller]
    pub fn sample(&self, series: &str) -> Option<String> {
        sample(&self.page(), series)
    }

    /// Posts to the control socket, which the configuration puts at `$DIR/socket`: the status code.
    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> u16 {
        let mut stream = UnixStream::connect(self.pilot.path("socket")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: control\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// The value of a sample on a page.
pub fn sample(page: &str, series: &str) -> Option<String> {
    page.lines().find_map(|line| Some(line.strip_prefix(series)?.strip_prefix(' ')?.to_owned()))
}
