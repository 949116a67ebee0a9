//! `/status` byte for byte as the original writes it, and the answer to `/readyz` (v3 §16).

use std::fmt::Write;

use super::snapshot::{JobState, JobView, Snapshot};
use crate::core::Status;

/// `/status`: one line of JSON.
pub(super) fn json(snapshot: &Snapshot, version: &str) -> String {
    let plain = snapshot.jobs.iter().filter(|job| job.service.is_none()).map(|job| {
        let mut object = String::new();
        let _ = write!(object, "{{\"Name\":{},\"Status\":\"{}\"}}", quoted(&job.name), word(job.health));
        object
    });
    let services = snapshot.jobs.iter().filter_map(|job| {
        let (address, port) = job.service?;
        let (name, status) = (quoted(&job.name), word(job.health));
        Some(format!("{{\"Name\":{name},\"Address\":\"{address}\",\"Port\":{port},\"Status\":\"{status}\"}}"))
    });
    let watches = snapshot.watches.iter().map(|name| quoted(name));
    format!(
        "{{\"Version\":{},\"Jobs\":{},\"Services\":{},\"Watches\":{}}}\n",
        quoted(version),
        list(plain),
        list(services),
        list(watches)
    )
}

/// A job's health in the original's words, which know no difference between not started and not checked.
pub(super) fn word(health: Status) -> &'static str {
    match health {
        Status::Idle | Status::Unknown => "unknown",
        Status::Healthy | Status::AlwaysHealthy => "healthy",
        Status::Unhealthy => "unhealthy",
        Status::Maintenance => "maintenance",
    }
}

/// An empty list is `null`, as Go writes one that nothing was ever put into.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "null".to_owned() } else { format!("[{}]", items.join(",")) }
}

/// A string as Go's JSON writes it: what HTML would take for a mark is escaped, too.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Who keeps the container from being ready: job and reason, in file order. Nobody: it is ready.
///
/// Asked are the jobs that are `main` or `required`; where none is marked so, all whose health a command checks. A checked job
/// is ready while it is healthy, another one while it runs. A job that has ended well and does not run is ready, too: it
/// has done what was to be done.
fn not_ready(snapshot: &Snapshot) -> Vec<(&str, &'static str)> {
    let reason = |job: &JobView| match job.state {
        JobState::Stopping => Some("stopping"),
        // Between its runs, or over.
        JobState::Waiting | JobState::Done if job.last_exit == Some(0) => None,
        JobState::Waiting => Some("waiting"),
        JobState::Backoff => Some("backoff"),
        JobState::Stopped => Some("stopped"),
        JobState::Done => Some("done"),
        JobState::Running if !job.is_checked => None,
        JobState::Running => match job.health {
            Status::Healthy | Status::AlwaysHealthy => None,
            Status::Idle | Status::Unknown => Some("not checked yet"),
            Status::Unhealthy => Some("unhealthy"),
            Status::Maintenance => Some("maintenance"),
        },
    };
    asked(snapshot).filter_map(|job| Some((job.name.as_str(), reason(job)?))).collect()
}

fn asked(snapshot: &Snapshot) -> impl Iterator<Item = &JobView> {
    let any_marked = snapshot.jobs.iter().any(|job| job.is_needed);
    let is_asked = move |job: &&JobView| !job.is_telemetry && if any_marked { job.is_needed } else { job.is_checked };
    snapshot.jobs.iter().filter(is_asked)
}

/// How many of the jobs that are asked are ready, and how many are asked.
pub fn ready_jobs(snapshot: &Snapshot) -> (usize, usize) {
    let of = asked(snapshot).count();
    (of.saturating_sub(not_ready(snapshot).len()), of)
}

