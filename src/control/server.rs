//! The server's half: from the socket to the loop and back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::future::pending;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::socket::{ControlError, Socket};
use super::{routes_v3, routes_v4};
use crate::api;
use crate::http::{self, Answering, Handler, Limits, Listener, Response, Serving, StatusCode, refusal};
use crate::kept::Kept;
use crate::plan::{self, Signal};

/// So many requests wait for the loop: more than there are connections.
const QUEUE: usize = 64;

/// How long those who are connected at the end may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is asked of the running instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Set these variables for what starts from now on. Names and values are such as an environment can hold.
    Environ(Vec<(String, String)>),
    /// Record these values: the metric's name, and the value as Go prints it. Neither need make sense.
    Metric(Vec<(String, String)>),
    /// Read the configuration again.
    Reload,
    /// Enter maintenance, or leave it.
    Maintenance(bool),
    /// Is the loop alive?
    Ping,
    /// Something of `/v4`.
    V4(Query),
}

/// What is asked for by `/v4`; jobs by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// How everything stands.
    Overview,
    /// How a job stands.
    Job(String),
    /// Why it does.
    Why(String),
    /// Start it.
    Start(String),
    /// Stop it, and let it be so.
    Stop(String),
    /// Stop and start it.
    Restart(String),
    /// Signal its process group.
    Signal(String, Signal),
    /// Open its log file again.
    ReopenJobLogs(String),
    /// Open all log files again.
    ReopenLogs,
    /// What the watches see.
    Watches,
    /// The variables that a job would be started with.
    Env,
    /// Whether maintenance is on.
    Maintenance,
    /// Enter maintenance, or leave it.
    SetMaintenance(bool),
    /// Read the configuration again, and follow it or only judge it.
    Reload {
        /// Only judge it.
        dry_run: bool,
    },
    /// Stop everything.
    Shutdown,
    /// Is the loop alive?
    Ping,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done, or will be.
    Done,
    /// An answer of `/v4`.
    Json(String),
    /// A refusal of `/v4`: nothing has changed.
    Error {
        /// The HTTP status, 400 to 599.
        code: u16,
        /// Why.
        error: api::Error,
    },
    /// It is not, and nothing has changed.
    Refused {
        /// The HTTP status, 400 to 599.
        code: u16,
        /// Why, for people; may have many lines.
        message: String,
    },
}

/// A request that waits for its answer. Dropped without one, it is answered 503.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    reply: oneshot::Sender<Reply>,
}

impl Asked {
    /// Waits until nobody wants to know any more.
    pub async fn given_up(&mut self) {
        self.reply.closed().await;
    }

    /// Answers. Never waits; nothing happens if nobody wants to know any more.
    pub fn answer(self, reply: Reply) {
        let _ = self.reply.send(reply);
    }
}

/// How often each path was answered with each code.
type Counts = Arc<Mutex<BTreeMap<(u16, &'static str), u64>>>;

/// The control socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Control {
    socket: Socket,
    serving: Option<Serving>,
    /// For the handler; kept here so that the queue has a sender before anything is served.
    sender: mpsc::Sender<Asked>,
    receiver: mpsc::Receiver<Asked>,
    next: Option<Asked>,
    counts: Counts,
    /// What the streams are made of, once they are served.
    kept: Option<Kept>,
}

impl Control {
    /// Binds the socket, before anything starts; needs no runtime. Who connects waits until [`Self::serve`].
    ///
    /// `None`, with a warning, if the file names no path and neither the default one nor
    /// `$XDG_RUNTIME_DIR/containerpilot.socket` can be made (design §4 row 30).
    ///
    /// # Errors
    /// The configured path can't be had, or at any path there is something that is not a dead socket (rows 30 and 32):
    /// exit 69.
    pub fn bind(spec: &plan::Control, xdg_runtime_dir: Option<&OsStr>) -> Result<Option<Self>, ControlError> {
        let Some(socket) = Socket::bind_somewhere(spec, xdg_runtime_dir)? else { return Ok(None) };
        let (sender, receiver) = mpsc::channel(QUEUE);
        Ok(Some(Self { socket, serving: None, sender, receiver, next: None, counts: Counts::default(), kept: None }))
    }

    /// Serves, lines and events out of what is kept. Within a runtime; a second time it does nothing.
    ///
    /// # Errors
    /// The runtime can't watch the socket: no memory, no descriptors.
    pub fn serve(&mut self, kept: Kept) -> io::Result<()> {
        let Some(listener) = self.socket.listener.take() else { return Ok(()) };
        let refused = Arc::clone(&self.counts);
        let listener = Listener::unix(listener, Arc::new(move |request| refuse(&request, &refused)))?;
        debug!("control: initialized router for control server");
        let line = Line(self.sender.clone());
        let counts = Arc::clone(&self.counts);
        self.kept = Some(kept.clone());
        let handler: Handler =
            Arc::new(move |request| handle(request, line.clone(), Arc::clone(&counts), kept.clone()));
        let path = self.path().display();
        debug!("control: listening to {path}");
        info!("control: serving at {path}");
        self.serving = Some(http::serve("control", listener, Limits::default(), handler));
        Ok(())
    }

