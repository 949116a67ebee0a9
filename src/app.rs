//! From the command line to the end: load, log, signals, driver.

mod ask;
mod console;

use std::cell::Cell;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use tracing::{debug, warn};

use crate::cli::{self, Command, UsageError};
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::{self, Context, Outcome, Source, diagnostic, template};
use crate::control::Control;
use crate::core;
use crate::discovery::{ASKER, Discovery, READERS};
use crate::driver::{Driver, Reading, Reloader, Reread};
use crate::env::Environment;
use crate::errno::{go_words_of, remedy};
use crate::exit::Exit;
use crate::kept::Kept;
use crate::log::{Log, LogError, LogLayer};
use crate::plan::Plan;
use crate::process::{self, FaultStack, Signals};

/// So many descriptors are told as ready by one look at them; the others by the next.
const EVENTS: usize = 128;

/// Runs the program; `argv` is the whole command line. Signals are blocked when this is called.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> Exit {
    stop_children_on_panic();
    // Before anything asks for memory: a start can lack it, too.
    if let Err(error) = process::end_children_on_abort() {
        process::last_words(&format!("containerpilot: failed to catch its own abort: {error}\n"));
        return Exit::Internal;
    }
    catch_unwind(AssertUnwindSafe(|| dispatch(argv))).unwrap_or(Exit::Internal)
}

fn dispatch(argv: impl IntoIterator<Item = OsString>) -> Exit {
    let mut argv = argv.into_iter();
    let program = argv.next().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<OsString> = argv.collect();
    let command = match cli::parse(&program, &words) {
        Ok(command) => command,
        Err(UsageError(text)) => {
            process::last_words(&text);
            return Exit::Usage;
        }
    };
    if !matches!(command, Command::Run { .. }) {
        // What ends by itself can be interrupted like any program.
        process::unblock_all();
    }
    let done = match command {
        Command::Run { config, ignored } => supervise(config, &ignored),
        Command::Help(text) => {
            complain(&text);
            Ok(Exit::Success)
        }
        Command::Print(text) => Ok(print(&text)),
        Command::Version => Ok(print(&format!("Version: {}\nGitHash: {}\n", env!("CARGO_PKG_VERSION"), git_hash()))),
        Command::Template { config, out } => render(config, out.as_deref()),
        Command::Ask { config, ask } => ask::ask(config, ask),
        Command::Check { file, json } => check(&file, json),
        Command::Show { file } => show(&file),
        Command::Schema => Ok(print(&config::schema())),
        Command::Console { socket, verb } => Ok(console::run(socket, verb)),
    };
    done.unwrap_or_else(|Failed(exit, text)| {
        // Not for ever: before the loop runs, nobody could end a process that waits for a reader here (row 78).
        process::last_words(&text);
        exit
    })
}

fn git_hash() -> &'static str {
    option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("")
}

/// Why nothing came of what was asked for: the exit status, and what to tell.
struct Failed(Exit, String);

impl Failed {
    /// What was needed for the loop can't be had.
    fn broken(what: &str, error: &io::Error) -> Self {
        let (words, remedy) = (go_words_of(error), remedy(error));
        Self(Exit::Internal, format!("containerpilot: failed to {what}: {words}{remedy}\n"))
    }

    /// Without a configuration: names the only word of the command line if it is plainly one that lacks its flag. What
    /// else stands there may be a password.
    fn with_a_stray_file(mut self, words: &[OsString]) -> Self {
        let [word] = words else { return self };
        let Some(word) = word.to_str() else { return self };
        let path = Path::new(word);
        let is_named_so =
            path.extension().is_some_and(|end| ["json", "json5", "toml"].iter().any(|known| end == *known));
        let plain = !word.chars().any(char::is_control);
        if self.0 == Exit::Usage && plain && (is_named_so || path.is_file()) {
            let hint = format!("containerpilot: {word} stands without a flag: did you mean -config {word}?\n");
            self.1.push_str(&hint);
        }
        self
    }
}

