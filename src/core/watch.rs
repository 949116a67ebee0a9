//! Watches: the difference between two lists of instances, as events (v3 §14).

use serde::{Deserialize, Serialize};

/// A watch by its place in the plan. Several may look for the same service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchId(pub u32);

/// A healthy instance of a watched service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The service's id.
    pub id: String,
    /// Where it is: the service's address, or its node's when it has none of its own.
    pub address: String,
    /// Its port.
    pub port: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// The node's name.
    pub node: String,
}