    /// Waits until [`Self::take`] has something; for ever if nothing comes. Cancel safe.
    pub async fn ready(&mut self) {
        if self.next.is_none() {
            self.next = self.receiver.recv().await;
        }
        if self.next.is_none() {
            pending::<()>().await;
        }
    }

    /// The next request, if there is one.
    pub fn take(&mut self) -> Option<Asked> {
        self.next.take().or_else(|| self.receiver.try_recv().ok())
    }

    /// What was answered since the last call: code, path, how often. For `containerpilot_control_http_requests`; unknown
    /// paths are not counted (v3 §15).
    pub fn requests(&mut self) -> Vec<(u16, &'static str, u64)> {
        let counts = std::mem::take(&mut *lock(&self.counts));
        counts.into_iter().map(|((code, path), times)| (code, path, times)).collect()
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.socket.path
    }

    /// The end: the file is removed, nobody is accepted any more, requests that wait for the loop are answered 503, and
    /// answers that are on their way have a second. Who follows gets what was said until now.
    pub async fn finish(mut self) {
        let path = self.path().display().to_string();
        debug!("control: stopping control server");
        self.socket.remove();
        self.next = None;
        self.receiver.close();
        while self.receiver.try_recv().is_ok() {}
        if let Some(kept) = &self.kept {
            kept.end();
        }
        let Some(serving) = self.serving.take() else { return };
        let all_served = serving.finish(FAREWELL).await;
        debug!("control: stopped serving at {path}");
        if all_served {
            debug!("control: completed graceful shutdown of control server");
        } else {
            warn!("control: failed to gracefully shutdown control server: a client was still connected after 1s");
        }
    }
}

/// Numbers are never half changed, so a panic while they were locked harms nothing.
fn lock(counts: &Counts) -> MutexGuard<'_, BTreeMap<(u16, &'static str), u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle(request: http::Request, line: Line, counts: Counts, kept: Kept) -> Answering {
    Box::pin(async move {
        let segments = http::segments(request.uri().path());
        if segments.is_none() && request.uri().path().starts_with("/v4/") {
            let error = api::Error::new("badRequest", "the path holds a broken escape");
            return routes_v4::refusal(StatusCode::BAD_REQUEST, error);
        }
        let segments = segments.unwrap_or_default();
        let (path, response): (_, Response) = if let Some(path) = of_v3(&segments) {
            (path, routes_v3::answer(path, request, &line).await)
        } else if let Some((path, name)) = routes_v4::route(&segments) {
            (path, routes_v4::answer(path, name, request, &line, &kept).await)
        } else if segments.first().is_some_and(|first| first == "v4") {
            let error = api::Error::new("notFound", "there is nothing at this path");
            return routes_v4::refusal(StatusCode::NOT_FOUND, error);
        } else {
            return refusal(StatusCode::NOT_FOUND, "404 page not found");
        };
        count(&counts, path, &response);
        response
    })
}

/// The path of v3 that these segments are.
fn of_v3(segments: &[String]) -> Option<&'static str> {
    routes_v3::label(&format!("/{}", segments.join("/")))
}

fn count(counts: &Counts, path: &'static str, response: &Response) {
    let mut counts = lock(counts);
    let times = counts.entry((response.status().as_u16(), path)).or_default();
    *times = times.saturating_add(1);
}

/// What strangers are answered, whatever they ask. It is counted as any answer.
fn refuse(request: &http::Request, counts: &Counts) -> Answering {
    let path = request.uri().path();
    let why = "this socket is for root and for the user that serves it";
    let response = if path.starts_with("/v4/") {
        routes_v4::refusal(StatusCode::FORBIDDEN, api::Error::new("forbidden", why))
    } else {
        refusal(StatusCode::FORBIDDEN, &format!("Forbidden: {why}"))
    };
    let segments = http::segments(path).unwrap_or_default();
    if let Some(path) = of_v3(&segments).or_else(|| routes_v4::route(&segments).map(|(path, _)| path)) {
        count(counts, path, &response);
    }
    Box::pin(async move { response })
}

/// The way to the loop.
#[derive(Debug, Clone)]
pub(super) struct Line(mpsc::Sender<Asked>);

impl Line {
    /// Asks the loop and waits for its answer; the server bounds the time.
    pub(super) fn ask(&self, request: Request) -> impl Future<Output = Reply> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.try_send(Asked { request, reply });
        async move {
            let nobody = || Reply::Refused { code: 503, message: "Service Unavailable".to_owned() };
            match sent {
                Ok(()) => answer.await.unwrap_or_else(|_| nobody()),
                Err(_) => nobody(),
            }
        }
    }
}
