//! Services, heartbeats, watches and maintenance over a real Consul 1.8.7, and over a scripted server only for what Consul
//! can't be made to show. Rows of the fault catalogue carry their number.
//!
//! Every test has agents of its own on ports of its own, so all may run at once. A configuration finds its agent in the
//! variable `CONSUL`; a host name of its own makes a service's id known: `web-left`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test outside the program: it may look at the clock, and what can't be done makes it fail"
)]

#[expect(dead_code, reason = "each test binary uses another part of it")]
#[path = "../faults/cgroup.rs"]
mod cgroup;
#[path = "../support/mod.rs"]
mod support;
#[path = "../faults/told.rs"]
mod told;

mod access;
mod container;
mod deaf;
mod harness;
mod heartbeats;
mod lies;
mod lost;
mod maintenance;
mod many;
mod networks;
mod panics;
mod registration;
mod secrets;
mod setup;
mod stopping;
mod threads;
mod tls;
mod trouble;
mod watches;
mod watches_trouble;
