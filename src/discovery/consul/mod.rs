//! Consul's HTTP API, as far as we speak it: agent registration, TTL checks, healthy instances (v3 §13, §14).
//!
//! | file | subject |
//! |---|---|
//! | `client` | requests with their limits; the only file that names the HTTP library |
//! | `error` | why a call failed |
//! | `explain` | why a connection failed, in words that help |
//! | `address` | where the agent is, and the proxy in between |
//! | `dns` | addresses of host names |
//! | `file` | small files on file systems that may hang |
//! | `tls` | authorities, client certificate, expected name |
//! | `token` | the ACL token, and its file |
//! | `types` | what is sent and what comes back |

mod address;
mod client;
mod dns;
mod error;
mod explain;
mod file;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod tls;
mod token;
mod types;

#[cfg(test)]
pub(super) use client::WAITING;
pub(super) use client::{Client, Limit};
pub(super) use error::CallError;
pub use error::DiscoveryError;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz;
pub(super) use types::{HealthQuery, Wait, registration, update};
