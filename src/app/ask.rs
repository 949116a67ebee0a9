//! The flags that ask a running instance: find its socket, ask, tell what came of it (v3 §2.1; design §4 rows 19 and 30).

use std::ffi::OsStr;
use std::path::PathBuf;

use super::{Failed, path_of, print, source_of};
use crate::cli::Ask;
use crate::config::{self, Context, Outcome, diagnostic};
use crate::control::client::{self, Question};
use crate::env::Environment;
use crate::exit::Exit;
use crate::plan;

/// Names the socket of the instance that a child belongs to.
pub(super) const SOCKET: &str = "CONTAINERPILOT_SOCKET";

/// Asks the running instance. Every failure is exit 1, a broken configuration included (design §5).
pub(super) fn ask(config: Option<PathBuf>, ask: Ask) -> Result<Exit, Failed> {
    let question = match ask {
        Ask::Reload => Question::Reload,
        Ask::Maintenance(on) => Question::Maintenance(on),
        Ask::PutEnv(pairs) => Question::Environ(pairs),
        Ask::PutMetric(pairs) => Question::Metric(pairs),
        Ask::Ping => Question::Ping,
    };
    let failed = |text: &str| Failed(Exit::Failure, format!("{}: {}\n", question.failure(), text.trim_end()));
    let places = places(config).map_err(|text| failed(&text))?;
    client::ask(&places, &question).map_err(|error| failed(&error.to_string()))?;
    Ok(if question == Question::Ping { print("ok\n") } else { Exit::Success })
}

/// Where the socket may be. A file that the command line names counts before the variable that every child is given: who
/// names one means another instance. The variable counts before `$CONTAINERPILOT`, which need not be readable to a child. Without any of
/// them it is where it would be by default.
fn places(config: Option<PathBuf>) -> Result<Vec<PathBuf>, String> {
    let env = Environment::of_this_process();
    if config.is_none()
        && let Some(path) = env.get(SOCKET).filter(|path| !path.is_empty())
    {
        return Ok(vec![path.into()]);
    }
    let xdg = env.get("XDG_RUNTIME_DIR").map(OsStr::to_owned);
    if config.is_none() && env.get("CONTAINERPILOT").is_none_or(OsStr::is_empty) {
        return Ok(client::places(&plan::Control::default(), xdg.as_deref()));
    }
    let source = path_of(config, &env).and_then(|path| source_of(&path)).map_err(|Failed(_, text)| text)?;
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env), false);
    let broken = || diagnostic::render(&diagnostics, &source.origin, &source.text);
    let plan = plan.ok_or_else(broken)?;
    Ok(client::places(&plan.control, xdg.as_deref()))
}
