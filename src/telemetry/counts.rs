//! What we count of ourselves: the original's three families under their names, and ours, whose names end in their unit or
//! `_total` (v3 §16).

use std::collections::BTreeMap;
use std::time::Duration;

use super::fed::Histogram;
use super::number;
use super::page::{Family, Kind};
use super::snapshot::{JobState, JobView, Snapshot};
use crate::core::Moment;
use crate::plan::EventCode;

/// So many series of events are kept apart. There are fewer: codes times jobs, checks, watches and signals. But nothing
/// that is fed from outside grows without an end (reliability row 76).
const MOST_SERIES: usize = 20_000;

/// The source of events beyond.
const OTHER: &str = "other";

/// All counts since the start of the program. They outlive a reload.
#[derive(Debug, Default)]
pub(super) struct Counts {
    events: BTreeMap<EventCode, BTreeMap<Box<str>, u64>>,
    series: usize,
    requests: BTreeMap<(u16, &'static str), u64>,
    watches: BTreeMap<String, u64>,
    jobs: BTreeMap<String, OfJob>,
    orphans: u64,
    lag: Histogram,
}

/// What is known of a job beside the world.
#[derive(Debug, Default)]
struct OfJob {
    /// How long all runs that are over took together.
    ran: Duration,
    exits: BTreeMap<i32, u64>,
    checks: u64,
    checked: Duration,
    passed: Option<Moment>,
}

impl Counts {
    pub fn event(&mut self, code: EventCode, source: &str) {
        let sources = self.events.entry(code).or_default();
        if let Some(count) = sources.get_mut(source) {
            *count += 1;
            return;
        }
        let source = if self.series < MOST_SERIES { source } else { OTHER };
        let count = sources.entry(source.into()).or_insert_with(|| {
            self.series += 1;
            0
        });
        *count += 1;
    }

    pub fn control_requests(&mut self, code: u16, path: &'static str, times: u64) {
        let count = self.requests.entry((code, path)).or_default();
        *count = count.saturating_add(times);
    }

    pub fn watch(&mut self, service: &str, instances: usize) {
        let instances = u64::try_from(instances).unwrap_or(u64::MAX);
        match self.watches.get_mut(service) {
            Some(last) => *last = instances,
            None => {
                self.watches.insert(service.to_owned(), instances);
            }
        }
    }

    pub fn run_ended(&mut self, job: &str, lasted: Duration, exit: i32) {
        let of_job = self.of_job(job);
        of_job.ran = of_job.ran.saturating_add(lasted);
        *of_job.exits.entry(exit).or_default() += 1;
    }

    pub fn check_ended(&mut self, job: &str, took: Duration) {
        let of_job = self.of_job(job);
        of_job.checks += 1;
        of_job.checked = of_job.checked.saturating_add(took);
    }

    pub fn heartbeat(&mut self, job: &str, now: Moment) {
        self.of_job(job).passed = Some(now);
    }

    pub fn orphans(&mut self, reaped: usize) {
        self.orphans = self.orphans.saturating_add(u64::try_from(reaped).unwrap_or(u64::MAX));
    }

    pub fn late(&mut self, by: Duration) {
        self.lag.add(by.as_secs_f64());
    }

    /// Forgets jobs and watches that are not in the configuration any more.
    pub fn keep_only(&mut self, jobs: impl Fn(&str) -> bool, watches: impl Fn(&str) -> bool) {
        self.jobs.retain(|name, _| jobs(name));
        self.watches.retain(|name, _| watches(name));
    }

    fn of_job(&mut self, name: &str) -> &mut OfJob {
        if !self.jobs.contains_key(name) {
            self.jobs.insert(name.to_owned(), OfJob::default());
        }
        self.jobs.entry(name.to_owned()).or_default()
    }

    /// The families of the page.
    pub fn show(&self, snapshot: &Snapshot, version: &str, now: Moment) -> Vec<Family<'static>> {
        let mut build =
            Family::new("containerpilot_build_info", "The version of this program, as a label.", Kind::Gauge);
        build.add(&[("version", version)], 1.0);

        let help = "count of ContainerPilot events, partitioned by type and source";
        let mut events = Family::new("containerpilot_events", help, Kind::Counter);
        let mut by_name: Vec<_> = self.events.iter().map(|(code, sources)| (code.log_name(), sources)).collect();
        by_name.sort_by_key(|(code, _)| *code);
        for (code, sources) in by_name {
            for (source, count) in sources {
                events.add(&[("code", code), ("source", source)], number::of(*count));
            }
        }

        let help = "count of requests to control socket, partitioned by path and HTTP code";
        let mut requests = Family::new("containerpilot_control_http_requests", help, Kind::Counter);
        for ((code, path), count) in &self.requests {
            requests.add(&[("code", &code.to_string()), ("path", path)], number::of(*count));
        }

