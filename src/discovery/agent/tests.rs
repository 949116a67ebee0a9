use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::core::{Input, JobId, Report};
use crate::discovery::Discovery;
use crate::discovery::fake::{
    DEREGISTER, Fake, Logged, REGISTER, Reply, Request, UPDATE, consul, ok, soon, status, until, web,
};
use crate::plan::{CheckStatus, ServiceSpec};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

const JOB: JobId = JobId(7);

/// A service of the fake agent, with this time to live and interval in milliseconds.
fn service(fake: &Fake, ttl: u64, interval: u64) -> Discovery {
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.set_service(JOB, &web(Duration::from_millis(ttl), &[]), Duration::from_millis(interval));
    discovery
}

async fn next(discovery: &mut Discovery) -> Input {
    soon("an input", discovery.ready()).await;
    discovery.take().unwrap()
}

/// So many withdrawals are answered, and then nothing comes for a while.
async fn answers(discovery: &mut Discovery, wanted: usize) {
    for _ in 0..wanted {
        assert_eq!(next(discovery).await, Input::Withdrawn { job: JOB });
    }
    assert!(timeout(Duration::from_millis(300), discovery.ready()).await.is_err(), "more than {wanted}");
}

/// An agent like the real one: it knows what was registered.
fn agent(known: &Arc<AtomicBool>, unknown: &'static str, code: u16) -> impl Fn(&Request) -> Reply + use<> {
    let known = Arc::clone(known);
    move |request| {
        if request.line.contains("/register") {
            known.store(true, Ordering::Relaxed);
        } else if request.line.contains("/deregister/") {
            known.store(false, Ordering::Relaxed);
        } else if !known.load(Ordering::Relaxed) {
            return status(code, unknown);
        }
        ok()
    }
}

fn level_and_words(line: &str) -> String {
    let (level, rest) = line.split_once(' ').unwrap();
    format!("{level} {}", rest.split_once(": ").unwrap().1)
}

#[tokio::test]
async fn the_first_heartbeat_registers_and_passes() {
    let logged = Logged::start();
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Passing);
    until("both calls", || fake.seen().len() == 2).await;
    discovery.report(JOB, Report::Passing);
    until("the second heartbeat", || fake.seen().len() == 3).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, UPDATE]);
    assert!(fake.seen()[0].body.contains(r#""Check":{"TTL":"3s","Status":"passing","#));
    assert_eq!(fake.seen()[1].body, "{\"Status\":\"passing\",\"Output\":\"ok\"}\n");
    assert_eq!(logged.lines().len(), 1, "{:?}", logged.lines());
    assert!(logged.has("containerpilot::discovery::agent: Service registered: web"), "{}", logged.text());
}

#[tokio::test]
async fn an_initial_status_registers_once_and_sends_no_heartbeat() {
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Initial(CheckStatus::Warning));
    until("the registration", || fake.seen().len() == 1).await;
    assert!(fake.seen()[0].body.contains(r#""Status":"warning""#));
    discovery.report(JOB, Report::Initial(CheckStatus::Warning));
    sleep(Duration::from_millis(50)).await;
    discovery.report(JOB, Report::Passing);
    until("the heartbeat", || fake.seen().len() == 2).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE]);
}

#[tokio::test]
async fn f47_f48_what_consul_forgot_is_back_within_one_heartbeat() {
    for (code, unknown) in [
        (404, ""),
        (404, "Unknown check ID \"service:web-host\". Ensure that the check ID is passed, not the check name."),
        (500, "CheckID \"service:web-host\" does not have associated TTL"),
        (500, "Unknown check \"service:web-host\""),
        (500, "unknown check ID: service:web-host"),
        (500, "Unknown service \"web-host\""),
    ] {
        let logged = Logged::start();
        let known = Arc::new(AtomicBool::new(false));
        let fake = Fake::start(agent(&known, unknown, code)).await;
        let mut discovery = service(&fake, 3000, 1000);
        discovery.report(JOB, Report::Passing);
        until("both calls", || fake.seen().len() == 2).await;
        known.store(false, Ordering::Relaxed);
        discovery.report(JOB, Report::Passing);
        until("three more", || fake.seen().len() == 5).await;
        assert_eq!(fake.lines(), [REGISTER, UPDATE, UPDATE, REGISTER, UPDATE], "{code} {unknown}");
        until("the log", || logged.has("Service registered again: web")).await;
        assert_eq!(logged.lines().len(), 2, "no warning: {:?}", logged.lines());
    }
}

