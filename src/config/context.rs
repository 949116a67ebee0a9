//! Everything that a configuration takes from outside itself.

use std::cell::OnceCell;

use super::interfaces::{self, Address};
use crate::env::Environment;

/// What the same file may mean different things with; all else of [`compile`](super::compile()) is a function of the text.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// For the template, and the `CONSUL_…` variables (v3 §13.1).
    pub env: Environment,
    /// The addresses that `interfaces` chooses from.
    pub addresses: Addresses,
    /// Part of the service ids.
    pub hostname: String,
}

impl Context {
    /// What this machine has, with this environment.
    pub fn of_this_host(env: Environment) -> Self {
        let hostname = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { env, addresses: Addresses::of_this_host(), hostname }
    }
}

/// Addresses in any order. Those of this machine are asked for by the first who wants to know them: most configurations have no
/// service, and the kernel takes as long to list them as a small program takes to start.
#[derive(Debug, Clone)]
pub struct Addresses(OnceCell<Vec<Address>>);

impl Addresses {
    /// Those that this machine has when it is asked.
    pub fn of_this_host() -> Self {
        Self(OnceCell::new())
    }

    /// All of them.
    pub fn get(&self) -> &[Address] {
        self.0.get_or_init(interfaces::of_this_host)
    }
}

/// None.
impl Default for Addresses {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<Address>> for Addresses {
    fn from(addresses: Vec<Address>) -> Self {
        Self(addresses.into())
    }
}