        let help = "gauge of instances found for each ContainerPilot watch, partitioned by service";
        let mut watches = Family::new("containerpilot_watch_instances", help, Kind::Gauge);
        for (service, instances) in &self.watches {
            watches.add(&[("service", service)], number::of(*instances));
        }

        let help = "Processes that others left behind and that we reaped.";
        let orphans = Family::new("containerpilot_orphans_reaped_total", help, Kind::Counter);
        let help = "Lines of the log that were lost because its output was blocked or failed.";
        let lost = Family::new("containerpilot_log_lines_dropped_total", help, Kind::Counter);
        let help = "How long the log's output has taken nothing, in seconds; 0 while it takes lines.";
        let blocked = Family::new("containerpilot_log_blocked_seconds", help, Kind::Gauge);
        let help = "How late timers of the event loop were carried out, in seconds.";
        let mut lag = Family::new("containerpilot_loop_lag_seconds", help, Kind::Histogram);
        self.lag.show(&mut lag);

        let mut all = vec![build, events, requests, watches, lag];
        all.push(orphans.single(number::of(self.orphans)));
        all.push(blocked.single(snapshot.log_blocked.as_secs_f64()));
        all.push(lost.single(number::of(snapshot.lost_log_lines)));
        all.extend(self.show_jobs(snapshot, now));
        all
    }

