//! Consul hangs, is slow, errs, refuses or talks nonsense: rows 51 to 56, 58, 60 and 62 of the fault catalogue.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::maintenance::toggle;
use crate::setup::{DEREGISTER, REGISTER, UPDATE, WEB, gaps, launch, recorder, start};
use crate::support::consul::Options;
use crate::support::http::ask;
use crate::support::ports::Ports;
use crate::support::scripted::well;
use crate::support::wait::{holds_for, let_pass};
use crate::support::{Agent, Answer, DEADLINE, Metronome, Pilot, Scripted, long_lane, wait_until};
use crate::told::{between, moments, times};

/// Three services, and a job that shows whether anything is held up.
const THREE: &str = r#"{ consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 2, jobs: [
    { name: "one", exec: ["sleep", "1000"], port: 1, interfaces: "static:192.0.2.1", health: { exec: "true", interval: 1, ttl: 3 } },
    { name: "two", exec: ["sleep", "1000"], port: 2, interfaces: "static:192.0.2.2", health: { exec: "true", interval: 1, ttl: 3 } },
    { name: "six", exec: ["sleep", "1000"], port: 6, interfaces: "static:192.0.2.6", health: { interval: 1, ttl: 3 } },
    { name: "tick", exec: "true", when: { interval: "100ms" }, timeout: "5s" },
] }"#;

const IDS: [&str; 3] = ["one-left", "two-left", "six-left"];

#[track_caller]
fn wait_all(agent: &Agent) {
    for id in IDS {
        agent.wait_status(id, "passing");
    }
}

/// Asserts by our own stamps that the periodic job and the checks were never held up.
#[track_caller]
fn nothing_was_held_up(pilot: &Pilot, machine: &Metronome) {
    let allowed = machine.allowed();
    for (what, period) in [(" tick.Run start", 100), (" check.one.Run start", 1000), (" check.two.Run start", 1000)] {
        let gaps = crate::told::gaps(&moments(pilot, what));
        let worst = gaps.iter().max().copied().unwrap_or_default();
        assert!(worst < Duration::from_millis(period) + allowed, "{what}: {worst:?}");
    }
}

// Seen red with src/discovery/consul/client.rs:
//- pub(crate) const AGENT_CALL: Self = Self(Duration::from_secs(5));
//+ pub(crate) const AGENT_CALL: Self = Self(Duration::from_secs(500));
#[test]
fn f51_a_consul_that_stands_still_holds_up_nothing_and_is_right_afterwards() {
    let agent = Agent::new();
    let pilot = start(THREE, agent.address());
    let machine = Metronome::start(&pilot);
    wait_all(&agent);
    // Consul knows of a service before we know that it does.
    wait_until(DEADLINE, || times(&pilot, "Service registered: ") == IDS.len(), "all are registered");
    agent.freeze();
    let pause = Duration::from_secs(if long_lane() { 30 } else { 7 });
    let_pass(pause);
    // Each attempt is bounded, so it is known by now, or soon.
    pilot.wait_stdout("service update TTL failed: ");
    agent.thaw();
    // It finds out only then that all of them have lapsed, and says until then what was.
    let mut since = None;
    let stay = || {
        let pass = IDS.iter().all(|id| agent.status(id).as_deref() == Some("passing"));
        since = since.filter(|_| pass).or_else(|| pass.then(Instant::now));
        since.is_some_and(|since: Instant| since.elapsed() >= Duration::from_secs(4))
    };
    wait_until(DEADLINE, stay, "they pass, and stay so");
    nothing_was_held_up(&pilot, &machine);
    pilot.finish();
}

