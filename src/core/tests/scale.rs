//! Thousands of jobs: no step may cost the square of them.

use super::build::{JobBuilder, daemon, job, jobs, ms, secs};
use crate::plan::EventCode::{ExitSuccess, Stopped, Stopping};

const MANY: usize = 2000;

#[test]
fn two_thousand_jobs_start_and_stop() {
    let sim = jobs((0..MANY).map(|n| daemon(&format!("j{n}")).checked_every(secs(1)))).start().until_ms(1500);
    assert_eq!(sim.alive().len(), MANY);
    let sim = sim.term().till_the_end();
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn two_thousand_jobs_are_reloaded() {
    let plan = |new: usize| {
        jobs((0..MANY).map(|n| if n < new { daemon(&format!("new{n}")) } else { daemon(&format!("j{n}")) }))
    };
    let sim = plan(0).start().until_ms(100).reload(plan(MANY / 2)).until_ms(700);
    assert_eq!(sim.alive().len(), MANY);
    assert!(!sim.world.is_reloading());
    assert_eq!(sim.term().till_the_end().exit, Some(0));
}

#[test]
fn a_chain_of_two_thousand_stop_jobs_unwinds() {
    let post = |n: usize| job(&format!("j{n}")).once(&format!("j{}", n - 1), Stopped);
    let sim = jobs(std::iter::once(daemon("j0")).chain((1..MANY).map(post))).start().until_ms(10).term().till_the_end();
    assert_eq!(sim.exit_ms(), 10 + MANY as u128);
}

#[test]
fn a_thousand_jobs_with_a_pre_stop_job_each() {
    let pair = |n: usize| {
        let (main, pre) = (format!("main{n}"), format!("pre{n}"));
        [daemon(&main), job(&pre).once(&main, Stopping).lasts(ms(n as u64 % 50))]
    };
    let sim = jobs((0..MANY / 2).flat_map(pair)).start().until_ms(100).term().till_the_end();
    assert_eq!(sim.exit_ms(), 150);
}

#[test]
fn a_thousand_pre_stop_jobs_of_one_job() {
    let pre = |n: usize| job(&format!("pre{n}")).each("main", Stopping).lasts(ms(n as u64 % 50));
    let sim = jobs(std::iter::once(daemon("main")).chain((0..MANY / 2).map(pre))).start().until_ms(100).term();
    assert_eq!(sim.till_the_end().exit_ms(), 150);
}

#[test]
fn long_rings_and_chains_of_each_are_found_quickly() {
    let each = |n: usize, source: usize| job(&format!("j{n}")).each(&format!("j{source}"), ExitSuccess);
    let ring: Vec<JobBuilder> = (0..MANY).map(|n| each(n, (n + 1) % MANY)).collect();
    assert_eq!(jobs(ring).build().world.jobs().filter(|job| job.spaced).count(), MANY);
    let chain: Vec<JobBuilder> = (0..MANY).map(|n| each(n, n + 1)).collect();
    assert_eq!(jobs(chain).build().world.jobs().filter(|job| job.spaced).count(), 0);
    let namesakes = (0..MANY).map(|_| job("a").each("a", ExitSuccess));
    assert_eq!(jobs(namesakes).build().world.jobs().filter(|job| job.spaced).count(), MANY);
}
