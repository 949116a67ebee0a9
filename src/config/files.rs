//! The few looks at the file system that judging a configuration needs: is what it names there?
//!
//! Nothing is created or changed, and nothing here blocks: only directories and regular files are opened.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::errno::go_words_of;
use crate::regular;

/// The longest certificate file that is looked into, in bytes.
const LONGEST_PEM: u64 = 1 << 20;

/// Why a PEM file can't be used, if it can't. `kind` is what its block must be called (`CERTIFICATE`).
pub(super) fn pem_problem(path: &str, kind: &str) -> Option<PemProblem> {
    let unreadable = |error: &io::Error| Some(PemProblem::Unreadable(format!("open {path}: {}", go_words_of(error))));
    let file = match regular::open(Path::new(path)) {
        Ok(Some(file)) => file,
        Ok(None) => {
            return Some(PemProblem::Unreadable(format!("read {path}: {}", regular::what_else(Path::new(path)))));
        }
        Err(error) => return unreadable(&error),
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(LONGEST_PEM).read_to_end(&mut bytes) {
        return unreadable(&error);
    }
    let text = String::from_utf8_lossy(&bytes);
    let found = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
    if found { None } else { Some(PemProblem::NoBlock) }
}

/// What is wrong with a PEM file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PemProblem {
    /// It can't be read, in Go's words.
    Unreadable(String),
    /// It holds nothing of the kind.
    NoBlock,
}

/// The longest token file, in bytes; no server takes longer headers.
const LONGEST_TOKEN: u64 = 1 << 16;

/// Why a token file can't be used now, if it can't. White space around the token does not count.
pub(super) fn token_problem(path: &Path) -> Option<TokenProblem> {
    let unreadable = |error: &io::Error| Some(TokenProblem::Unreadable(go_words_of(error)));
    let file = match regular::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Some(TokenProblem::Unreadable("not a regular file".to_owned())),
        Err(error) => return unreadable(&error),
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(LONGEST_TOKEN.saturating_add(1)).read_to_end(&mut bytes) {
        return unreadable(&error);
    }
    let too_long = u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_TOKEN);
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Some(TokenProblem::Empty),
        Ok(token) if !too_long && is_header_value(token.as_bytes()) => None,
        _ => Some(TokenProblem::NoHeader),
    }
}

/// What is wrong with a token file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TokenProblem {
    /// It can't be read, in Go's words.
    Unreadable(String),
    /// It holds nothing.
    Empty,
    /// It holds what no header can carry.
    NoHeader,
}

/// Whether a header can carry a value: no control characters but tabs (RFC 9110 §5.5).
pub(super) fn is_header_value(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

/// Why a directory of certificates can't be used, in Go's words.
pub(super) fn directory_problem(path: &str) -> Option<String> {
    match fs::symlink_metadata(path) {
        Ok(_) => None,
        Err(error) => Some(format!("lstat {path}: {}", go_words_of(&error))),
    }
}

/// Why a log file could not be opened, in Go's words: only what can be seen without creating it.
pub(super) fn log_problem(path: &str) -> Option<String> {
    let file = Path::new(path);
    let words = match fs::metadata(file) {
        Ok(found) if found.is_dir() => "is a directory".to_owned(),
        Ok(_) => return None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match fs::metadata(parent) {
                Ok(found) if found.is_dir() => return None,
                Ok(_) => "not a directory".to_owned(),
                Err(error) => go_words_of(&error),
            }
        }
        Err(error) => go_words_of(&error),
    };
    Some(format!("open {path}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_file_needs_a_directory_and_is_not_created() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(log_problem(&at("new.log")), None);
        assert!(!dir.path().join("new.log").exists());
        assert_eq!(log_problem(&at("")), Some(format!("open {}: is a directory", at(""))));
        let inside = at("none/x.log");
        assert_eq!(log_problem(&inside), Some(format!("open {inside}: no such file or directory")));
    }

    #[test]
    fn a_pem_file_needs_a_block_of_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem").to_str().unwrap().to_owned();
        fs::write(&path, "no certificate").unwrap();
        assert_eq!(pem_problem(&path, "CERTIFICATE"), Some(PemProblem::NoBlock));
        fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(pem_problem(&path, "CERTIFICATE"), None);
        for (path, what) in [("/dev/zero", "not a regular file"), ("/proc", "is a directory")] {
            let told = PemProblem::Unreadable(format!("read {path}: {what}"));
            assert_eq!(pem_problem(path, "CERTIFICATE"), Some(told));
        }
    }
}
