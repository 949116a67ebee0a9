//! What people see, as they see it: in a pipe, in terminals of 80 and 200 columns, with and without colour.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::api::{Env, EventRecord, LogLine, Lost, Maintenance, Overview, Reloaded, Watches, Why};

/// One hour east.
fn offset(_: i64) -> i32 {
    3600
}

fn look(width: Option<usize>, colour: bool) -> Look<'static> {
    // The day of all moments here: 22 November 2026.
    Look { width, colour, offset: &offset, now: 1_795_348_800 }
}

/// The same in every place, with the escape sequences in words.
fn everywhere(show: impl Fn(&Look<'_>) -> String) -> String {
    let places = [
        ("a pipe", None, false),
        ("80 columns", Some(80), false),
        ("80 columns, colour", Some(80), true),
        ("200 columns", Some(200), false),
        ("200 columns, colour", Some(200), true),
    ];
    let mut all = String::new();
    for (name, width, colour) in places {
        let shown = show(&look(width, colour));
        for line in shown.lines() {
            let bare = without_colour(line);
            assert!(width.is_none_or(|most| table::width(&bare) <= most), "{name}: {line}");
            assert!(!bare.chars().any(char::is_control), "{line:?}");
            assert_eq!(bare.trim_end(), bare, "no blanks at the end");
        }
        let words = [("\x1b[32m", "{green}"), ("\x1b[33m", "{yellow}"), ("\x1b[31m", "{red}"), ("\x1b[0m", "{}")];
        let shown = words.iter().fold(shown, |text, (sequence, word)| text.replace(sequence, word));
        all += "--- ";
        all += name;
        all.push('\n');
        all += &shown;
    }
    all
}

fn without_colour(line: &str) -> String {
    ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"].iter().fold(line.to_owned(), |line, code| line.replace(code, ""))
}

fn job(json: &serde_json::Value) -> serde_json::Value {
    let mut job = json!({
        "name": "app", "state": "running", "runs": 1, "restarts": 0, "when": "at the start",
        "restartsPolicy": "never", "command": ["/bin/app"], "main": false, "telemetry": false,
        "a key of a later version": { "x": [1] },
    });
    job.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
    job
}

fn health(state: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut health = json!({
        "state": state, "failures": 0, "command": ["curl", "-f", "http://127.0.0.1:8080/health"], "intervalMs": 5000,
        "timeoutMs": 2000,
    });
    health.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    health
}

fn service(status: &str) -> serde_json::Value {
    json!({ "id": "app-web", "address": "10.0.3.6", "port": 8080, "status": status, "toldMs": 2100 })
}

fn jobs() -> Vec<serde_json::Value> {
    vec![
        job(&json!({
            "name": "nginx", "pid": 42, "sinceMs": 273_600_000, "service": service("passing"), "main": true,
            "restartsPolicy": "unlimited, backoff 100ms → 10s, reset after 10s",
            "command": ["nginx", "-g", "daemon off;", "it's", ""],
            "health": health("healthy", &json!({ "checkedMs": 3000 })),
        })),
        job(&json!({
            "name": "app", "pid": 57, "sinceMs": 720_000, "runs": 3, "restarts": 2, "service": service("critical"),
            "health": health("unhealthy", &json!({ "checkedMs": 1200, "failures": 4, "failure": "exit status 22" })),
            "lastExit": { "code": 1, "text": "exit status 1", "at": "2026-11-22T11:52:11.201Z", "agoMs": 721_000,
                          "lastedMs": 4_000_000 },
        })),
        job(&json!({
            "name": "migrate", "state": "done", "sinceMs": 700_000,
            "lastExit": { "code": 0, "text": "exit status 0", "at": "2026-11-22T11:52:11.201Z", "agoMs": 700_000,
                          "lastedMs": 3100 },
        })),
        job(&json!({
            "name": "broken", "state": "done", "sinceMs": 700_000,
            "lastExit": { "code": 137, "text": "signal: killed", "at": "2026-11-22T11:52:11.201Z", "agoMs": 700_000,
                          "lastedMs": 3100 },
        })),
        job(&json!({
            "name": "backup", "state": "waiting", "when": "every 1h",
            "next": { "at": "2026-11-22T13:00:00.000Z", "inMs": 2_460_000, "why": "every 1h" },
        })),
        job(&json!({
            "name": "sidecar", "state": "backoff", "runs": 7, "restarts": 6, "sinceMs": 1100,
            "when": "once app is healthy", "restartsPolicy": "unlimited, backoff 100ms → 10s, reset after 10s",
            "command": ["/bin/sidecar", "--listen", "127.0.0.1:9001"],
            "next": { "at": "2026-11-22T12:04:14.402Z", "inMs": 3200, "why": "exit 1, 7th time in a row" },
            "health": health("unknown", &json!({})), "service": service(""),
            "lastExit": { "code": 1, "text": "exit status 1", "at": "2026-11-22T12:04:11.201Z", "agoMs": 1100,
                          "lastedMs": 200 },
        })),
        job(&json!({
            "name": "report", "state": "waiting", "runs": 0, "when": "once app is healthy",
            "waitsFor": "for app to be healthy",
        })),
        job(&json!({ "name": "old", "state": "stopping", "pid": 61, "sinceMs": 800 })),
        job(&json!({
            "name": "paused", "state": "stopped", "sinceMs": 90_000, "health": health("maintenance", &json!({})),
        })),
        job(&json!({
            "name": "containerpilot", "telemetry": true, "command": [], "service": service(""), "sinceMs": 273_600_000,
        })),
    ]
}

fn everything() -> serde_json::Value {
    json!({
        "version": "4.0.0", "pid": 1, "since": "2026-11-19T08:04:11.201Z", "upMs": 273_600_123, "stopping": false,
        "maintenance": false, "ready": { "ready": false, "count": 3, "of": 4, "reason": "not ready: app (unhealthy)" },
        "consul": { "address": "localhost:8500", "ok": true }, "jobs": jobs(), "more": 1,
    })
}

fn of<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_overview_is_a_table_and_a_line() {
    let all: Overview = of(everything());
    insta::assert_snapshot!("overview", everywhere(|look| overview(&all, look)));
}

#[test]
fn columns_with_nothing_in_them_are_left_out() {
    let mut plain = everything();
    plain["jobs"] = json!([job(&json!({ "name": "web", "pid": 7, "sinceMs": 1500 }))]);
    plain["consul"] = json!(null);
    plain["ready"] = json!({ "ready": true, "count": 0, "of": 0 });
    plain["maintenance"] = json!(true);
    plain["stopping"] = json!(true);
    let plain: Overview = of(plain);
    insta::assert_snapshot!("overview_small", everywhere(|look| overview(&plain, look)));
    let mut none = everything();
    none["jobs"] = json!([]);
    none["consul"] = json!({ "address": "c:8500", "ok": false, "problem": "connection refused" });
    let none: Overview = of(none);
    insta::assert_snapshot!("overview_none", everywhere(|look| overview(&none, look)));
}

#[test]
fn what_a_job_that_waits_did_last_is_told_if_it_failed() {
    let state = |more: Value| {
        let job: crate::api::Job = of(job(&more));
        (super::state(&job), state_colour(&job))
    };
    let exit = |code: i32, text: &str, lasted: u64| {
        let at = "2026-11-22T12:04:11Z";
        json!({ "state": "waiting",
            "lastExit": { "code": code, "text": text, "at": at, "agoMs": 5, "lastedMs": lasted } })
    };
    assert_eq!(state(json!({ "state": "waiting" })), ("waiting".to_owned(), None));
    assert_eq!(state(exit(0, "exit status 0", 3)), ("waiting".to_owned(), None));
    let failed = |text: &str| (text.to_owned(), Some(Colour::Red));
    assert_eq!(state(exit(4, "exit status 4", 3)), failed("waiting (last run: exit status 4)"));
    assert_eq!(state(exit(137, "signal: killed", 3)), failed("waiting (last run: signal: killed)"));
    let missing = "exec: \"x\": executable file not found in $PATH";
    assert_eq!(state(exit(127, missing, 0)), failed("waiting (last run: not started)"));
    let stopped = ("running (stopped by SIGSTOP)".to_owned(), Some(Colour::Yellow));
    assert_eq!(state(json!({ "stoppedBy": "SIGSTOP" })), stopped);
}

#[test]
fn a_log_in_trouble_is_told() {
    let told = |log: Value| {
        let mut all = everything();
        all["log"] = log;
        let all: Overview = of(all);
        let shown = overview(&all, &look(None, false));
        let log = shown.lines().last().unwrap().split(" · ").find(|part| part.starts_with("log ")).map(str::to_owned);
        log.unwrap_or_default()
    };
    assert_eq!(told(Value::Null), "");
    let blocked = json!({ "blockedMs": 3900, "jobsWait": true, "lost": 0 });
    assert_eq!(told(blocked), "log blocked for 3.9s, and jobs that write wait");
    let failing = json!({ "jobsWait": false, "problem": "no space left on device", "lost": 312 });
    assert_eq!(told(failing), "log fails: no space left on device, 312 lines lost so far");
}

/// The column in which a word begins, in each of the lines that have it.
fn columns_of(text: &str, word: &str) -> Vec<usize> {
    text.lines().filter_map(|line| Some(table::width(line.split_once(word)?.0))).collect()
}

#[test]
fn wide_and_combining_characters_keep_the_columns() {
    let names = ["plain", "日本語", "cafe\u{301}", "👍"];
    let jobs: Vec<_> = names.iter().map(|name| job(&json!({ "name": name, "pid": 7, "sinceMs": 1500 }))).collect();
    let mut all = everything();
    all["jobs"] = json!(jobs);
    let all: Overview = of(all);
    let shown = overview(&all, &look(None, false));
    assert_eq!(columns_of(&shown, "running"), [8; 4], "{shown}");
    // A terminal that has no room cuts between characters, not beside them.
    for most in 8..40 {
        let shown = overview(&all, &look(Some(most), true));
        let table: Vec<String> = shown.lines().take(5).map(without_colour).collect();
        assert!(table.iter().all(|line| table::width(line) <= most), "{most}: {shown}");
    }
    let wide = Look { width: Some(12), ..look(None, false) };
    let cut = table::table(&["A", "B"], &[vec![table::Cell::text("日本語日本語"), table::Cell::text("x")]], &wide);
    assert_eq!(cut, "A    B\n日…  x\n");
    let mut events = Events::new();
    let event = |source: &str| -> EventRecord {
        of(json!({ "seq": 1, "time": "x", "source": source, "event": "start", "detail": "" }))
    };
    let lines: String = names.iter().map(|name| events.line(&event(name), &look(None, false))).collect();
    assert_eq!(columns_of(&lines, "start"), [13; 4], "{lines}");
    let facts = names.map(|about| json!({ "about": about, "says": "it is so" }));
    let told = why(&of(json!({ "job": "a", "summary": "s", "facts": facts })));
    assert_eq!(columns_of(&told, "it is so"), [10; 4], "{told}");
    let changed = names.map(|job| json!({ "job": job, "fields": [job] }));
    let plan = json!({ "dryRun": true, "everything": false, "restarted": [], "changed": changed, "removed": [],
                       "added": [], "unchanged": 0 });
    let told = reloaded(&of(plan));
    assert_eq!(columns_of(&told, "live"), [27; 4], "{told}");
}

#[test]
fn long_names_leave_room_for_the_rest_on_a_terminal() {
    let mut long = everything();
    let name = "a-name-that-somebody-made-by-putting-the-whole-address-of-the-thing-into-it-and-then-some";
    let next = json!({ "at": "x", "inMs": 100, "why": "exit 1, 7th time in a row, and the name is too long for this" });
    long["jobs"] = json!([
        job(
            &json!({ "name": name, "pid": 7, "sinceMs": 1500, "health": health("healthy", &json!({ "checkedMs": 1 })) })
        ),
        job(&json!({ "name": "b", "state": "backoff", "next": next })),
    ]);
    let long: Overview = of(long);
    insta::assert_snapshot!("overview_long", everywhere(|look| overview(&long, look)));
}

#[test]
fn a_job_is_a_block() {
    let jobs: Vec<Job> = jobs().into_iter().map(of).collect();
    let shown = |look: &Look<'_>| jobs.iter().map(|job| block(job, look)).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("jobs", shown(&look(Some(80), false)));
    insta::assert_snapshot!("jobs_colour", shown(&look(Some(80), true)).replace('\x1b', "^"));
    assert_eq!(shown(&look(None, false)), shown(&look(Some(200), false)), "a block is not cut");
}

fn log_lines() -> Vec<LogLine> {
    let line = |more: serde_json::Value| {
        let mut line = json!({ "seq": 1, "time": "2026-11-22T23:04:11.201Z", "level": "info", "text": "hello" });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of(line)
    };
    vec![
        line(json!({ "job": "app", "stream": "stderr", "pid": 57, "text": "bind 127.0.0.1:9001: address in use" })),
        line(json!({ "job": "app", "check": true, "text": "connection refused" })),
        line(json!({ "level": "warn", "text": "consul: connection refused" })),
        line(json!({ "text": "app started" })),
        line(json!({ "job": "a-job-with-a-very-long-name-of-its-own", "text": "x" })),
        line(json!({ "job": "app", "text": "\ttab \u{1b}[31mred\u{1b}[0m \u{9b}2J \r\n bell\u{7} del\u{7f}" })),
        line(json!({ "job": "e\u{1b}vil", "time": "\u{1b}[2J", "level": "\u{1b}[2J", "text": "" })),
    ]
}

#[test]
fn logs_are_times_jobs_and_lines() {
    let written = |one: bool, raw: bool, look: &Look<'_>| {
        let mut logs = Logs::new(one, raw);
        log_lines().iter().map(|line| logs.line(line, look)).collect::<String>()
    };
    let shown = |one, look: &Look<'_>| written(one, false, look);
    insta::assert_snapshot!("logs_terminal", shown(false, &look(Some(80), true)));
    insta::assert_snapshot!("logs_of_one_job", shown(true, &look(Some(80), false)));
    // Whoever wants what the job wrote has to say so, also in a pipe.
    assert_eq!(shown(false, &look(None, false)), shown(false, &look(Some(80), true)));
    let piped = written(false, true, &look(None, false));
    assert!(piped.contains("\ttab \u{1b}[31mred\u{1b}[0m \u{9b}2J \r\n bell\u{7} del\u{7f}\n"), "{piped:?}");
    insta::assert_snapshot!("last_lines", last_lines(&log_lines(), &look(None, false)));
    assert_eq!(last_lines(&[], &look(None, false)), "");
}

