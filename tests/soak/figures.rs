//! What is measured on the way: what must stay flat, and what Consul sees.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::machine::KNOWN;
use crate::support::http::{ask, ask_socket};
use crate::support::wait::poll;
use crate::support::{Agent, process};
use crate::{Run, plan};

/// More descriptors at once than jobs, checks and as many clients as are let in can need: something is not closed.
const DESCRIPTORS: usize = 2 * (2 * plan::JOBS + 2 * 32) + 50;
/// What periodic jobs, checks and a client may hold at the moment of a look, in calm.
const DESCRIPTORS_IN_CALM: usize = 8;
/// Those below PID 1 that come and go: checks, periodic jobs, and orphans that are let be for some seconds.
const PROCESSES: usize = 15;
/// What is kept of output and events is full after so long, but for jobs that say a line now and then.
const WARM: Duration = Duration::from_secs(80);
/// The allocator's own, and what it returns late.
const MEMORY_KIB: u64 = 1024;
/// Before it is warm, what is kept may fill.
const FILLS_KIB: u64 = 3 * 1024;
/// Who says a line a second fills up for a quarter of an hour with 100 bytes a line. The leak of a hundred bytes per check
/// or per line would be three times as much in each minute.
const MINUTE_KIB: u64 = 100;
const MINUTES: u64 = 15;
/// So late a service may be back in Consul after Consul is: one retry and one heartbeat take two seconds.
pub const BACK: Duration = Duration::from_secs(20);

/// The registered services that Consul knows as well; `None` while it does not answer.
pub fn passing(agent: &Agent) -> Option<BTreeSet<String>> {
    let checks = agent.ask("GET", "/v1/agent/checks", b"").ok()?;
    let checks: Value = serde_json::from_slice(&checks.body).ok()?;
    let passing = checks.as_object()?.values().filter(|check| check["Status"] == "passing");
    Some(passing.filter_map(|check| Some(check["ServiceName"].as_str()?.to_owned())).collect())
}

/// Those of these services that Consul does not know as well.
pub fn missing(agent: &Agent, services: std::ops::RangeInclusive<usize>) -> Option<Vec<String>> {
    let passing = passing(agent)?;
    Some(services.map(plan::service).filter(|name| !passing.contains(name)).collect())
}

/// Waits until Consul knows the steady services as well, and gives how long that took.
pub fn wait_back(run: &Run, agent: &Agent, after: &str) -> Duration {
    let began = Instant::now();
    let back = || (run.has_failed() || missing(agent, plan::STEADY)?.is_empty()).then_some(());
    if poll(BACK, back).is_none() {
        run.fail(format!("not back within {BACK:?} after {after}: {:?}", missing(agent, plan::STEADY)));
    }
    began.elapsed()
}

/// One look at PID 1.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    descriptors: usize,
    threads: usize,
    pss: u64,
    rss: u64,
    /// What is private and no copy of a file: what grows when something is kept. Whose the program's own pages are, and how
    /// many of them are there, changes with all who run it, and with what the kernel makes of the file.
    anonymous: u64,
    processes: usize,
}

impl Look {
    fn now(run: &Run) -> Self {
        let pilot = &run.pilot;
        let memory = |field: &str| {
            process::memory_kib(pilot.pid, field).unwrap_or_else(|| {
                run.fail(format!("{field} of PID 1 can't be read"));
                0
            })
        };
        Self {
            descriptors: pilot.descriptors().len(),
            threads: pilot.threads(),
            pss: memory("Pss"),
            rss: memory("Rss"),
            anonymous: memory("Anonymous"),
            processes: pilot.processes().len(),
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
            pss: self.pss.max(other.pss),
            rss: self.rss.max(other.rss),
            anonymous: self.anonymous.max(other.anonymous),
            processes: self.processes.max(other.processes),
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, pss, rss, anonymous, processes } = self;
        write!(f, "{descriptors} descriptors, {threads} threads, PSS {pss} KiB, RSS {rss} KiB, ")?;
        write!(f, "{anonymous} KiB of it no file's, {processes} processes below")
    }
}

/// Processor time of PID 1 and of all that it has reaped.
fn cpu(pid: i32) -> (Duration, Duration) {
    // Fields 16 and 17 of stat(5), of which the first is the name's, in hundredths of a second.
    let below = process::stat(pid)
        .map_or(0, |(_, fields)| fields.iter().skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum());
    (process::cpu_time(pid), Duration::from_millis(10 * below))
}

