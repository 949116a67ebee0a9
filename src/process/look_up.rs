//! Which file a program's name means.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::spawn_error::SpawnError;
use crate::env::Environment;

/// Finds a program as Go's `exec.LookPath` does (v3 §7.3): a name with a `/`, and the empty one, are used as they are; any other is
/// the first file with an execute bit in the directories of PATH, taken from the given environment. An empty entry
/// is the current directory; what can't be looked at is passed over.
pub(super) fn find(program: &str, env: &Environment) -> Result<PathBuf, SpawnError> {
    if program.is_empty() || program.contains('/') {
        return Ok(program.into());
    }
    let mut unusable = None;
    let path = env.get("PATH").unwrap_or_default().as_bytes();
    for entry in path.split(|b| *b == b':').filter(|_| !path.is_empty()) {
        let candidate = match entry {
            b"" | b"." => PathBuf::from(program),
            _ => Path::new(std::ffi::OsStr::from_bytes(entry)).join(program),
        };
        match judge(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => unusable = unusable.or(Some(candidate)),
            Err(_) => {}
        }
    }
    Err(SpawnError::not_on_path(program, unusable.as_deref()))
}

/// Whether this is a file with an execute bit, ours or not.
pub(super) fn judge(file: &Path) -> io::Result<()> {
    let meta = fs::metadata(file)?;
    if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(io::ErrorKind::PermissionDenied.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::SpawnErrorKind;

    fn env(path: &str) -> Environment {
        [("PATH", path)].into_iter().collect()
    }

    fn file(dir: &Path, name: &str, mode: u32) {
        let file = dir.join(name);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_executable_file_on_the_given_path_wins() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        file(one.path(), "x", 0o644);
        file(two.path(), "x", 0o755);
        fs::create_dir(one.path().join("d")).unwrap();
        file(two.path(), "d", 0o700);
        let path = format!("/no/such:{}:{}/", one.path().display(), two.path().display());
        assert_eq!(find("x", &env(&path)).unwrap(), two.path().join("x"));
        assert_eq!(find("d", &env(&path)).unwrap(), two.path().join("d"));
    }

    #[test]
    fn a_name_with_a_slash_is_not_looked_up() {
        for name in ["/no/such", "./x", "a/b", ""] {
            assert_eq!(find(name, &Environment::default()).unwrap(), PathBuf::from(name));
        }
    }

    #[test]
    fn an_empty_entry_is_the_current_directory() {
        // Cargo runs tests in the package's root, which has no executable of this name.
        for path in ["", ":", "/no/such:", "."] {
            assert_eq!(
                find("Cargo.toml", &env(path)).unwrap_err().to_string().contains("not executable"),
                !path.is_empty()
            );
        }
    }

    #[test]
    fn nothing_found_is_told_in_the_words_of_go() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), "plain", 0o644);
        let path = dir.path().to_str().unwrap();
        let error = find("nope", &env(path)).unwrap_err();
        assert_eq!(error.kind, SpawnErrorKind::NotFound);
        assert_eq!(error.to_string(), r#"exec: "nope": executable file not found in $PATH"#);
        let error = find("plain", &env(path)).unwrap_err();
        assert_eq!(error.kind, SpawnErrorKind::NotExecutable);
        let expected = format!(r#"exec: "plain": executable file not found in $PATH ({path}/plain is not executable)"#);
        assert_eq!(error.to_string(), expected);
    }
}
