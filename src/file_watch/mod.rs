//! Tells when a file may have changed, without ever looking by itself (`reload.watch`; managed-daemons §7.4).
//!
//! ```text
//!  renew(), on the thread that reads ─► inotify ─► a task: what belongs to the file, settled ─► changed(), take()
//! ```
//!
//! A file is put in place in many ways: written, renamed over the old one, or, as Kubernetes does it with a `ConfigMap`, left
//! alone while a symbolic link on the way to it is exchanged. So the directory of each link on the way and of the file is
//! watched, for the names that matter; and the file itself, because the directory of one that is mounted into a container
//! is not where others write it. What leads to the file is found out anew before each reading, so nothing that happens
//! after that reading is missed.
//!
//! Invariants: nothing wakes up while nothing happens in those directories, and at most 20 times a second whatever happens
//! there. File systems, which may hang, are touched by `renew` alone. That a change is told says nothing of the text: who
//! is told compares.

mod places;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use self::places::{Place, places};
use crate::errno::go_words;
use crate::leaf;

/// A change is told when nothing has followed it for so long: an editor writes, renames and deletes in one go.
const SETTLE: Duration = Duration::from_millis(50);
/// … and no later than this after it.
const LONGEST: Duration = Duration::from_secs(1);
/// So many pieces of 4 KiB are taken from the kernel before everybody else gets his turn.
const PIECES: usize = 16;
/// So often the way to a file is looked up anew when it changes meanwhile.
const ATTEMPTS: usize = 3;

/// In a directory.
const IN_DIRECTORY: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// Why a file can't be watched at all.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel has no more for this user, or this process no more descriptors.
    #[error("{}: raise fs.inotify.max_user_instances or the limit on open files", go_words(*.0))]
    Limit(Errno),
    /// The kernel was built without, or a sandbox forbids it.
    #[error("{}: there is no inotify here", go_words(*.0))]
    None(Errno),
    /// The event loop can't take it.
    #[error("{0}")]
    Loop(io::Error),
}

impl WatchError {
    fn of(errno: Errno) -> Self {
        if matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) {
            Self::Limit(errno)
        } else {
            Self::None(errno)
        }
    }
}

/// Puts a descriptor on the runtime.
pub type Readable = fn(OwnedFd) -> io::Result<AsyncFd<OwnedFd>>;

/// A file that is watched until this is dropped.
#[derive(Debug)]
pub struct FileWatch {
    watched: Watched,
    changes: mpsc::Receiver<()>,
    task: AbortHandle,
}

/// What is watched of a file, for the thread that reads it.
#[derive(Debug, Clone)]
pub struct Watched(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    inotify: Inotify,
    /// The names that matter in each directory; none for the file itself, of which everything does.
    names: Mutex<Names>,
}

type Names = BTreeMap<WatchDescriptor, Vec<OsString>>;

impl FileWatch {
    /// Prepares to watch a file, which need not be there. Nothing is watched before [`Watched::renew`]. Within a runtime, on
    /// which `readable` puts a descriptor.
    ///
    /// # Errors
    /// No inotify is to be had.
    pub fn start(path: &Path, readable: Readable) -> Result<Self, WatchError> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(WatchError::of)?;
        let path = std::path::absolute(path).map_err(WatchError::Loop)?;
        let waited_for = inotify.as_fd().try_clone_to_owned().and_then(readable).map_err(WatchError::Loop)?;
        let watched = Watched(Arc::new(Shared { path, inotify, names: Mutex::default() }));
        let drained = watched.clone();
        let (sender, changes) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            leaf::once("reload.watch", tell(waited_for, drained, sender)).await;
        });
        Ok(Self { watched, changes, task: task.abort_handle() })
    }

    /// Waits until the file may have changed; for ever if nothing can tell that. Cancel safe.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether it may have changed since this was last told.
    pub fn take(&mut self) -> bool {
        self.changes.try_recv().is_ok()
    }

    /// For the thread that reads the file.
    pub fn watched(&self) -> Watched {
        self.watched.clone()
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    /// Looks up what leads to the file, and watches that and nothing else. To be called before each reading, on a thread
    /// that may wait for a file system.
    ///
    /// # Errors
    /// In words: the places whose changes will not be seen, and why.
    pub fn renew(&self) -> Result<(), String> {
        let mut way = places(&self.0.path);
        for _ in 0..ATTEMPTS {
            let watched = self.watch(&way);
            let now = places(&self.0.path);
            if now == way {
                return watched;
            }
            way = now;
        }
        // It changes all the time, and will tell so.
        self.watch(&way)
    }

    fn watch(&self, way: &[Place]) -> Result<(), String> {
        let Shared { path, inotify, names } = &*self.0;
        let mut renewed = Names::new();
        let mut unseen: Vec<String> = Vec::new();
        for Place { directory, name } in way {
            match inotify.add_watch(directory, IN_DIRECTORY) {
                Ok(watch) => renewed.entry(watch).or_default().push(name.clone()),
                Err(Errno::ENOSPC) => {
                    unseen.push(format!("{}: raise fs.inotify.max_user_watches", directory.display()));
                }
                Err(errno) => unseen.push(format!("{}: {}", directory.display(), go_words(errno))),
            }
        }
        // One that is not there has a directory that tells when it comes.
        if let Ok(watch) = inotify.add_watch(path, AddWatchFlags::IN_CLOSE_WRITE) {
            renewed.entry(watch).or_default();
        }
        let before = std::mem::replace(&mut *names.lock().unwrap_or_else(PoisonError::into_inner), renewed.clone());
        for (watch, _) in before.into_iter().filter(|(watch, _)| !renewed.contains_key(watch)) {
            // Its directory may be gone already, and the watch with it.
            let _ = inotify.rm_watch(watch);
        }
        if unseen.is_empty() { Ok(()) } else { Err(unseen.join(", ")) }
    }

    /// Takes what the kernel has to tell, not all of it if that is much. Whether any of it belongs to the file.
    fn drain(&self) -> io::Result<bool> {
        let mut belongs = false;
        for _ in 0..PIECES {
            match self.0.inotify.read_events() {
                Ok(events) => belongs |= events.iter().any(|event| self.belongs(event)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if belongs => return Ok(true),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(belongs)
    }

    fn belongs(&self, event: &InotifyEvent) -> bool {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Nobody knows what was lost.
            return true;
        }
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        match (names.get(&event.wd), &event.name) {
            (Some(names), Some(name)) => names.contains(name),
            // The file, or the directory itself.
            (Some(_), None) => true,
            // One that is watched no longer, or so new that it is not known yet: better once too often.
            (None, _) => !event.mask.contains(AddWatchFlags::IN_IGNORED),
        }
    }
}

/// Tells changes that have settled. One that nobody has taken yet stands for all that follow.
async fn tell(readable: AsyncFd<OwnedFd>, watched: Watched, changes: mpsc::Sender<()>) {
    // When the first change came that is not told yet.
    let mut since: Option<Instant> = None;
    loop {
        if since.is_none() && readable.readable().await.is_err() {
            return;
        }
        // Also when it is somebody else's: a busy directory wakes us now and then, not with each event.
        sleep(SETTLE).await;
        let came = match readable.try_io(Interest::READABLE, |_| watched.drain()) {
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                tracing::error!("reload.watch: the file is not watched any more: {error}");
                return;
            }
        };
        let now = Instant::now();
        match since {
            None if came => since = Some(now),
            None => {}
            Some(first) if came && now.duration_since(first) < LONGEST => {}
            Some(_) => {
                since = None;
                let _ = changes.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
