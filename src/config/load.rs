//! The configuration file's text. The only part of `config` that waits for a disk.

use std::io::{self, Read};
use std::path::Path;

use super::json5::decode_text;
use crate::errno::go_words_of;
use crate::regular;

/// The longest configuration, in bytes (design §4 row 26). Rendered, it may be as long again.
pub const LONGEST: usize = 1 << 20;

/// A configuration as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it came from, for messages: a path, whose bytes that are no UTF-8 are U+FFFD here.
    pub origin: String,
    /// The text. Bytes that are no UTF-8 are U+FFFD, as in the original.
    pub text: String,
}

/// Why there is no text. Displays as one line; those that the original had begin as it did (v3 §3).
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be opened.
    #[error("could not read config file: open {path}: {}", go_words_of(.error))]
    Open {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It can't be read.
    #[error("could not read config file: read {path}: {}", go_words_of(.error))]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// A directory.
    #[error("could not read config file: read {path}: is a directory")]
    Directory {
        /// The path.
        path: String,
    },
    /// A FIFO, socket or device: it might never end, or never begin.
    #[error("could not read config file: {path} is not a regular file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// Longer than [`LONGEST`].
    #[error("could not read config file: {path} is larger than 1 MiB")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// Nothing in it.
    #[error("could not read config file: {path} is empty")]
    Empty {
        /// The file.
        path: String,
    },
    /// Text in an encoding with two bytes a character.
    #[error("could not read config file: {path} is encoded in UTF-16; save it as UTF-8")]
    Utf16 {
        /// The file.
        path: String,
    },
    /// In another language, by its name.
    #[error("could not read config file: {path} is a TOML file of nginx-wrapper, which this version does not read")]
    Toml {
        /// The file.
        path: String,
    },
    /// No text at all.
    #[error("could not read config file: {path} is a binary file (byte 0 at offset {offset})")]
    Binary {
        /// The file.
        path: String,
        /// Where the first zero byte is.
        offset: usize,
    },
}

impl LoadError {
    /// What the system said, if it did.
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Open { error, .. } | Self::Read { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Reads a configuration file. Never waits for a FIFO or a device, never reads more than 1 MiB and a byte.
///
/// # Errors
/// One [`LoadError`] for each way in which a path can be no configuration.
pub fn read(path: impl AsRef<Path>) -> Result<Source, LoadError> {
    let path = path.as_ref();
    let named = || path.to_string_lossy().into_owned();
    let file = match regular::open(path) {
        Ok(Some(file)) => file,
        Ok(None) if path.is_dir() => return Err(LoadError::Directory { path: named() }),
        Ok(None) => return Err(LoadError::NotAFile { path: named() }),
        Err(error) => return Err(LoadError::Open { path: named(), error }),
    };
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return Err(LoadError::Toml { path: named() });
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| LoadError::Read { path: named(), error })?;
    if bytes.len() > LONGEST {
        return Err(LoadError::TooLarge { path: named() });
    }
    if bytes.is_empty() {
        return Err(LoadError::Empty { path: named() });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(LoadError::Utf16 { path: named() });
    }
    if let Some(offset) = bytes.iter().position(|b| *b == 0) {
        return Err(LoadError::Binary { path: named(), offset });
    }
    Ok(Source { origin: named(), text: decode_text(&bytes).into_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The message for a file with these bytes, its directory cut off.
    fn refusal(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.json5");
        fs::write(&path, bytes).unwrap();
        let error = read(path.to_str().unwrap()).unwrap_err().to_string();
        error.replace(&format!("{}/", dir.path().to_str().unwrap()), "")
    }

    #[test]
    fn f65_each_file_that_is_no_configuration_has_one_clear_line() {
        assert_eq!(refusal(b""), "could not read config file: app.json5 is empty");
        assert_eq!(
            refusal(b"\xff\xfe{\0}\0"),
            "could not read config file: app.json5 is encoded in UTF-16; save it as UTF-8"
        );
        assert_eq!(
            refusal(b"\x7fELF\x02\x01\x01\0"),
            "could not read config file: app.json5 is a binary file (byte 0 at offset 7)"
        );
        assert_eq!(refusal(&vec![b' '; LONGEST + 1]), "could not read config file: app.json5 is larger than 1 MiB");
        assert_eq!(
            read("/xxxx").unwrap_err().to_string(),
            "could not read config file: open /xxxx: no such file or directory"
        );
        assert_eq!(read("/proc").unwrap_err().to_string(), "could not read config file: read /proc: is a directory");
        for endless in ["/dev/zero", "/dev/null"] {
            assert_eq!(
                read(endless).unwrap_err().to_string(),
                format!("could not read config file: {endless} is not a regular file")
            );
        }
    }

    #[test]
    fn a_toml_file_is_told_from_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nginx-wrapper.TOML");
        assert!(matches!(read(path.to_str().unwrap()), Err(LoadError::Open { .. })));
        fs::write(&path, "run_path = \"/opt\"").unwrap();
        assert!(matches!(read(path.to_str().unwrap()), Err(LoadError::Toml { .. })));
    }

    #[test]
    fn f65_a_fifo_without_a_writer_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read(path.to_str().unwrap()), Err(LoadError::NotAFile { .. })));
    }

    #[test]
    fn f65_a_sparse_gigabyte_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge");
        fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(matches!(read(path.to_str().unwrap()), Err(LoadError::TooLarge { .. })));
    }

    #[test]
    fn the_greatest_file_and_odd_bytes_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.json5");
        fs::write(&path, vec![b' '; LONGEST]).unwrap();
        assert_eq!(read(path.to_str().unwrap()).unwrap().text.len(), LONGEST);
        fs::write(&path, b"{ a: \"\xff\" }").unwrap();
        assert_eq!(read(path.to_str().unwrap()).unwrap().text, "{ a: \"\u{fffd}\" }");
    }
}
