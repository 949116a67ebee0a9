//! Watches: which answers of Consul are events, and what a job that they start is told (v3 §14).

use super::build::{PlanBuilder, daemon, job, jobs, ms};
use super::sim::Sim;
use crate::core::{Instance, JobId, Slot};
use crate::plan::EventCode::{StatusChanged, StatusHealthy, StatusUnhealthy};

fn plan() -> PlanBuilder {
    jobs([daemon("web"), job("reload").each("watch.db", StatusChanged).lasts(ms(1))])
        .watch("db")
        .watch("db")
        .watch("cache")
}

fn events(sim: &Sim) -> Vec<String> {
    sim.events().into_iter().filter(|event| event.contains("watch.")).collect()
}

#[test]
fn an_empty_first_answer_is_no_news() {
    assert_eq!(events(&plan().start().sees(0, &[])), [""; 0]);
}

#[test]
fn the_first_instance_is_a_change_and_health() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80"]).until_ms(10);
    assert_eq!(events(&sim), ["StatusChanged watch.db", "StatusHealthy watch.db"]);
    assert_eq!(sim.runs_of("reload"), [0]);
}

#[test]
fn the_last_instance_that_goes_is_a_change_and_the_end_of_health() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80"]).sees(0, &[]);
    assert_eq!(events(&sim)[2..], ["StatusChanged watch.db", "StatusUnhealthy watch.db"]);
    assert_eq!(sim.count(StatusHealthy, "watch.db"), 1);
    assert_eq!(sim.count(StatusUnhealthy, "watch.db"), 1);
}

#[test]
fn the_same_answer_in_another_order_is_no_news() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80", "b@10.0.0.2:80"]).sees(0, &["b@10.0.0.2:80", "a@10.0.0.1:80"]);
    assert_eq!(sim.count(StatusChanged, "watch.db"), 1);
}

#[test]
fn one_id_on_two_nodes_is_no_matter_of_order() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80", "a@10.0.0.2:80"]).sees(0, &["a@10.0.0.2:80", "a@10.0.0.1:80"]);
    assert_eq!(sim.count(StatusChanged, "watch.db"), 1);
}

#[test]
fn another_address_or_port_is_a_change() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80"]).sees(0, &["a@10.0.0.2:80"]).sees(0, &["a@10.0.0.2:81"]);
    assert_eq!(sim.count(StatusChanged, "watch.db"), 3);
}

#[test]
fn watches_of_one_service_remember_for_themselves() {
    let sim = plan().start().sees(0, &["a@10.0.0.1:80"]).sees(1, &["a@10.0.0.1:80"]).sees(0, &["a@10.0.0.1:80"]);
    assert_eq!(sim.count(StatusChanged, "watch.db"), 2);
}

#[test]
fn what_nobody_watches_means_nothing() {
    assert_eq!(events(&plan().start().sees(7, &["a@10.0.0.1:80"])), [""; 0]);
    assert_eq!(events(&plan().build().sees(0, &["a@10.0.0.1:80"])), [""; 0]);
}

#[test]
fn the_job_that_a_watch_starts_is_told_all_instances_by_id() {
    let sim = plan().start().sees(0, &["b@10.0.0.2:80", "a@10.0.0.1:80"]).sees(1, &["c@10.0.0.3:80", "a@10.0.0.1:80"]);
    let (name, instances) = sim.world.watched_by(Slot::Exec(JobId(1))).expect("a watch");
    assert_eq!(name, "db");
    let ids = |instances: Vec<&Instance>| instances.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(instances), ["a", "b", "c"]);
    assert_eq!(sim.world.watched_by(Slot::Exec(JobId(0))), None);
    assert_eq!(sim.world.watched_by(Slot::Check(JobId(1))), None);
}
