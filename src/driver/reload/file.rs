//! `reload.watch`: a change of the file asks for a reload, if its text is another.

use tracing::{debug, warn};

use super::{Driver, Wanted};
use crate::file_watch::{FileWatch, Watched};
use crate::process;

/// What the plan says of the file, and what watches it.
pub(super) struct File {
    /// It is to be watched.
    pub(super) wanted: bool,
    watch: Option<FileWatch>,
    /// What was told last of places that can't be watched: it is told once.
    told: Option<String>,
}

impl File {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, watch: None, told: None }
    }

    /// Waits until the file may have changed; for ever where it is not watched. Cancel safe.
    pub(super) async fn changed(&mut self) {
        match &mut self.watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Whether it may have changed, when something else has woken the loop.
    pub(super) fn take(&mut self) -> bool {
        self.watch.as_mut().is_some_and(FileWatch::take)
    }

    /// For the thread that reads it.
    pub(super) fn watched(&self) -> Option<Watched> {
        self.watch.as_ref().map(FileWatch::watched)
    }

    /// What became of watching it.
    pub(super) fn seen(&mut self, seen: Result<(), String>) {
        let unseen = seen.err();
        if let Some(unseen) = unseen.as_ref().filter(|unseen| self.told.as_ref() != Some(*unseen)) {
            warn!("reload.watch: not every change of the configuration file will be seen: {unseen}");
        }
        self.told = unseen;
    }
}

impl Driver {
    /// Begins or ends to watch the file, as the plan says.
    pub(in crate::driver) fn watch_file(&mut self) {
        let reloads = &mut self.reloads;
        if !reloads.file.wanted {
            if reloads.file.watch.take().is_some() {
                debug!("reload.watch: the configuration file is not watched any more");
            }
        } else if reloads.file.watch.is_none() {
            match FileWatch::start(&reloads.reloader.path, process::watch) {
                Ok(watch) => {
                    reloads.file.watch = Some(watch);
                    // The reading sees to it that the right places are watched, and tells what changed before.
                    self.file_changed();
                }
                Err(error) => warn!("reload.watch: the configuration file is not watched: {error}"),
            }
        }
    }

    /// Reads the file, and follows it if its text is another.
    pub(super) fn file_changed(&mut self) {
        if self.world.takes_reloads() {
            self.ask_reading(Wanted::IfChanged, None);
        }
    }
}