#[test]
fn f51_nothing_piles_up_while_nobody_answers() {
    let server = Scripted::start(|_| Answer::Hang);
    let pilot = start(THREE, server.address());
    server.wait_for(REGISTER, 3);
    let before = pilot.anonymous_kib();
    let_pass(Duration::from_secs(8));
    let (_, most) = server.open();
    // One for each, and those that were just given up.
    assert!(most <= 6, "{most} connections for three services");
    let sent = server.requests().len();
    assert!(sent <= 3 * 10, "{sent} requests in eight seconds");
    assert!(pilot.anonymous_kib() < before + 1024, "{before} KiB, now {}", pilot.anonymous_kib());
    server.script(well);
    server.forget();
    for id in IDS {
        server.wait_for(&format!("{UPDATE}{id}"), 2);
    }
    pilot.finish();
}

// Seen red with src/discovery/consul/client.rs:
//- pub(crate) const AGENT_CALL: Self = Self(Duration::from_secs(5));
//+ pub(crate) const AGENT_CALL: Self = Self(Duration::from_secs(10));
#[test]
fn f51_a_call_that_nobody_answers_ends_after_five_seconds() {
    // It is taken and read, and then nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let begin = Instant::now();
        let mut request = Vec::new();
        // Its end may be a reset: that is one, too.
        let _ = stream.read_to_end(&mut request);
        (begin.elapsed(), String::from_utf8_lossy(&request).into_owned())
    });
    let pilot = start(WEB, address);
    pilot.wait_stdout("service registration failed: ");
    let (took, request) = first.join().unwrap();
    assert!(request.starts_with(REGISTER), "{request}");
    // Not the interval of a second: a slow answer counts.
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&took), "{took:?}");
    pilot.finish();
}

