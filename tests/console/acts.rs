//! `start`, `stop` and `restart` wait until it is done, but not for ever.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stand_in::{StandIn, job, refusal, whole};

/// Answers `POST` with the first, and each `GET` with the next one; the last stays.
fn steps(steps: Vec<Value>) -> StandIn {
    let left = Mutex::new(steps);
    StandIn::new(move |_, stream| {
        let mut left = left.lock().unwrap();
        let now = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
        drop(left);
        whole(stream, 200, &json!({ "said": "asked for", "jobs": [now] }).to_string());
    })
}

#[test]
fn stop_waits_for_the_end() {
    let stand_in = steps(vec![job("web", "stopping", 1), job("web", "stopping", 1), job("web", "stopped", 1)]);
    assert_eq!(stand_in.printed("stop web"), "web: stopped, 1.5s ago\n");
    assert_eq!(stand_in.asked(), ["POST /v4/jobs/web/stop", "GET /v4/jobs/web", "GET /v4/jobs/web"]);
}

/// One that has a process, for so many milliseconds.
fn running(runs: u64, since: u64) -> Value {
    let mut web = job("web", "running", runs);
    (web["pid"], web["sinceMs"]) = (json!(7), json!(since));
    web
}

/// One whose last run has ended so.
fn ended(state: &str, runs: u64, code: i32) -> Value {
    let mut web = job("web", state, runs);
    let text = format!("exit status {code}");
    web["lastExit"] = json!({ "code": code, "text": text, "at": "2026-11-22T12:04:11Z", "agoMs": 5, "lastedMs": 20 });
    web
}

#[test]
fn start_waits_until_it_has_lasted() {
    let stand_in = steps(vec![job("web", "waiting", 0), job("web", "stopped", 0), running(1, 0), running(1, 500)]);
    assert_eq!(stand_in.printed("start web"), "web: running for 500ms, pid 7\n");
    assert_eq!(stand_in.asked().len(), 4);
    // It runs already, and a short one has had its run.
    assert_eq!(steps(vec![running(3, 9000)]).printed("start web"), "web: running for 9s, pid 7\n");
    assert!(
        steps(vec![job("web", "waiting", 0), ended("done", 1, 0)]).printed("start web").starts_with("web: done (0)")
    );
}

#[test]
fn a_run_that_fails_at_once_is_no_success() {
    for verb in ["start", "restart"] {
        for state in ["done", "backoff", "waiting"] {
            let stand_in = steps(vec![job("web", "stopped", 1), running(2, 0), ended(state, 2, 3)]);
            let said = stand_in.failure(&format!("{verb} web"));
            assert!(said.starts_with(&format!("containerpilot: web: {state}")), "{said}");
            assert!(said.ends_with("\n  the run that was asked for ended after 20ms: exit status 3\n"), "{said}");
        }
    }
    // The next one runs already, and will fail, too.
    let mut again = running(3, 5);
    again["lastExit"] = ended("done", 2, 3)["lastExit"].clone();
    let said = steps(vec![running(1, 9000), job("web", "stopping", 1), again.clone()]).failure("restart web");
    assert!(said.contains("the run that was asked for ended after 20ms: exit status 3"), "{said}");
    again["lastExit"]["code"] = json!(0);
    steps(vec![running(1, 9000), job("web", "stopping", 1), again]).printed("restart web");
    // One that can't be started at all has no process.
    let stand_in = steps(vec![job("web", "stopped", 1), job("web", "running", 2), ended("backoff", 2, 127)]);
    stand_in.failure("start web");
}

#[test]
fn a_start_that_is_tried_again_is_waited_for() {
    let tried = |runs| {
        let mut web = job("web", "backoff", runs);
        let why = "fork/exec /bin/web: resource temporarily unavailable";
        web["startFailure"] = json!(why);
        web["next"] = json!({ "at": "2026-11-22T12:04:11Z", "inMs": 180, "why": why });
        web
    };
    let failed = |runs| {
        let mut web = tried(runs);
        let text = web["startFailure"].clone();
        web["lastExit"] = json!({ "code": 126, "text": text, "at": "2026-11-22T12:04:11Z", "agoMs": 5, "lastedMs": 0 });
        web
    };
    for verb in ["start", "restart"] {
        let stand_in = steps(vec![job("web", "stopped", 1), tried(2), tried(2), running(2, 0), running(2, 500)]);
        assert_eq!(stand_in.printed(&format!("{verb} web")), "web: running for 500ms, pid 7\n");
        // It was tried before: then it is that run, however the one before it has failed.
        let stand_in = steps(vec![failed(2), failed(2), running(2, 500)]);
        assert_eq!(stand_in.printed(&format!("{verb} web")), "web: running for 500ms, pid 7\n");
        for steps_before in [vec![job("web", "stopped", 1), tried(2)], vec![failed(2), failed(2)]] {
            let said = steps([steps_before, vec![failed(3)]].concat()).failure(&format!("{verb} web"));
            let why = "fork/exec /bin/web: resource temporarily unavailable";
            assert_eq!(
                said,
                format!(
                    "containerpilot: web: backoff, next start in 180ms ({why})\n  the run that was asked for could not \
                     be started: {why}\n"
                )
            );
        }
    }
}

