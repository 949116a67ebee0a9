//! The control socket: what people and scripts ask of a running instance (v3 §15), and how they ask it (v3 §2.1).
//!
//! ```text
//!  client ──► socket ──► http ──► routes_v3 ──► Asked ──► bounded queue ──► the loop: ready(), take()
//!                                    ▲                                          │
//!                          │         └──────────── Reply ◄── Asked::answer() ◄──┘
//!                          └──► streams ◄── kept: pages, without the loop
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `socket` | the socket's file: 0600 from its first moment, and what else may stand at its path |
//! | `server` | [`Control`]: the queue to the loop, and the count of requests |
//! | `routes_v3` | the paths, methods, bodies and codes of v3 |
//! | `routes_v4` | those of `/v4` |
//! | `streams` | what is kept, and what comes: lines and events as `/v4` tells them |
//! | `values` | the two bodies of v3, read |
//! | `client` | the other end, for the command line: small and blocking; its `wire` carries the console's questions, too |
//!
//! Invariants: the loop never waits for a client; a request reaches it whole and well-formed or not at all; whatever is
//! sent, at most 32 connections, 64 KiB and 5 s each (row 74); only a dead socket is ever removed, and at the end only our
//! own file (row 72); who is neither root nor our own user is answered 403 whatever he asks (row 73). Bodies are never
//! logged: they hold secrets.

pub mod client;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod routes_v3;
mod routes_v4;
mod server;
mod socket;
mod streams;
mod values;

#[cfg(test)]
mod tests;

pub use self::routes_v4::{ROUTES, no_such_job};
pub use self::server::{Asked, Control, Query, Reply, Request};
pub use self::socket::ControlError;