// Seen red with src/discovery/mailbox.rs:
//- inner.letter = Some(Letter { report, came: now() });
//+ inner.letter.get_or_insert(Letter { report, came: now() });
#[test]
fn f51_only_the_newest_news_is_told() {
    let agent = Agent::new();
    let to = agent.address();
    let server = recorder(to);
    let config = WEB.replace("\"{{ .CONSUL }}\"", r#"{ address: "{{ .CONSUL }}", failingHeartbeat: true }"#);
    let pilot = start(&config.replace("ttl: 2", "ttl: 60"), server.address());
    agent.wait_status("web-left", "passing");
    server.script(|_| Answer::Hang);
    fs::write(pilot.path("sick"), "").unwrap();
    pilot.wait_stdout("web is unhealthy");
    let_pass(Duration::from_secs(2));
    fs::remove_file(pilot.path("sick")).unwrap();
    let before = times(&pilot, "event: {StatusHealthy web}");
    wait_until(DEADLINE, || times(&pilot, "event: {StatusHealthy web}") > before, "it is well again");
    server.script(move |_| Answer::Forward(to));
    let fails = || agent.status("web-left").as_deref() != Some("passing");
    wait_until(DEADLINE, || !fails(), "it passes");
    holds_for(Duration::from_secs(6), || !fails(), "what was true meanwhile is never told");
    pilot.finish();
}

// Seen red with src/discovery/agent.rs:
//- again = self.again(letter, told);
//+ again = (self.again(letter, told), sleep(Duration::from_secs(1)).await).0;
#[test]
fn f52_a_slow_agent_gets_one_request_at_a_time_and_the_service_does_not_flap() {
    let agent = Agent::new();
    let to = agent.address();
    let delay = Duration::from_millis(1500);
    let server = Scripted::start(move |_| Answer::After(delay, Box::new(Answer::Forward(to))));
    let config = WEB.replace("interval: 1, ttl: 2", "interval: 1, ttl: 3");
    let pilot = start(&config, server.address());
    agent.wait_status("web-left", "passing");
    pilot.wait_stdout("of web took more than half of its TTL");
    let passing = || agent.status("web-left").as_deref() == Some("passing");
    holds_for(Duration::from_secs(10), passing, "no heartbeat is later than the time to live");
    let beats = server.matching(UPDATE);
    let mut gaps = gaps(&beats);
    gaps.sort();
    assert!(gaps.iter().all(|gap| *gap >= delay), "one in flight: {gaps:?}");
    // It is due meanwhile, so it goes the moment that the one before is answered.
    assert!(gaps[gaps.len() / 2] < delay + Duration::from_millis(600), "{gaps:?}");
    pilot.finish();
}

// Seen red with src/discovery/consul/error.rs:
//- Self::Status { code: 404, .. } => true,
//+ Self::Status { .. } => true,
#[test]
fn f53_a_cluster_without_a_leader_is_no_reason_to_take_anything_out() {
    let server = Scripted::start(|_| Answer::Status(500, "No cluster leader".to_owned()));
    let pilot = start(WEB, server.address());
    pilot.wait_stdout("No cluster leader");
    let_pass(Duration::from_secs(3));
    for status in [500, 502, 503, 429] {
        server.script(move |_| Answer::Status(status, "not now".to_owned()));
        let before = server.requests().len();
        wait_until(DEADLINE, || server.requests().len() > before, "it tries again");
    }
    assert_eq!(server.matching(DEREGISTER).len(), 0);
    assert_eq!(pilot.find("sleep 1000").len(), 1);
    server.script(well);
    server.forget();
    server.wait_for(UPDATE, 2);
    assert!(server.matching(REGISTER).len() <= 2);
    // A service that is registered stays so for all we know: nobody has said that it is forgotten.
    server.forget();
    server.script(|_| Answer::Status(500, "No cluster leader".to_owned()));
    server.wait_for(UPDATE, 3);
    server.script(well);
    server.wait_for(UPDATE, 5);
    assert!(server.requests().iter().all(|request| request.target.contains("/check/update/")), "only heartbeats");
    pilot.finish();
}

// Seen red with src/discovery/suppress.rs:
//- attempt.is_power_of_two().then_some(Say { attempt, suppressed: (unsaid > 0).then_some(unsaid) })
//+ Some(Say { attempt, suppressed: (unsaid > 0).then_some(unsaid) })
#[test]
fn f54_a_refused_token_is_told_once_with_what_is_missing_and_tried_again() {
    let agent = Options::default().acl().start();
    let weak = agent.new_token(r#"service_prefix "" { policy = "read" }"#);
    let strong = agent.new_token(r#"service "web" { policy = "write" }"#);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, &weak.secret).unwrap();
    let server = recorder(agent.address());
    let launch = launch(WEB, server.address()).env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap());
    let pilot = launch.start();
    pilot.wait_stdout("Permission denied");
    pilot.wait_stdout("service:write on web");
    server.wait_for(REGISTER, 7);
    let told = times(&pilot, "Permission denied");
    assert!((1..=4).contains(&told), "at first, and then each 2ⁿ-th time: {told}");
    assert_eq!(pilot.find("sleep 1000").len(), 1, "the job runs on");
    fs::write(&file, &strong.secret).unwrap();
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

// Seen red with src/discovery/consul/client.rs:
//- pub(super) const LARGEST_SAID: usize = 200;
//+ pub(super) const LARGEST_SAID: usize = 300;
#[test]
fn f55_an_invalid_registration_is_told_with_its_reason_and_not_repeated_in_a_hurry() {
    let words = "Request decode failed: ";
    let reason = [words, &"x".repeat(5000)].concat();
    let server = {
        let reason = reason.clone();
        Scripted::start(move |_| Answer::Status(400, reason.clone()))
    };
    let pilot = start(WEB, server.address());
    pilot.wait_stdout("service registration failed: ");
    pilot.wait_stdout("Request decode failed: xxx");
    let before = server.requests().len();
    let_pass(Duration::from_secs(4));
    let more = server.requests().len() - before;
    assert!(more <= 10, "{more} requests in four seconds");
    let told = pilot.stdout();
    let said =
        told.lines().filter_map(|line| Some(line.split_once(words)?.1.bytes().take_while(|it| *it == b'x').count()));
    let said: Vec<usize> = said.collect();
    assert!(!said.is_empty() && said.iter().all(|x| words.len() + x == 200), "200 bytes of the answer: {said:?}");
    pilot.finish();
}

#[test]
fn f56_a_name_that_nobody_knows_costs_neither_threads_nor_time() {
    // A server of names that never answers.
    let hosts = "mount --bind $DIR/resolv /etc/resolv.conf || exit 125";
    let pilot = launch(THREE, "consul.example:8500")
        .setup("echo 'nameserver 192.0.2.53' > $DIR/resolv; touch /etc/resolv.conf")
        .setup(hosts)
        .start();
    pilot.wait_stdout("one is healthy");
    pilot.wait_stdout("service registration failed: ");
    let_pass(Duration::from_secs(8));
    assert!(pilot.threads() <= 7, "the loop, the log and four for names: {}", pilot.threads());
    // Of eighty; a name that held the loop up would cost seconds at a time.
    assert!(times(&pilot, "tick.Run start") > 20);
    let mut pilot = pilot;
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(4), "{took:?}");
    pilot.finish();
}

// Seen red with src/discovery/consul/dns.rs:
//- if let Some(known) = known.filter(|known| known.host == host && known.good_until > now()) {
//+ if let Some(known) = known.filter(|known| known.host == host) {
#[test]
fn f56_an_agent_that_moves_to_another_address_is_found_there() {
    let ports = Ports::take();
    let first = Scripted::start_on(("127.0.0.1", ports.port(0)), well);
    let second = Scripted::start_on(("127.0.0.2", ports.port(0)), well);
    let setup = "echo '127.0.0.1 consul.example' > $DIR/hosts && mount --bind $DIR/hosts /etc/hosts";
    let pilot = launch(WEB, format!("consul.example:{}", ports.port(0))).setup(setup).start();
    first.wait_for(UPDATE, 2);
    assert_eq!(second.requests().len(), 0);
    fs::write(pilot.path("hosts"), "127.0.0.2 consul.example\n").unwrap();
    drop(first);
    second.wait_for(UPDATE, 2);
    pilot.finish();
}

#[test]
fn f58_a_stop_without_consul_is_bounded_and_told() {
    let agent = Agent::new();
    let mut pilot = start(THREE, agent.address());
    wait_all(&agent);
    agent.freeze();
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    // Two seconds for all of them together.
    assert!(took < Duration::from_millis(3500), "{took:?}");
    let told = pilot.stdout();
    for name in ["one", "two", "six"] {
        let truth = |line: &str| {
            line.contains(name) && (line.contains("deregistering failed: ") || line.contains("may still be registered"))
        };
        assert!(told.lines().any(truth), "nothing is told of {name}:\n{told}");
    }
    pilot.finish();
    agent.thaw();
}

// Seen red with src/discovery/agent.rs:
//- if let Some(Say { attempt, suppressed }) = self.deregistration.failed() {
//+ if let Some(Say { attempt, suppressed }) = None {
#[test]
fn f58_a_consul_that_refuses_is_no_reason_to_wait() {
    let mut agent = Agent::new();
    let mut pilot = start(THREE, agent.address());
    wait_all(&agent);
    agent.stop();
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_millis(3500), "{took:?}");
    pilot.wait_stdout("deregistering failed: ");
    pilot.finish();
}

// Seen red with src/discovery/agent.rs:
//- if std::mem::take(&mut self.uncertain) { Err(Failed { again: true }) } else { Ok(()) }
//+ Ok(())
#[test]
fn f60_a_late_heartbeat_brings_nothing_back() {
    let agent = Agent::new();
    let to = agent.address();
    // What is on its way when maintenance begins arrives after it.
    let late = move |request: &crate::support::scripted::Request| {
        let pause = if request.path().contains("/check/update/") { 300 } else { 20 };
        Answer::After(Duration::from_millis(pause), Box::new(Answer::Forward(to)))
    };
    let server = Scripted::start(late);
    let pilot = start(WEB, server.address());
    for _ in 0..4 {
        agent.wait_status("web-left", "passing");
        let before = server.matching(UPDATE).len();
        server.wait_for(UPDATE, before + 1);
        toggle(&pilot);
        agent.wait_gone("web-left");
        holds_for(Duration::from_secs(2), || agent.service("web-left").is_none(), "it stays away");
        toggle(&pilot);
    }
    agent.wait_status("web-left", "passing");
    toggle(&pilot);
    agent.wait_gone("web-left");
    // Even a registration may be late: it is given up for the withdrawal, and comes true behind it.
    let late = Mutex::new(None);
    server.script(move |request| {
        if request.target.ends_with("/register") {
            *late.lock().unwrap() = Some(request.clone());
            return Answer::Hang;
        }
        if request.target.contains("/deregister/")
            && let Some(late) = late.lock().unwrap().take()
        {
            // In this order, whatever the machine does.
            ask(to, &request.method, &request.target, &[], b"").unwrap();
            ask(to, &late.method, &late.target, &[], late.body.as_bytes()).unwrap();
            return Answer::ok("");
        }
        Answer::Forward(to)
    });
    server.forget();
    toggle(&pilot);
    server.wait_for(REGISTER, 1);
    toggle(&pilot);
    server.wait_for(DEREGISTER, 1);
    wait_until(DEADLINE, || agent.service("web-left").is_some(), "it comes late");
    agent.wait_gone("web-left");
    server.script(move |_| Answer::Forward(to));
    toggle(&pilot);
    agent.wait_status("web-left", "passing");
    let before = server.matching(UPDATE).len();
    server.wait_for(UPDATE, before + 1);
    assert_eq!(pilot.finish(), 0);
    agent.wait_gone("web-left");
    holds_for(Duration::from_secs(1), || agent.service("web-left").is_none(), "nor after the end");
}

// Seen red with src/discovery/consul/client.rs:
//- const LARGEST: usize = 8 * 1024 * 1024;
//+ const LARGEST: usize = 64 * 1024 * 1024;
#[test]
fn f62_answers_without_an_end_or_sense_are_failures_like_others() {
    let server = Scripted::start(well);
    let pilot = start(WEB, server.address());
    server.wait_for(UPDATE, 1);
    let before = pilot.anonymous_kib();
    let nonsense: [Answer; 6] = [
        Answer::EndlessBody,
        Answer::SlowBody(Duration::from_millis(100)),
        Answer::Garbage(b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n"),
        Answer::Http09("<html>hello</html>"),
        Answer::HugeBody(1 << 40),
        Answer::Close,
    ];
    for answer in nonsense {
        let told = format!("{answer:?}");
        server.script(move |_| answer.clone());
        let seen = server.requests().len();
        let mut most = 0;
        let goes_on = || {
            most = most.max(pilot.anonymous_kib());
            server.requests().len() >= seen + 2
        };
        wait_until(DEADLINE, goes_on, &format!("it goes on after {told}"));
        assert!(most < before + 20 * 1024, "{told}: {before} KiB before, {most} KiB at most");
    }
    assert!(!pilot.stdout().contains("panic"));
    server.script(well);
    server.forget();
    let begin = Instant::now();
    server.wait_for(UPDATE, 2);
    assert!(begin.elapsed() < Duration::from_secs(10));
    pilot.finish();
}

// Seen red with src/discovery/consul/client.rs:
//- const CONNECT: Duration = Duration::from_secs(1);
//+ const CONNECT: Duration = Duration::from_secs(100);
#[test]
fn f51_who_takes_no_connection_gets_a_second_for_it() {
    // The kernel takes as many as the backlog holds, and then answers no SYN.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        held.push(stream);
        assert!(held.len() < 10_000, "the backlog has an end");
    }
    let pilot = start(WEB, address);
    pilot.wait_stdout("service registration failed: ");
    // By its own clock; the whole call would have five seconds.
    let stdout = pilot.stdout();
    let from = |text: &str| stdout.lines().find_map(|line| line.get(line.find(text)?..)).unwrap();
    let took = between(&pilot, from("event: {StatusHealthy web}"), from("service registration failed: "));
    assert!(took < Duration::from_secs(4), "{took:?}:\n{stdout}");
    pilot.finish();
}