/// Whether it is told how long the service was critical: a second, or as much more as this machine made of it.
fn tells_of_seconds(logged: &Logged, began: Instant) -> bool {
    (1..=began.elapsed().as_secs() + 1).any(|n| logged.has(&format!("web was critical in Consul for about {n} s")))
}

#[tokio::test]
async fn a_failing_check_is_told_as_critical_and_its_end_too() {
    let logged = Logged::start();
    let known = Arc::new(AtomicBool::new(false));
    let fake = Fake::start(agent(&known, "", 404)).await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Failing("exit status 1".to_owned()));
    until("both calls", || fake.seen().len() == 2).await;
    assert!(fake.seen()[0].body.contains(r#""Status":"critical""#), "never registered as passing");
    assert_eq!(fake.seen()[1].body, "{\"Status\":\"critical\",\"Output\":\"exit status 1\"}\n");
    known.store(false, Ordering::Relaxed);
    discovery.report(JOB, Report::Failing("no".to_owned()));
    until("again", || fake.seen().len() == 5).await;
    assert!(fake.seen()[3].body.contains(r#""Status":"critical""#));
    let began = Instant::now();
    sleep(Duration::from_secs(1)).await;
    discovery.report(JOB, Report::Passing);
    until("it passes", || tells_of_seconds(&logged, began)).await;
}

#[tokio::test]
async fn f57_a_lapse_is_told_when_it_is_over() {
    let logged = Logged::start();
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = service(&fake, 200, 1000);
    discovery.report(JOB, Report::Passing);
    until("it passes", || fake.seen().len() == 2).await;
    let began = Instant::now();
    sleep(Duration::from_millis(1300)).await;
    discovery.report(JOB, Report::Passing);
    until("it passes again", || tells_of_seconds(&logged, began)).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, UPDATE]);
}

#[tokio::test]
async fn a_withdrawal_is_answered_when_it_is_done() {
    let logged = Logged::start();
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Passing);
    until("both calls", || fake.seen().len() == 2).await;
    discovery.report(JOB, Report::Withdraw);
    assert_eq!(next(&mut discovery).await, Input::Withdrawn { job: JOB });
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER]);
    assert_eq!(fake.seen()[2].body, "");
    assert!(logged.has("DEBUG containerpilot::discovery::agent: deregistering: web-host"));
    answers(&mut discovery, 0).await;
    discovery.report(JOB, Report::Passing);
    until("it is back", || fake.seen().len() == 5).await;
    assert_eq!(fake.lines()[3..], [REGISTER, UPDATE], "after maintenance");
    assert!(logged.has("Service registered again: web"));
}

#[tokio::test]
async fn a_withdrawal_of_what_consul_does_not_know_is_done() {
    for (code, text) in [(404, "Unknown service ID"), (500, "Unknown service \"web-host\"")] {
        let fake = Fake::start(move |_| status(code, text)).await;
        let mut discovery = service(&fake, 3000, 1000);
        discovery.report(JOB, Report::Withdraw);
        answers(&mut discovery, 1).await;
        sleep(Duration::from_millis(1100)).await;
        assert_eq!(fake.lines(), [DEREGISTER], "and not tried again");
    }
}

#[tokio::test]
async fn f58_a_withdrawal_from_a_hung_agent_ends_in_time_and_is_tried_again() {
    let logged = Logged::start();
    let hung = Arc::new(AtomicBool::new(false));
    let fake = Fake::start({
        let hung = Arc::clone(&hung);
        move |_| if hung.load(Ordering::Relaxed) { Reply::Hang } else { ok() }
    })
    .await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Passing);
    until("both calls", || fake.seen().len() == 2).await;
    hung.store(true, Ordering::Relaxed);
    let began = Instant::now();
    discovery.report(JOB, Report::Withdraw);
    assert_eq!(next(&mut discovery).await, Input::Withdrawn { job: JOB });
    // A call has five.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(logged.has(&format!("deregistering failed: no answer from {} within ", fake.address)), "{}", logged.text());
    assert!(logged.has("it may stay there, critical when its TTL of 3s is over (service web)"), "{}", logged.text());
    hung.store(false, Ordering::Relaxed);
    until("it is tried again", || fake.count("deregister") == 2).await;
    // Answered once.
    answers(&mut discovery, 0).await;
}

#[tokio::test]
async fn f58_a_withdrawal_waits_not_long_for_a_heartbeat_in_flight() {
    let fake = Fake::start(|_| Reply::Hang).await;
    let mut discovery = service(&fake, 10_000, 10_000);
    discovery.report(JOB, Report::Passing);
    until("it is in flight", || fake.seen().len() == 1).await;
    let began = Instant::now();
    discovery.report(JOB, Report::Withdraw);
    assert_eq!(next(&mut discovery).await, Input::Withdrawn { job: JOB });
    // A call has five.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(fake.lines(), [REGISTER, DEREGISTER]);
}