/// v3 ignores words that are no flags, and so do we where we supervise. But whoever types `statsu` beside a running instance
/// means no second one; words alone and not as PID 1 are no way to start one.
fn refuse_stray_words(config: Option<&Path>, words: &[OsString]) -> Result<(), Failed> {
    let Some(word) = words.first().filter(|_| config.is_none() && process::own_pid() != 1) else { return Ok(()) };
    let meant =
        word.to_str().and_then(cli::nearest_verb).map(|verb| format!(": did you mean {verb}?")).unwrap_or_default();
    let text = format!("containerpilot: the first word is no command{meant}\n");
    let failed = Failed(Exit::Usage, text).with_a_stray_file(words);
    Err(Failed(failed.0, failed.1 + "containerpilot -help lists the commands and flags\n"))
}

/// The main job: everything until the supervised jobs are done.
fn supervise(config: Option<PathBuf>, ignored: &[OsString]) -> Result<Exit, Failed> {
    refuse_stray_words(config.as_deref(), ignored)?;
    let mut env = Environment::of_this_process();
    env.set("CONTAINERPILOT_PID", process::own_pid().to_string());
    let path = path_of(config, &env).map_err(|failed| failed.with_a_stray_file(ignored))?;
    let source = source_of(&path)?;
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env.clone()), false);
    let Some(plan) = plan else {
        return Err(Failed(Exit::Config, diagnostic::render(&diagnostics, &source.origin, &source.text)));
    };
    // The guard outlives everything that logs: dropped last, it gives the last lines their second.
    let kept = Kept::new();
    kept.set_jobs(plan.jobs.iter().map(|job| job.name.as_str()));
    let started = Log::start(&plan.logging, kept);
    let (log, _guard) = started.map_err(|error| {
        let exit = if matches!(error, LogError::File { .. }) { Exit::Config } else { Exit::Internal };
        Failed(exit, format!("containerpilot: {error}\n"))
    })?;
    LogLayer::new(log.clone()).install();
    for warning in &diagnostics {
        warn!("{}", diagnostic::one_line(warning, &source.origin, &source.text));
    }
    if !ignored.is_empty() {
        // Not which ones: people put passwords there.
        let words = core::count(ignored.len(), "word");
        warn!("{words} behind the flags ignored: this file is no ContainerPilot 2, which ran them as the application");
    }
    let control = control_of(&plan, &mut env)?;
    let discovery = discovery_of(&plan)?;
    debug!("loaded config: {}, {}", source.origin, core::count(plan.jobs.len(), "job"));
    let reloader = reloader_of(path, &source);
    drop((source, diagnostics));
    run_plan(plan, env, log, discovery, control, reloader)
}

/// What reads the same file again. Its path is looked up anew, so that a file that was put in its place is the new one.
fn reloader_of(path: PathBuf, source: &Source) -> Reloader {
    let again = path.clone();
    let read = move |env, known| {
        let source = config::read(&again).map_err(|error| error.to_string());
        let fingerprint = fingerprint(source.as_ref().map_or_else(String::as_str, |source| source.text.as_str()));
        let judge = || judged(&source.map_err(|line| vec![line])?, env);
        Reading { fingerprint, judged: (known != Some(fingerprint)).then(judge) }
    };
    Reloader { path, fingerprint: fingerprint(&source.text), read: Arc::new(read) }
}

/// Tells one text from another, without keeping it.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What a text that was read again means, or everything that is wrong with it.
fn judged(source: &Source, env: Environment) -> Result<Reread, Vec<String>> {
    let Outcome { plan, diagnostics, .. } = config::compile(source, &Context::of_this_host(env), false);
    let line = |problem| diagnostic::one_line(problem, &source.origin, &source.text);
    match plan {
        Some(plan) => {
            // The files of TLS are found out to be unusable only here.
            let discovery = discovery_of(&plan).map_err(|Failed(_, text)| vec![text.trim_end().to_owned()])?;
            Ok(Reread { plan, warnings: diagnostics.iter().map(line).collect(), discovery })
        }
        None => Err(diagnostics.iter().filter(|problem| problem.severity == Severity::Error).map(line).collect()),
    }
}

/// The control socket, and its place for every child.
fn control_of(plan: &Plan, env: &mut Environment) -> Result<Option<Control>, Failed> {
    let control = Control::bind(&plan.control, env.get("XDG_RUNTIME_DIR"));
    let control = control.map_err(|error| Failed(Exit::Unavailable, format!("containerpilot: {error}\n")))?;
    if let Some(path) = control.as_ref().and_then(|control| std::path::absolute(control.path()).ok()) {
        env.set("CONTAINERPILOT_SOCKET", path);
    }
    Ok(control)
}

