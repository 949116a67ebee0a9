//! Our own environment, handed to every child explicitly.
//!
//! The original kept this in its process environment (v3 §1); we never touch ours after the start. `-putenv`,
//! `CONTAINERPILOT_*` variables and the template's `env` all work on this map.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Variables by name. Values are bytes: an environment need not be UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// What this process was started with.
    pub fn of_this_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value as text; bytes that are no UTF-8 become U+FFFD.
    pub fn get_text(&self, name: &str) -> Option<String> {
        self.get(name).map(|v| v.to_string_lossy().into_owned())
    }

    /// Sets a variable. A name that the kernel can't carry (empty, with `=` or NUL) or a value with NUL is
    /// refused with `false` and changes nothing.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> bool {
        let (name, value) = (name.into(), value.into());
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) || value.as_bytes().contains(&0) {
            return false;
        }
        self.0.insert(name, value);
        true
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in pairs {
            environment.set(name, value);
        }
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_kernel_cannot_carry_is_refused() {
        let mut env = Environment::default();
        assert!(!env.set("", "x"));
        assert!(!env.set("A=B", "x"));
        assert!(!env.set("A\0", "x"));
        assert!(!env.set("A", "x\0"));
        assert!(env.set("A", "x=y"));
        assert_eq!(env.get_text("A").as_deref(), Some("x=y"));
    }
}