#[tokio::test]
async fn f60_a_registration_that_nobody_waited_for_is_taken_out_once_more() {
    let fake = Fake::start(|request| if request.line.contains("/register") { Reply::Hang } else { ok() }).await;
    let mut discovery = service(&fake, 10_000, 10_000);
    discovery.report(JOB, Report::Passing);
    until("it is in flight", || fake.seen().len() == 1).await;
    discovery.report(JOB, Report::Withdraw);
    until("taken out twice", || fake.count("deregister") == 2).await;
    // But answered once.
    answers(&mut discovery, 1).await;
    sleep(Duration::from_millis(2200)).await;
    assert_eq!(fake.count("deregister"), 2);
}

#[tokio::test]
async fn f60_every_withdrawal_is_answered_exactly_once_and_nothing_overtakes() {
    let fake = Fake::start(|_| Reply::Late(Duration::from_millis(50), Box::new(ok()))).await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Withdraw);
    discovery.report(JOB, Report::Passing);
    // One that is replaced before its turn.
    answers(&mut discovery, 1).await;
    until("both calls", || fake.seen().len() == 2).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE]);
    discovery.report(JOB, Report::Withdraw);
    until("it is in flight", || fake.count("deregister") == 1).await;
    discovery.report(JOB, Report::Withdraw);
    discovery.report(JOB, Report::Passing);
    discovery.report(JOB, Report::Withdraw);
    answers(&mut discovery, 3).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER, DEREGISTER]);
    discovery.report(JOB, Report::Withdraw);
    until("it is in flight", || fake.count("deregister") == 3).await;
    discovery.report(JOB, Report::Passing);
    // One that is replaced while in flight.
    answers(&mut discovery, 1).await;
    until("all of them", || fake.seen().len() == 7).await;
    assert_eq!(fake.lines()[4..], [DEREGISTER, REGISTER, UPDATE]);
}

#[tokio::test]
async fn f51_a_hung_agent_gets_one_request_at_a_time_and_then_the_newest_report() {
    let hung = Arc::new(AtomicBool::new(true));
    let fake = Fake::start({
        let hung = Arc::clone(&hung);
        move |_| if hung.load(Ordering::Relaxed) { Reply::Hang } else { ok() }
    })
    .await;
    let mut discovery = service(&fake, 60_000, 1000);
    let began = Instant::now();
    for n in 0..1000 {
        discovery.report(JOB, Report::Failing(n.to_string()));
        sleep(Duration::from_millis(1)).await;
    }
    let most = 1 + usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(fake.seen().len() <= most, "1 s each: {:?}", fake.lines());
    hung.store(false, Ordering::Relaxed);
    discovery.report(JOB, Report::Failing("the newest".to_owned()));
    until("it is told", || fake.seen().last().unwrap().body.contains("the newest")).await;
    assert_eq!(fake.count("update"), 1, "and nothing in between");
}

#[tokio::test]
async fn f51_a_service_whose_calls_hang_delays_no_other() {
    let fake = Fake::start(|request| {
        let hangs = request.body.contains("\"Name\":\"web\"");
        if hangs { Reply::Hang } else { ok() }
    })
    .await;
    let mut discovery = service(&fake, 3000, 1000);
    let other = ServiceSpec { id: "db-host".to_owned(), name: "db".to_owned(), ..web(Duration::from_secs(3), &[]) };
    discovery.set_service(JobId(8), &other, Duration::from_secs(1));
    discovery.report(JOB, Report::Passing);
    until("it hangs", || fake.seen().len() == 1).await;
    let began = Instant::now();
    discovery.report(JobId(8), Report::Passing);
    until("the other passes", || fake.count("update/service:db-host") == 1).await;
    // A call has five.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn f51_a_hundred_services_keep_to_few_connections_and_are_told_when_it_is_over() {
    let hung = Arc::new(AtomicBool::new(false));
    let fake = Fake::start({
        let hung = Arc::clone(&hung);
        move |_| if hung.load(Ordering::Relaxed) { Reply::Hang } else { ok() }
    })
    .await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    for n in 0..100 {
        let spec = ServiceSpec { id: format!("web-{n}"), ..web(Duration::from_secs(10), &[]) };
        discovery.set_service(JobId(n), &spec, Duration::from_secs(1));
    }
    let report = |discovery: &mut Discovery| (0..100).for_each(|n| discovery.report(JobId(n), Report::Passing));
    report(&mut discovery);
    until("all are registered and pass", || fake.seen().len() == 200).await;
    hung.store(true, Ordering::Relaxed);
    report(&mut discovery);
    until("so many at a time", || fake.seen().len() >= 232).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(fake.seen().len(), 232, "so many at a time");
    hung.store(false, Ordering::Relaxed);
    let before = fake.seen().len();
    sleep(Duration::from_millis(700)).await;
    report(&mut discovery);
    until("all pass", || fake.seen().len() >= before + 100).await;
    let most = fake.seen().iter().map(|request| request.connection).max().unwrap();
    assert!(most < 200, "{most} connections, all that Consul takes of one address");
}