#[test]
fn nothing_that_others_made_steers_a_terminal() {
    let evil = "\u{1b}]0;title\u{7}\u{9b}2J\r\n\u{7f}\u{202e}";
    let all: Overview = of(with(everything(), &|text| text.replace("app", evil)));
    assert!(all.jobs.iter().any(|job| job.name == evil && job.command == [format!("/bin/{evil}")]));
    let look = look(Some(200), false);
    let shown = overview(&all, &look) + &all.jobs.iter().map(|job| block(job, &look)).collect::<String>();
    assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || is_reordering(c)), "{shown:?}");
    assert_eq!(visible(evil), "^[]0;title^G\\x9b2J^M^J^?\\u{202e}");
}

/// The same with every text changed.
fn with(json: serde_json::Value, change: &impl Fn(&str) -> String) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(all) => Value::Array(all.into_iter().map(|one| with(one, change)).collect()),
        Value::Object(all) => Value::Object(all.into_iter().map(|(key, one)| (key, with(one, change))).collect()),
        other => other,
    }
}

#[test]
fn events_are_in_columns_that_grow() {
    let event = |source: &str, event: &str, detail: &str| -> EventRecord {
        of(json!({ "seq": 1, "time": "2026-11-22T12:04:11.402Z", "source": source, "event": event, "detail": detail }))
    };
    let all = [
        event("sidecar", "exitFailed", "code 1 after 0.2s"),
        event("sidecar", "backoff", "3.2s"),
        event("watch.db", "changed", "2 → 3 instances (+10.0.3.7:5432)"),
        event("check.a-long-name", "exitSuccess", ""),
        event("app", "start", "pid 57 (each watch.db changed)"),
        event("global", "a-new-event-of-a-later-version", "\u{1b}[2J"),
    ];
    let shown = |look: &Look<'_>| {
        let mut events = Events::new();
        all.iter().map(|line| events.line(line, look)).collect::<String>()
    };
    insta::assert_snapshot!("events", everywhere(shown));
    assert_eq!(lost(&Lost { dropped: 1 }, "event"), "… 1 event was lost here\n");
    assert_eq!(lost(&Lost { dropped: 12 }, "line"), "… 12 lines were lost here\n");
}