    /// Jobs of one name are one series: a page must not have a series twice.
    fn show_jobs(&self, snapshot: &Snapshot, now: Moment) -> [Family<'static>; 7] {
        let mut named: BTreeMap<&str, Vec<&JobView>> = BTreeMap::new();
        for job in snapshot.jobs.iter().filter(|job| !job.is_telemetry) {
            named.entry(&job.name).or_default().push(job);
        }
        let help = "What a job does, 1 for its state and 0 for all others.";
        let mut states = Family::new("containerpilot_job_state", help, Kind::Gauge);
        let help = "Restarts of a job after its exits.";
        let mut restarts = Family::new("containerpilot_job_restarts_total", help, Kind::Counter);
        let help = "Time for which a job's command has run in all its runs, in seconds.";
        let mut ran = Family::new("containerpilot_job_run_seconds_total", help, Kind::Counter);
        let help = "Runs of a job that ended, by exit status; 128 and its number for a signal.";
        let mut exits = Family::new("containerpilot_job_exits_total", help, Kind::Counter);
        let help = "Exit status of a job's last run; 128 and its number for a signal.";
        let mut last = Family::new("containerpilot_job_last_exit_code", help, Kind::Gauge);
        let help = "How long the runs of a job's health check took, in seconds.";
        let mut checks = Family::new("containerpilot_job_check_duration_seconds", help, Kind::Summary);
        let help = "Time since a job's health check passed last, or its last heartbeat, in seconds.";
        let mut age = Family::new("containerpilot_job_heartbeat_age_seconds", help, Kind::Gauge);

        let nothing = OfJob::default();
        for (name, jobs) in named {
            // Not `job`, which Prometheus gives to every series itself.
            let label = ("name", name);
            for state in JobState::ALL {
                let count = jobs.iter().filter(|job| job.state == state).count();
                states.add(&[label, ("state", state.word())], number::of(u64::try_from(count).unwrap_or(u64::MAX)));
            }
            restarts.add(&[label], number::of(jobs.iter().map(|job| job.restarts).sum()));
            let known = self.jobs.get(name).unwrap_or(&nothing);
            let running: Duration = jobs.iter().filter_map(|job| Some(now.since(job.running_since?))).sum();
            ran.add(&[label], known.ran.saturating_add(running).as_secs_f64());
            for (code, count) in &known.exits {
                exits.add(&[("code", &code.to_string()), label], number::of(*count));
            }
            if let Some(code) = jobs.iter().rev().find_map(|job| job.last_exit) {
                last.add(&[label], f64::from(code));
            }
            if jobs.iter().any(|job| job.is_checked) {
                checks.part("_sum", &[label], known.checked.as_secs_f64());
                checks.part("_count", &[label], number::of(known.checks));
            }
            if let Some(passed) = known.passed {
                age.add(&[label], now.since(passed).as_secs_f64());
            }
        }
        [states, restarts, ran, exits, last, checks, age]
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::{Format, render};
    use super::*;
    use crate::core::Status;

    fn job(name: &str, state: JobState) -> JobView {
        JobView {
            name: name.to_owned(),
            state,
            health: Status::Healthy,
            is_checked: true,
            is_needed: false,
            is_telemetry: false,
            service: None,
            restarts: 2,
            last_exit: Some(137),
            running_since: (state == JobState::Running).then(|| at(90)),
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn page(counts: &Counts, jobs: Vec<JobView>) -> Vec<String> {
        let snapshot = Snapshot { jobs, lost_log_lines: 3, ..Snapshot::default() };
        let page = render(counts.show(&snapshot, "4.0.0", at(100)), Format::Text);
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn the_originals_families_have_its_names_and_labels() {
        let mut counts = Counts::default();
        for (code, source) in [
            (EventCode::Startup, "global"),
            (EventCode::ExitFailed, "web"),
            (EventCode::Error, "web"),
            (EventCode::ExitFailed, "web"),
            (EventCode::ExitFailed, "app"),
        ] {
            counts.event(code, source);
        }
        counts.control_requests(200, "/v3/ping", 1);
        counts.control_requests(422, "/v3/metric", 1);
        counts.control_requests(200, "/v3/ping", 1);
        counts.watch("db", 3);
        counts.watch("db", 2);
        let page = page(&counts, Vec::new());
        let of = |name: &str| -> Vec<&str> {
            page.iter().map(String::as_str).filter(|line| line.starts_with(name)).collect()
        };
        assert_eq!(
            of("containerpilot_events"),
            [
                r#"containerpilot_events{code="Error",source="web"} 1"#,
                r#"containerpilot_events{code="ExitFailed",source="app"} 1"#,
                r#"containerpilot_events{code="ExitFailed",source="web"} 2"#,
                r#"containerpilot_events{code="Startup",source="global"} 1"#,
            ]
        );
        assert_eq!(
            of("containerpilot_control_http_requests"),
            [
                r#"containerpilot_control_http_requests{code="200",path="/v3/ping"} 2"#,
                r#"containerpilot_control_http_requests{code="422",path="/v3/metric"} 1"#,
            ]
        );
        assert_eq!(of("containerpilot_watch_instances"), [r#"containerpilot_watch_instances{service="db"} 2"#]);
    }

    #[test]
    fn f76_a_flood_of_sources_ends_in_one_series() {
        let mut counts = Counts::default();
        for number in 0..MOST_SERIES + 1_000 {
            counts.event(EventCode::Error, &format!("text {number}"));
        }
        counts.event(EventCode::Error, "text 5");
        assert_eq!(counts.events[&EventCode::Error].len(), MOST_SERIES + 1);
        assert_eq!(counts.events[&EventCode::Error][OTHER], 1_000);
        assert_eq!(counts.events[&EventCode::Error]["text 5"], 2);
    }

    #[test]
    fn a_job_shows_what_it_did() {
        let mut counts = Counts::default();
        counts.run_ended("web", Duration::from_millis(2_500), 0);
        counts.run_ended("web", Duration::from_secs(1), 137);
        counts.check_ended("web", Duration::from_millis(250));
        counts.check_ended("web", Duration::from_millis(500));
        counts.heartbeat("web", at(97));
        counts.orphans(4);
        let page = page(&counts, vec![job("web", JobState::Running)]);
        for line in [
            r#"containerpilot_build_info{version="4.0.0"} 1"#,
            r#"containerpilot_job_check_duration_seconds_sum{name="web"} 0.75"#,
            r#"containerpilot_job_check_duration_seconds_count{name="web"} 2"#,
            r#"containerpilot_job_exits_total{code="0",name="web"} 1"#,
            r#"containerpilot_job_exits_total{code="137",name="web"} 1"#,
            r#"containerpilot_job_heartbeat_age_seconds{name="web"} 3"#,
            r#"containerpilot_job_last_exit_code{name="web"} 137"#,
            r#"containerpilot_job_restarts_total{name="web"} 2"#,
            r#"containerpilot_job_run_seconds_total{name="web"} 13.5"#,
            r#"containerpilot_job_state{name="web",state="running"} 1"#,
            r#"containerpilot_job_state{name="web",state="done"} 0"#,
            "containerpilot_log_lines_dropped_total 3",
            "containerpilot_orphans_reaped_total 4",
        ] {
            assert!(page.iter().any(|other| other == line), "{line} in\n{}", page.join("\n"));
        }
    }

    #[test]
    fn jobs_of_one_name_are_one_series() {
        let page = page(&Counts::default(), vec![job("a", JobState::Done), job("a", JobState::Running)]);
        let mut series: Vec<&str> = page.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), all, "{page:?}");
        assert!(page.contains(&r#"containerpilot_job_restarts_total{name="a"} 4"#.to_owned()));
        assert!(page.contains(&r#"containerpilot_job_state{name="a",state="done"} 1"#.to_owned()));
    }

    #[test]
    fn the_lag_of_the_loop_is_a_histogram() {
        let mut counts = Counts::default();
        counts.late(Duration::from_millis(1));
        counts.late(Duration::from_millis(300));
        let page = page(&counts, Vec::new());
        assert!(page.contains(&r#"containerpilot_loop_lag_seconds_bucket{le="0.005"} 1"#.to_owned()));
        assert!(page.contains(&r#"containerpilot_loop_lag_seconds_bucket{le="0.5"} 2"#.to_owned()));
        assert!(page.contains(&"containerpilot_loop_lag_seconds_count 2".to_owned()));
    }
}
