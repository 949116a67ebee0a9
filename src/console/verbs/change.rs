//! The verbs that steer the instance as a whole.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::Failed;
use super::super::client::Instance;
use super::super::output::Output;
use super::super::render;
use super::look::path_of;
use super::print_json;
use crate::api::{MaintenanceRequest, ReloadRequest, Reloaded, Said};

pub(super) fn reload(
    dry_run: bool,
    json: bool,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let (path, body) = ("/v4/reload", ReloadRequest { dry_run });
    let done = if json {
        instance.send_and_wait(path, &body).and_then(|json: Value| print_json(&json, output))
    } else {
        instance.send_and_wait(path, &body).and_then(|done: Reloaded| output.print(&render::reloaded(&done)))
    };
    done.map_err(|failed| match failed {
        Failed::Refused(refused) => Failed::NotReloaded(render::not_reloaded(&refused.error, dry_run), refused.json),
        failed => failed,
    })
}

pub(super) fn maintenance(
    on: Option<bool>,
    json: bool,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    if json {
        return print_json(&ask_maintenance(on, instance)?, output);
    }
    output.print(&render::maintenance(&ask_maintenance(on, instance)?, on.is_none()))
}

fn ask_maintenance<T: DeserializeOwned>(on: Option<bool>, instance: &Instance<'_>) -> Result<T, Failed> {
    let path = "/v4/maintenance";
    match on {
        Some(on) => instance.send(path, &MaintenanceRequest { on }),
        None => instance.get(path),
    }
}

pub(super) fn reopen_logs(job: Option<&str>, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let path = job.map_or_else(|| "/v4/logs/reopen".to_owned(), |job| format!("{}/reopen-logs", path_of(job)));
    said(&path, instance, output)
}

pub(super) fn shutdown(instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    said("/v4/shutdown", instance, output)
}

/// Asks for what has no other answer than a sentence.
fn said(path: &str, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let Said { said } = instance.post(path)?;
    output.print(&format!("{}\n", render::visible(&said)))
}
