//! Everything that a configuration takes from outside itself.

use super::interfaces::{self, Address};
use crate::env::Environment;

/// What the same file may mean different things with; all else of [`compile`](super::compile()) is a function of the text.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// For the template, and the `CONSUL_…` variables (v3 §13.1).
    pub env: Environment,
    /// The addresses that `interfaces` chooses from, in any order.
    pub addresses: Vec<Address>,
    /// Part of the service ids.
    pub hostname: String,
}

impl Context {
    /// What this machine has, with this environment.
    pub fn of_this_host(env: Environment) -> Self {
        let hostname = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { env, addresses: interfaces::of_this_host(), hostname }
    }
}
