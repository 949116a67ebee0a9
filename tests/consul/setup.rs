//! What most tests here begin with.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::scripted::Request;
use crate::support::{Answer, Launch, Metronome, Pilot, Scripted};

/// One service with a check that fails while there is a file `sick` in the test's directory, and a time to live of two
/// intervals.
pub const WEB: &str = r#"{
    consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 2,
    jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7",
          health: { exec: ["test", "!", "-e", "{{ .DIR }}/sick"], interval: 1, ttl: 2, timeout: "9s" } },
    ],
}"#;

/// The program on a host called `left` that finds its agent there.
pub fn launch(config: &str, consul: impl Display) -> Launch {
    launch_on("left", config, consul)
}

/// Likewise on another host.
pub fn launch_on(host: &str, config: &str, consul: impl Display) -> Launch {
    Launch::config(config).env("CONSUL", &consul.to_string()).own_hostname(host)
}

/// [`launch`], started.
pub fn start(config: &str, consul: impl Display) -> Pilot {
    launch(config, consul).start()
}

/// A server that passes everything on to an agent, and so knows what was sent to it.
pub fn recorder(agent: SocketAddr) -> Scripted {
    Scripted::start(move |_| Answer::Forward(agent))
}

/// The beginning of a heartbeat's `METHOD TARGET`, before the id.
pub const UPDATE: &str = "PUT /v1/agent/check/update/service:";

/// The same of a registration, whole.
pub const REGISTER: &str = "PUT /v1/agent/service/register";

/// The same of a deregistration, before the id.
pub const DEREGISTER: &str = "PUT /v1/agent/service/deregister/";

/// The times from each request to the next.
pub fn gaps(requests: &[Request]) -> Vec<Duration> {
    requests.iter().zip(requests.iter().skip(1)).map(|(one, next)| next.at.duration_since(one.at)).collect()
}

/// Asserts that requests came each `period`, but for 100 ms and what the machine itself was late.
#[track_caller]
pub fn assert_on_time(requests: &[Request], period: Duration, machine: &Metronome) {
    let allowed = machine.allowed();
    let gaps = gaps(requests);
    let is_fine = |gap: &Duration| gap.abs_diff(period) < allowed;
    assert!(!gaps.is_empty() && gaps.iter().all(is_fine), "within {allowed:?} of {period:?}: {gaps:?}");
}
