//! From the command line to the end: load, log, signals, driver.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::{debug, warn};

use crate::cli::{self, Command, UsageError};
use crate::config::{self, Context, Outcome, Source, diagnostic, template};
use crate::core;
use crate::driver::Driver;
use crate::env::Environment;
use crate::exit::Exit;
use crate::log::{Log, LogLayer};
use crate::plan::Plan;
use crate::process::{self, Signals};

/// Runs the program; `argv` is the whole command line. Signals are blocked when this is called.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> Exit {
    stop_children_on_panic();
    catch_unwind(AssertUnwindSafe(|| dispatch(argv))).unwrap_or(Exit::Internal)
}

fn dispatch(argv: impl IntoIterator<Item = OsString>) -> Exit {
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
    process::unblock_all();
    match command {
        Command::Run { .. } => Exit::Internal,
        Command::Help(text) => {
            complain(&text);
            Exit::Success
        }
        Command::Version => print(&format!("Version: {}\nGitHash: {}\n", env!("CARGO_PKG_VERSION"), git_hash())),
        Command::Template { config, out } => render(config, out.as_deref()),
        Command::Check { file, json } => check(&file, json),
        Command::Show { file } => show(&file),
    }
}

fn git_hash() -> &'static str {
    option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("")
}

/// The main job: everything until the supervised jobs are done.
fn supervise(config: Option<String>, ignored: &[String]) -> Exit {
    let mut env = Environment::of_this_process();
    env.set("CONTAINERPILOT_PID", process::own_pid().to_string());
    let source = match source_of(config, &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env.clone()), false);
    let Some(plan) = plan else {
        complain(&diagnostic::render(&diagnostics, &source.origin, &source.text));
        return Exit::Config;
    };
    // The guard outlives everything that logs: dropped last, it gives the last lines their second.
    let (log, _guard) = match Log::start(&plan.logging) {
        Ok(started) => started,
        Err(error) => {
            complain(&format!("containerpilot: {error}\n"));
            return Exit::Config;
        }
    };
    LogLayer::new(log.clone()).install();
    for warning in &diagnostics {
        warn!("{}", diagnostic::one_line(warning, &source.origin, &source.text));
    }
    if !ignored.is_empty() {
        warn!("the words behind the flags are ignored, this file is no ContainerPilot 2: {}", ignored.join(" "));
    }
    tell_what_is_to_come(&plan);
    debug!("loaded config: {}, {}", source.origin, core::count(plan.jobs.len(), "job"));
    drop((source, diagnostics));
    run_plan(&plan, env, log)
}

/// What a file may ask for already, though nothing of it happens in this version.
fn tell_what_is_to_come(plan: &Plan) {
    let registers = plan.consul.is_some() && plan.jobs.iter().any(|job| job.service.is_some());
    if registers || !plan.watches.is_empty() {
        warn!("nothing is registered with Consul or watched there: this version does not speak to it yet");
    }
    if plan.telemetry.is_some() {
        warn!("no metrics are served: this version has no telemetry yet");
    }
}

fn run_plan(plan: &Plan, env: Environment, log: Log) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken("start the event loop", &error),
    };
    let entered = runtime.enter();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return broken("listen for signals", &error),
    };
    let mut driver = match Driver::new(plan, env, log) {
        Ok(driver) => driver,
        Err(error) => return broken("prepare to start processes", &error),
    };
    drop(entered);
    let supervised = catch_unwind(AssertUnwindSafe(|| runtime.block_on(driver.run(&mut signals))));
    supervised.map_or_else(
        |_| {
            // The driver is still there and holds the pipes: who says goodbye into one shall not die of SIGPIPE.
            process::end_everything();
            Exit::Internal
        },
        Exit::Jobs,
    )
}

/// A panic of the loop is our end: it must not be the end of our children without a word (row 22).
fn stop_children_on_panic() {
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        // The children first: nobody knows how long somebody at the other end of stderr takes.
        if std::thread::current().id() == main {
            process::terminate_all_now();
        }
        // Not through the log, whose lock the panicking thread may hold.
        process::last_words(&format!("containerpilot: internal error, please report it: {panic}"));
    }));
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> Exit {
    complain(&format!("containerpilot: failed to {what}: {error}\n"));
    Exit::Internal
}

/// The configuration's text: of the flag's file, or of the variable's (v3 §2).
fn source_of(config: Option<String>, env: &Environment) -> Result<Source, Exit> {
    let Some(path) = config.or_else(|| env.get_text("CONTAINERPILOT")).filter(|path| !path.is_empty()) else {
        complain("containerpilot: no configuration: neither -config nor the variable CONTAINERPILOT names a file\n");
        return Err(Exit::Usage);
    };
    config::read(&path).map_err(|error| {
        complain(&format!("containerpilot: {error}\n"));
        Exit::Config
    })
}

/// `-template`: what the template makes of the file.
fn render(config: Option<String>, out: Option<&str>) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(config, &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let text = match template::render(&source.text, &env) {
        Ok(rendered) => rendered.text,
        Err(error) => {
            let problem = config::template_problem(&error);
            complain(&diagnostic::render(&[problem], &source.origin, &source.text));
            return Exit::Config;
        }
    };
    let Some(out) = out else { return print(&text) };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o644).open(out);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Exit::Success,
        Err(error) => {
            complain(&format!("containerpilot: could not write config file: {out}: {error}\n"));
            Exit::Failure
        }
    }
}

/// `config check FILE`
fn check(file: &str, json: bool) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(Some(file.to_owned()), &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env), true);
    let printed = if json {
        print(&(diagnostic::to_json(&diagnostics, &source.origin, &source.text) + "\n"))
    } else if diagnostics.is_empty() {
        print(&format!("{}: no problems\n", source.origin))
    } else {
        print(&diagnostic::render(&diagnostics, &source.origin, &source.text))
    };
    if plan.is_some() { printed } else { Exit::Config }
}

/// `config show FILE`
fn show(file: &str) -> Exit {
    let env = Environment::of_this_process();
    let source = match source_of(Some(file.to_owned()), &env) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env), false);
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
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            complain(&format!("containerpilot: could not write to stdout: {error}\n"));
            Exit::Failure
        }
    }
}

/// Writes to stderr. There is nobody to tell when that fails.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