/// What speaks to Consul, if there is something to say or to ask.
fn discovery_of(plan: &Plan) -> Result<Option<Discovery>, Failed> {
    let failed = |error| Failed(Exit::Config, format!("containerpilot: failed to use Consul: {error}\n"));
    plan.consul_in_use().map(Discovery::new).transpose().map_err(failed)
}

fn run_plan(
    plan: Plan,
    env: Environment,
    log: Log,
    discovery: Option<Discovery>,
    mut control: Option<Control>,
    reloader: Reloader,
) -> Result<Exit, Failed> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // They are kept: if none could be had later, that would be our end.
    builder.enable_io().enable_time().max_blocking_threads(READERS).thread_keep_alive(Duration::MAX);
    builder.on_thread_start(|| {
        // Without one, a fault on that thread is the end without a word.
        let _ = FaultStack::for_ever();
    });
    // Room for as many as are ever ready at once here; tokio's own 1024 are 12 kB.
    builder.max_io_events_per_tick(EVENTS);
    let runtime = builder.build().map_err(|error| Failed::broken("start the event loop", &error))?;
    let entered = runtime.enter();
    if let Some(discovery) = &discovery {
        let failed = |error| Failed(Exit::Internal, format!("containerpilot: failed to use Consul: {error}\n"));
        discovery.find_threads().map_err(failed)?;
    }
    let mut signals = Signals::listen().map_err(|error| Failed::broken("listen for signals", &error))?;
    if let Some(control) = &mut control {
        control.serve(log.kept().clone()).map_err(|error| Failed::broken("serve the control socket", &error))?;
    }
    let driver = Driver::new(&plan, env, log, discovery, control, reloader);
    let mut driver = driver.map_err(|error| Failed::broken("prepare to start processes", &error))?;
    // The driver has its own of all that it needs; what this held is for what the jobs need next.
    drop(plan);
    drop(entered);
    let supervised = catch_unwind(AssertUnwindSafe(|| runtime.block_on(TheLoop(Box::pin(driver.run(&mut signals))))));
    if supervised.is_ok() {
        // Nobody misses it, and the kernel takes all of it faster than we would give it back piece by piece.
        std::mem::forget((signals, runtime));
    } else {
        // Its thread may be held by a file system for ever.
        runtime.shutdown_background();
    }
    Ok(supervised.map_or_else(
        |_| {
            // The hook only knows the loop. Where the runtime itself can't go on, it is no other task's panic either.
            if !IN_THE_LOOP.get() {
                process::terminate_all_now();
            }
            // The driver is still there and holds the pipes: who says goodbye into one shall not die of SIGPIPE.
            process::end_everything();
            Exit::Internal
        },
        Exit::Jobs,
    ))
}

thread_local! {
    /// The loop is being polled by this thread.
    static IN_THE_LOOP: Cell<bool> = const { Cell::new(false) };
}

/// The loop's own future. All other tasks share its thread, and the runtime survives their panics.
struct TheLoop<'a>(Pin<Box<dyn Future<Output = u8> + 'a>>);

impl Future for TheLoop<'_> {
    type Output = u8;

    fn poll(mut self: Pin<&mut Self>, context: &mut Waking<'_>) -> Poll<u8> {
        IN_THE_LOOP.set(true);
        // A panic does not come back here, and is the end anyway.
        let polled = self.0.as_mut().poll(context);
        IN_THE_LOOP.set(false);
        polled
    }
}

/// A panic of the loop is our end: it must not be the end of our children without a word (row 22).
fn stop_children_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // Whoever waits for it says what it means.
        if std::thread::current().name() == Some(ASKER) {
            return;
        }
        // The children first: nobody knows how long somebody at the other end of stderr takes.
        if IN_THE_LOOP.get() {
            process::terminate_all_now();
        }
        // Not through the log, whose lock the panicking thread may hold.
        let panic = panic.to_string().replace('\n', " ");
        process::last_words(&format!("containerpilot: internal error, please report it: {panic}\n"));
    }));
}

