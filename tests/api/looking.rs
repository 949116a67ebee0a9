//! How jobs stand, and why.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use serde_json::{Value, json};

use crate::support::ports::Ports;
use crate::support::wait::poll;
use crate::support::{DEADLINE, Launch, Pilot, Signal, http, wait_until};
use crate::{ask, get, job, post, refused, serving, start, wait_job, wait_state, with_socket};

/// Waits for its socket where the log can't tell of it. That it is there is not enough: it must listen, too.
#[track_caller]
fn wait_serving(pilot: &Pilot) {
    wait_until(DEADLINE, || UnixStream::connect(pilot.path("s")).is_ok(), "its socket");
}

const FLOOD: &str = r#"{ name: "flood", exec: ["sh", "-c", "while :; do printf '%01000d\n' 1; done"] }"#;

// Seen red with src/log/writer/thread.rs:
//- self.pulse.beat();
//+
#[test]
fn f78_a_log_that_nobody_reads_is_told() {
    let jobs = format!(
        r#"{FLOOD}, {{ name: "quiet", exec: ["sleep", "1000"] }},
        {{ name: "raw", exec: ["sleep", "1001"], logging: {{ raw: true }} }}"#
    );
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // It is full from the start: nothing was ever taken.
    let room = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    writer.write_all(&vec![b'\n'; room.try_into().unwrap()]).unwrap();
    let pilot = Launch::config(&with_socket(&jobs)).stdout(writer).start();
    wait_serving(&pilot);
    let log = || get(&pilot, "/v4/jobs")["log"].clone();
    wait_until(DEADLINE, || log()["jobsWait"] == true, "it is told");
    assert!(log()["blockedMs"].as_u64().unwrap() >= 2000, "{}", log());
    let told = |job: &str| {
        let why = get(&pilot, &format!("/v4/jobs/{job}/why"));
        let facts = why["facts"].as_array().unwrap().clone();
        facts.iter().any(|fact| fact["about"] == "log" && fact["says"].as_str().unwrap().contains("has taken nothing"))
    };
    assert_eq!((told("flood"), told("raw")), (true, false));
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    wait_until(DEADLINE, || log().is_null(), "it goes on");
    assert!(!told("flood"));
    pilot.finish();
    reading.join().unwrap().unwrap();
}

// Seen red with src/log/output.rs:
//- pulse.beat();
//+
#[test]
#[expect(clippy::disallowed_methods, reason = "a reader with a pace of its own")]
fn f78_a_log_that_is_read_slowly_is_not_told() {
    const PIECE: usize = 8 * 1024;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let pilot = Launch::config(&with_socket(FLOOD)).stdout(writer).start();
    wait_serving(&pilot);
    // 100 KB a second, for as long as what waited at one time needs.
    let mut reads = Vec::new();
    for _ in 0..75 {
        reader.read_exact(&mut [0; PIECE]).unwrap();
        reads.push(Instant::now());
        std::thread::sleep(Duration::from_millis(80));
        // On a busy machine this reader may be held up for so long itself: then it has taken next to nothing.
        let Some(blocked) = get(&pilot, "/v4/jobs")["log"]["blockedMs"].as_u64() else { continue };
        let taken = PIECE * reads.iter().filter(|read| read.elapsed() < Duration::from_millis(blocked)).count();
        assert!(
            taken < 100 * 1024,
            "it has taken {taken} bytes in the {blocked} ms in which it is said to have taken none"
        );
    }
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    pilot.finish();
    reading.join().unwrap().unwrap();
}

// Seen red with src/log/writer/thread.rs:
//- state.failing = output.trouble();
//+
#[test]
fn f79_a_log_that_cannot_be_written_is_told() {
    let config = r#"{ control: { socket: "{{ .DIR }}/s" }, consul: false, logging: { output: "/dev/full" },
        jobs: [{ name: "web", exec: ["sleep", "1000"] }] }"#;
    let pilot = Launch::config(config).start();
    wait_serving(&pilot);
    let log = || get(&pilot, "/v4/jobs")["log"].clone();
    wait_until(DEADLINE, || log()["problem"] == "no space left on device", "it is told");
    assert!(log()["lost"].as_u64().unwrap() > 0 && log().get("blockedMs").is_none(), "{}", log());
    pilot.finish();
}

