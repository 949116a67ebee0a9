//! Our own environment, handed to every child explicitly.
//!
//! The original kept this in its process environment (v3 §1); we never touch ours after the start. `-putenv`,
//! `CONTAINERPILOT_*` variables and the template's `env` all work on this map.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// Variables by name. Values are bytes: an environment need not be UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<Variable>);

/// `NAME=value`, as the kernel wants it: a start copies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    text: CString,
    /// So many bytes are the name.
    name: usize,
}

impl Variable {
    fn name(&self) -> &[u8] {
        self.text.to_bytes().get(..self.name).unwrap_or_default()
    }

    fn value(&self) -> &OsStr {
        OsStr::from_bytes(self.text.to_bytes().get(self.name.saturating_add(1)..).unwrap_or_default())
    }
}

impl Environment {
    /// What this process was started with.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|variable| variable.name().cmp(name))
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.find(name.as_bytes()).ok().and_then(|at| self.0.get(at)).map(Variable::value)
    }

    /// The value as text; bytes that are no UTF-8 become U+FFFD.
    pub fn get_text(&self, name: &str) -> Option<String> {
        self.get(name).map(|v| v.to_string_lossy().into_owned())
    }

    /// Sets a variable. A name that the kernel can't carry (empty, with `=` or NUL) or a value with NUL is
    /// refused with `false` and changes nothing.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl AsRef<OsStr>) -> bool {
        let mut text = name.into().into_vec();
        let (name, value) = (text.len(), value.as_ref().as_bytes());
        if text.is_empty() || text.contains(&b'=') {
            return false;
        }
        text.reserve_exact(value.len().saturating_add(2));
        text.push(b'=');
        text.extend_from_slice(value);
        let Ok(text) = CString::new(text) else { return false };
        let variable = Variable { text, name };
        let at = self.find(variable.name());
        match at.map(|at| self.0.get_mut(at)) {
            Ok(Some(old)) => *old = variable,
            Ok(None) => {}
            Err(at) => self.0.insert(at, variable),
        }
        true
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.find(name.as_bytes()) {
            self.0.remove(at);
        }
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|variable| (OsStr::from_bytes(variable.name()), variable.value()))
    }

    /// What it takes of the room that the kernel has for arguments and variables: each with its end, and where it is.
    pub fn size(&self) -> usize {
        let one = |variable: &Variable| variable.text.as_bytes_with_nul().len().saturating_add(size_of::<usize>());
        self.0.iter().map(one).fold(0, usize::saturating_add)
    }

    /// All variables as a program gets them, `NAME=value`.
    pub fn texts(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(|variable| variable.text.as_c_str())
    }
}

impl<K: Into<OsString>, V: AsRef<OsStr>> FromIterator<(K, V)> for Environment {
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

    #[test]
    fn variables_are_sorted_by_name_and_set_once() {
        let mut env: Environment = [("B", "1"), ("A_", "2"), ("A", "3"), ("B", "4")].into_iter().collect();
        let texts = |env: &Environment| env.texts().map(|text| text.to_str().unwrap().to_owned()).collect::<Vec<_>>();
        // By name: `=` would come behind the digits.
        assert_eq!(texts(&env), ["A=3", "A_=2", "B=4"]);
        assert!(env.set("A1", ""));
        assert_eq!(texts(&env), ["A=3", "A1=", "A_=2", "B=4"]);
        assert_eq!(env.size(), "A=3 A1= A_=2 B=4 ".len() + 4 * 8);
        env.remove("A");
        env.remove("nobody");
        assert_eq!((env.get("A"), env.get("A1")), (None, Some(OsStr::new(""))));
    }
}
