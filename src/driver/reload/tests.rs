use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::config::{Context, Source, compile};
use crate::core::Timer;
use crate::kept::Kept;
use crate::log::{Log, LogGuard};
use crate::plan::Signal;

/// The plan of jobs that never start.
fn plan(names: &[&str]) -> Plan {
    let job = |name: &&str| format!("{{ name: \"{name}\", exec: \"x\", when: {{ source: \"SIGUSR2\" }} }}");
    let jobs: Vec<String> = names.iter().map(job).collect();
    let text = format!("{{ consul: false, jobs: [ {} ] }}", jobs.join(","));
    compile(&Source { origin: "f".to_owned(), text }, &Context::default(), false).plan.unwrap()
}

/// A loop with a job `a` whose configuration is read as the jobs say, or is wrong.
struct Bench {
    driver: Driver,
    file: Arc<Mutex<Result<Plan, Vec<String>>>>,
    _guard: LogGuard,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let output = crate::plan::LogOutput::File(dir.path().join("log"));
        let (log, guard) = Log::start(&Logging { output, ..Logging::default() }, Kept::new()).unwrap();
        let file = Arc::new(Mutex::new(Ok(plan(&["a"]))));
        let reloader: Reloader = {
            let file = Arc::clone(&file);
            Arc::new(move |_| {
                let plan = file.lock().unwrap().clone()?;
                Ok(Reread { plan, warnings: Vec::new(), discovery: None })
            })
        };
        let mut driver = Driver::new(&plan(&["a"]), Environment::default(), log, None, None, reloader).unwrap();
        driver.inbox.push_back(Input::Start);
        driver.take_turn();
        Self { driver, file, _guard: guard, _dir: dir }
    }

    fn write(&self, file: Result<Plan, Vec<String>>) {
        *self.file.lock().unwrap() = file;
    }

    fn ask(&mut self, until: Until) -> oneshot::Receiver<Result<Summary, Refused>> {
        let (answer, receiver) = oneshot::channel();
        self.driver.ask_reload(Some(Request { until, answer }));
        receiver
    }

    /// Lets the reading that is under way end, and what follows from it.
    async fn read(&mut self) {
        let read = timeout(Duration::from_secs(30), self.driver.reloads.read()).await.unwrap();
        self.driver.on_read(read);
        self.driver.take_turn();
    }

    fn quiet(&mut self) {
        self.driver.inbox.push_back(Input::Timer(Timer::Reload));
        self.driver.take_turn();
    }

    fn jobs(&self) -> Vec<&str> {
        self.driver.world.jobs().map(|job| job.spec().name.as_str()).collect()
    }
}

#[tokio::test]
async fn the_answer_comes_when_it_is_judged_accepted_or_done() {
    let mut bench = Bench::new();
    bench.write(Ok(plan(&["b"])));
    let mut judged = bench.ask(Until::Judged);
    bench.read().await;
    let would = judged.try_recv().unwrap().unwrap();
    assert_eq!((would.added, would.removed), (vec!["b".to_owned()], vec!["a".to_owned()]));
    assert!(!bench.driver.world.is_reloading(), "a question changes nothing");

    let (mut accepted, mut done) = (bench.ask(Until::Accepted), bench.ask(Until::Done));
    bench.read().await;
    assert!(accepted.try_recv().unwrap().is_ok());
    bench.read().await;
    assert!(done.try_recv().is_err(), "it is only accepted");
    assert_eq!(bench.jobs(), ["a"]);
    bench.quiet();
    assert_eq!(done.try_recv().unwrap().unwrap().added, ["b"]);
    assert_eq!(bench.jobs(), ["b"]);
}

#[tokio::test]
async fn f70_who_asks_is_told_all_errors_and_nothing_changes() {
    let mut bench = Bench::new();
    let errors = vec!["f:1:1: one".to_owned(), "f:2:1: two".to_owned()];
    bench.write(Err(errors.clone()));
    for until in [Until::Judged, Until::Accepted, Until::Done] {
        let mut answer = bench.ask(until);
        bench.read().await;
        assert_eq!(answer.try_recv().unwrap(), Err(Refused::Invalid(errors.clone())));
    }
    assert!(!bench.driver.world.is_reloading());
}

#[tokio::test]
async fn who_asks_during_a_reading_is_served_by_the_next_one() {
    let mut bench = Bench::new();
    let mut first = bench.ask(Until::Accepted);
    let read = bench.driver.reloads.read().await;
    bench.write(Ok(plan(&["b"])));
    let mut second = bench.ask(Until::Judged);
    bench.driver.ask_reload(None);
    bench.driver.on_read(read);
    assert_eq!(first.try_recv().unwrap().unwrap().unchanged, 1);
    assert!(second.try_recv().is_err());
    bench.read().await;
    assert_eq!(second.try_recv().unwrap().unwrap().added, ["b"]);
    bench.driver.take_turn();
    bench.quiet();
    assert_eq!(bench.jobs(), ["b"], "the signal's wish is not lost");
}

#[tokio::test]
async fn f71_when_everything_stops_everybody_is_refused_at_once() {
    let mut bench = Bench::new();
    let mut done = bench.ask(Until::Done);
    bench.read().await;
    let mut reading = bench.ask(Until::Accepted);
    // Without its effects: they would end whatever other tests have started.
    let now = bench.driver.now();
    bench.driver.world.step(now, &Input::Signal(Signal::TERM), &mut Vec::new());
    bench.driver.hear_of_reading();
    assert_eq!(done.try_recv().unwrap(), Err(Refused::Stopping));
    assert_eq!(reading.try_recv().unwrap(), Err(Refused::Stopping));
    assert_eq!(bench.ask(Until::Judged).try_recv().unwrap(), Err(Refused::Stopping));
}

#[tokio::test]
async fn a_panic_while_it_is_read_is_an_answer_too() {
    let mut bench = Bench::new();
    bench.driver.reloads.reloader = Arc::new(|_| panic!("on purpose"));
    let mut answer = bench.ask(Until::Accepted);
    bench.read().await;
    let Err(Refused::Invalid(lines)) = answer.try_recv().unwrap() else { panic!("refused") };
    assert_eq!(lines, ["internal error while the configuration was read"]);
}
