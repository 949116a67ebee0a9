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
            let mut argv = argv?.into_iter();
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