#[test]
fn restart_waits_for_another_run() {
    // Before, asked, still the old one, stopping, pausing, another.
    let stand_in =
        steps(vec![running(3, 9000), running(3, 9000), job("web", "stopping", 3), running(4, 100), running(4, 1500)]);
    assert_eq!(stand_in.printed("restart web"), "web: running for 1.5s, pid 7\n");
    assert_eq!(stand_in.asked().len(), 5);
    // It was stopped: the answer itself tells of the new run.
    let at_once = steps(vec![job("web", "stopped", 3), running(4, 1500)]);
    at_once.printed("restart web");
    assert_eq!(at_once.asked(), ["GET /v4/jobs/web", "POST /v4/jobs/web/restart"]);
    // A short job has had its run.
    assert!(steps(vec![ended("done", 3, 0), ended("done", 4, 0)]).printed("restart web").starts_with("web: done"));
}

#[test]
fn all_jobs_of_that_name_are_waited_for() {
    let answers = Mutex::new(vec![["stopping", "stopped"], ["stopped", "stopping"], ["stopped", "done"]]);
    let stand_in = StandIn::new(move |_, stream| {
        let states = answers.lock().unwrap().remove(0);
        let jobs = states.map(|state| job("web", state, 1));
        whole(stream, 200, &json!({ "said": "", "jobs": jobs }).to_string());
    });
    assert_eq!(stand_in.printed("stop web"), "web: stopped, 1.5s ago\nweb: done, 1.5s ago\n");
}

#[test]
fn what_is_not_done_in_time_is_told() {
    let stand_in = steps(vec![job("web", "stopping", 1)]);
    let began = Instant::now();
    let expected = "containerpilot: web: stopping for 1.5s: not done within 2s\n  \
                    the stop goes on; containerpilot why web tells more\n";
    assert_eq!(stand_in.failure("stop web --timeout 2s"), expected);
    assert!(began.elapsed() >= Duration::from_secs(2) && began.elapsed() < Duration::from_secs(10));
    assert!(stand_in.asked().len() > 2, "it looked several times: {:?}", stand_in.asked());
}

#[test]
fn without_waiting_the_answer_is_enough() {
    let stand_in = steps(vec![job("web", "stopping", 1)]);
    assert_eq!(stand_in.printed("stop web --no-wait"), "asked for\n");
    assert_eq!(stand_in.asked(), ["POST /v4/jobs/web/stop"]);
}

#[test]
fn a_job_that_nobody_knows_is_not_waited_for() {
    let stand_in = StandIn::saying(404, &refusal("notFound", "no job is called `ap`: did you mean `app`?", &[]));
    for line in ["start ap", "stop ap", "restart ap"] {
        assert_eq!(stand_in.failure(line), "containerpilot: no job is called `ap`: did you mean `app`?\n", "{line}");
        assert!(!stand_in.asked().is_empty());
    }
}

#[test]
fn a_supervisor_that_ends_meanwhile_has_stopped_the_job() {
    for (line, code) in [("stop web", 0), ("restart web", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let socket = path.clone();
        crate::stand_in::serve(&path, move |question, stream| {
            if question.starts_with("POST") {
                let _ = std::fs::remove_file(&socket);
            }
            whole(stream, 200, &json!({ "said": "", "jobs": [job("web", "stopping", 1)] }).to_string());
        });
        let mut command = crate::stand_in::command(dir.path(), line);
        let (status, stdout, stderr) = crate::stand_in::told(&command.arg("--socket").arg(&path).output().unwrap());
        assert_eq!(status, code, "{line}");
        assert!((stdout + &stderr).ends_with("the supervisor has ended\n"));
    }
}
