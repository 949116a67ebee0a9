//! A job's service in Consul: what there is to tell about it, and when (v3 §13, design §4 rows 7 and 21).
//!
//! The world decides what Consul should know; how and when it gets there, and what to do when Consul does not answer
//! or has forgotten everything, is the business of the service's task in `discovery`, which only keeps the newest.

use serde::{Deserialize, Serialize};

use crate::plan::CheckStatus;

/// What Consul is to be told of a service. A newer one replaces one that is not yet told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It is there, with this status until its first heartbeat (`initial_status`).
    Initial(CheckStatus),
    /// A heartbeat: its check passes.
    Passing,
    /// Its check fails, for this reason (`failingHeartbeat`).
    Failing(String),
    /// It is there no more: it stops, or it is in maintenance. Answered by [`Input::Withdrawn`](super::Input).
    Withdraw,
}
