//! Watches of other services (v3 §14).

use std::time::Duration;

use super::elements::{Element, Section};
use super::judge::Judge;
use super::service::check_name;
use crate::config::decode::Field;
use crate::config::json5::Node;
use crate::config::raw::{self, Watch};
use crate::config::report::{Report, Step};
use crate::plan::WatchSpec;

/// The `watches` section, not yet judged.
pub(super) fn decode<'n>(node: Option<&'n Node>, report: &mut Report) -> Vec<Element<Watch<'n>>> {
    let prefix = "unable to parse watches: Watch configuration error: ";
    Section { key: "watches", step: Step::Watches, prefix }.decode(node, raw::watch, report)
}

/// All watches that are objects.
pub(super) fn watches(raw: &[Element<Watch>], report: &mut Report) -> Vec<WatchSpec> {
    let mut specs = Vec::new();
    for (item, element) in raw.iter().enumerate() {
        let Some(raw) = &element.raw else { continue };
        let mut judge = Judge {
            report,
            path: format!("watches[{}]", element.index),
            step: Step::Watches,
            item: item.saturating_add(1),
            prefix: "unable to parse watches: ",
        };
        specs.push(watch(raw, &mut judge));
    }
    specs
}

fn watch(raw: &Watch, judge: &mut Judge) -> WatchSpec {
    let name = raw.name.text();
    match raw.name.node {
        _ if raw.name.field.is_bad() => {}
        Some(node) if !name.is_empty() => check_name(judge, 1, "name", name, node),
        _ => {
            let (span, message) = match raw.name.node {
                Some(node) => (node.span, format!("expected the name of a service, {}", judge.found(node))),
                None => (raw.span, "missing: expected the name of a service".to_owned()),
            };
            let problem = judge.error(1, "name", span, message, "'name' must not be blank");
            judge.add(problem);
        }
    }
    WatchSpec {
        name: name.to_owned(),
        interval: interval(raw, judge),
        tag: raw.tag.text().to_owned(),
        dc: raw.dc.text().to_owned(),
        // An expression that is wrong is Consul's to tell; one without a word in it is none.
        filter: Some(raw.filter.text()).filter(|text| !text.trim().is_empty()).unwrap_or("").to_owned(),
    }
}

fn interval(raw: &Watch, judge: &mut Judge) -> Duration {
    let stand_in = Duration::from_secs(1);
    let (seconds, span) = match &raw.interval {
        Field::Bad => return stand_in,
        Field::Absent => (0, None),
        Field::Given(seconds, span) => (*seconds, Some(*span)),
    };
    if let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) {
        return Duration::from_secs(seconds);
    }
    let original = format!("watch[{}].interval must be > 0", raw.name.text());
    let problem = match span {
        Some(span) => {
            let found = judge.report.found_at(span);
            judge.error(2, "interval", span, format!("expected whole seconds from 1 up, found {found}"), original)
        }
        None => judge.error(2, "interval", raw.span, "missing: expected whole seconds from 1 up", original),
    };
    judge.add(problem);
    stand_in
}