#[test]
fn a_job_that_fails_each_time_says_so_while_it_waits() {
    let pilot = start(
        r#"
        { name: "cron", exec: ["sh", "-c", "exit 4"], when: { interval: "1h" }, restarts: "unlimited" },
        { name: "fine", exec: ["true"], when: { interval: "1h" }, restarts: "unlimited" }"#,
    );
    for name in ["cron", "fine"] {
        wait_job(&pilot, name, |job| job["state"] == "waiting" && job.get("lastExit").is_some());
    }
    let facts = |name: &str| get(&pilot, &format!("/v4/jobs/{name}/why"))["facts"].as_array().unwrap().clone();
    let last = &facts("cron")[0];
    assert_eq!(last["about"], "last");
    assert!(last["says"].as_str().unwrap().starts_with("its last run ended with exit status 4 after "), "{last}");
    assert!(facts("fine").is_empty());
    pilot.finish();
}

// Seen red with src/process/children.rs:
//- Change::Continued => reaped.continued.push(id),
//+ Change::Continued => {}
#[test]
fn f17_a_job_that_was_stopped_by_a_signal_is_shown_so_until_it_is_continued() {
    let pilot = start(r#"{ name: "web", exec: ["sleep", "1000"] }"#);
    wait_job(&pilot, "web", |job| job.get("pid").is_some());
    let facts = || get(&pilot, "/v4/jobs/web/why")["facts"].as_array().unwrap().clone();
    for _ in 0..2 {
        post(&pilot, "/v4/jobs/web/signal", r#"{"signal": "STOP"}"#);
        let web = wait_job(&pilot, "web", |job| job["stoppedBy"] == "SIGSTOP");
        assert_eq!(web["state"], "running");
        assert!(
            facts()[0]["says"].as_str().unwrap().starts_with("its process was stopped by SIGSTOP and does nothing")
        );
        assert_eq!(get(&pilot, "/v4/jobs")["ready"]["ready"], true);
        post(&pilot, "/v4/jobs/web/signal", r#"{"signal": "CONT"}"#);
        wait_job(&pilot, "web", |job| job.get("stoppedBy").is_none());
        assert!(facts().is_empty());
    }
    pilot.finish();
}

const LACK: &str = "pipe2: too many open files";

// Seen red with src/core/look.rs:
//- Stage::Live if self.is_between_starts() => State::Backoff,
//+ Stage::Live if self.is_between_starts() => State::Running,
#[test]
fn f24_a_job_that_could_not_be_started_yet_does_not_run_and_says_why() {
    let config = with_socket(
        r#"
        { name: "web", exec: ["sleep", "1000"], main: true, restarts: "unlimited", when: { source: "SIGHUP" } },
        { name: "tick", exec: "true", when: { interval: "900ms" }, restarts: "unlimited" },
        { name: "other", exec: "sleep 1001" }"#,
    );
    let pilot = serving(&config);
    pilot.wait_process("sleep 1001");
    // Once it answers, it has closed what the start took: four, so two are too few for another and enough to be asked. Whoever
    // else runs just then would give his back.
    wait_state(&pilot, "other", "running");
    let settled = || {
        let open = pilot.descriptors();
        (open.iter().filter(|one| one.target.starts_with("pipe:")).count() == 2).then_some(open)
    };
    let open: Vec<u64> = poll(DEADLINE, settled).unwrap().iter().map(|one| one.number.try_into().unwrap()).collect();
    pilot.limit_descriptors((0..).filter(|number| !open.contains(number)).nth(2).unwrap());
    pilot.signal(Signal::SIGHUP);
    // While it is tried, and when it pauses after many tries: it runs at no time.
    let tried = |job: &Value| job["startFailure"] == LACK;
    let web = wait_job(&pilot, "web", tried);
    assert_eq!((&web["state"], &web["next"]["why"]), (&json!("backoff"), &json!(LACK)));
    assert_eq!((web.get("pid"), web["next"]["inMs"].as_u64() <= Some(200)), (None, true), "{web}");
    let ready = |overview: &Value| overview["ready"].clone();
    let reason = json!({ "ready": false, "count": 0, "of": 1, "reason": "not ready: web (backoff)" });
    assert_eq!(ready(&get(&pilot, "/v4/jobs")), reason);
    let (code, message) = refused(&pilot, "POST", "/v4/jobs/web/signal", r#"{"signal": "HUP"}"#, 409);
    assert_eq!((code.as_str(), message.as_str()), ("conflict", "web does not run: nobody gets SIGHUP"));

    let why = |of: &Value| (of["summary"].as_str().unwrap().to_owned(), of["facts"][0]["says"].clone());
    wait_job(&pilot, "web", tried);
    let (summary, remedy) = why(&get(&pilot, "/v4/jobs/web/why"));
    assert!(summary.contains(LACK), "{summary}");
    assert!(remedy.as_str().unwrap().starts_with("the limit on open files is reached: raise"), "{remedy}");
    for verb in ["start", "restart"] {
        wait_job(&pilot, "web", tried);
        let done = post(&pilot, &format!("/v4/jobs/web/{verb}"), "");
        assert_eq!(done["said"], format!("web could not be started and is tried again: {LACK}"));
        assert_eq!((&done["jobs"][0]["state"], &done["jobs"][0]["startFailure"]), (&json!("backoff"), &json!(LACK)));
    }
    let told = format!("tick can't be started yet ({LACK}) when its next period begins: 1 skipped so far");
    pilot.wait_stdout(&told);
    assert!(!pilot.stdout().contains("still runs"), "{}", pilot.stdout());
    let (mut looks, mut pauses) = (0, 0);
    wait_until(
        DEADLINE,
        || {
            let web = job(&pilot, "web");
            assert_eq!((&web["state"], web.get("pid")), (&json!("backoff"), None));
            assert_eq!(ready(&get(&pilot, "/v4/jobs")), reason);
            (looks, pauses) = (looks + 1, pauses + u32::from(!tried(&web)));
            looks > 100 && pauses > 0
        },
        "a pause after several runs that could not begin",
    );

    pilot.limit_descriptors(1000);
    let web = wait_state(&pilot, "web", "running");
    assert_eq!(web.get("startFailure"), None);
    assert_eq!(ready(&get(&pilot, "/v4/jobs"))["ready"], true);
    pilot.finish();
}

#[test]
fn an_overview_shows_every_job_as_it_is() {
    let pilot = start(
        r#"
        { name: "web", exec: ["sleep", "1000"], restarts: "unlimited",
          health: { exec: "test -e {{ .DIR }}/well", interval: 1, ttl: 5, timeout: "2s" } },
        { name: "migrate", exec: ["sh", "-c", "exit 3"] },
        { name: "crash", exec: ["sh", "-c", "exit 9"], restarts: "unlimited", backoff: { free: 0, initial: "1h", max: "1h" } },
        { name: "report", exec: "true", when: { source: "web", once: "healthy" } },
        { name: "cron", exec: "true", when: { interval: "1h" } },
        { name: "hup", exec: "true", when: { source: "SIGHUP" } }"#,
    );
    wait_state(&pilot, "crash", "backoff");
    wait_state(&pilot, "migrate", "done");
    wait_state(&pilot, "cron", "waiting");
    let web = wait_job(&pilot, "web", |job| job["health"]["failures"].as_u64() > Some(0));
    let overview = get(&pilot, "/v4/jobs");
    assert_eq!(
        (&overview["pid"], &overview["stopping"], &overview["maintenance"]),
        (&json!(1), &json!(false), &json!(false))
    );
    assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
    let names: Vec<&str> =
        overview["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web", "migrate", "crash", "report", "cron", "hup"]);
    assert_eq!(
        overview["ready"],
        json!({ "ready": false, "count": 0, "of": 1, "reason": "not ready: web (unhealthy)" })
    );

    assert_eq!(i64::from(pilot.wait_process("sleep 1000").inner_pid), web["pid"].as_i64().unwrap());
    assert_eq!(web["health"]["state"], "unhealthy");
    assert_eq!(web["health"]["failure"], "exit status 1");
    assert_eq!((&web["health"]["intervalMs"], &web["health"]["timeoutMs"]), (&json!(1000), &json!(2000)));
    assert_eq!(web["command"], json!(["sleep", "1000"]));
    assert_eq!((&web["runs"], &web["restarts"], &web["when"]), (&json!(1), &json!(0), &json!("at the start")));

    let migrate = job(&pilot, "migrate");
    assert_eq!((&migrate["lastExit"]["code"], &migrate["lastExit"]["text"]), (&json!(3), &json!("exit status 3")));
    let crash = job(&pilot, "crash");
    assert_eq!(crash["next"]["why"], "exit 9");
    assert!((3_500_000..=3_600_000).contains(&crash["next"]["inMs"].as_u64().unwrap()), "{crash}");
    assert_eq!(job(&pilot, "report")["waitsFor"], "for web to be healthy");
    assert_eq!(job(&pilot, "hup")["waitsFor"], "for SIGHUP");
    assert_eq!(job(&pilot, "cron")["next"]["why"], "every 1h 0m");
    assert_eq!(job(&pilot, "cron").get("since"), None);

    std::fs::write(pilot.path("well"), "").unwrap();
    wait_job(&pilot, "web", |job| job["health"]["state"] == "healthy");
    wait_state(&pilot, "report", "done");
    wait_until(DEADLINE, || get(&pilot, "/v4/jobs")["ready"]["ready"] == true, "readiness");
    pilot.finish();
}

#[test]
fn a_name_may_need_to_be_encoded_and_a_wrong_one_is_told_with_the_nearest() {
    let pilot = start(r#"{ name: "web-server", exec: ["sleep", "1000"] }, { name: "side", exec: ["sleep", "1000"] }"#);
    assert_eq!(job(&pilot, "web%2dserver")["name"], "web-server");
    let told = |path: &str| refused(&pilot, "GET", path, "", 404);
    let word = |text: &str| ("notFound".to_owned(), text.to_owned());
    assert_eq!(told("/v4/jobs/web-sevrer"), word("no job is called web-sevrer: did you mean web-server?"));
    assert_eq!(told("/v4/jobs/x/why"), word("no job is called x: there are web-server, side"));
    assert_eq!(told("/v4/bogus"), word("there is nothing at this path"));
    let told = refused(&pilot, "DELETE", "/v4/jobs", "", 405);
    assert_eq!(told, ("methodNotAllowed".to_owned(), "/v4/jobs takes GET, not DELETE".to_owned()));
    let told = refused(&pilot, "DELETE", "/v4/maintenance", "", 405).1;
    assert_eq!(told, "/v4/maintenance takes GET or POST, not DELETE");
    pilot.finish();
}

/// The sentences of an explanation, each below what it explains.
fn sentences(why: &Value) -> Vec<String> {
    fn below(facts: &Value, depth: usize, into: &mut Vec<String>) {
        for fact in facts.as_array().into_iter().flatten() {
            into.push(format!("{}{}", "  ".repeat(depth), fact["says"].as_str().unwrap()));
            below(&fact["because"], depth + 1, into);
        }
    }
    let mut all = vec![why["summary"].as_str().unwrap().to_owned()];
    below(&why["facts"], 1, &mut all);
    all
}

#[test]
fn why_is_answered_down_to_a_fact() {
    let pilot = start(
        r#"
        { name: "app", exec: ["sleep", "1000"], health: { exec: "false", interval: 1, ttl: 5, timeout: "20s" } },
        { name: "report", exec: "true", when: { source: "app", once: "healthy", timeout: "1h" } },
        { name: "after", exec: "true", when: { source: "report", once: "exitSuccess" } }"#,
    );
    wait_job(&pilot, "app", |job| job["health"]["failures"].as_u64() > Some(1));
    let told = sentences(&get(&pilot, "/v4/jobs/after/why"));
    assert_eq!(told[0], "after has not started: it waits for report to end well");
    assert_eq!(told[1], "  report has not started: it waits for app to be healthy");
    assert!(told[2].starts_with("    app has been running for ") && told[2].ends_with(", but its health check fails"));
    assert_eq!(told[3], "      false, every 1s, at most 20s");
    assert!(told[4].contains(" ago: exit status 1; it has failed "), "{}", told[4]);
    assert!(
        told[5].starts_with("    report gives up in 59m") && told[5].ends_with("(`when.timeout` 1h 0m)"),
        "{told:?}"
    );
    assert_eq!(told.len(), 6);
    pilot.finish();
}

#[test]
fn maintenance_is_told_and_changed() {
    let pilot = start(r#"{ name: "a", exec: ["sleep", "1000"] }"#);
    let on = |on: bool| json!({ "on": on, "services": 0 });
    assert_eq!(get(&pilot, "/v4/maintenance"), on(false));
    let toggled = json!({ "on": true, "services": 0, "toggled": true });
    assert_eq!(post(&pilot, "/v4/maintenance", r#"{"on": true}"#), toggled);
    assert_eq!(post(&pilot, "/v4/maintenance", r#"{"on": true}"#), on(true));
    assert_eq!(get(&pilot, "/v4/jobs")["maintenance"], true);
    pilot.wait_stdout("maintenance on");
    assert_eq!(pilot.stdout().matches("maintenance on").count(), 1, "the second time it was so already");
    pilot.signal(Signal::SIGUSR1);
    wait_until(DEADLINE, || get(&pilot, "/v4/maintenance") == on(false), "the signal toggles it back");
    let told = refused(&pilot, "POST", "/v4/maintenance", r#"{"on": "yes"}"#, 400).1;
    assert_eq!(told, "the body is not what is expected: expected an object such as {\"on\": true}");
    pilot.finish();
}

#[test]
fn the_environment_is_that_of_the_next_start() {
    let pilot = start(r#"{ name: "a", exec: ["sleep", "1000"] }"#);
    let reply = http::ask_socket(&pilot.path("s"), "POST", "/v3/environ", br#"{"NEW": "1=2"}"#).unwrap();
    assert_eq!(reply.status, 200);
    let env = get(&pilot, "/v4/env");
    let has = |name: &str, value: &str| env["env"].as_array().unwrap().contains(&json!([name, value]));
    assert!(has("NEW", "1=2") && has("CONTAINERPILOT_PID", "1"), "{env}");
    assert!(has("CONTAINERPILOT_SOCKET", pilot.path("s").to_str().unwrap()), "{env}");
    pilot.finish();
}

#[test]
fn requests_are_counted_by_their_route() {
    let ports = Ports::take();
    let port = ports.port(0);
    let jobs = r#"{ name: "a", exec: ["sleep", "1000"] }"#;
    let config = with_socket(jobs).replacen(
        '{',
        &format!("{{ telemetry: {{ port: {port}, interfaces: [\"static:127.0.0.1\"] }}, "),
        1,
    );
    let pilot = serving(&config);
    job(&pilot, "a");
    refused(&pilot, "GET", "/v4/jobs/b", "", 404);
    ask(&pilot, "POST", "/v4/jobs/b/start", "");
    let counted = |page: &str, code: u16, path: &str| {
        page.contains(&format!("containerpilot_control_http_requests{{code=\"{code}\",path=\"{path}\"}} 1"))
    };
    wait_until(
        DEADLINE,
        || {
            let page = http::ask(([127, 0, 0, 1], port).into(), "GET", "/metrics", &[], b"");
            let page = page.map(|page| page.text()).unwrap_or_default();
            counted(&page, 200, "/v4/jobs/{name}") && counted(&page, 404, "/v4/jobs/{name}/start")
        },
        "the counts",
    );
    pilot.finish();
}

#[test]
fn an_agent_that_nobody_uses_is_not_told_of() {
    let config = |fields: &str| {
        format!(
            r#"{{ control: {{ socket: "{{{{ .DIR }}}}/s" }}, consul: "127.0.0.1:1", stopTimeout: 2,
                jobs: [ {{ name: "web", exec: ["sleep", "1000"] {fields} }} ] }}"#
        )
    };
    let pilot = serving(&config(""));
    assert_eq!(get(&pilot, "/v4/jobs").get("consul"), None);
    pilot.finish();
    let service = r#", port: 80, interfaces: "static:127.0.0.1", health: { exec: "true", interval: 1, ttl: 5 }"#;
    let pilot = serving(&config(service));
    wait_until(DEADLINE, || get(&pilot, "/v4/jobs")["consul"]["ok"] == false, "nobody answers");
    let overview = get(&pilot, "/v4/jobs");
    assert_eq!(overview["consul"]["address"], "127.0.0.1:1");
    assert!(overview["consul"]["problem"].as_str().unwrap().contains("Connection refused"), "{overview}");
    assert_eq!(overview["jobs"][0]["service"].get("status"), None, "not registered");
    pilot.finish();
}

/// An agent that can't be reached is no instance that is missing, and no service that nobody wants.
#[test]
fn what_consul_did_not_say_is_not_made_up() {
    let ports = Ports::take();
    let config = r#"{
            control: { socket: "{{ .DIR }}/s" }, consul: "127.0.0.1:1", stopTimeout: 2,
            telemetry: { port: PORT, interfaces: ["static:127.0.0.1"] },
            watches: [{ name: "db", interval: 1 }],
            jobs: [
                { name: "web", exec: ["sleep", "1000"], port: 80, interfaces: "static:127.0.0.1",
                  health: { exec: "true", interval: 1, ttl: 5 } },
                { name: "late", exec: "true", when: { source: "watch.db", once: "healthy" } },
            ],
        }"#;
    let pilot = serving(&config.replace("PORT", &ports.port(0).to_string()));
    let web =
        wait_job(&pilot, "web", |job| job["service"]["problem"].as_str().is_some_and(|text| text.contains("fails")));
    let problem = web["service"]["problem"].as_str().unwrap();
    assert!(problem.starts_with("Consul at 127.0.0.1:1 fails: ") && problem.contains("refused"), "{problem}");
    let told = sentences(&get(&pilot, "/v4/jobs/web/why"));
    assert_eq!(*told.last().unwrap(), format!("  it is not registered: {problem}"));

    let told = sentences(&get(&pilot, "/v4/jobs/late/why"));
    assert_eq!(told[0], "late has not started: it waits for watch.db to have instances");
    assert_eq!(told[1], "  nothing is known of watch.db yet: Consul has not answered");
    assert_eq!(told[2], format!("  {problem}"));
    assert_eq!(get(&pilot, "/v4/watches")["watches"][0]["known"], false);

    // Nothing was registered, so nothing is taken out.
    assert_eq!(post(&pilot, "/v4/maintenance", r#"{"on": true}"#)["services"], 0);
    assert_eq!(job(&pilot, "web")["service"]["problem"], "maintenance mode is on");
    // Our own telemetry is none of the jobs that can be ordered about.
    let told = refused(&pilot, "POST", "/v4/jobs/containerpilot/stop", "", 409).1;
    assert!(told.contains("our own telemetry"), "{told}");
    pilot.finish();
}
