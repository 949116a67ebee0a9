//! What signals to us mean, and how our exit status is chosen: `signals` and `exitCode` at the top (design §5, §6).

use std::collections::HashMap;

use crate::config::decode::{Decoder, Field, Names, warn_of_repeated_keys};
use crate::config::diagnostic::Span;
use crate::config::json5::{Member, Node, Value};
use crate::config::report::{Place, Problem, Rank, Report};
use crate::plan::{ExitCodeRule, Signal, SignalAction, SignalMap};

/// The map, and the jobs that it names.
#[derive(Default)]
pub(super) struct Signals<'n> {
    /// The defaults with the file's words over them.
    pub(super) map: SignalMap,
    /// Jobs that signals are passed to: path, place and name.
    pub(super) jobs: Vec<(String, &'n Node, String)>,
}

/// What a signal may mean and one word says.
pub(in crate::config) const ACTIONS: [SignalAction; 6] = [
    SignalAction::Terminate,
    SignalAction::ToggleMaintenance,
    SignalAction::ReopenLogs,
    SignalAction::Reload,
    SignalAction::Event,
    SignalAction::Ignore,
];

/// What a signal may mean, for messages.
const ACCEPTED: &str = "\"terminate\", \"toggleMaintenance\", \"reopenLogs\", \"reload\", \"event\", \"ignore\" or { job: \"NAME\", signal: \"SIGHUP\" }";

/// The keys of what passes a signal on.
pub(in crate::config) const PASS: Names = Names { fields: &["job", "signal"], private: &[] };

/// Reads `signals`.
pub(super) fn signals<'n>(node: Option<&'n Node>, report: &mut Report) -> Signals<'n> {
    let mut signals = Signals::default();
    let Some(node) = node else { return signals };
    let Value::Object(members) = &node.value else {
        let message = format!("signals: expected an object, `{{…}}`, found {}", report.found(node));
        report.add(Problem::error(Rank::OURS, "signals", node.span, message));
        return signals;
    };
    warn_of_repeated_keys(report, members, &Place::section("signals"));
    warn_of_two_spellings(members, report);
    for member in members {
        let Some(signal) = mappable(member, report) else { continue };
        if let Some(action) = action(member, &mut signals.jobs, report) {
            match signals.map.0.iter_mut().find(|(known, _)| *known == signal) {
                Some((_, meaning)) => *meaning = action,
                None => signals.map.0.push((signal, action)),
            }
        }
    }
    // A signal that is passed on may end the application, and so everything.
    let ends = |action: &SignalAction| matches!(action, SignalAction::Terminate | SignalAction::Pass { .. });
    if !signals.map.0.iter().any(|(_, action)| ends(action)) {
        let message = "signals: none means \"terminate\": only SIGKILL can stop it";
        let problem = Problem::warning("signals", node.span, message);
        report.add(problem.help("container runtimes stop a container with SIGTERM and, some seconds later, SIGKILL"));
    }
    signals
}

/// `HUP` and `SIGHUP` are one signal, and the last one counts, as of equal keys. A `null` says nothing.
fn warn_of_two_spellings(members: &[Member], report: &mut Report) {
    let mut later: HashMap<Signal, &str> = HashMap::new();
    for member in members.iter().rev().filter(|member| member.value.value != Value::Null) {
        let Some(signal) = Signal::from_name(&member.key) else { continue };
        let last = *later.entry(signal).or_insert(&member.key);
        if last != member.key && report.literal(member.key_span).is_some() {
            let path = Place::section("signals").key(&member.key).ours;
            let message = format!("{path}: {} is given more than once: the last one counts", signal.name());
            report.add(Problem::warning(&path, member.key_span, message).label("this one does not"));
        }
    }
}

