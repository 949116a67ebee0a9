//! Small files that are read while everything runs: the token's, `/etc/hosts`, `/etc/resolv.conf`.
//!
//! The file system under them may hang (NFS, FUSE), so they are read on tokio's blocking pool, which has few threads. At
//! most one read of a file is under way, shared by all who want it: nothing piles up behind one that does not come back.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch::{self, Receiver};
use tokio::time::timeout;

use crate::regular;

/// What a read gave.
pub(super) type Content = Result<Arc<Vec<u8>>, Arc<io::Error>>;

/// A file that is read whenever somebody asks.
pub(super) struct SmallFile {
    path: PathBuf,
    /// In bytes; a longer one can't be read.
    most: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The read that was begun last; none in it while it is under way.
    reading: Option<Receiver<Option<Content>>>,
    /// What the last read that came back gave.
    known: Option<Content>,
}

impl fmt::Debug for SmallFile {
    /// Without the content, which may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SmallFile").field(&self.path).finish()
    }
}

impl SmallFile {
    pub(super) fn new(path: impl Into<PathBuf>, most: u64) -> Self {
        Self { path: path.into(), most, state: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The content now. One that does not come within this time is what it was last.
    ///
    /// # Errors
    /// Those of reading; [`io::ErrorKind::TimedOut`] if it never was read and does not come. Within a runtime.
    pub(super) async fn read(&self, patience: Duration) -> Content {
        let mut reading = self.reading();
        let read = timeout(patience, async {
            // An end without a value is that of the runtime, or a panic.
            reading.wait_for(Option::is_some).await.ok().and_then(|content| content.clone())
        });
        let Ok(content) = read.await else {
            let known = self.state.lock().unwrap_or_else(PoisonError::into_inner).known.clone();
            let hangs = || io::Error::new(io::ErrorKind::TimedOut, "the file system does not answer");
            return known.unwrap_or_else(|| Err(Arc::new(hangs())));
        };
        let content = content.unwrap_or_else(|| Err(Arc::new(io::Error::other("it was not read to its end"))));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).known = Some(content.clone());
        content
    }

    /// The read that is under way, or a new one.
    fn reading(&self) -> Receiver<Option<Content>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = &state.reading {
            let content = reading.borrow().clone();
            match content {
                None if reading.has_changed().is_ok() => return reading.clone(),
                None => {}
                // Nobody may have waited for it.
                content => state.known = content,
            }
        }
        let (sender, receiver) = watch::channel(None);
        let (path, most) = (self.path.clone(), self.most);
        tokio::task::spawn_blocking(move || {
            let content = read_small(&path, most).map(Arc::new).map_err(Arc::new);
            // Without a receiver nobody wants it any more.
            let _ = sender.send(Some(content));
        });
        state.reading = Some(receiver.clone());
        receiver
    }
}

/// A regular file's content: a pipe would never end, and nothing that we read is large.
pub(super) fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    regular::read(path, most)
}

/// Takes the one thread that a runtime has for files, as a file system that hangs would. It is free again when what is
/// returned is dropped.
#[cfg(test)]
pub(super) fn hang_files() -> std::sync::mpsc::SyncSender<()> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(0);
    // The sender is dropped, not used.
    tokio::task::spawn_blocking(move || receiver.recv().is_ok());
    sender
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A runtime as the program has it: with one thread for files.
    pub(in super::super) fn with_one_thread<F: Future<Output = ()>>(test: F) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(test);
    }

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(10);

    fn text(content: Content) -> Result<String, io::ErrorKind> {
        content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| error.kind())
    }

    #[test]
    fn while_the_file_system_hangs_the_last_content_stands_and_nothing_piles_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = SmallFile::new(dir.path().join("file"), 100);
        with_one_thread(async {
            assert_eq!(text(file.read(LONG).await), Err(io::ErrorKind::NotFound));
            std::fs::write(file.path(), "old").unwrap();
            assert_eq!(text(file.read(LONG).await), Ok("old".to_owned()));
            let hung = hang_files();
            std::fs::write(file.path(), "new").unwrap();
            for _ in 0..5 {
                assert_eq!(text(file.read(SHORT).await), Ok("old".to_owned()));
            }
            let first = file.state.lock().unwrap().reading.clone().unwrap();
            assert!(first.same_channel(&file.reading()), "one read is under way");
            drop(hung);
            assert_eq!(text(file.read(LONG).await), Ok("new".to_owned()));
        });
    }

    #[test]
    fn a_read_that_nobody_waited_for_is_known_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let file = SmallFile::new(dir.path().join("file"), 100);
        std::fs::write(file.path(), "here").unwrap();
        with_one_thread(async {
            let hung = hang_files();
            assert_eq!(text(file.read(SHORT).await), Err(io::ErrorKind::TimedOut));
            drop(hung);
            let mut reading = file.reading();
            reading.wait_for(Option::is_some).await.unwrap();
            let _hung = hang_files();
            assert_eq!(text(file.read(SHORT).await), Ok("here".to_owned()));
        });
    }
}
