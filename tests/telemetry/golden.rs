//! Cases of `golden/metrics.json` over the real socket and page. `tests/golden_metrics.rs` has all of them without a
//! process; here they are every eleventh in the everyday lane, and all in the long one.

use serde_json::Value;

use crate::setup::start;
use crate::support::{DEADLINE, count, run_with, wait_until};

fn list<'c>(case: &'c Value, key: &str) -> Vec<&'c Value> {
    case.get(key).and_then(Value::as_array).into_iter().flatten().collect()
}

fn texts<'c>(case: &'c Value, key: &str) -> Vec<&'c str> {
    list(case, key).into_iter().filter_map(Value::as_str).collect()
}

fn play(case: &Value) {
    let name = case.get("name").and_then(Value::as_str).unwrap();
    let config = r#"{ control: { socket: "{{ .DIR }}/socket" },
        telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"], metrics: METRICS },
        jobs: [{ name: "web", exec: ["sleep", "1000"] }] }"#;
    let told = start(&config.replace("METRICS", &case.get("metrics").unwrap().to_string()));
    wait_until(DEADLINE, || told.pilot.path("socket").exists(), "the control socket");

    let mut replies = Vec::new();
    for body in texts(case, "posts") {
        replies.push(Value::from(told.post("/v3/metric", body)));
    }
    for pairs in list(case, "putmetric") {
        let file = told.pilot.path("containerpilot.json5");
        let mut args = vec!["-config", file.to_str().unwrap()];
        args.extend(pairs.as_array().unwrap().iter().flat_map(|pair| ["-putmetric", pair.as_str().unwrap()]));
        let dir = told.pilot.dir().to_str().unwrap();
        let done = run_with(&args, &[("DIR", dir), ("PORT", &told.at.port().to_string())]);
        replies.push(Value::from(done.status.code().unwrap()));
    }
    assert_eq!(replies.iter().collect::<Vec<_>>(), list(case, "replies"), "{name}");

    let page = told.page();
    let ours = |line: &&str| {
        let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        !line.starts_with("containerpilot_") && !line.starts_with("process_")
    };
    assert_eq!(page.lines().filter(ours).collect::<Vec<_>>(), texts(case, "metrics_lines"), "{name}");
    for words in texts(case, "logged") {
        told.pilot.wait_stdout(words);
    }
    told.pilot.finish();
}

#[test]
fn what_jobs_feed_is_shown_as_the_original_showed_it() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/metrics.json")).unwrap();
    let same = cases.iter().filter(|case| case.get("differs").is_none());
    same.step_by(count(11, 1)).for_each(play);
}
