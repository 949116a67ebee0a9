//! What is measured on the way: what must stay flat, and what Consul sees.

use std::fmt;
use std::time::{Duration, Instant};

use crate::support::http::ask_socket;
use crate::support::wait::poll;
use crate::{Run, plan};

/// How many services pass in Consul; nothing while nobody answers there.
pub fn passing(run: &Run) -> Option<usize> {
    let checks = run.agent.lock().unwrap().ask("GET", "/v1/agent/checks", b"").ok()?;
    let checks = checks.json();
    // Beside them there is that of our own telemetry.
    let ours = |check: &&serde_json::Value| check["ServiceName"].as_str().is_some_and(|name| name.starts_with("svc"));
    Some(checks.as_object()?.values().filter(ours).filter(|check| check["Status"] == "passing").count())
}

/// One look.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    descriptors: usize,
    threads: usize,
    pss_kib: u64,
    zombies: usize,
}

impl Look {
    fn now(run: &Run) -> Self {
        let pilot = &run.pilot;
        Self {
            descriptors: pilot.descriptors().len(),
            threads: pilot.threads(),
            pss_kib: pilot.pss_kib(),
            zombies: pilot.zombies().len(),
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, pss_kib, zombies } = self;
        write!(f, "{descriptors} descriptors, {threads} threads, {pss_kib} KiB PSS, {zombies} zombies")
    }
}

#[derive(Default)]
pub struct Figures {
    begin: Look,
    /// When everything that is filled once is full.
    warm: Option<(Instant, Look)>,
    most: Look,
    end: Look,
    began: Option<Instant>,
    cpu: Duration,
    looks: u64,
    /// Services that Consul should have known to be well, and did not, with the time.
    missed: Vec<String>,
    judged: u64,
    lag: String,
    not_calm: String,
}

impl Figures {
    pub fn begin(&mut self, run: &Run) {
        (self.begin, self.began, self.cpu) = (Look::now(run), Some(Instant::now()), run.pilot.cpu_time());
    }

    pub fn sample(&mut self, run: &Run) {
        let now = Look::now(run);
        self.looks += 1;
        let most = &mut self.most;
        most.descriptors = most.descriptors.max(now.descriptors);
        most.threads = most.threads.max(now.threads);
        most.pss_kib = most.pss_kib.max(now.pss_kib);
        most.zombies = most.zombies.max(now.zombies);
        let since = self.began.unwrap().elapsed();
        if self.warm.is_none() && since >= Duration::from_mins(1) {
            self.warm = Some((Instant::now(), now));
        }
        self.look_at_consul(run, since);
    }

    /// The steady services pass whenever Consul can be expected to know.
    fn look_at_consul(&mut self, run: &Run, since: Duration) {
        let excused = |run: &Run| run.excused.lock().unwrap().is_some_and(|until| until > Instant::now());
        if excused(run) {
            return;
        }
        let Ok(reply) = run.agent.lock().unwrap().ask("GET", "/v1/agent/checks", b"") else { return };
        if excused(run) {
            return;
        }
        self.judged += 1;
        let checks = reply.json();
        let well = |name: &str| {
            let mut of_name = checks.as_object().into_iter().flat_map(|all| all.values());
            of_name.any(|check| check["ServiceName"] == name && check["Status"] == "passing")
        };
        for name in plan::STEADY.map(|n| format!("svc{n:02}")).filter(|name| !well(name)) {
            self.missed.push(format!("{name} at {} s: {}", since.as_secs(), checks));
        }
    }

    pub fn now(&self, run: &Run) -> String {
        format!("{}, {} looks at Consul, {} misses", Look::now(run), self.judged, self.missed.len())
    }

    /// Nothing goes wrong any more: all comes back to what it was.
    pub fn calm_down(&mut self, run: &Run) {
        let job = |job: &serde_json::Value| {
            let name = job["name"].as_str().unwrap_or_default();
            let lasts = ["svc", "chk", "talk", "deaf", "old", "new"].iter().any(|kind| name.starts_with(kind));
            !lasts || job["state"] == "running"
        };
        let all_run = || {
            let reply = ask_socket(&run.pilot.path("s"), "GET", "/v4/jobs", b"").ok()?;
            let jobs = reply.json();
            jobs["jobs"].as_array()?.iter().all(job).then_some(())
        };
        // A restart may be paused for up to 30 s, and a connection that was held is let go after some seconds.
        let calm = || {
            self.end = Look::now(run);
            let flat = self.end.descriptors <= self.begin.descriptors + 8 && self.end.zombies == 0;
            (flat && passing(run) == Some(plan::SERVICES) && all_run().is_some()).then_some(())
        };
        if poll(Duration::from_mins(1), calm).is_none() {
            self.not_calm = format!("{} services pass; {:#?}", passing(run).unwrap_or(0), run.pilot.descriptors());
        }
        self.cpu = run.pilot.cpu_time().saturating_sub(self.cpu);
        let page = crate::support::http::ask(run.metrics, "GET", "/metrics", &[], b"").unwrap().text();
        let value = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
        let lag = "containerpilot_loop_lag_seconds";
        let within = |bound: &str| value(&format!("{lag}_bucket{{le=\"{bound}\"}} "));
        let (all, quick, second) = (value(&format!("{lag}_count ")), within("0.1"), within("1"));
        let orphans = value("containerpilot_orphans_reaped_total ");
        self.lag =
            format!("of {all} late wake-ups {quick} within 100 ms, {second} within 1 s; {orphans} orphans reaped");
    }

    /// What is not as it should be.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = self.missed.clone();
        if !self.not_calm.is_empty() {
            wrong.push(format!(
                "it did not calm down: {} at the begin, {} at the end; {}",
                self.begin, self.end, self.not_calm
            ));
        }
        if self.end.threads > self.begin.threads || self.most.threads > self.begin.threads + 4 {
            wrong.push(format!(
                "threads grow: {} at the begin, {} at most, {} at the end",
                self.begin.threads, self.most.threads, self.end.threads
            ));
        }
        // What is kept of output and events fills up at first, to its bounds (16 MiB in all).
        if let Some((_, warm)) = self.warm.filter(|(_, warm)| self.end.pss_kib > warm.pss_kib + 6 * 1024) {
            wrong.push(format!(
                "memory grows: {} KiB after a minute, {} KiB at the end",
                warm.pss_kib, self.end.pss_kib
            ));
        }
        if self.judged == 0 {
            wrong.push("Consul was never looked at".to_owned());
        }
        wrong
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasted = self.began.map(|began| began.elapsed().as_secs_f64()).unwrap_or_default();
        writeln!(f, "at the begin: {}", self.begin)?;
        if let Some((_, warm)) = &self.warm {
            writeln!(f, "after a minute: {warm}")?;
        }
        writeln!(f, "at most: {}", self.most)?;
        writeln!(f, "at the end: {}", self.end)?;
        write!(
            f,
            "{:.1} s of CPU time in {lasted:.0} s ({:.1} % of one core); {}; {} looks at Consul, {} misses",
            self.cpu.as_secs_f64(),
            100.0 * self.cpu.as_secs_f64() / lasted,
            self.lag,
            self.judged,
            self.missed.len()
        )
    }
}