#[test]
fn an_explanation_ends_at_facts() {
    let all: Why = of(json!({
        "job": "report", "summary": "report has not started: it waits for app to be healthy",
        "facts": [
            { "says": "app is running since 12m but its check has failed 4 times", "because": [
                { "about": "check", "says": "curl -f http://127.0.0.1:8080/health, every 5s, timeout 2s" },
                { "about": "last", "says": "2s ago: exit status 22", "new": 1 },
            ] },
            { "says": "report gives up in 48s (when.timeout 1m)" },
        ],
    }));
    insta::assert_snapshot!("why", why(&all));
}

#[test]
fn a_reload_is_told_in_a_line_or_job_by_job() {
    let mut all = json!({
        "dryRun": false, "tookMs": 612, "everything": false, "unchanged": 46, "removed": ["old-cron"],
        "restarted": [{ "job": "app", "fields": ["exec", "tags"] }],
        "changed": [{ "job": "nginx", "fields": ["health.interval"] }], "added": ["report"],
    });
    let mut told = Vec::new();
    let mut show = |json: &serde_json::Value| told.push(reloaded(&of::<Reloaded>(json.clone())));
    show(&all);
    all["dryRun"] = json!(true);
    show(&all);
    for key in ["restarted", "changed"] {
        all[key] = json!([]);
    }
    show(&all);
    for key in ["removed", "added"] {
        all[key] = json!([]);
    }
    show(&all);
    all["dryRun"] = json!(false);
    show(&all);
    all["everything"] = json!(true);
    show(&all);
    all["dryRun"] = json!(true);
    show(&all);
    let refused = |details: &[&str]| {
        let details = details.iter().map(|line| (*line).to_owned()).collect();
        not_reloaded(
            &Error { code: "invalid".to_owned(), message: "the configuration is wrong".to_owned(), details },
            false,
        )
    };
    told.push(refused(&[]) + "\n");
    told.push(refused(&["app.json5:23:7: unknown key `tll`"]) + "\n");
    told.push(refused(&["app.json5:23:7: unknown key `tll`", "app.json5:31:17: expected a number"]) + "\n");
    let message = "the configuration is not good: the running one is unchanged".to_owned();
    let details = vec!["one".to_owned(), "two".to_owned()];
    told.push(not_reloaded(&Error { code: "invalid".to_owned(), message, details }, true) + "\n");
    insta::assert_snapshot!("reload", told.join("---\n"));
}

