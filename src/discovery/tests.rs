use std::time::Duration;

use tokio::time::timeout;

use super::fake::{DEREGISTER, Fake, REGISTER, Reply, UPDATE, consul, ok, soon, until, web};
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

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_changed_service_is_registered_again_with_the_next_report() {
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &[]), SECOND);
    discovery.report(JobId(1), Report::Passing);
    until("it is registered", || fake.seen().len() == 2).await;
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &[]), SECOND);
    discovery.report(JobId(1), Report::Passing);
    until("it is updated", || fake.seen().len() == 3).await;
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &["blue"]), SECOND);
    discovery.report(JobId(1), Report::Passing);
    until("it is registered again", || fake.seen().len() == 5).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, UPDATE, REGISTER, UPDATE]);
    assert!(fake.seen()[3].body.contains("blue"));
}

#[tokio::test]
async fn a_removed_service_is_told_to_be_gone_and_its_task_ends() {
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &[]), SECOND);
    discovery.report(JobId(1), Report::Passing);
    until("it is registered", || fake.seen().len() == 2).await;
    discovery.report(JobId(1), Report::Withdraw);
    discovery.remove_service(JobId(1));
    discovery.report(JobId(1), Report::Passing);
    soon("an answer", discovery.ready()).await;
    assert_eq!(discovery.take(), Some(Input::Withdrawn { job: JobId(1) }));
    until("the task ends", || discovery.leaving.iter().all(|(_, task)| task.is_finished())).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER]);
}

#[tokio::test]
async fn the_next_job_with_the_id_is_not_taken_out_by_the_one_before() {
    let fake = Fake::start(|request| {
        if request.line.contains("deregister") { Reply::Status(500, "no leader".to_owned()) } else { ok() }
    })
    .await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &[]), SECOND);
    discovery.report(JobId(1), Report::Passing);
    until("it is registered", || fake.seen().len() == 2).await;
    discovery.report(JobId(1), Report::Withdraw);
    soon("an answer", discovery.ready()).await;
    discovery.remove_service(JobId(1));
    discovery.set_service(JobId(2), &web(Duration::from_secs(10), &["new"]), SECOND);
    discovery.report(JobId(2), Report::Passing);
    until("the new one is registered", || fake.seen().len() == 5).await;
    tokio::time::sleep(SECOND + SECOND / 2).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER, REGISTER, UPDATE], "no second try of the withdrawal");
}

#[tokio::test]
async fn an_agent_that_is_retired_forgets_its_services() {
    let fake = Fake::start(|_| ok()).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    discovery.set_service(JobId(1), &web(Duration::from_secs(10), &[]), SECOND);
    discovery.set_service(
        JobId(2),
        &ServiceSpec { id: "never".to_owned(), ..web(Duration::from_secs(10), &[]) },
        SECOND,
    );
    discovery.report(JobId(1), Report::Passing);
    until("it is registered", || fake.seen().len() == 2).await;
    discovery.retire();
    until("it is taken out", || fake.seen().len() == 3).await;
    assert_eq!(fake.lines(), [REGISTER, UPDATE, DEREGISTER]);
}

#[tokio::test]
async fn a_watch_that_is_stopped_asks_no_more() {
    let fake = Fake::start(|_| Reply::Status(200, "[]".to_owned())).await;
    let mut discovery = Discovery::new(&fake.consul()).unwrap();
    let (tag, dc, filter) = Default::default();
    let spec = WatchSpec { name: "db".to_owned(), interval: SECOND, tag, dc, filter };
    discovery.start_watch(WatchId(1), &spec);
    until("it asks", || fake.seen().len() == 1).await;
    discovery.stop_watch(WatchId(1));
    discovery.stop_watch(WatchId(1));
    tokio::time::sleep(SECOND + SECOND / 2).await;
    assert_eq!(fake.seen().len(), 1);
}
