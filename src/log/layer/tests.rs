use tempfile::TempDir;
use tracing::instrument::WithSubscriber as _;

use super::*;
use crate::kept::Kept;
use crate::log::LogGuard;
use crate::plan::{LogFormat, LogOutput, Logging};

struct Bench {
    dir: TempDir,
    log: Log,
    _guard: LogGuard,
}

impl Bench {
    fn new(level: Level, format: LogFormat) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let output = LogOutput::File(dir.path().join("log"));
        let (log, guard) = Log::start(&Logging { level, format, output }, Kept::new()).unwrap();
        Self { dir, log, _guard: guard }
    }

    /// Runs this with our layer as the destination of its events; the lines that were logged, without their time.
    fn logged(&self, run: impl FnOnce()) -> String {
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(self.log.clone()));
        tracing::subscriber::with_default(subscriber, run);
        self.read()
    }

    fn read(&self) -> String {
        assert!(self.log.flush(std::time::Duration::from_secs(5)));
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
        let without_time = |line: &str| line.split_once(' ').unwrap().1.to_owned() + "\n";
        text.lines().map(without_time).collect()
    }
}

#[test]
fn fields_go_to_their_places() {
    let bench = Bench::new(Level::Debug, LogFormat::Text);
    let text = bench.logged(|| {
        tracing::info!(job = "web", pid = 42, "started {}", "well");
        tracing::warn!(check = %"check.web", pid = 43_u64, elapsed = 1.5, again = true, "slow");
        let error = std::io::Error::from_raw_os_error(2);
        tracing::error!(zeta = 1, alpha = ?Some("x"), error = &error as &dyn std::error::Error, r#type = "t");
        tracing::debug!(pid = u64::MAX, "a pid that is none");
    });
    let wanted = "level=info msg=\"started well\" job=web pid=42 \n\
         level=warning msg=slow again=true check=check.web elapsed=1.5 pid=43 \n\
         level=error alpha=\"Some(\\\"x\\\")\" error=\"No such file or directory (os error 2)\" type=t zeta=1 \n\
         level=debug msg=\"a pid that is none\" pid=18446744073709551615 \n";
    assert_eq!(text, wanted);
}

#[test]
fn the_level_filters_before_anything_is_evaluated_and_can_change() {
    let bench = Bench::new(Level::Warn, LogFormat::Default);
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(bench.log.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let emit = |round: u32| {
            let mut evaluated = false;
            tracing::info!("info {round} {}", {
                evaluated = true;
                ""
            });
            tracing::warn!("warn {round}");
            tracing::trace!("trace {round}");
            evaluated
        };
        assert!(!emit(1));
        let output = LogOutput::File(bench.dir.path().join("log"));
        let mut logging = Logging { level: Level::Debug, format: LogFormat::Default, output };
        bench.log.reconfigure(&logging).unwrap();
        assert!(emit(2));
        logging.level = Level::Fatal;
        bench.log.reconfigure(&logging).unwrap();
        assert!(!emit(3));
    });
    assert_eq!(bench.read(), "warn 1\ninfo 2 \nwarn 2\n");
}

#[test]
fn spans_are_not_shown() {
    let bench = Bench::new(Level::Info, LogFormat::Default);
    let text = bench.logged(|| {
        let _span = tracing::info_span!("inside", job = "web").entered();
        tracing::info!("hello");
    });
    assert_eq!(text, "hello\n");
    // Futures carry it along.
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(bench.log.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { tracing::info!("async") }.with_subscriber(subscriber));
    assert_eq!(bench.read(), "hello\nasync\n");
}

#[test]
fn f64_libraries_are_not_heard() {
    let bench = Bench::new(Level::Debug, LogFormat::Text);
    let text = bench.logged(|| {
        tracing::error!(target: "hyper_util::client", "a header");
        tracing::error!(target: "containerpilots", "another");
        tracing::info!(target: "containerpilot::discovery", "ours");
    });
    assert_eq!(text, "level=info msg=ours \n");
}
