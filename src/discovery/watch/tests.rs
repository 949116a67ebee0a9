use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::time::{Instant, timeout};

use super::*;
use crate::discovery::Discovery;
use crate::discovery::consul::WAITING;
use crate::discovery::fake::{Fake, Logged, Reply, Request, soon, status, until};

const WATCH: WatchId = WatchId(3);

fn spec(seconds: u64) -> WatchSpec {
    WatchSpec {
        name: "db".to_owned(),
        interval: Duration::from_secs(seconds),
        tag: String::new(),
        dc: String::new(),
        filter: String::new(),
    }
}

fn watch(fake: &Fake, seconds: u64) -> Discovery {
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.start_watch(WATCH, &spec(seconds));
    discovery
}

fn list(ids: &[&str]) -> String {
    let entries: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"Node":{{"Node":"n","Address":"10.0.0.1"}},"Service":{{"ID":"{id}","Port":1}}}}"#))
        .collect();
    format!("[{}]", entries.join(","))
}

/// The ids of the next list that is told.
async fn seen(discovery: &mut Discovery) -> Vec<String> {
    soon("a list", discovery.ready()).await;
    match discovery.take() {
        Some(Input::Seen { watch: WATCH, instances }) => instances.into_iter().map(|instance| instance.id).collect(),
        other => panic!("{other:?}"),
    }
}

async fn nothing(discovery: &mut Discovery) {
    assert!(timeout(Duration::from_millis(300), discovery.ready()).await.is_err(), "{:?}", discovery.take());
}

/// The index that is asked for.
fn asked(request: &Request) -> Option<u64> {
    let query = request.line.split_once("index=")?.1;
    query.split('&').next()?.parse().ok()
}

#[test]
fn an_index_is_followed_as_consul_documents_it() {
    let wait = Duration::from_secs(10);
    let next = |index, poll| Next { index, poll };
    let after = |asked, got, waited| Next::after(asked, got, Duration::from_millis(waited), wait);
    assert_eq!(after(0, Some(5), 0), next(5, false), "the first answer's is waited for at once");
    assert_eq!(after(5, Some(6), 0), next(6, false), "a change");
    assert_eq!(after(5, Some(5), 10_400), next(5, false), "no change for the whole wait");
    assert_eq!(after(5, Some(5), 3), next(5, true), "the agent did not wait");
    assert_eq!(after(5, Some(4), 0), next(0, false), "going back starts anew");
    assert_eq!(after(5, Some(0), 0), next(0, true), "no index is none");
    assert_eq!(after(0, None, 0), next(0, true));
}

#[tokio::test]
async fn a_change_is_told_at_once_and_the_same_is_not_told_again() {
    let index = Arc::new(AtomicU64::new(10));
    let fake = Fake::start({
        let index = Arc::clone(&index);
        // Waits a little, as for a change that is none, once everything is told.
        move |request| {
            let now = index.load(Ordering::Relaxed);
            let body = list(if now < 12 { &["b", "a"] } else { &["c"] });
            let reply = Reply::Index(now, body);
            if asked(request) == Some(now) { Reply::Late(Duration::from_millis(950), Box::new(reply)) } else { reply }
        }
    })
    .await;
    let mut discovery = watch(&fake, 1);
    assert_eq!(seen(&mut discovery).await, ["a", "b"], "the first query goes out at once");
    index.store(11, Ordering::Relaxed);
    nothing(&mut discovery).await;
    index.store(12, Ordering::Relaxed);
    assert_eq!(seen(&mut discovery).await, ["c"]);
    let lines = fake.lines();
    assert_eq!(lines[0], "GET /v1/health/service/db?passing=1");
    assert_eq!(lines[1], "GET /v1/health/service/db?index=10&passing=1&wait=1s");
}

#[tokio::test]
async fn an_index_that_goes_back_is_not_waited_for() {
    let turn = AtomicUsize::new(0);
    let fake = Fake::start(move |_| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Index(1000, list(&["a"])),
        1 => Reply::Index(7, list(&["b"])),
        2 => Reply::Index(7, list(&["c"])),
        _ => Reply::Hang,
    })
    .await;
    let mut discovery = watch(&fake, 60);
    for id in ["a", "b", "c"] {
        assert_eq!(seen(&mut discovery).await, [id]);
    }
    until("it waits again", || fake.seen().len() == 4).await;
    let indices: Vec<Option<u64>> = fake.seen().iter().map(asked).collect();
    assert_eq!(indices, [None, Some(1000), None, Some(7)]);
}

#[tokio::test]
async fn an_agent_that_does_not_wait_is_asked_once_each_interval() {
    for reply in [status(200, "[]"), Reply::Index(0, "[]".to_owned()), Reply::Index(9, "[]".to_owned())] {
        let fake = Fake::start(move |_| reply.clone()).await;
        let began = Instant::now();
        let mut discovery = watch(&fake, 1);
        assert!(seen(&mut discovery).await.is_empty(), "an empty list is told, too");
        until("it is asked again", || fake.seen().len() >= 4).await;
        // The second one asks for a change, and finds out that this agent does not wait for one.
        let (count, most) = (fake.seen().len(), 2 + usize::try_from(began.elapsed().as_millis() / 1000).unwrap());
        assert!(count <= most, "{count}, not {most}");
        nothing(&mut discovery).await;
    }
}

