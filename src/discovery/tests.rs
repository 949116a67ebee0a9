use std::time::Duration;

use tokio::time::timeout;

use super::fake::{Fake, Reply, consul, ok, soon};
use super::*;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[tokio::test]
async fn without_services_and_watches_nothing_is_made_or_sent() {
    let fake = Fake::start(|_| ok()).await;
    let before = threads();
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    assert!(timeout(Duration::from_millis(100), discovery.ready()).await.is_err(), "nothing can come");
    assert_eq!(discovery.take(), None);
    assert!(discovery.tasks.is_empty() && !discovery.client.is_made());
    assert!(threads() <= before);
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn ready_loses_nothing_when_it_is_cancelled() {
    let fake = Fake::start(|_| Reply::Status(200, "[]".to_owned())).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    let spec = WatchSpec {
        name: "db".to_owned(),
        interval: Duration::from_secs(1),
        tag: String::new(),
        dc: String::new(),
        filter: String::new(),
    };
    for n in 0..200 {
        discovery.start_watch(WatchId(n), &spec);
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 200 {
        // More than the queue holds: the tasks wait for room.
        if timeout(Duration::from_micros(50), discovery.ready()).await.is_err() {
            soon("ready", discovery.ready()).await;
        }
        while let Some(Input::Seen { watch, .. }) = discovery.take() {
            assert!(seen.insert(watch), "twice");
        }
    }
}

#[test]
fn only_files_need_threads() {
    let needs = |consul: &Consul| Discovery::new(consul).unwrap().needs_threads();
    assert!(!needs(&consul("127.0.0.1:8500")));
    assert!(!needs(&consul("localhost:8500")));
    assert!(!needs(&consul("nonsense://")));
    assert!(needs(&consul("consul.example:8500")), "f25: a lookup reads /etc/hosts");
    assert!(needs(&Consul { token_file: Some("/token".into()), ..consul("127.0.0.1:8500") }));
}
