//! What the pure rooms cost: the world, its timers, templates, configurations.
//!
//! `cargo bench --bench core`, or `… -- step` for those with a word in their name. Nothing here starts a process or looks
//! at a clock but criterion's; the program as a whole is measured by `benches/compare`.
#![expect(clippy::unwrap_used, reason = "a measurement: what can't be set up ends it")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use containerpilot::config::template::render;
use containerpilot::config::{Context, Source, compile, read};
use containerpilot::core::{ChildId, Effect, ExitStatus, Input, Job, JobId, Moment, Timer, World};
use containerpilot::plan::{Plan, Signal};
use containerpilot::timers::Timers;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// How many jobs a small, a large and a huge container has.
const SIZES: [u32; 3] = [1, 100, 1000];

/// A configuration of so many jobs, each as people write them: with a health check, a time limit and a restart.
fn text(jobs: u32) -> String {
    let mut text = "{ consul: false, stopTimeout: 5, jobs: [\n".to_owned();
    for n in 0..jobs {
        writeln!(
            text,
            "  {{ name: \"job-{n}\", exec: [\"/bin/server\", \"--port\", \"{}\"], restarts: \"unlimited\",\n    \
             health: {{ exec: [\"/bin/check\", \"{n}\"], interval: 1, ttl: 5, timeout: \"1s\" }} }},",
            8000 + n
        )
        .unwrap();
    }
    text + "] }\n"
}

/// Jobs that only react: each starts with every SIGUSR2.
fn followers(jobs: u32) -> String {
    let mut text = "{ consul: false, jobs: [\n".to_owned();
    for n in 0..jobs {
        writeln!(text, "  {{ name: \"job-{n}\", exec: \"true\", when: {{ source: \"SIGUSR2\" }} }},").unwrap();
    }
    text + "] }\n"
}

fn source(text: String) -> Source {
    Source { origin: "bench.json5".to_owned(), text }
}

fn context() -> Context {
    let env = [("PORT", "8080"), ("LISTEN", "0.0.0.0"), ("NGINX_WORKERS", "4"), ("NGINX_RUN", "/run/nginx")];
    Context { env: env.into_iter().collect(), hostname: "host".to_owned(), ..Context::default() }
}

fn plan(text: String) -> Plan {
    let outcome = compile(&source(text), &context(), false);
    outcome.plan.unwrap_or_else(|| unreachable!("refused: {:?}", outcome.diagnostics))
}

/// A world at a moment, with the effects of its last step.
#[derive(Clone)]
struct Machine {
    world: World,
    now: Moment,
    effects: Vec<Effect>,
}

impl Machine {
    fn started(plan: &Plan) -> Self {
        let mut machine = Self { world: World::new(plan), now: Moment::default(), effects: Vec::new() };
        machine.step(&Input::Start);
        machine
    }

    /// One step a millisecond later. Returns how many events it published.
    fn step(&mut self, input: &Input) -> u64 {
        self.now = self.now.after(Duration::from_millis(1));
        self.effects.clear();
        self.world.step(self.now, input, &mut self.effects);
        self.effects.iter().filter(|effect| matches!(effect, Effect::Published { .. })).count() as u64
    }

    /// The run that the last step started last.
    fn spawned(&self) -> Option<ChildId> {
        let spawned = |effect: &Effect| match effect {
            Effect::Spawn { child, .. } => Some(*child),
            _ => None,
        };
        self.effects.iter().rev().find_map(spawned)
    }

    /// A health check comes due and its command succeeds. Returns the events of both.
    fn check(&mut self, job: JobId) -> u64 {
        let due = self.step(&Input::Timer(Timer::Heartbeat(job)));
        let child = self.spawned().unwrap();
        due + self.step(&Input::Exited { child, status: ExitStatus::Code(0) })
    }
}