#[tokio::test]
async fn of_many_watches_so_many_wait_and_the_others_ask() {
    let fake = Fake::start(|request| match asked(request) {
        Some(_) => Reply::Hang,
        None => Reply::Index(7, list(&["a"])),
    })
    .await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    let first = (0..WAITING).map(|number| WatchId(u32::try_from(number).unwrap()));
    let others = (1000..1010).map(WatchId);
    first.clone().for_each(|watch| discovery.start_watch(watch, &spec(60)));
    // Each has said something that is to be taken.
    let waiting = |discovery: &mut Discovery, fake: &Fake| {
        while discovery.take().is_some() {}
        fake.count("index=7")
    };
    until("they wait", || waiting(&mut discovery, &fake) == WAITING).await;
    others.for_each(|watch| discovery.start_watch(watch, &spec(1)));
    until("the others have asked four times", || {
        waiting(&mut discovery, &fake);
        fake.seen().len() >= 2 * WAITING + 40
    })
    .await;
    assert_eq!(waiting(&mut discovery, &fake), WAITING);
    discovery.stop_watch(WatchId(0));
    until("one of them has the place that is free", || waiting(&mut discovery, &fake) == WAITING + 1).await;
}

#[tokio::test]
async fn a_service_that_flaps_is_asked_for_ten_times_a_second_in_the_long_run() {
    let index = AtomicU64::new(1);
    let fake = Fake::start(move |_| Reply::Index(index.fetch_add(1, Ordering::Relaxed), "[]".to_owned())).await;
    let discovery = watch(&fake, 60);
    let began = Instant::now();
    until("the burst", || fake.seen().len() >= 100).await;
    assert!(began.elapsed() < Duration::from_secs(5), "it is a burst: {:?}", began.elapsed());
    until("it goes on", || fake.seen().len() >= 115).await;
    let (count, most) = (fake.seen().len(), 101 + usize::try_from(began.elapsed().as_millis() / 100).unwrap());
    assert!(count <= most, "{count}, not {most}");
    drop(discovery);
}

#[tokio::test]
async fn f61_f62_what_is_not_known_is_not_told() {
    let logged = Logged::start();
    let fails = Arc::new(AtomicBool::new(false));
    let replies = [
        status(500, "No path to datacenter"),
        status(200, "{}"),
        Reply::Close,
        Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]".to_vec()),
    ];
    let turn = AtomicUsize::new(0);
    let fake = Fake::start({
        let fails = Arc::clone(&fails);
        move |_| {
            if fails.load(Ordering::Relaxed) {
                replies[turn.fetch_add(1, Ordering::Relaxed) % replies.len()].clone()
            } else {
                status(200, &list(&["a"]))
            }
        }
    })
    .await;
    let mut discovery = watch(&fake, 1);
    assert_eq!(seen(&mut discovery).await, ["a"]);
    fails.store(true, Ordering::Relaxed);
    until("all of them", || fake.seen().len() >= 7).await;
    nothing(&mut discovery).await;
    fails.store(false, Ordering::Relaxed);
    assert!(logged.has("[<nil>] (watch db, attempt 2)"), "{}", logged.text());
    until("it works again", || logged.has("queries of db are answered again")).await;
    nothing(&mut discovery).await;
    let lines = logged.lines();
    let first = "failed to query db: Unexpected response code: 500 (No path to datacenter) [<nil>] (watch db)";
    assert!(lines[0].starts_with("WARN") && lines[0].contains(first), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("INFO"), "{lines:?}");
}

#[tokio::test]
async fn a_filter_that_consul_refuses_is_named() {
    let logged = Logged::start();
    let wrong = "Failed to create boolean expression evaluator: Selector \"Nope\" is not valid";
    for (code, filter, doubted) in [(500, "Nope == 1", true), (400, "Nope == 1", true), (500, "", false)] {
        let fake = Fake::start(move |_| status(code, wrong)).await;
        let mut discovery = Discovery::new(&fake.consul()).unwrap();
        let name = format!("db-{code}-{}", filter.len());
        discovery.start_watch(WATCH, &WatchSpec { name: name.clone(), filter: filter.to_owned(), ..spec(60) });
        let doubt = if doubted { "; the filter may be wrong: \"Nope == 1\"" } else { "" };
        let words = format!("is not valid) [<nil>]{doubt} (watch {name})");
        until("it is told", || logged.has(&words)).await;
    }
}

#[tokio::test]
async fn what_fails_during_a_stop_is_no_news() {
    let logged = Logged::start();
    let fake = Fake::start(|_| Reply::Close).await;
    let mut discovery = watch(&fake, 1);
    discovery.stopping();
    until("it is told quietly", || logged.has("failed to query db: ")).await;
    assert!(logged.lines().is_empty(), "{:?}", logged.lines());
    assert!(logged.has("DEBUG containerpilot::discovery::watch: failed to query db: "), "{}", logged.text());
}

#[tokio::test]
async fn an_instance_without_an_address_is_left_out_and_told() {
    let logged = Logged::start();
    let odd = Arc::new(AtomicBool::new(true));
    let fake = Fake::start({
        let odd = Arc::clone(&odd);
        move |_| {
            let evil = r#"{"Service":{"ID":"evil\n","Address":"10.0.0.9:1\n10.6.6.6","Port":1}},"#;
            let body = list(&["a"]);
            status(200, &if odd.load(Ordering::Relaxed) { body.replacen('[', &format!("[{evil}"), 1) } else { body })
        }
    })
    .await;
    let mut discovery = watch(&fake, 1);
    assert_eq!(seen(&mut discovery).await, ["a"]);
    until("the fourth answer", || fake.seen().len() == 4).await;
    odd.store(false, Ordering::Relaxed);
    nothing(&mut discovery).await;
    let words = r#"1 instance of db left out: the address of "evil\n" is "10.0.0.9:1\n10.6.6.6", neither an IP address nor a host name"#;
    let lines = logged.lines();
    assert!(lines.iter().all(|line| line.starts_with("WARN") && line.contains(words)), "{lines:?}");
    assert!((2..=3).contains(&lines.len()), "the first, second and fourth: {lines:?}");
}
