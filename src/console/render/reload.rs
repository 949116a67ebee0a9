//! What a reload did, would do, or why it did nothing.

use super::table::{filled, width};
use super::{time, visible};
use crate::api::{Changed, Error, Reloaded};
use crate::number::count;

/// What was done, in a line; what would be done, one line a job.
pub(in crate::console) fn reloaded(reloaded: &Reloaded) -> String {
    if reloaded.dry_run { plan(reloaded) } else { done(reloaded) }
}

fn done(reloaded: &Reloaded) -> String {
    let took = reloaded.took_ms.map(|millis| format!(" in {}", time(millis))).unwrap_or_default();
    if reloaded.everything {
        return format!("reloaded{took}: everything was stopped and started anew\n");
    }
    let counted = [
        (reloaded.restarted.len(), "restarted"),
        (reloaded.changed.len(), "changed live"),
        (reloaded.removed.len(), "stopped"),
        (reloaded.added.len(), "added"),
    ];
    let mut parts: Vec<String> =
        counted.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    format!("reloaded{took}: {}, {} untouched\n", parts.join(", "), reloaded.unchanged)
}

fn plan(reloaded: &Reloaded) -> String {
    if reloaded.everything {
        return "everything would be stopped and started anew\n".to_owned();
    }
    let fields = |changed: &Changed| visible(&changed.fields.join(", "));
    let mut rows: Vec<(&str, String, String, &str)> = Vec::new();
    for (changes, what) in [(&reloaded.restarted, "restart"), (&reloaded.changed, "live")] {
        rows.extend(changes.iter().map(|change| ("changed", visible(&change.job), fields(change), what)));
    }
    rows.extend(reloaded.removed.iter().map(|job| ("removed", visible(job), String::new(), "stop")));
    rows.extend(reloaded.added.iter().map(|job| ("added", visible(job), String::new(), "start")));
    let job = rows.iter().map(|(_, job, ..)| width(job)).max().unwrap_or(0);
    let what = rows.iter().map(|(_, _, fields, _)| width(fields)).max().unwrap_or(0);
    let line = |(kind, name, fields, does): &(&str, String, String, &str)| {
        let gap = if what > 0 { "  " } else { "" };
        let (name, fields) = (filled(name, job), filled(fields, what));
        format!("{kind:<9}  {name}  {fields}{gap}{does}\n")
    };
    let unchanged = format!("unchanged  {}\n", count(reloaded.unchanged, "job"));
    rows.iter().map(line).collect::<String>() + &unchanged
}

/// What keeps it from being done, and what stays true.
pub(in crate::console) fn not_reloaded(error: &Error, dry_run: bool) -> String {
    let not = if dry_run { "it would not be reloaded" } else { "not reloaded" };
    // The message may say so itself.
    let stays = if error.message.contains("unchanged") { "" } else { "; the running configuration is unchanged" };
    let lines: Vec<&str> = error.details.iter().flat_map(|detail| detail.lines()).collect();
    match lines.as_slice() {
        [] => format!("{not}: {}{stays}", error.message),
        [only] => format!("{not}: {only}; the running configuration is unchanged"),
        lines => format!("{not}: {}{stays}\n  {}", error.message, lines.join("\n  ")),
    }
}