#[test]
fn watches_are_a_table() {
    let instance = |address: &str| json!({ "id": "i", "address": address, "port": 5432, "tags": [], "node": "n" });
    let changed = "2026-11-22T12:04:11.201Z";
    let all: Watches = of(json!({ "watches": [
        { "name": "db", "tag": "primary", "intervalMs": 5000, "changed": changed, "known": true,
          "instances": [instance("10.0.3.6"), instance("fd00::7"), instance("10.0.3.8"), instance("10.0.3.9")] },
        { "name": "cache", "intervalMs": 1000, "changed": changed, "known": true, "instances": [] },
        { "name": "queue", "intervalMs": 1000, "instances": [] },
    ] }));
    let now = humantime::parse_rfc3339(changed).unwrap() + Duration::from_mins(3);
    insta::assert_snapshot!("watches", everywhere(|look| watches(&all, now, look)));
    assert_eq!(watches(&Watches { watches: Vec::new() }, now, &look(None, false)), "no watches\n");
}

#[test]
fn variables_and_maintenance_are_plain() {
    let env: Env = of(json!({ "env": [["A", "x=y"], ["B", "two\nlines\u{1b}"]] }));
    assert_eq!(environment(&env), "A=x=y\nB=two^Jlines^[\n");
    let told = |on, services, asked: bool| maintenance(&Maintenance { on, services, toggled: !asked }, asked);
    assert_eq!(told(true, Some(3), false), "maintenance on: 3 services deregistered, checks paused\n");
    assert_eq!(told(true, Some(0), false), "maintenance on: checks paused\n");
    assert_eq!(told(false, Some(1), false), "maintenance off: 1 service to be registered again, checks resumed\n");
    assert_eq!(told(true, None, true), "maintenance is on: checks paused\n");
    assert_eq!(told(false, Some(3), true), "maintenance is off\n");
}

