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

#[test]
fn start_waits_until_it_is_not_we_who_are_waited_for() {
    for state in ["running", "backoff", "done"] {
        let stand_in = steps(vec![job("web", "waiting", 0), job("web", "stopped", 0), job("web", state, 1)]);
        assert!(stand_in.printed("start web").starts_with(&format!("web: {state}")));
        assert_eq!(stand_in.asked().len(), 3);
    }
}

#[test]
fn restart_waits_for_another_run() {
    // Before, asked, still the old one, stopping, pausing, another.
    let stand_in = steps(vec![
        job("web", "running", 3),
        job("web", "running", 3),
        job("web", "stopping", 3),
        job("web", "backoff", 4),
        job("web", "running", 5),
    ]);
    assert_eq!(stand_in.printed("restart web"), "web: running since 1.5s\n");
    assert_eq!(stand_in.asked().len(), 5);
    // It was stopped: the answer itself tells of the new run.
    let at_once = steps(vec![job("web", "stopped", 3), job("web", "running", 4)]);
    at_once.printed("restart web");
    assert_eq!(at_once.asked(), ["GET /v4/jobs/web", "POST /v4/jobs/web/restart"]);
    // A short job has had its run.
    assert!(steps(vec![job("web", "done", 3), job("web", "done", 4)]).printed("restart web").starts_with("web: done"));
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
    let expected = "containerpilot: web: stopping since 1.5s: not done within 300ms\n  \
                    the stop goes on; containerpilot why web tells more\n";
    assert_eq!(stand_in.failure("stop web --timeout 300ms"), expected);
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(5));
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
fn a_supervisor_that_ends_with_its_main_job_has_stopped_it() {
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
