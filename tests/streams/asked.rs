//! Requests that are refused.

use crate::harness::{KEEP, get, start};

#[test]
fn an_unknown_job_is_told_with_the_nearest_name() {
    let pilot = start(KEEP);
    let reply = get(&pilot, "/v4/jobs/kep/logs");
    assert_eq!((reply.status, reply.header("Content-Type")), (404, Some("application/json")));
    let wanted = serde_json::json!({ "error": {
        "code": "notFound",
        "message": "no job is called kep: did you mean keep?",
        "details": [],
    } });
    assert_eq!(reply.json(), wanted);
}

#[test]
fn a_wrong_query_is_told_with_what_is_accepted() {
    let pilot = start(KEEP);
    for (target, message) in [
        ("/v4/logs?lines=many", "lines: expected a number from 0 up, found \"many\""),
        ("/v4/jobs/keep/logs?folow=1", "unknown parameter \"folow\": did you mean `follow`?"),
        ("/v4/events?lines=1&from=1", "expected only one of `lines` and `from`"),
    ] {
        let reply = get(&pilot, target);
        assert_eq!((reply.status, reply.header("Content-Type")), (400, Some("application/json")), "{target}");
        let error = &reply.json()["error"];
        assert_eq!((&error["code"], &error["message"]), (&"badRequest".into(), &message.into()));
        let details: Vec<&str> = error["details"].as_array().unwrap().iter().filter_map(|line| line.as_str()).collect();
        assert_eq!(details.len(), 4);
        assert_eq!(details[1], "lines: how many of the last ones: a number from 0 up");
    }
}