/// The signal that a key names, if a program can decide what it means.
fn mappable(member: &Member, report: &mut Report) -> Option<Signal> {
    let path = Place::section("signals").key(&member.key).ours;
    let Some(signal) = Signal::from_name(&member.key) else {
        let named = if report.literal(member.key_span).is_some() {
            format!("`{}`", member.key)
        } else {
            format!("a name {}", report.unseen(member.key_span))
        };
        let message = format!("signals: {named} is no signal");
        let problem = Problem::error(Rank::OURS, "signals", member.key_span, message);
        report.add(problem.help("names are like SIGHUP, SIGUSR1 or SIGWINCH"));
        return None;
    };
    let Some(why) = reserved(signal) else { return Some(signal) };
    report.add(Problem::error(
        Rank::OURS,
        &path,
        member.key_span,
        format!("{path}: {} can't be mapped: {why}", signal.name()),
    ));
    None
}

/// Why nobody can say what this signal means, if so.
pub(in crate::config) fn reserved(signal: Signal) -> Option<&'static str> {
    match signal.name().as_str() {
        "SIGKILL" | "SIGSTOP" => Some("no program can decide what it means"),
        "SIGCHLD" => Some("it tells us of the end of processes"),
        "SIGILL" | "SIGFPE" | "SIGSEGV" | "SIGBUS" | "SIGTRAP" | "SIGSYS" => {
            Some("it tells of a fault in the program itself")
        }
        _ => None,
    }
}

fn action<'n>(
    member: &'n Member,
    jobs: &mut Vec<(String, &'n Node, String)>,
    report: &mut Report,
) -> Option<SignalAction> {
    let place = Place::section("signals").key(&member.key);
    let node = &member.value;
    let said = |action: &&SignalAction| action.word().is_some_and(|word| node.value == Value::String(word.to_owned()));
    if let Some(action) = ACTIONS.iter().find(said) {
        return Some(action.clone());
    }
    match &node.value {
        Value::Null => None,
        Value::Object(_) => {
            let mut decoder = Decoder::new(report, Rank::OURS);
            let fields = decoder.object(node, &place, PASS);
            let fields = if decoder.finish_ours() { fields? } else { return None };
            let job = text(fields.get("job"), &place.key("job"), node.span, "the name of a job", report)?;
            let name = text(fields.get("signal"), &place.key("signal"), node.span, "a signal like \"SIGHUP\"", report)?;
            jobs.push((place.key("job").ours, fields.get("job")?, job.clone()));
            if let Some(signal) = Signal::from_name(&name) {
                return Some(SignalAction::Pass { job, signal });
            }
            let path = place.key("signal").ours;
            let at = fields.get("signal")?;
            let message = format!("{path}: expected a signal like \"SIGHUP\", found {}", report.found(at));
            report.add(Problem::error(Rank::OURS, &path, at.span, message));
            None
        }
        _ => {
            let path = &place.ours;
            let message = format!("{path}: expected {ACCEPTED}, found {}", report.found(node));
            report.add(Problem::error(Rank::OURS, path, node.span, message));
            None
        }
    }
}

/// A text that must be there.
fn text(node: Option<&Node>, place: &Place, section: Span, expected: &str, report: &mut Report) -> Option<String> {
    let mut decoder = Decoder::new(report, Rank::OURS);
    let field = decoder.string(node, place);
    decoder.finish_ours();
    match field {
        Field::Given(text, _) if !text.is_empty() => Some(text),
        Field::Bad => None,
        Field::Given(..) | Field::Absent => {
            let span = node.map_or(section, |node| node.span);
            let message = format!("{}: missing: expected {expected}", place.ours);
            report.add(Problem::error(Rank::OURS, &place.ours, span, message));
            None
        }
    }
}

