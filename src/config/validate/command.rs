//! Commands: `exec` of jobs and checks (v3 §7.3).

use std::time::Duration;

use super::judge::Judge;
use crate::config::exec_string;
use crate::config::json5::Node;
use crate::config::names::pid_variable;
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
) -> Option<CommandSpec> {
    let (key, theirs) = names;
    let node = node?;
    match exec_string::from_node(node) {
        Ok(argv) => {
            let argv = argv?;
            warn_of_what_never_starts(&argv, key, node, judge);
            let mut argv = argv.into_iter();
            let program = argv.next().unwrap_or_default();
            let pid_variable = pid_variable(&manner.name);
            let Manner { name, timeout, raw } = manner;
            Some(CommandSpec { name, program, args: argv.collect(), timeout, raw, pid_variable })
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

#[cfg(test)]
mod tests {
    use super::super::said::{job, said_of_job};

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
}
