//! From the command line to the end: load, log, signals, driver.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use tracing::{debug, warn};

use crate::cli::{self, Command, UsageError};
use crate::config::{self, Context, Outcome, Source, diagnostic};
use crate::driver::Driver;
use crate::env::Environment;
use crate::exit::Exit;
use crate::log::Log;
use crate::plan::Plan;
use crate::process::{self, Children, Outputs, Signals};

/// The version that `-version` tells.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the program; `argv` is the whole command line. All signals are blocked when this is called.
pub fn run(argv: Vec<OsString>) -> Exit {
    let mut argv = argv.into_iter();
    let program = argv.next().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<OsString> = argv.collect();
    let command = match cli::parse(&program, &words) {
        Ok(command) => command,
        Err(UsageError(text)) => {
            complain(&text);
            return Exit::Usage;
        }
    };
    if let Command::Run { config, ignored } = command {
        return supervise(config, &ignored);
    }
    // What ends by itself can be interrupted like any program.
    process::unblock_signals();
    match command {
        Command::Run { .. } => Exit::Internal,
        Command::Help(text) => {
            complain(&text);
            Exit::Success
        }
        Command::Version => print(&format!("Version: {VERSION}\nGitHash: {}\n", git_hash())),
        Command::Template { config, out } => template(config, out.as_deref()),
        Command::Check { file, json } => check(&file, json),
        Command::Show { file } => show(&file),
    }
}

fn git_hash() -> &'static str {
    option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("")
}

fn supervise(config: Option<String>, ignored: &[String]) -> Exit {
    let mut env = Environment::of_this_process();
    env.set("CONTAINERPILOT_PID", process::own_pid().to_string());
    let source = match source_of(config, &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics } = config::compile(&source, &context(&env), false);
    let Some(plan) = plan else {
        complain(&diagnostic::render(&diagnostics, &source.origin, &source.text));
        return Exit::Config;
    };
    let (log, guard) = match Log::start(&plan.logging) {
        Ok(started) => started,
        Err(error) => {
            complain(&format!("containerpilot: {error}\n"));
            return Exit::Config;
        }
    };
    for warning in &diagnostics {
        warn!("{}", diagnostic::one_line(warning, &source.origin, &source.text));
    }
    if !ignored.is_empty() {
        warn!("words behind the flags are ignored, this is no application of ContainerPilot 2: {}", ignored.join(" "));
    }
    debug!("loaded config: {}, {}", source.origin, crate::core::count(plan.jobs.len(), "job"));
    let exit = supervise_plan(&plan, env, log);
    guard.finish();
    exit
}

fn supervise_plan(plan: &Plan, env: Environment, log: Log) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken("start its event loop", &error),
    };
    process::terminate_children_on_panic();
    let supervised = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let signals = match Signals::listen() {
                Ok(signals) => signals,
                Err(error) => return broken("listen for signals", &error),
            };
            let (children, outputs) = match (Children::new(), Outputs::new()) {
                (Ok(children), Ok(outputs)) => (children, outputs),
                (Err(error), _) | (_, Err(error)) => return broken("prepare to start processes", &error),
            };
            Exit::Jobs(Driver::new(plan, children, outputs, env, log).run(signals).await)
        })
    }));
    supervised.unwrap_or(Exit::Internal)
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> Exit {
    complain(&format!("containerpilot: failed to {what}: {error}\n"));
    Exit::Internal
}

/// The configuration's text: of the flag's file, or of the variable's.
fn source_of(config: Option<String>, env: &Environment) -> Result<Source, Exit> {
    let Some(path) = config.or_else(|| env.get_text("CONTAINERPILOT")).filter(|path| !path.is_empty()) else {
        complain("containerpilot: -config flag is required, or the variable CONTAINERPILOT: neither names a file\n");
        return Err(Exit::Usage);
    };
    config::read(&path).map_err(|error| {
        complain(&format!("containerpilot: {error}\n"));
        Exit::Config
    })
}

fn context(env: &Environment) -> Context {
    Context { env: env.clone(), addresses: config::interfaces::of_this_host(), hostname: config::hostname() }
}

fn template(config: Option<String>, out: Option<&str>) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(config, &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let rendered = match config::render(&source, &env) {
        Ok(rendered) => rendered,
        Err(problem) => {
            complain(&diagnostic::render(&[problem], &source.origin, &source.text));
            return Exit::Config;
        }
    };
    let Some(out) = out else { return print(&rendered) };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o644).open(out);
    match file.and_then(|mut file| file.write_all(rendered.as_bytes())) {
        Ok(()) => Exit::Success,
        Err(error) => {
            complain(&format!("containerpilot: could not write {out}: {error}\n"));
            Exit::Failure
        }
    }
}

fn check(file: &str, json: bool) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(Some(file.to_owned()), &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics } = config::compile(&source, &context(&env), true);
    let printed = if json {
        print(&diagnostic::to_json(&diagnostics, &source.origin, &source.text))
    } else if diagnostics.is_empty() {
        print(&format!("{}: no problems\n", source.origin))
    } else {
        print(&diagnostic::render(&diagnostics, &source.origin, &source.text))
    };
    if plan.is_some() { printed } else { Exit::Config }
}

fn show(file: &str) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(Some(file.to_owned()), &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics } = config::compile(&source, &context(&env), false);
    if !diagnostics.is_empty() {
        complain(&diagnostic::render(&diagnostics, &source.origin, &source.text));
    }
    match plan {
        Some(plan) => print(&config::show(&plan)),
        None => Exit::Config,
    }
}

/// Writes to stdout. A reader who has gone away is no error.
fn print(text: &str) -> Exit {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            complain(&format!("containerpilot: could not write to stdout: {error}\n"));
            Exit::Failure
        }
    }
}

/// Writes to stderr. There is nobody to tell when that fails.
fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