/// The configuration's file: the flag's, or the variable's (v3 §2).
fn path_of(config: Option<PathBuf>, env: &Environment) -> Result<PathBuf, Failed> {
    let path = config.or_else(|| env.get("CONTAINERPILOT").map(PathBuf::from));
    path.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
        let text = "containerpilot: no configuration: neither -config nor the variable CONTAINERPILOT names a file\n";
        Failed(Exit::Usage, text.to_owned())
    })
}

/// Its text.
fn source_of(path: &Path) -> Result<Source, Failed> {
    config::read(path).map_err(|error| {
        // The file is not at fault where we have nothing to read it with.
        let remedy = error.cause().map_or("", remedy);
        let exit = if remedy.is_empty() { Exit::Config } else { Exit::Internal };
        Failed(exit, format!("containerpilot: {error}{remedy}\n"))
    })
}

/// `-template`: what the template makes of the file.
fn render(config: Option<PathBuf>, out: Option<&Path>) -> Result<Exit, Failed> {
    let env = Environment::of_this_process();
    let source = source_of(&path_of(config, &env)?)?;
    let rendered = template::render(&source.text, &env).map_err(|error| {
        let problem = config::template_problem(&error, &source.text);
        Failed(Exit::Config, diagnostic::render(&[problem], &source.origin, &source.text))
    })?;
    let Some(out) = out else { return Ok(print(&rendered.text)) };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o644).open(out);
    let written = file.and_then(|mut file| file.write_all(rendered.text.as_bytes()));
    let failed = |error| {
        Failed(Exit::Failure, format!("containerpilot: could not write config file: {}: {error}\n", out.display()))
    };
    written.map(|()| Exit::Success).map_err(failed)
}

/// `config check FILE`
fn check(file: &Path, json: bool) -> Result<Exit, Failed> {
    let env = Environment::of_this_process();
    let source = source_of(file)?;
    let Outcome { plan, mut diagnostics, .. } = config::compile(&source, &Context::of_this_host(env), true);
    // What is wrong with a key only turns up in its use, so a check tries it even if no job would. It is not looked for
    // where the file is refused anyway.
    let agent = plan.as_ref().and_then(|plan| plan.consul.as_ref());
    let noted = |severity, path: &str, message: String| Diagnostic {
        severity,
        path: path.to_owned(),
        span: None,
        message,
        label: String::new(),
        help: String::new(),
        untold: None,
        original: None,
    };
    let mut good = plan.is_some();
    match agent.map(Discovery::new) {
        Some(Err(error)) => {
            good = false;
            diagnostics.push(noted(Severity::Error, "consul.tls", format!("consul.tls: {error}")));
        }
        Some(Ok(discovery)) => diagnostics.extend(discovery.proxy_problem().map(|problem| {
            let message = format!("consul: in the environment, {problem}: every request will fail");
            noted(Severity::Warning, "consul", message)
        })),
        None => {}
    }
    let printed = if json {
        print(&(diagnostic::to_json(&diagnostics, &source.origin, &source.text) + "\n"))
    } else {
        print(&diagnostic::render(&diagnostics, &source.origin, &source.text))
    };
    Ok(if good { printed } else { Exit::Config })
}

/// `config show FILE`
fn show(file: &Path) -> Result<Exit, Failed> {
    let env = Environment::of_this_process();
    let source = source_of(file)?;
    let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::of_this_host(env), false);
    let told = diagnostic::render(&diagnostics, &source.origin, &source.text);
    let plan = plan.ok_or_else(|| Failed(Exit::Config, told.clone()))?;
    if !diagnostics.is_empty() {
        complain(&told);
    }
    Ok(print(&config::show(&plan)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loop_itself_is_the_loop() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let the_loop = TheLoop(Box::pin(async {
            assert!(IN_THE_LOOP.get());
            // A task on the same thread, as those for Consul and of the HTTP library are.
            let beside = tokio::spawn(async { IN_THE_LOOP.get() }).await;
            assert!(!beside.unwrap(), "a panic of it would end the jobs");
            assert!(IN_THE_LOOP.get());
            0
        }));
        assert_eq!(runtime.block_on(the_loop), 0);
        assert!(!IN_THE_LOOP.get());
    }
}
