//! What a reload of the configuration does, and how soon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The top-level `reload` (design §4 row 11, managed-daemons §3.3 and §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// What it does.
    pub mode: ReloadMode,
    /// It waits until nobody has asked for one for so long, so that a burst is one reload …
    pub quiesce: Duration,
    /// … but never longer than this since somebody first asked.
    pub coalesce: Duration,
    /// A change of the configuration file asks for one.
    pub watch: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Self {
            mode: ReloadMode::Reconcile,
            quiesce: Duration::from_millis(500),
            coalesce: Duration::from_secs(5),
            watch: false,
        }
    }
}

/// What a reload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadMode {
    /// What has not changed goes on untouched.
    #[default]
    Reconcile,
    /// Everything stops and starts anew, as in v3 (§18.3).
    Restart,
}