/// Reads `exitCode` at the top.
pub(super) fn exit_code(node: Option<&Node>, report: &mut Report) -> ExitCodeRule {
    let Some(node) = node else { return ExitCodeRule::Truthful };
    if node.value == Value::String("zero".to_owned()) {
        return ExitCodeRule::Zero;
    }
    let message = format!("exitCode: expected \"zero\", found {}", report.found(node));
    let problem = Problem::error(Rank::OURS, "exitCode", node.span, message);
    report.add(problem.help("\"zero\" ends with status 0 whatever became of the jobs; without it the jobs decide"));
    ExitCodeRule::Truthful
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, plan, said};
    use super::*;

    #[test]
    fn the_files_words_stand_over_the_defaults() {
        assert_eq!(plan("{}").signals, SignalMap::default());
        let map = plan("{ signals: { usr1: \"reopenLogs\", usr2: \"reload\", SIGHUP: null, SIGWINCH: \"event\", SIGINT: \"ignore\" } }")
            .signals;
        assert_eq!(*map.action(Signal::USR1), SignalAction::ReopenLogs);
        assert_eq!(*map.action(Signal::USR2), SignalAction::Reload);
        assert_eq!(*map.action(Signal::HUP), SignalAction::Event);
        assert_eq!(*map.action(Signal::INT), SignalAction::Ignore);
        assert_eq!(*map.action(Signal::from_name("SIGWINCH").unwrap()), SignalAction::Event);
        assert_eq!(*map.action(Signal::QUIT), SignalAction::Ignore);
    }

    #[test]
    fn what_no_program_can_decide_is_refused() {
        for (signal, why) in [
            ("SIGKILL", "no program can decide what it means"),
            ("SIGSTOP", "no program can decide what it means"),
            ("SIGCHLD", "it tells us of the end of processes"),
            ("SIGSEGV", "it tells of a fault in the program itself"),
        ] {
            let text = format!("{{ signals: {{ {signal}: \"ignore\" }}, jobs: [ {{ name: \"a\" }} ] }}");
            assert_eq!(said(&outcome(&text)), [format!("E signals.{signal}: {signal} can't be mapped: {why}")]);
        }
    }

    #[test]
    fn of_two_spellings_of_a_signal_the_last_counts_and_that_is_told() {
        let file = |signals: &str| format!("{{ signals: {{ {signals} }}, jobs: [ {{ name: \"a\" }} ] }}");
        let told = |key: &str| {
            format!("W signals.{key}: SIGHUP is given more than once: the last one counts [this one does not]")
        };
        let both = file("SIGHUP: \"ignore\", hup: \"ignore\", HUP: \"event\"");
        assert_eq!(said(&outcome(&both)), [told("SIGHUP"), told("hup")]);
        assert_eq!(*plan(&both).signals.action(Signal::HUP), SignalAction::Event);
        assert_eq!(said(&outcome(&file("SIGHUP: \"ignore\", HUP: null, USR1: \"event\""))), Vec::<String>::new());
    }

    #[test]
    fn a_program_that_no_signal_stops_is_worth_a_word() {
        let told =
            |signals: &str| said(&outcome(&format!("{{ signals: {{ {signals} }}, jobs: [ {{ name: \"a\" }} ] }}")));
        let word = ["W signals: none means \"terminate\": only SIGKILL can stop it"];
        assert_eq!(told("SIGTERM: \"ignore\", SIGINT: \"event\""), word);
        for fine in [
            "SIGTERM: \"ignore\"",
            "SIGTERM: \"ignore\", SIGINT: \"ignore\", SIGQUIT: \"terminate\"",
            "SIGTERM: { job: \"a\", signal: \"SIGTERM\" }, SIGINT: \"ignore\"",
        ] {
            assert_eq!(told(fine), Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn actions_of_later_parts_are_refused_by_name() {
        for action in ["reloadMain", "reexec"] {
            let said =
                said(&outcome(&format!("{{ signals: {{ SIGHUP: \"{action}\" }}, jobs: [ {{ name: \"a\" }} ] }}")));
            assert_eq!(said.len(), 1);
            assert!(said.concat().ends_with(&format!("found \"{action}\"")), "{said:?}");
        }
    }

    #[test]
    fn the_exit_status_is_by_the_jobs_or_zero() {
        assert_eq!(plan("{}").exit_code, ExitCodeRule::Truthful);
        assert_eq!(plan("{ exitCode: null }").exit_code, ExitCodeRule::Truthful);
        assert_eq!(plan("{ exitCode: \"zero\" }").exit_code, ExitCodeRule::Zero);
        assert_eq!(
            said(&outcome("{ exitCode: 0, jobs: [ { name: \"a\" } ] }")),
            ["E exitCode: expected \"zero\", found 0"]
        );
    }
}
