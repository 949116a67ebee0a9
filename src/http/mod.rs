//! HTTP/1.1 over a listening socket, for `control` (unix) and `telemetry` (TCP): who connects costs us little, whatever
//! he sends (reliability rows 28, 74 and 77).
//!
//! ```text
//!  listener ─► accept loop ─► one task per connection ─► whole request ─► Handler ─► Response
//!              at most 32      at most 5 s in all         at most 64 KiB              whole, or a stream
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `serve` | the accept loop and its [`Limits`] |
//! | `connection` | one connection: one request, one answer, `Connection: close` |
//! | `stream` | the socket, and a peer that does not read |
//! | `peer` | who connects to a unix socket: others than root and our own user are refused |
//! | `body`, `answer` | bodies, and responses in v3's words |
//! | `path` | the segments of a path, the parameters of a query |
//!
//! The header timeout of hyper is inert without a timer, so it has one. A handler that panics is an answer 500 and a
//! logged error. What follows on a connection after its first request is never read. A request with both
//! `Transfer-Encoding` and `Content-Length` is read by the former (RFC 9112 §6.3), and its connection ends as every one.

mod answer;
mod body;
mod connection;
mod path;
mod peer;
mod serve;
mod stream;

#[cfg(test)]
mod tests;

pub use hyper::{HeaderMap, Method, StatusCode, body::Bytes, header};

use self::answer::Shape;
pub use self::answer::{json, plain, refusal};
pub use self::body::Body;
pub use self::path::{parameters, segments};
pub use self::serve::{Limits, Listener, Serving, serve};

use std::pin::Pin;
use std::sync::Arc;

/// A request whose body has come in whole, within the limits.
pub type Request = hyper::Request<Bytes>;

/// What is answered.
pub type Response = hyper::Response<Body>;

/// An answer to come.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests. One type for all servers, so that hyper's code is linked once.
pub type Handler = Arc<dyn Fn(Request) -> Answering + Send + Sync>;
