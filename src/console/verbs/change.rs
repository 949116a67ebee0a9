//! The verbs that steer the instance as a whole.

use super::super::Failed;
use super::super::client::{Given, Instance};
use super::super::output::Output;
use super::super::render;
use super::look::path_of;
use super::print_json;
use crate::api::{Maintenance, MaintenanceRequest, ReloadRequest, Reloaded, Said};

pub(super) fn reload(
    dry_run: bool,
    json: bool,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    match instance.send_and_wait::<Reloaded>("/v4/reload", &ReloadRequest { dry_run }) {
        Ok(given) if json => print_json(&given.json, output),
        Ok(given) => output.print(&render::reloaded(&given.value)),
        Err(Failed::Refused(refused)) => {
            Err(Failed::NotReloaded(render::not_reloaded(&refused.error, dry_run), refused.json))
        }
        Err(failed) => Err(failed),
    }
}

pub(super) fn maintenance(
    on: Option<bool>,
    json: bool,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let path = "/v4/maintenance";
    let given: Given<Maintenance> = match on {
        Some(on) => instance.send(path, &MaintenanceRequest { on })?,
        None => instance.get(path)?,
    };
    if json {
        return print_json(&given.json, output);
    }
    output.print(&render::maintenance(&given.value, on.is_none()))
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
    let given: Given<Said> = instance.post(path)?;
    output.print(&format!("{}\n", render::visible(&given.value.said)))
}