/// Events per second: a thousand health checks in turn, each with the events that it publishes.
fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("events");
    for jobs in SIZES {
        let mut machine = Machine::started(&plan(text(jobs)));
        let round = |machine: &mut Machine| (0..1000).map(|n| machine.check(JobId(n % jobs))).sum::<u64>();
        group.throughput(Throughput::Elements(round(&mut machine.clone())));
        group.bench_function(BenchmarkId::new("of 1000 checks", jobs), |b| b.iter(|| round(&mut machine)));
    }
    for jobs in SIZES {
        let machine = Machine::started(&plan(followers(jobs)));
        let signal = Input::Signal(Signal::from_name("SIGUSR2").unwrap());
        group.throughput(Throughput::Elements(u64::from(jobs)));
        group.bench_function(BenchmarkId::new("one that starts all", jobs), |b| {
            b.iter_batched_ref(|| machine.clone(), |machine| machine.step(&signal), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// The latency of one step: nothing else happens in the loop meanwhile.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for jobs in SIZES {
        let plan = plan(text(jobs));
        let machine = Machine::started(&plan);
        let mut idle = machine.clone();
        group.bench_function(BenchmarkId::new("timer of nobody", jobs), |b| {
            b.iter(|| idle.step(black_box(&Input::Timer(Timer::Grace(ChildId(u64::MAX))))));
        });
        let mut checked = machine.clone();
        group.bench_function(BenchmarkId::new("health check and its end", jobs), |b| {
            b.iter(|| checked.check(black_box(JobId(jobs / 2))));
        });
        // The run that a job lost and the one that takes its place: with `backoff`, the pause between is a timer.
        let mut restarted = machine.clone();
        group.bench_function(BenchmarkId::new("restart", jobs), |b| {
            b.iter(|| {
                let id = JobId(jobs / 2);
                let child = restarted.world.job(id).and_then(Job::child).unwrap();
                restarted.now = restarted.now.after(Duration::from_secs(20));
                restarted.step(&Input::Exited { child, status: ExitStatus::Code(0) });
            });
        });
        group.bench_function(BenchmarkId::new("start of everything", jobs), |b| {
            b.iter_batched_ref(
                || World::new(&plan),
                |world| {
                    let mut effects = Vec::new();
                    world.step(Moment::default(), &Input::Start, &mut effects);
                    effects
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function(BenchmarkId::new("SIGTERM", jobs), |b| {
            b.iter_batched_ref(
                || machine.clone(),
                |machine| machine.step(&Input::Signal(Signal::TERM)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// One timer armed and one taken, beside so many that wait.
fn timers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timers");
    for jobs in SIZES {
        let mut timers = Timers::default();
        let period = Duration::from_secs(1);
        for n in 0..jobs {
            timers.arm(Timer::Heartbeat(JobId(n)), Moment(period / jobs * n));
        }
        group.bench_function(BenchmarkId::new("take and arm again", jobs), |b| {
            b.iter(|| {
                let now = timers.next().unwrap();
                let due = timers.take_due(now).unwrap();
                timers.arm(due, now.after(period));
            });
        });
    }
    group.finish();
}

/// Templates as the examples have them.
fn templates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("template");
    let context = context();
    for (name, path) in [
        ("nginx.conf", "examples/nginx/nginx.conf.template"),
        ("a configuration", "examples/consul/containerpilot.json5"),
    ] {
        let text = std::fs::read_to_string(path).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| render(black_box(&text), &context.env).unwrap()));
    }
    group.finish();
}

/// From a file to a plan, and to a world that could start. The goal for 1000 jobs is 50 ms.
fn configurations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configuration");
    let context = context();
    let dir = tempfile::tempdir().unwrap();
    for jobs in [1, 1000] {
        let path = dir.path().join(format!("{jobs}.json5"));
        std::fs::write(&path, text(jobs)).unwrap();
        let path = path.to_str().unwrap();
        group.bench_function(BenchmarkId::new("read and compile", jobs), |b| {
            b.iter(|| compile(&read(path).unwrap(), &context, false).plan.unwrap());
        });
        let plan = plan(text(jobs));
        group.bench_function(BenchmarkId::new("plan to world", jobs), |b| b.iter(|| World::new(black_box(&plan))));
    }
    group.finish();
}

criterion_group!(benches, events, step, timers, templates, configurations);
criterion_main!(benches);