/// The body of `/readyz`, and whether it is a good one.
pub fn readiness(snapshot: &Snapshot) -> (bool, String) {
    if snapshot.stopping {
        return (false, "not ready: stopping\n".to_owned());
    }
    if snapshot.maintenance {
        return (false, "not ready: maintenance\n".to_owned());
    }
    let reasons: Vec<String> =
        not_ready(snapshot).into_iter().map(|(name, reason)| format!("{name} ({reason})")).collect();
    if reasons.is_empty() {
        (true, "ready\n".to_owned())
    } else {
        (false, format!("not ready: {}\n", reasons.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn job(name: &str, state: JobState, health: Status) -> JobView {
        JobView {
            name: name.to_owned(),
            state,
            health,
            is_checked: true,
            is_needed: false,
            is_telemetry: false,
            service: None,
            restarts: 0,
            last_exit: None,
            running_since: None,
        }
    }

    fn of(jobs: Vec<JobView>) -> Snapshot {
        Snapshot { jobs, ..Snapshot::default() }
    }

    #[test]
    fn status_has_the_originals_members_in_their_order() {
        let advertised = |name: &str, port: i64, health: Status| JobView {
            service: Some((IpAddr::from([10, 0, 0, 7]), port)),
            ..job(name, JobState::Running, health)
        };
        let jobs = vec![
            advertised("web", 80, Status::Maintenance),
            job("cron", JobState::Waiting, Status::Idle),
            job("log <&>", JobState::Running, Status::Unhealthy),
            advertised("containerpilot", 9090, Status::AlwaysHealthy),
        ];
        let snapshot = Snapshot { watches: vec!["up".to_owned(), "down".to_owned()], ..of(jobs) };
        assert_eq!(
            json(&snapshot, "4.0.0"),
            concat!(
                r#"{"Version":"4.0.0","Jobs":[{"Name":"cron","Status":"unknown"},"#,
                r#"{"Name":"log \u003c\u0026\u003e","Status":"unhealthy"}],"#,
                r#""Services":[{"Name":"web","Address":"10.0.0.7","Port":80,"Status":"maintenance"},"#,
                r#"{"Name":"containerpilot","Address":"10.0.0.7","Port":9090,"Status":"healthy"}],"#,
                r#""Watches":["up","down"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn empty_lists_are_null() {
        let nothing = "{\"Version\":\"\",\"Jobs\":null,\"Services\":null,\"Watches\":null}\n";
        assert_eq!(json(&Snapshot::default(), ""), nothing);
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        assert_eq!(quoted("a\"\\\n\r\t\u{1}\u{2028}é/\u{7f}"), "\"a\\\"\\\\\\n\\r\\t\\u0001\\u2028é/\u{7f}\"");
    }

    #[test]
    fn marked_jobs_alone_decide() {
        let mut main = job("app", JobState::Running, Status::Unknown);
        main.is_checked = false;
        main.is_needed = true;
        let sick = job("side", JobState::Running, Status::Unhealthy);
        assert_eq!(readiness(&of(vec![main.clone(), sick.clone()])), (true, "ready\n".to_owned()));
        main.state = JobState::Backoff;
        assert_eq!(readiness(&of(vec![main, sick])), (false, "not ready: app (backoff)\n".to_owned()));
    }

    #[test]
    fn without_marks_all_that_are_checked_decide() {
        let mut plain = job("plain", JobState::Waiting, Status::Idle);
        plain.is_checked = false;
        let mut telemetry = job("containerpilot", JobState::Running, Status::AlwaysHealthy);
        telemetry.is_telemetry = true;
        let web = job("web", JobState::Running, Status::Healthy);
        let jobs = vec![plain, telemetry, web];
        assert!(readiness(&of(jobs.clone())).0);
        let more = [
            job("new", JobState::Running, Status::Unknown),
            job("later", JobState::Waiting, Status::Idle),
            job("ill", JobState::Running, Status::Unhealthy),
        ];
        let (ready, told) = readiness(&of(jobs.into_iter().chain(more).collect()));
        assert!(!ready);
        assert_eq!(told, "not ready: new (not checked yet), later (waiting), ill (unhealthy)\n");
    }

    #[test]
    fn a_setup_that_went_well_is_ready_and_one_that_failed_is_not() {
        let mut setup = job("setup", JobState::Done, Status::Unknown);
        setup.is_checked = false;
        setup.is_needed = true;
        setup.last_exit = Some(0);
        assert!(readiness(&of(vec![setup.clone()])).0);
        setup.last_exit = Some(1);
        assert_eq!(readiness(&of(vec![setup])).1, "not ready: setup (done)\n");
    }

    #[test]
    fn nobody_is_sent_to_what_stops_or_is_in_maintenance() {
        let stopping = Snapshot { stopping: true, ..Snapshot::default() };
        assert_eq!(readiness(&stopping), (false, "not ready: stopping\n".to_owned()));
        let maintenance = Snapshot { maintenance: true, ..Snapshot::default() };
        assert_eq!(readiness(&maintenance), (false, "not ready: maintenance\n".to_owned()));
        assert!(readiness(&Snapshot::default()).0, "nothing is waited for");
    }
}
