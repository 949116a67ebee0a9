//! Regular files, opened so that nothing is waited for: a leaf. What stands in the place of a file may be a FIFO, a device or
//! a disk's worth of zeros, and whoever waits for it before the loop runs can't even be told to end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// Opens a regular file without ever waiting, for a FIFO or a device. `Ok(None)` is anything but a regular file.
///
/// # Errors
/// Those of looking and opening.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    // Looked at first, because merely opening some devices does something.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)?;
    // And again, because it may have been exchanged meanwhile.
    Ok(if file.metadata()?.is_file() { Some(file) } else { None })
}

/// The content of a regular file that is no longer than `most` bytes.
///
/// # Errors
/// Those of opening and reading; what is no regular file, or is longer, in words.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let Some(file) = open(path)? else { return Err(io::Error::other(what_else(path))) };
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > most) {
        return Err(io::Error::other(format!("longer than {most} bytes")));
    }
    Ok(content)
}

/// What stands at the path of something that is no regular file.
pub fn what_else(path: &Path) -> &'static str {
    if path.is_dir() { "is a directory" } else { "not a regular file" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_length_are_read_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let told = |path: &Path| read(path, 3).map_err(|error| error.to_string());
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(told(&fifo), Err("not a regular file".to_owned()));
        assert_eq!(told(Path::new("/dev/zero")), Err("not a regular file".to_owned()));
        assert_eq!(told(dir.path()), Err("is a directory".to_owned()));
        assert!(told(&dir.path().join("none")).unwrap_err().contains("No such file"));
        let file = dir.path().join("file");
        fs::write(&file, "abc").unwrap();
        assert_eq!(told(&file), Ok(b"abc".to_vec()));
        fs::write(&file, "abcd").unwrap();
        assert_eq!(told(&file), Err("longer than 3 bytes".to_owned()));
    }
}