#[tokio::test]
async fn f51_a_hundred_services_keep_their_connections_between_heartbeats() {
    // Each answer takes a moment, as the real agent's does.
    let fake = Fake::start(|_| Reply::Late(Duration::from_millis(2), Box::new(ok()))).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    for n in 0..100 {
        let spec = ServiceSpec { id: format!("web-{n}"), ..web(Duration::from_secs(6), &[]) };
        discovery.set_service(JobId(n), &spec, Duration::from_secs(2));
    }
    let mut connections = Vec::new();
    for round in 0..10 {
        (0..100).for_each(|n| discovery.report(JobId(n), Report::Passing));
        until("all pass", || fake.count("/update/") == 100 * (round + 1)).await;
        sleep(Duration::from_millis(500)).await;
        connections.push(fake.seen().iter().map(|request| request.connection).max().unwrap());
    }
    assert!(connections[0] <= 48, "{connections:?}");
    assert_eq!(connections[0], connections[9], "none is made anew: {connections:?}");
}

#[tokio::test]
async fn f52_a_report_during_a_request_is_told_right_after_it() {
    let logged = Logged::start();
    let fake = Fake::start(|_| Reply::Late(Duration::from_millis(300), Box::new(ok()))).await;
    let mut discovery = service(&fake, 1000, 1000);
    discovery.report(JOB, Report::Passing);
    until("it is in flight", || fake.seen().len() == 1).await;
    discovery.report(JOB, Report::Passing);
    until("the second is there", || fake.seen().len() == 3).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, UPDATE]);
    until("it is told", || logged.has("of web took more than half of its TTL")).await;
    let line = logged.lines().into_iter().find(|line| line.contains("took")).unwrap();
    let took = line.split("elapsed=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(line.starts_with("WARN ") && !(took.ends_with("ms") && took < "600ms"), "{line}");
}

