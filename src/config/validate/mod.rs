//! Raw sections to a [`Plan`], in the order of the original (v3 §3), all problems collected.
//!
//! Every function here returns something to go on with, so that one mistake hides no other: where a value is wrong it has
//! been reported, and a stand-in takes its place. A report with errors never lets a plan out (`compile`).

mod agent_address;
mod command;
mod consul;
mod credentials;
mod cross;
mod cycles;
mod elements;
mod extras;
mod health;
mod jobs;
mod judge;
mod logging;
mod reload;
mod restarts;
#[cfg(test)]
mod said;
mod service;
mod signals;
mod sources;
mod telemetry;
mod top;
mod watches;
mod when;

pub(super) use when::spelt;

use super::context::Context;
use super::json5::Node;
use super::report::Report;
use crate::plan::Plan;

/// The plan that a parsed file stands for, or nothing where the file is something else altogether. Problems go to the
/// report, which may refuse the file even where there is a plan.
pub(super) fn plan(tree: &Node, context: &Context, report: &mut Report) -> Option<Plan> {
    let sections = top::sections(tree, report)?;
    let logging = logging::decode(sections.get("logging"), report);
    let stop_timeout = logging::stop_timeout(sections.get("stopTimeout"), report);
    if top::is_version_2(&sections, report) {
        return None;
    }
    let consul = consul::consul(sections.get("consul"), context, report);
    let control = logging::control(sections.get("control"), report);
    let signals = signals::signals(sections.get("signals"), report);
    let exit_code = signals::exit_code(sections.get("exitCode"), report);
    let reload = reload::reload(sections.get("reload"), report);
    let raw_jobs = jobs::decode(sections.get("jobs"), report);
    let mut jobs = jobs::jobs(&raw_jobs, context, &signals.map, report);
    let raw_watches = watches::decode(sections.get("watches"), report);
    let watches = watches::watches(&raw_watches, report);
    let telemetry = telemetry::telemetry(sections.get("telemetry"), context, report);
    let logging = logging::values(logging.as_ref(), report);
    let whole = cross::Whole {
        top: tree.span,
        raw_jobs: &raw_jobs,
        jobs: &jobs,
        raw_watches: &raw_watches,
        signals: &signals,
        telemetry: telemetry.is_some(),
        consul: &consul,
    };
    cross::check(&whole, report);
    let (telemetry, telemetry_job) = telemetry.unzip();
    jobs.extend(telemetry_job);
    let consul = consul.into_plan();
    let signals = signals.map;
    Some(Plan { logging, stop_timeout, control, consul, jobs, watches, telemetry, signals, exit_code, reload })
}
