//! The top level: which keys there are, and whose dialect they belong to (v3 §3, design §6).

use std::collections::HashSet;

use crate::config::decode::{unknown_key, warn_of_repeated_keys};
use crate::config::json5::{Member, Node, Value};
use crate::config::report::{Place, Problem, Rank, Report, Step};

/// The sections of v3, and ours (design §6). Their names are matched exactly.
pub(in crate::config) const KNOWN: [&str; 10] =
    ["consul", "logging", "stopTimeout", "control", "jobs", "watches", "telemetry", "signals", "exitCode", "reload"];

/// What only a file of ContainerPilot 2 has.
const VERSION_2: [&str; 7] = ["services", "backends", "tasks", "preStart", "onStart", "preStop", "postStop"];

/// What belongs to version 2 where there are neither jobs nor watches.
const VERSION_2_ALONE: [&str; 2] = ["etcd", "coprocesses"];

/// The keys at the top with their values.
pub(super) struct Sections<'n> {
    members: &'n [Member],
}

impl<'n> Sections<'n> {
    /// A section; `null` is as good as nothing, and of equal keys the last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let found = self.members.iter().rev().find(|m| m.key == name);
        found.map(|m| &m.value).filter(|node| node.value != Value::Null)
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|m| m.key == name)
    }
}

/// The sections of a file, which must be an object or `null`.
pub(super) fn sections<'n>(tree: &'n Node, report: &mut Report) -> Option<Sections<'n>> {
    let kind = match &tree.value {
        Value::Object(members) => {
            warn_of_repeated_keys(report, members, &Place::default());
            return Some(Sections { members });
        }
        Value::Null => return Some(Sections { members: &[] }),
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
    };
    let found = report.found(tree);
    let original = format!(
        "could not parse configuration: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    );
    let message = format!("a configuration is an object, `{{…}}`, found {found}");
    report.add(Problem::error(Rank::decoding(Step::Logging), "", tree.span, message).original(original));
    None
}

/// Reports the keys that nobody knows; whether they say that this is a file of version 2, so that nothing else in it can
/// be judged.
pub(super) fn is_version_2(sections: &Sections, report: &mut Report) -> bool {
    let unknown: Vec<&Member> = sections.members.iter().filter(|m| !KNOWN.contains(&m.key.as_str())).collect();
    if unknown.is_empty() {
        return false;
    }
    let mut met = HashSet::new();
    let names: Vec<&str> = unknown.iter().map(|m| m.key.as_str()).filter(|name| met.insert(*name)).collect();
    let original = format!("unknown config keys: [{}]", names.join(" "));
    let alone = !sections.has("jobs") && !sections.has("watches");
    let is_old = |name: &str| VERSION_2.contains(&name) || (alone && VERSION_2_ALONE.contains(&name));
    let old: Vec<String> = names.iter().filter(|name| is_old(name)).map(|name| format!("`{name}`")).collect();

    let rank = Rank::decoding(Step::Keys);
    let first_old = unknown.iter().find(|m| is_old(&m.key));
    if let Some(first) = first_old.filter(|_| alone) {
        let message =
            format!("this is a file of ContainerPilot 2 ({}), which this version does not read", old.join(", "));
        let problem = Problem::error(rank, &first.key, first.key_span, message).original(original);
        report.add(problem.help("the sections of version 3 are jobs, watches, consul, control, telemetry and logging"));
        return true;
    }
    let mut original = Some(original);
    for member in unknown {
        let problem = if is_old(&member.key) {
            let beside = if sections.has("jobs") { "jobs" } else { "watches" };
            let message = format!("`{}` is a key of ContainerPilot 2 and can't stand beside `{beside}`", member.key);
            Problem::error(rank, &member.key, member.key_span, message)
        } else {
            unknown_key(report, rank, member, &Place::default(), &KNOWN)
        };
        // It names them all, and is kept once.
        report.add(match original.take() {
            Some(original) => problem.original(original),
            None => problem,
        });
    }
    false
}
