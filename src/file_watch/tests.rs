use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// More than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with a file that is watched.
struct Bench {
    dir: TempDir,
    watch: FileWatch,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("app"), "1").unwrap();
        // The doors are the driver's: a test may reach through.
        let watch = FileWatch::start(&dir.path().join("app"), crate::process::watch).unwrap();
        watch.watched().renew().unwrap();
        Self { dir, watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn changed(&mut self) {
        timeout(PATIENCE, self.watch.changed()).await.unwrap();
        self.watch.watched().renew().unwrap();
    }

    /// Nothing comes in several times what it takes.
    async fn quiet(&mut self) {
        assert!(timeout(SETTLE * 6, self.watch.changed()).await.is_err(), "nothing has changed");
    }
}

#[tokio::test]
async fn whatever_puts_another_file_in_place_is_told() {
    let mut bench = Bench::new();
    bench.quiet().await;
    fs::write(bench.path("app"), "2").unwrap();
    bench.changed().await;
    fs::write(bench.path("new"), "3").unwrap();
    bench.quiet().await;
    fs::rename(bench.path("new"), bench.path("app")).unwrap();
    bench.changed().await;
    fs::remove_file(bench.path("app")).unwrap();
    bench.changed().await;
    fs::create_dir_all(bench.path("real")).unwrap();
    fs::write(bench.path("real/app"), "4").unwrap();
    symlink("real/app", bench.path("app")).unwrap();
    bench.changed().await;
    fs::write(bench.path("real/app"), "5").unwrap();
    bench.changed().await;
    bench.quiet().await;
}

#[tokio::test]
async fn a_directory_that_goes_and_comes_back_is_watched_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("etc/more/app");
    let mut watch = FileWatch::start(&path, crate::process::watch).unwrap();
    let watched = watch.watched();
    watched.renew().unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    timeout(PATIENCE, watch.changed()).await.unwrap();
    watched.renew().unwrap();
    fs::write(&path, "1").unwrap();
    timeout(PATIENCE, watch.changed()).await.unwrap();
    watched.renew().unwrap();
    fs::rename(path.parent().unwrap(), dir.path().join("away")).unwrap();
    timeout(PATIENCE, watch.changed()).await.unwrap();
    watched.renew().unwrap();
    fs::rename(dir.path().join("away"), path.parent().unwrap()).unwrap();
    timeout(PATIENCE, watch.changed()).await.unwrap();
}

#[tokio::test]
async fn changes_that_never_end_are_told_all_the_same() {
    let mut bench = Bench::new();
    let (path, begun) = (bench.path("app"), Instant::now());
    let mut told = 0;
    while told < 2 {
        fs::write(&path, "x").unwrap();
        sleep(SETTLE / 5).await;
        told += usize::from(bench.watch.take());
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(begun.elapsed() >= LONGEST, "one stands for many");
}

#[tokio::test]
async fn an_overflow_is_a_change() {
    let bench = Bench::new();
    let watched = bench.watch.watched();
    let event = |mask, wd: Option<WatchDescriptor>| {
        let any = *watched.0.names.lock().unwrap().keys().next().unwrap();
        InotifyEvent { wd: wd.unwrap_or(any), mask, cookie: 0, name: None }
    };
    assert!(watched.belongs(&event(AddWatchFlags::IN_Q_OVERFLOW, None)));
    let mut other = event(AddWatchFlags::IN_CLOSE_WRITE, None);
    other.name = Some("other".into());
    let directory = watched.0.names.lock().unwrap().iter().find(|(_, names)| !names.is_empty()).map(|(wd, _)| *wd);
    other.wd = directory.unwrap();
    assert!(!watched.belongs(&other));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        WatchError::of(Errno::EMFILE).to_string(),
        "too many open files: raise fs.inotify.max_user_instances or the limit on open files"
    );
    assert_eq!(WatchError::of(Errno::ENOSYS).to_string(), "function not implemented: there is no inotify here");
}
