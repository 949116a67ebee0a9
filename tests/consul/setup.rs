//! What most tests here begin with.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::process::processor_wait;
use crate::support::scripted::Request;
use crate::support::{Answer, Launch, Pilot, Scripted};

/// One service with a check that fails while there is a file `sick` in the test's directory, and a time to live of two
/// intervals.
pub const WEB: &str = r#"{
    consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 2,
    jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7",
          health: { exec: ["test", "!", "-e", "{{ .DIR }}/sick"], interval: 1, ttl: 2, timeout: "900ms" } },
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

/// Knows how late this machine lets anything be, so that a test blames the program only for the rest.
pub struct Metronome {
    pid: i32,
    waited: Duration,
    worst: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metronome {
    /// Begins to measure.
    pub fn start(pilot: &Pilot) -> Self {
        let (pid, waited) = (pilot.pid, processor_wait(pilot.pid));
        let (worst, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let measure = {
            let (worst, over) = (Arc::clone(&worst), Arc::clone(&over));
            move || {
                const PERIOD: Duration = Duration::from_millis(5);
                while !over.load(Ordering::SeqCst) {
                    let before = Instant::now();
                    std::thread::sleep(PERIOD);
                    let late = before.elapsed().saturating_sub(PERIOD).as_millis();
                    worst.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::SeqCst);
                }
            }
        };
        Self { pid, waited, worst, over, thread: Some(std::thread::spawn(measure)) }
    }

    /// A tenth of a second, and what the machine takes: how late it wakes a thread of ours up, with three of them one behind
    /// the other, and how long PID 1 waited for a processor.
    pub fn allowed(&self) -> Duration {
        let worst = Duration::from_millis(self.worst.load(Ordering::SeqCst));
        Duration::from_millis(100) + 3 * worst + processor_wait(self.pid).saturating_sub(self.waited)
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asserts that requests came each `period`, but for 100 ms and what the machine itself was late.
#[track_caller]
pub fn assert_on_time(requests: &[Request], period: Duration, machine: &Metronome) {
    let allowed = machine.allowed();
    let gaps = gaps(requests);
    let is_fine = |gap: &Duration| gap.abs_diff(period) < allowed;
    assert!(!gaps.is_empty() && gaps.iter().all(is_fine), "within {allowed:?} of {period:?}: {gaps:?}");
}