/// All that was measured.
pub struct Figures {
    began: Instant,
    cpu: (Duration, Duration),
    begin: Look,
    /// When all that is filled once is full, and how long after the begin that was.
    warm: Option<(Look, Duration)>,
    most: Look,
    end: Look,
    lasted: Duration,
    /// Services that Consul did not know as well at the last look.
    missed: Vec<String>,
    /// Those that it did not know as well twice in a row, and when: judged when it is known how the machine was then.
    suspects: Vec<(SystemTime, String)>,
    judged: u64,
    /// Looks whose suspects were not judged, with the reason.
    not_judged: Vec<String>,
    /// How long it took until all was well again, in the end.
    calm: Duration,
    orphans: u64,
    lag: String,
}

impl Figures {
    /// Begins, when all services are registered.
    pub fn begin(run: &Run) -> Self {
        Self {
            began: Instant::now(),
            cpu: cpu(run.pilot.pid),
            begin: Look::now(run),
            warm: None,
            most: Look::default(),
            end: Look::default(),
            lasted: Duration::ZERO,
            missed: Vec::new(),
            suspects: Vec::new(),
            judged: 0,
            not_judged: Vec::new(),
            calm: Duration::ZERO,
            orphans: 0,
            lag: String::new(),
        }
    }

    /// Looks, and ends the run when a bound is broken.
    pub fn sample(&mut self, run: &Run) {
        let now = Look::now(run);
        self.most = self.most.most(now);
        if self.warm.is_none() && self.began.elapsed() >= (run.length / 2).min(Duration::from_mins(2)) {
            self.warm = Some((now, self.began.elapsed()));
        }
        if now.descriptors > DESCRIPTORS {
            run.fail(format!("descriptors: {now}; {:#?}", run.pilot.descriptors()));
        }
        self.look_at_consul(run);
        self.judge_suspects(run, SystemTime::now());
        self.look_for_lapses(run);
    }

    /// Whoever is to be well was so at this look or at the one before.
    fn look_at_consul(&mut self, run: &Run) {
        // Whoever holds it disturbs what is to be seen there.
        let Ok(agent) = run.agent.try_lock() else { return self.missed.clear() };
        let Some(missing) = missing(&agent, plan::STEADY) else { return };
        self.judged += 1;
        // A check that was killed or failed is true for a second.
        let missed: Vec<_> = missing.iter().filter(|name| self.missed.contains(name)).collect();
        if !missed.is_empty() {
            let checks = agent.get("/v1/agent/checks");
            self.suspects
                .push((SystemTime::now(), format!("Consul does not know these as well: {missed:?}: {checks}")));
        }
        self.missed = missing;
    }

    /// Ends the run when there was no excuse, once that is known, or in the end at any rate.
    fn judge_suspects(&mut self, run: &Run, now: SystemTime) {
        for (at, what) in self.suspects.extract_if(.., |(at, _)| *at + KNOWN <= now) {
            match run.machine.excuse(at) {
                None => run.fail(what),
                Some(why) => {
                    self.not_judged.push(format!("a look at {}: {why}", humantime::format_rfc3339_seconds(at)));
                }
            }
        }
    }

    /// Ends the run when Consul tells of a lapse, as long as the logs of that moment are there.
    fn look_for_lapses(&mut self, run: &Run) {
        let due = self.judged.is_multiple_of(4);
        let Some(agent) = run.agent.try_lock().ok().filter(|_| due) else { return };
        let known = SystemTime::now() - KNOWN;
        let lapses = crate::Lapses::read(&agent.log(), &run.machine, Some(known));
        if !lapses.wrong.is_empty() {
            run.fail(format!("{} heartbeats were missed", lapses.wrong.len()));
        }
    }

    /// How it stands.
    pub fn now(&self, run: &Run) -> String {
        format!("{}; {} looks at Consul; {}", Look::now(run), self.judged, run.done.in_short())
    }

