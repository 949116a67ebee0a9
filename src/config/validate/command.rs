//! Commands: `exec` of jobs and checks (v3 §7.3).

use std::sync::Arc;
use std::time::Duration;

use super::judge::Judge;
use crate::config::exec_string;
use crate::config::json5::{Node, Value};
use crate::config::names::pid_variable;
use crate::config::report::shortened;
use crate::plan::CommandSpec;

/// What a command is called and how it runs.
pub(super) struct Manner {
    /// The name in events: the job's, or `check.JOB`.
    pub(super) name: String,
    /// How long one run may take.
    pub(super) timeout: Option<Duration>,
    /// Whether its output is left alone.
    pub(super) raw: bool,
}

/// The command that an `exec` stands for. `names` are the field's key and what the original called it.
pub(super) fn command(
    judge: &mut Judge,
    rule: u8,
    names: (&str, &str),
    node: Option<&Node>,
    manner: Manner,
) -> Option<Arc<CommandSpec>> {
    let (key, theirs) = names;
    let node = node?;
    match exec_string::from_node(node) {
        Ok(argv) => {
            let argv = argv?;
            warn_of_what_never_starts(&argv, key, node, judge);
            warn_of_what_is_no_text(&argv, key, node, judge);
            let mut argv = argv.into_iter();
            let program = argv.next().unwrap_or_default();
            let pid_variable = pid_variable(&manner.name);
            let Manner { name, timeout, raw } = manner;
            Some(Arc::new(CommandSpec { name, program, args: argv.collect(), timeout, raw, pid_variable }))
        }
        Err(why) => {
            let message = format!("expected a command, as a text or a list, {}", judge.found(node));
            let original = format!("unable to create {theirs}: {why}");
            let problem = judge.error(rule, key, node.span, message, original);
            judge.add(
                problem.help("\"/bin/app --port 80\", split at every space, or [\"/bin/app\", \"--port\", \"80\"]"),
            );
            None
        }
    }
}

/// Commands that the original took and every start of which must fail.
fn warn_of_what_never_starts(argv: &[String], key: &str, node: &Node, judge: &mut Judge) {
    let message = if argv.first().is_none_or(|program| program.trim().is_empty()) {
        "can never be started: it names no program"
    } else if argv.iter().any(|argument| argument.contains('\0')) {
        "can never be started: no argument can hold a NUL character"
    } else {
        return;
    };
    let problem = judge.warning(key, node.span, message);
    judge.add(problem);
}

/// Elements that the original took and printed in Go's way: `null` became `<nil>`.
fn warn_of_what_is_no_text(argv: &[String], key: &str, node: &Node, judge: &mut Judge) {
    let Value::Array(elements) = &node.value else { return };
    for (index, (element, argument)) in elements.iter().zip(argv).enumerate() {
        let what = match &element.value {
            Value::Null => "null",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
            Value::String(_) | Value::Number(_) | Value::Bool(_) => continue,
        };
        let key = format!("{key}[{index}]");
        let passed = match judge.report.literal(element.span) {
            Some(_) => format!("\"{}\"", shortened(argument)),
            // It may hold a secret.
            None => "Go's words for it".to_owned(),
        };
        let message = format!("expected a text, found {what}: the command gets {passed}");
        let problem = judge.warning(&key, element.span, message);
        judge.add(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::{job, read, said, said_of_job};

    #[test]
    fn a_command_that_can_never_start_is_told() {
        for (exec, why) in [
            ("\"  \"", "it names no program"),
            ("[\"\"]", "it names no program"),
            ("[\" \\t\", \"a\"]", "it names no program"),
            ("\"a\\u0000b c\"", "no argument can hold a NUL character"),
            ("[\"a\", \"b\\u0000\"]", "no argument can hold a NUL character"),
        ] {
            let want = format!("can never be started: {why}");
            assert_eq!(
                said_of_job(&format!("health: {{ exec: {exec}, interval: 1, ttl: 5 }}")),
                [format!("W jobs[0].health.exec: {want}")]
            );
        }
        assert_eq!(said_of_job("health: { exec: [\"a\", \"\"], interval: 1, ttl: 5 }"), Vec::<String>::new());
        // It is taken all the same, as by the original.
        assert_eq!(job("health: { exec: \"  \", interval: 1, ttl: 5 }").check().unwrap().program, "");
    }

    #[test]
    fn an_element_that_is_no_text_is_told_with_what_is_passed() {
        let exec = "[\"a\", null, {}, [1, 2], 5, true, { b: null }]";
        let told = |path: &str| {
            [(1, "null", "<nil>"), (2, "an object", "map[]"), (3, "a list", "[1 2]"), (6, "an object", "map[b:<nil>]")]
                .map(|(index, what, passed)| {
                    format!("W jobs[0].{path}[{index}]: expected a text, found {what}: the command gets \"{passed}\"")
                })
        };
        let file = |fields: &str| format!("{{ consul: false, jobs: [ {{ name: \"app\", {fields} }} ] }}");
        assert_eq!(said(&read(&file(&format!("exec: {exec}")), &[], false)), told("exec"));
        let health = format!("health: {{ exec: {exec}, interval: 1, ttl: 5 }}");
        assert_eq!(said_of_job(&health), told("health.exec"));
        let secret = read(&file("exec: [\"a\", [\"{{ .SECRET }}\"]]"), &[("SECRET", "s3cret")], false);
        assert_eq!(
            said(&secret),
            ["W jobs[0].exec[1]: expected a text, found a list: the command gets Go's words for it"]
        );
    }
}