#[test]
fn a_refusal_has_its_details_below() {
    let mut error = Error::new("notFound", "no job is called `ap`: did you mean `app`?");
    assert_eq!(refusal(&error), "no job is called `ap`: did you mean `app`?");
    error.details = vec!["one".to_owned(), "two\nthree".to_owned()];
    assert_eq!(refusal(&error), "no job is called `ap`: did you mean `app`?\n  one\n  two\n  three");
}

#[test]
fn moments_are_those_of_the_wall() {
    let look = look(None, false);
    assert_eq!(clock("2026-11-22T12:04:11.201Z", &look), "13:04:11.201");
    assert_eq!(clock("2026-11-22T23:04:11.201Z", &look), "11-23 00:04:11.201", "here it is the next day");
    assert_eq!(clock("2026-02-03T22:04:11.201Z", &look), "02-03 23:04:11.201");
    for odd in ["", "yesterday", "2026-13-01T00:00:00Z", "99999-01-01T00:00:00Z", "1960-01-01T00:00:00Z"] {
        assert_eq!(clock(odd, &look), odd);
    }
    let far = Look { width: None, colour: false, offset: &|_| i32::MIN, now: 0 };
    assert_eq!(clock("1970-01-01T00:00:00.000Z", &far).len(), "00:00:00.000".len());
}
