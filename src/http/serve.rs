//! The accept loop, and what a server may cost.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::Handler;
use super::connection::{self, Shared};
use super::peer::{Doorkeeper, Verdict};
use super::stream::Socket;
use crate::errno;
use crate::leaf;

/// The pause after a connection could not be accepted (no descriptors, no memory); doubles with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A failure so long after the last one is of another lack.
const ANOTHER_TIME: Duration = Duration::from_mins(1);

/// What the connections of one server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many at once; others wait in the socket's queue.
    pub connections: usize,
    /// So many of them may be streams.
    pub streams: usize,
    /// From the connection's beginning to the end of the request's header.
    pub header: Duration,
    /// From the connection's beginning to the last byte of the answer, if that is no stream.
    pub total: Duration,
    /// Bytes of a request's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            streams: 16,
            header: Duration::from_secs(5),
            total: Duration::from_secs(5),
            body: 64 * 1024,
        }
    }
}

/// A listening socket of either kind.
pub enum Listener {
    /// On a path; for root and our own user.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Answers everybody else.
        refuse: Handler,
    },
    /// On an address; for everybody.
    Tcp(TcpListener),
}

impl Listener {
    /// Takes over a listening unix socket; `refuse` answers those who are neither root nor our own user. Within a runtime.
    pub fn unix(listener: std::os::unix::net::UnixListener, refuse: Handler) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix { listener: UnixListener::from_std(listener)?, refuse })
    }

    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Unix { listener, .. } => listener.accept().await.map(|(socket, _)| Socket::Unix(socket)),
            Self::Tcp(listener) => listener.accept().await.map(|(socket, _)| Socket::Tcp(socket)),
        }
    }
}

/// A server that runs. Dropped, it and its connections end at once.
#[derive(Debug)]
pub struct Serving {
    task: JoinHandle<()>,
    /// Dropped: nobody is accepted any more. Nothing is ever sent.
    stop: Option<watch::Sender<()>>,
}

impl Serving {
    /// Accepts nobody from now on, and closes the listening socket soon. Whose request has come is still answered; who
    /// is only connected is let go.
    pub fn stop(&mut self) {
        self.stop = None;
    }

    /// As [`Self::stop`], and waits for answers that are on their way, but not longer than this. `false` when some were
    /// left.
    pub async fn finish(mut self, limit: Duration) -> bool {
        self.stop();
        timeout(limit, &mut self.task).await.is_ok()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a server on this socket; `name` begins its log lines. Within a runtime.
pub fn serve(name: &'static str, listener: Listener, limits: Limits, handler: Handler) -> Serving {
    let streams = Arc::new(Semaphore::new(limits.streams));
    let shared = Arc::new(Shared { name, limits, handler, streams });
    let (stop, stopped) = watch::channel(());
    let task = tokio::spawn(async move {
        leaf::once(name, accept(listener, shared, stopped)).await;
    });
    Serving { task, stop: Some(stop) }
}

async fn accept(listener: Listener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    // Ends every connection when this task is dropped.
    let mut connections = JoinSet::new();
    let mut failures = Failures::default();
    let mut doorkeeper = match &listener {
        Listener::Unix { refuse, .. } => Some(Doorkeeper::new(shared.name, Arc::clone(refuse))),
        Listener::Tcp(_) => None,
    };
    loop {
        let has_room = connections.len() < shared.limits.connections;
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok(socket) => {
                    failures.in_a_row = 0;
                    let verdict = doorkeeper.as_mut().map_or(Verdict::Served, |doorkeeper| doorkeeper.look(&socket));
                    let (shared, place) = match verdict {
                        Verdict::Served => (Arc::clone(&shared), None),
                        Verdict::Refused(shared, place) => (shared, Some(place)),
                        Verdict::HungUp => continue,
                    };
                    let stopped = stopped.clone();
                    connections.spawn(async move {
                        let _place = place;
                        leaf::once(shared.name, connection::run(socket, Arc::clone(&shared), stopped)).await
                    });
                }
                // Who went away while he waited is nobody's trouble.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => tokio::select! {
                    _ = stopped.changed() => break,
                    () = sleep(failures.another(shared.name, &error, Instant::now())) => {}
                },
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// How often accepting has failed. A connection now and then in between begins the pauses anew, but not the telling: with
/// one descriptor left, every other try succeeds. What comes long after the last one is told as the first.
#[derive(Default)]
struct Failures {
    all: u32,
    in_a_row: u32,
    last: Option<Instant>,
}

impl Failures {
    /// Tells the first, and every 2ⁿ-th; gives the pause until the next try.
    fn another(&mut self, name: &str, error: &io::Error, now: Instant) -> Duration {
        let last = self.last.replace(now);
        if last.is_some_and(|last| now.saturating_duration_since(last) > ANOTHER_TIME) {
            self.all = 0;
        }
        self.all = self.all.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.all.is_power_of_two() {
            let (words, times, by_now) = (errno::go_words_of(error), self.all, by_now(self.all));
            warn!(times, "{name}: failed to accept a connection: {words}{by_now}");
        }
        PAUSE.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(8)).min(LONGEST_PAUSE)
    }
}

/// How often that was, behind a line that is only told the 1st, 2nd, 4th time.
pub(super) fn by_now(times: u32) -> String {
    if times > 1 { format!(" ({times} times by now)") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_anew_with_a_connection_and_the_telling_does_not() {
        let mut failures = Failures::default();
        let error = io::Error::from_raw_os_error(24);
        let now = Instant::now();
        let pauses: Vec<_> = (0..5).map(|_| failures.another("control", &error, now).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000]);
        failures.in_a_row = 0;
        assert_eq!(failures.another("control", &error, now), PAUSE);
        assert_eq!(failures.all, 6);
        failures.another("control", &error, now + ANOTHER_TIME);
        assert_eq!(failures.all, 7);
        failures.another("control", &error, now + ANOTHER_TIME * 3);
        assert_eq!(failures.all, 1, "long after");
        assert_eq!((by_now(1), by_now(64)), (String::new(), " (64 times by now)".to_owned()));
    }
}