    /// Nothing goes wrong any more: all comes back to what it was.
    pub fn calm_down(&mut self, run: &Run) {
        self.lasted = self.began.elapsed();
        self.judge_suspects(run, SystemTime::now() + KNOWN);
        let began = Instant::now();
        let idle = || {
            let reply = ask_socket(&run.pilot.path("s"), "GET", "/v4/jobs", b"").ok()?.json();
            let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
            let jobs = reply["jobs"].as_array()?;
            Some(jobs.iter().filter(|job| plan::lasts(&text(job, "name")) && text(job, "state") != "running").count())
        };
        // Its trap is set when it has a child: before that SIGTERM would end it in another way.
        let main_is_ready = || {
            let processes = run.pilot.processes();
            let main = processes.iter().find(|process| process.command.contains("trap 'exit"));
            main.is_some_and(|main| processes.iter().any(|process| process.parent == main.pid))
        };
        let mut why = String::new();
        let calm = loop {
            let busy = run.busy.load(Ordering::Relaxed);
            self.end = Look::now(run);
            let missing = missing(&run.agent.lock().unwrap(), plan::SERVICES);
            let idle = idle();
            if busy == 0
                && self.end.descriptors <= self.begin.descriptors + DESCRIPTORS_IN_CALM
                && self.end.threads <= self.begin.threads
                && self.end.processes <= self.begin.processes + PROCESSES
                && missing.as_ref().is_some_and(Vec::is_empty)
                && idle == Some(0)
                && main_is_ready()
            {
                break true;
            }
            why = format!("{busy} troubles go on, {idle:?} of the jobs do not run, {missing:?} are not well in Consul");
            // Who waits for a restart does so for 10 s, a held connection stays for 5, a stream for 10 more.
            if began.elapsed() > Duration::from_mins(1) || run.has_failed() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        self.calm = began.elapsed();
        if !calm && !run.has_failed() {
            let (before, after, open) = (self.begin, self.end, run.pilot.descriptors());
            run.fail(format!("it does not calm down: {before} before, {after} after; {why}; {open:#?}"));
        }
        let now = cpu(run.pilot.pid);
        self.cpu = (now.0.saturating_sub(self.cpu.0), now.1.saturating_sub(self.cpu.1));
        if let Ok(page) = ask(run.metrics, "GET", "/metrics", &[], b"") {
            let page = page.text();
            let value = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
            let lag = |more: &str| value(&format!("containerpilot_loop_lag_seconds_{more} "));
            self.orphans = value("containerpilot_orphans_reaped_total ").parse().unwrap_or(0);
            let (all, tenth, one) = (lag("count"), lag(r#"bucket{le="0.1"}"#), lag(r#"bucket{le="1"}"#));
            self.lag = format!("{tenth} of {all} timers within 0.1 s, {one} within 1 s");
        }
    }

    /// How long all of it went on, and how much processor time PID 1 took meanwhile.
    pub fn share(&self) -> f64 {
        self.cpu.0.as_secs_f64() / (self.lasted + self.calm).as_secs_f64().max(1.0)
    }

    /// What is not as it should be.
    pub fn judge(&self, events: &crate::books::Events) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut bound = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{what}: {self}"));
            }
        };
        // A thread more looks up a name now and then; none of them is for a job or a client.
        bound(self.most.threads <= self.begin.threads + 1, "threads come");
        bound(self.end.processes <= self.begin.processes + PROCESSES, "processes are left");
        if let Some((warm, after)) = self.warm {
            let minutes = (self.lasted.saturating_sub(after).as_secs() / 60 + 1).min(MINUTES);
            let more = if after < WARM { FILLS_KIB } else { MEMORY_KIB + minutes * MINUTE_KIB };
            bound(self.end.anonymous <= warm.anonymous + more, &format!("memory grows by more than {more} KiB"));
        }
        bound(self.judged > 0, "nobody has looked at Consul");
        // Half of a core is many times what it takes, in a debug build, too: more is a loop that does not sleep.
        bound(self.share() < 0.5, "PID 1 is too busy");
        // One for each of these runs but those that were killed first; others leave some, too.
        bound(self.orphans >= events.ends(plan::ORPHANS) * 3 / 4, "orphans are not counted");
        wrong
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { begin, most, end, orphans, lag, judged, .. } = self;
        writeln!(f, "at the begin: {begin}")?;
        if let Some((warm, _)) = self.warm {
            writeln!(f, "warmed up:    {warm}")?;
        }
        writeln!(f, "at most:      {most}")?;
        writeln!(f, "at the end:   {end}")?;
        writeln!(f, "{orphans} orphans reaped; {lag}")?;
        let (own, below, lasted) = (self.cpu.0.as_secs_f64(), self.cpu.1.as_secs_f64(), self.lasted.as_secs());
        write!(f, "processor: PID 1 {own:.1} s ({:.1} % of a core), ", 100.0 * self.share())?;
        writeln!(f, "its children {below:.1} s")?;
        write!(f, "lasted {lasted} s, calm {:.1} s later; {judged} looks at Consul, ", self.calm.as_secs_f64())?;
        write!(f, "{} of them not judged", self.not_judged.len())?;
        self.not_judged.iter().try_for_each(|look| write!(f, "\n    {look}"))
    }
}
