//! What each verb asks, and what it makes of a good answer.

use serde_json::{Value, json};

use crate::stand_in::{StandIn, begin, chunk, job, overview, refusal, whole};

#[test]
fn each_verb_asks_for_what_it_says() {
    let said = json!({ "said": "it is done", "jobs": [job("web", "running", 2)], "on": true, "services": 3, "env": [],
                       "watches": [], "job": "web", "summary": "so it is", "facts": [], "dryRun": true,
                       "everything": false, "restarted": [], "changed": [], "removed": [], "added": [],
                       "unchanged": 4 });
    for (line, question) in [
        ("signal web HUP", r#"POST /v4/jobs/web/signal {"signal":"HUP"}"#),
        ("start web --no-wait", "POST /v4/jobs/web/start"),
        ("stop web --no-wait", "POST /v4/jobs/web/stop"),
        ("restart a/b?c --no-wait", "POST /v4/jobs/a%2Fb%3Fc/restart"),
        ("why web", "GET /v4/jobs/web/why"),
        ("env", "GET /v4/env"),
        ("watches", "GET /v4/watches"),
        ("reload", r#"POST /v4/reload {"dryRun":false}"#),
        ("reload --dry-run", r#"POST /v4/reload {"dryRun":true}"#),
        ("maintenance on", r#"POST /v4/maintenance {"on":true}"#),
        ("maintenance off", r#"POST /v4/maintenance {"on":false}"#),
        ("maintenance status", "GET /v4/maintenance"),
        ("shutdown", "POST /v4/shutdown"),
        ("logs --reopen", "POST /v4/logs/reopen"),
        ("logs web --reopen", "POST /v4/jobs/web/reopen-logs"),
    ] {
        let stand_in = StandIn::json(&said);
        stand_in.printed(line);
        assert_eq!(stand_in.asked(), [question], "{line}");
    }
    for (line, question) in [
        ("logs", "GET /v4/logs?lines=4294967295"),
        ("logs web -n 5", "GET /v4/jobs/web/logs?lines=5"),
        ("events -n 0", "GET /v4/events?lines=0"),
        ("events a/b", "GET /v4/jobs/a%2Fb/events?lines=4294967295"),
    ] {
        let stand_in = StandIn::lines(&[]);
        let (code, stdout, stderr) = stand_in.run(line);
        assert_eq!((code, stdout.as_str()), (0, ""), "{line}: {stderr}");
        // Of one job somebody may wonder.
        let hint = match line.split(' ').nth(1) {
            Some("web") => "nothing that web wrote is kept; containerpilot why web tells how it stands\n",
            Some("a/b") => "nothing that happened to a/b is kept; containerpilot why a/b tells how it stands\n",
            _ => "",
        };
        assert_eq!(stderr, hint);
        assert_eq!(stand_in.asked(), [question], "{line}");
    }
}

#[test]
fn what_was_done_is_told_in_a_line() {
    let done = StandIn::json(&json!({ "said": "sent SIGHUP to web (pid 57)", "jobs": [] }));
    for line in ["signal web HUP", "start web --no-wait", "shutdown", "logs --reopen"] {
        assert_eq!(done.printed(line), "sent SIGHUP to web (pid 57)\n", "{line}");
    }
    let on = StandIn::json(&json!({ "on": true, "services": 3, "toggled": true }));
    assert_eq!(on.printed("maintenance on"), "maintenance on: 3 services deregistered, checks paused\n");
    let is = StandIn::json(&json!({ "on": true, "services": 3 }));
    for line in ["maintenance on", "maintenance status"] {
        assert_eq!(is.printed(line), "maintenance is on: 3 services out of Consul, checks paused\n");
    }
}

#[test]
fn a_job_is_shown_with_the_end_of_its_log() {
    let line = json!({ "seq": 9, "time": "2026-11-22T12:04:11.201Z", "job": "web", "level": "info", "text": "hello" });
    let stand_in = StandIn::new(move |question, stream| {
        if question == "GET /v4/jobs/web" {
            return whole(stream, 200, &json!({ "jobs": [job("web", "running", 1)] }).to_string());
        }
        assert_eq!(question, "GET /v4/jobs/web/logs?lines=5");
        begin(stream);
        chunk(stream, &format!("{line}\n"));
        chunk(stream, "");
    });
    let shown = stand_in.printed("status web");
    assert!(shown.starts_with("web: running for 1.5s\n  command    /bin/app\n  started    once\n"), "{shown}");
    assert!(shown.ends_with("\n  last line\n    11-22 12:04:11.201  hello\n"), "{shown}");
    // Without them it is worth its words, too.
    let without = StandIn::new(|question, stream| match question {
        "GET /v4/jobs/web" => whole(stream, 200, &json!({ "jobs": [job("web", "running", 1)] }).to_string()),
        _ => whole(stream, 404, &refusal("notFound", "nothing here", &[])),
    });
    assert!(without.printed("status web").ends_with("  when       at the start\n"));
}

#[test]
fn json_is_the_answer_with_every_key() {
    let all = overview(&[job("web", "running", 1)], &json!({ "ready": true, "count": 1, "of": 1 }));
    let stand_in = StandIn::json(&all);
    let printed = stand_in.printed("status --json");
    assert_eq!(printed.parse::<Value>().unwrap(), all);
    assert!(printed.starts_with("{\n  \"version\": \"4.0.0\",\n"), "{printed}");
    for (line, answer) in [
        ("status web --json", json!({ "jobs": [job("web", "done", 1)], "x": 1 })),
        ("why web --json", json!({ "job": "web", "summary": "s", "facts": [{ "says": "f", "y": [2] }], "x": 1 })),
        ("env --json", json!({ "env": [["A", "b"]], "x": 1 })),
        ("watches --json", json!({ "watches": [], "x": 1 })),
        ("maintenance status --json", json!({ "on": false, "x": 1 })),
    ] {
        assert_eq!(StandIn::json(&answer).printed(line).parse::<Value>().unwrap(), answer, "{line}");
    }
}

/// Of another version: a state and a health that nobody here knows, and no booleans.
fn foreign() -> Value {
    let mut job = job("web", "frozen \u{1b}[2J", 1);
    job["health"] = json!({ "state": "drowsy", "failures": 0, "command": ["true"], "intervalMs": 5000 });
    for key in ["main", "telemetry"] {
        job.as_object_mut().unwrap().remove(key);
    }
    job
}

#[test]
fn words_of_another_version_are_shown_as_they_were_said() {
    let mut all = overview(&[foreign()], &json!({}));
    for key in ["stopping", "maintenance"] {
        all.as_object_mut().unwrap().remove(key);
    }
    let expected = "JOB  STATE         RESTARTS  HEALTH\n\
                    web  frozen ^[[2J  0         drowsy\n\
                    maintenance off · not ready · up 5s · containerpilot 4.0.0\n";
    assert_eq!(StandIn::json(&all).printed("status"), expected);
    let one = json!({ "jobs": [foreign()] });
    let shown = StandIn::json(&one).printed("status web");
    assert!(shown.starts_with("web: frozen ^[[2J\n") && shown.contains("  health     drowsy\n"), "{shown}");
    // Nobody knows whether such a one has stopped.
    let said = StandIn::json(&json!({ "said": "asked for", "jobs": [foreign()] }));
    assert!(said.failure("stop web --timeout 200ms").contains("web: frozen ^[[2J: not done within 200ms"));
    let mut line =
        json!({ "seq": 9, "time": "2026-11-22T12:04:11.201Z", "job": "web", "level": "info", "text": "hello" });
    line["stream"] = json!("journal");
    assert_eq!(StandIn::lines(&[line]).printed("logs web"), "11-22 12:04:11.201  hello\n");
    let lists = json!({ "restarted": [], "changed": [], "removed": [], "added": [], "unchanged": 4 });
    assert_eq!(StandIn::json(&lists).printed("reload"), "reloaded: nothing to do, 4 untouched\n");
}

#[test]
fn json_is_handed_on_without_being_understood() {
    let odd = json!({ "jobs": 7, "on": "perhaps" });
    for line in ["status", "status web", "why web", "watches", "env", "reload", "maintenance on", "maintenance status"]
    {
        let printed = StandIn::json(&odd).printed(&format!("{line} --json"));
        assert_eq!(printed.parse::<Value>().unwrap(), odd, "{line}");
    }
    let lines = [json!({ "seq": "one" }), json!({ "dropped": "many" }), json!(7)];
    for line in ["logs --json", "events --json"] {
        let printed = StandIn::lines(&lines).printed(line);
        assert_eq!(printed.lines().map(|line| line.parse().unwrap()).collect::<Vec<Value>>(), lines, "{line}");
    }
}

#[test]
fn readiness_is_an_exit_status() {
    let with = |ready: Value| StandIn::json(&overview(&[], &ready));
    assert_eq!(with(json!({ "ready": true, "count": 1, "of": 1 })).printed("status --ready"), "");
    let not = with(json!({ "ready": false, "count": 1, "of": 2, "reason": "not ready: app (unhealthy)" }));
    assert_eq!(not.failure("status --ready"), "containerpilot: not ready: app (unhealthy)\n");
    let silent = with(json!({ "ready": false, "count": 1, "of": 2 }));
    assert_eq!(silent.failure("status --ready"), "containerpilot: not ready: 1 of 2 are\n");
    // Of the rest it needs nothing.
    assert_eq!(StandIn::json(&json!({ "jobs": 7, "ready": { "ready": true } })).printed("status --ready"), "");
    assert!(StandIn::json(&json!({ "jobs": [] })).failure("status --ready").contains("missing field `ready`"));
}

#[test]
fn a_reload_that_is_refused_says_what_stays_true() {
    let reason = "app.json5:23:7: unknown key `tll`";
    let refused = refusal("invalid", "the configuration is wrong", &[reason]);
    let stays = "the running configuration is unchanged";
    let early = StandIn::saying(422, &refused);
    assert_eq!(early.failure("reload"), format!("not reloaded: {reason}; {stays}\n"));
    // Once the head was sent only the body can tell it.
    let text = refused.clone();
    let late = StandIn::new(move |_, stream| {
        begin(stream);
        for text in [" ", "\n", " ", &text] {
            chunk(stream, text);
        }
        chunk(stream, "");
    });
    assert_eq!(late.failure("reload"), format!("not reloaded: {reason}; {stays}\n"));
    assert_eq!(late.failure("reload --dry-run"), format!("it would not be reloaded: {reason}; {stays}\n"));
    let (code, stdout, _) = late.run("reload --json");
    assert_eq!((code, stdout.parse::<Value>().unwrap()), (1, refused.parse().unwrap()));
}

#[test]
fn what_was_written_in_a_pipe_has_no_colour_and_is_not_cut() {
    let long = "x".repeat(300);
    let waits = |name: &str| {
        let mut waits = job(name, "waiting", 0);
        waits["waitsFor"] = json!(long);
        waits
    };
    let stand_in = StandIn::json(&overview(&[waits("a")], &json!({ "ready": true, "count": 0, "of": 0 })));
    let shown = stand_in.printed("status");
    assert!(shown.contains(&long) && !shown.contains('\u{1b}'), "{shown}");
}
