//! One connection: one request, one answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::StatusCode;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::trace;

use super::stream::{Socket, Stream};
use super::{Handler, Limits, Response, Shape};
use crate::leaf;

/// The longest request line and header fields together.
const HEADER_BYTES: usize = 16 * 1024;

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) limits: Limits,
    pub(super) handler: Handler,
    /// Places for streams, which may last.
    pub(super) streams: Arc<Semaphore>,
}

/// How far a connection has come.
#[derive(Default)]
struct Progress {
    /// The header of its request is there.
    asked: AtomicBool,
    /// Its answer is a stream.
    streams: AtomicBool,
}

/// Serves one request, however that goes. Ends within the limits, but for a stream that is read; and at once when the
/// server is stopped before anything was asked.
pub(super) async fn run(socket: Socket, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let limits = shared.limits;
    let end = Instant::now() + limits.total;
    // What took too long is still to be told, within the time.
    let answer_by = end.checked_sub(limits.total / 10).unwrap_or(end);
    let progress = Arc::new(Progress::default());
    let service = {
        let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
        service_fn(move |request| {
            let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
            progress.asked.store(true, Ordering::Relaxed);
            async move {
                #[cfg(debug_assertions)]
                leaf::panic_on_purpose("connection");
                let mut response = answer(request, &shared, answer_by).await;
                progress.streams.store(response.body().is_stream(), Ordering::Relaxed);
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                Ok::<Response, Infallible>(response)
            }
        })
    };
    let mut builder = http1::Builder::new();
    // Somebody may end his half after the request and still want the answer (`nc -N`).
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header).keep_alive(false).half_close(true);
    builder.max_buf_size(HEADER_BYTES);
    let connection = builder.serve_connection(TokioIo::new(Stream::new(socket)), service);
    let time = async {
        sleep_until(end).await;
        if progress.streams.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let end_of_service = async {
        // An error: the sender is gone, which is what is meant.
        let _ = stopped.changed().await;
        if progress.asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        biased;
        ended = connection => ended,
        () = end_of_service => return,
        () = time => return trace!("{}: a connection took too long", shared.name),
    };
    if let Err(error) = ended {
        // The peer's doing: he went away, or spoke no HTTP.
        trace!("{}: a connection failed: {error}", shared.name);
    }
}

async fn answer(request: hyper::Request<Incoming>, shared: &Shared, by: Instant) -> Response {
    let (head, body) = request.into_parts();
    let shape = Shape::of(head.uri.path());
    let refusal = |code: StatusCode, text: &str| shape.refusal(code, text);
    let body = match timeout_at(by, read(body, shared.limits.body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(Unread::TooLong)) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
        Ok(Err(Unread::Broken)) => return refusal(StatusCode::BAD_REQUEST, "Bad Request"),
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
    };
    // Made within the guarded task: a handler may panic before its future is there.
    let answering = async {
        #[cfg(debug_assertions)]
        leaf::panic_on_purpose(head.uri.path());
        (shared.handler)(hyper::Request::from_parts(head, body)).await
    };
    match timeout_at(by, leaf::once(shared.name, answering)).await {
        Ok(Some(response)) => admit(response, shared, shape),
        Ok(None) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

/// Gives a stream its place; there are fewer than connections, so that somebody can always ask.
fn admit(mut response: Response, shared: &Shared, shape: Shape) -> Response {
    if response.body().is_stream() {
        match Arc::clone(&shared.streams).try_acquire_owned() {
            Ok(place) => response.body_mut().hold(place),
            Err(_) => return shape.refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable: too many streams"),
        }
    }
    response
}

enum Unread {
    TooLong,
    Broken,
}

/// Reads the body, at most so many bytes. One that says to be longer is not read at all.
async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limit) {
        return Err(Unread::TooLong);
    }
    let mut whole = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers mean nothing here.
        let Ok(piece) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if whole.len().saturating_add(piece.len()) > limit {
            return Err(Unread::TooLong);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}