#[tokio::test]
async fn f49_f53_failures_are_told_once_and_then_seldom_until_it_works() {
    let logged = Logged::start();
    let works = Arc::new(AtomicBool::new(false));
    let fake = Fake::start({
        let works = Arc::clone(&works);
        move |_| if works.load(Ordering::Relaxed) { ok() } else { status(500, "No cluster leader") }
    })
    .await;
    let mut discovery = service(&fake, 3000, 1000);
    for n in 1..=5 {
        discovery.report(JOB, Report::Passing);
        until("it is tried", || fake.count("register") == n).await;
        sleep(Duration::from_millis(10)).await;
    }
    works.store(true, Ordering::Relaxed);
    discovery.report(JOB, Report::Passing);
    until("it is registered and passes", || fake.count("/update/") == 1).await;
    works.store(false, Ordering::Relaxed);
    discovery.report(JOB, Report::Passing);
    until("it fails", || logged.has("update TTL failed")).await;
    works.store(true, Ordering::Relaxed);
    discovery.report(JOB, Report::Passing);
    until("it works", || logged.has("TTL works again")).await;
    let failed = "service registration failed: Unexpected response code: 500 (No cluster leader) (service web";
    let wanted = [
        format!("WARN {failed}) service=\"web\" attempt=1"),
        format!("WARN {failed}, attempt 2) service=\"web\" attempt=2"),
        format!("WARN {failed}, attempt 4) service=\"web\" attempt=4 suppressed=1"),
        "INFO Service registered: web service=\"web\"".to_owned(),
        "WARN service update TTL failed: Unexpected response code: 500 (No cluster leader) (service web) service=\"web\" attempt=1"
            .to_owned(),
        "INFO service update TTL works again: web service=\"web\" attempt=1".to_owned(),
    ];
    let lines: Vec<String> = logged.lines().iter().map(|line| level_and_words(line)).collect();
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn f49_a_failure_is_tried_again_while_its_report_is_young() {
    let fake = Fake::start(|_| status(500, "")).await;
    let mut discovery = service(&fake, 2900, 1000);
    discovery.report(JOB, Report::Passing);
    sleep(Duration::from_millis(4500)).await;
    assert_eq!(fake.lines(), [REGISTER; 3], "at once, after 1 s and 2 s; then it is too old to be true");
}

#[tokio::test]
async fn f49_an_initial_status_claims_nothing_that_grows_old_and_is_tried_until_it_is_told() {
    let works = Arc::new(AtomicBool::new(false));
    let fake = Fake::start({
        let works = Arc::clone(&works);
        move |_| if works.load(Ordering::Relaxed) { ok() } else { status(500, "") }
    })
    .await;
    let mut discovery = service(&fake, 1000, 1000);
    discovery.report(JOB, Report::Initial(CheckStatus::Warning));
    until("it is tried after its time to live, too", || fake.seen().len() == 4).await;
    works.store(true, Ordering::Relaxed);
    until("it is registered", || fake.seen().len() == 5).await;
    sleep(Duration::from_millis(1200)).await;
    assert_eq!(fake.lines(), [REGISTER; 5], "and then it is done");
}

#[tokio::test]
async fn f58_an_initial_status_after_a_withdrawal_without_answer_registers() {
    let logged = Logged::start();
    let fake = Fake::start(|request| if request.line.contains("/deregister/") { Reply::Hang } else { ok() }).await;
    let mut discovery = service(&fake, 3000, 10_000);
    discovery.report(JOB, Report::Initial(CheckStatus::Warning));
    until("it is registered", || fake.seen().len() == 1).await;
    discovery.report(JOB, Report::Withdraw);
    assert_eq!(next(&mut discovery).await, Input::Withdrawn { job: JOB });
    // Consul may have carried it out.
    discovery.report(JOB, Report::Initial(CheckStatus::Warning));
    until("it is registered again", || logged.has("Service registered again: web")).await;
    assert_eq!(fake.lines(), [REGISTER, DEREGISTER, REGISTER]);
    assert!(!logged.has("Service deregistered"));
}

#[tokio::test]
async fn f60_what_consul_forgot_is_not_brought_back_when_it_is_to_be_withdrawn() {
    let fake = Fake::start(|request| {
        if request.line.contains("/update/") {
            Reply::Late(Duration::from_millis(200), Box::new(status(404, "Unknown check ID")))
        } else {
            ok()
        }
    })
    .await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JOB, Report::Passing);
    until("the heartbeat is in flight", || fake.seen().len() == 2).await;
    discovery.report(JOB, Report::Withdraw);
    answers(&mut discovery, 1).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER]);
}

#[tokio::test]
async fn f54_f55_a_refusal_is_an_error_that_holds_consuls_words() {
    for (code, text, tries) in [(403, "Permission denied: Missing service:write on web", 2), (400, "Invalid TTL", 1)] {
        let logged = Logged::start();
        let fake = Fake::start(move |_| status(code, text)).await;
        let mut discovery = service(&fake, 1900, 1000);
        discovery.report(JOB, Report::Passing);
        until("it is tried", || fake.seen().len() == tries).await;
        sleep(Duration::from_millis(1200)).await;
        assert_eq!(fake.lines().len(), tries, "{code}");
        let lines = logged.lines();
        assert!(lines[0].starts_with("ERROR") && lines[0].contains(&format!("{code} ({text})")), "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("WARN")), "{lines:?}");
    }
}

#[tokio::test]
async fn f50_an_agent_that_comes_back_is_told_soon() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut discovery = Discovery::new(&consul(&address)).unwrap();
    discovery.set_service(JOB, &web(Duration::from_secs(10), &[]), Duration::from_secs(5));
    discovery.report(JOB, Report::Passing);
    sleep(Duration::from_millis(100)).await;
    let fake = Fake::on(&address, |_| ok()).await;
    let began = Instant::now();
    until("it is told", || fake.seen().len() == 2).await;
    assert!(began.elapsed() < Duration::from_secs(4), "after 1 s, not one interval: {:?}", began.elapsed());
}

#[tokio::test]
async fn only_services_that_are_known_are_told_about() {
    let count = Arc::new(AtomicU32::new(0));
    let fake = Fake::start({
        let count = Arc::clone(&count);
        move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            ok()
        }
    })
    .await;
    let mut discovery = service(&fake, 3000, 1000);
    discovery.report(JobId(99), Report::Passing);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
}
