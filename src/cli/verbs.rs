//! The verbs, described for clap, which also writes their help.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::{Act, Command, UsageError, Verb, complete, manual, no_text};

const SOCKET: &str =
    "Ask at this control socket; else at $CONTAINERPILOT_SOCKET, that of the configuration, or the default one";

/// Shown below `--help` alone.
const ABOUT: &str = "Container init and supervisor. The verbs ask the running instance on its control socket.";

#[derive(Parser)]
#[command(name = "containerpilot", about = ABOUT, disable_help_subcommand = true)]
struct Verbs {
    #[command(subcommand)]
    verb: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Look at configuration files without starting anything
    #[command(subcommand)]
    Config(ConfigWord),
    /// Show how everything stands, or one job
    Status(StatusArgs),
    /// Show what the jobs wrote
    Logs(LogsArgs),
    /// Show what happened
    Events(EventsArgs),
    /// Tell why a job is as it is
    Why(WhyArgs),
    /// Start a job, and wait until it runs
    #[command(after_help = "Example:\n  containerpilot start worker")]
    Start(ActArgs),
    /// Stop a job, and wait until it has ended; it stays so until it is started or its configuration changes
    #[command(after_help = "Example:\n  containerpilot stop worker --timeout 2m")]
    Stop(ActArgs),
    /// Stop a job and start it again, and wait until it runs
    #[command(after_help = "Example:\n  containerpilot restart worker")]
    Restart(ActArgs),
    /// Send a signal to a job's process
    Signal(SignalArgs),
    /// Show the watches and what they see
    #[command(after_help = "Example:\n  containerpilot watches --json")]
    Watches(ListArgs),
    /// Show the variables that jobs are started with; secrets are shown, too
    #[command(after_help = "Example:\n  containerpilot env")]
    Env(ListArgs),
    /// Read the configuration again and do what has changed
    Reload(ReloadArgs),
    /// Turn maintenance mode on or off, or ask for it
    Maintenance(MaintenanceArgs),
    /// Stop everything in order, as SIGTERM does
    #[command(after_help = "Example:\n  containerpilot shutdown")]
    Shutdown(ShutdownArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "Example:\n  containerpilot man > /usr/local/share/man/man1/containerpilot.1")]
    Man,
}

#[derive(Subcommand)]
enum ConfigWord {
    /// Print every problem of a configuration; exit 0 when there is no error, 65 when there is
    #[command(after_help = "Example:\n  containerpilot config check /etc/containerpilot.json5")]
    Check(CheckArgs),
    /// Print the configuration as it would be used, with every default, as JSON5; secrets are masked
    #[command(after_help = "Example:\n  containerpilot config show /etc/containerpilot.json5")]
    Show(ShowArgs),
    /// Print the JSON Schema of configurations, for editors
    #[command(after_help = "Example:\n  containerpilot config schema > containerpilot.schema.json")]
    Schema,
}

#[derive(Args)]
struct CheckArgs {
    /// The configuration file
    file: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ShowArgs {
    /// The configuration file
    file: PathBuf,
}

// Where the running instance is asked. No docstring: clap would take it for the about of whoever flattens it.
#[derive(Args)]
struct Asked {
    #[arg(long, value_name = "PATH", help = SOCKET)]
    socket: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  containerpilot status\n  containerpilot status web --watch\n  \
                        HEALTHCHECK CMD [\"containerpilot\", \"status\", \"--ready\"]")]
struct StatusArgs {
    /// Show this job in detail
    #[arg(value_parser = job_name)]
    job: Option<String>,
    /// Draw it anew each second, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    /// Print the server's answer
    #[arg(long, conflicts_with = "watch")]
    json: bool,
    /// Print nothing and exit 0 when it is ready; else say why not on stderr and exit 1
    #[arg(long, conflicts_with_all = ["job", "watch", "json"])]
    ready: bool,
    /// Print the names of the jobs, for completions
    #[arg(long, hide = true, conflicts_with_all = ["job", "watch", "json", "ready"])]
    names: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  containerpilot logs -f\n  containerpilot logs web -n 100")]
struct LogsArgs {
    /// Only what this job wrote
    #[arg(value_parser = job_name)]
    job: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Begin with the last N lines; without it, with all that are kept
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Pass control characters on as they were written
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Open the log file again instead, after somebody has moved it away
    #[arg(long, conflicts_with_all = ["follow", "lines", "json", "raw"])]
    reopen: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  containerpilot events -f -n 20\n  containerpilot events web")]
struct EventsArgs {
    /// Only what happened to this job and its health check
    #[arg(value_parser = job_name)]
    job: Option<String>,
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Begin with the last N events; without it, with all that are kept
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Example:\n  containerpilot why report")]
struct WhyArgs {
    /// The job
    #[arg(value_parser = job_name)]
    job: String,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
struct ActArgs {
    /// The job
    #[arg(value_parser = job_name)]
    job: String,
    /// Ask for it and don't wait
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, conflicts_with = "no_wait")]
    timeout: Duration,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Example:\n  containerpilot signal web HUP")]
struct SignalArgs {
    /// The job
    #[arg(value_parser = job_name)]
    job: String,
    /// A name, with or without SIG, or a number
    signal: String,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
struct ListArgs {
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Example:\n  containerpilot reload --dry-run")]
struct ReloadArgs {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Example:\n  containerpilot maintenance on")]
struct MaintenanceArgs {
    /// What is wanted
    #[arg(value_enum)]
    to: To,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Asked,
}

#[derive(Clone, Copy, ValueEnum)]
enum To {
    /// Out of Consul, no checks
    On,
    /// Back to work
    Off,
    /// Only say which it is
    Status,
}

#[derive(Args)]
struct ShutdownArgs {
    #[command(flatten)]
    at: Asked,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  containerpilot completions bash > /etc/bash_completion.d/containerpilot\n  \
                        containerpilot completions zsh > \"${fpath[1]}/_containerpilot\"\n  \
                        containerpilot completions fish > ~/.config/fish/completions/containerpilot.fish")]
struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: complete::Shell,
}

/// Whether a first word is one of ours. It is asked at each start: without clap.
pub(super) fn is_verb(word: &str) -> bool {
    WORDS.contains(&word)
}

pub(super) const WORDS: [&str; 16] = [
    "config",
    "status",
    "logs",
    "events",
    "why",
    "start",
    "stop",
    "restart",
    "signal",
    "watches",
    "env",
    "reload",
    "maintenance",
    "shutdown",
    "completions",
    "man",
];

/// Reads a command line that begins with a verb.
pub(super) fn read(program: &str, words: &[OsString]) -> Result<Command, UsageError> {
    if let Some(word) = words.iter().enumerate().find(|(at, word)| word.to_str().is_none() && !is_path(words, *at)) {
        return Err(UsageError(no_text(word.1)));
    }
    if let [verb, more @ ..] = words
        && let Some(message) = told_about_config(program, verb, more)
    {
        return Err(UsageError(message));
    }
    let argv = std::iter::once(OsStr::new(program)).chain(words.iter().map(OsString::as_os_str));
    match Verbs::try_parse_from(argv) {
        Ok(Verbs { verb }) => Ok(command(verb)),
        Err(error) if error.use_stderr() => Err(UsageError(error.render().to_string())),
        Err(error) => Ok(Command::Print(error.render().to_string())),
    }
}

/// v3's flag behind a verb, which has another way to say it.
fn told_about_config(program: &str, verb: &OsStr, more: &[OsString]) -> Option<String> {
    if !more.iter().any(|word| is_config_flag(word.as_bytes())) {
        return None;
    }
    match (verb.to_str()?, more.first().and_then(|word| word.to_str())) {
        ("config", Some(word @ ("check" | "show"))) => {
            Some(format!("config {word} takes the file without a flag: {program} config {word} FILE\n"))
        }
        ("config" | "completions" | "man", _) => None,
        (verb, _) => {
            Some(format!("{verb} takes no configuration: {program} {verb} --socket PATH names the instance\n"))
        }
    }
}

fn is_config_flag(word: &[u8]) -> bool {
    let body = word.strip_prefix(b"--").or_else(|| word.strip_prefix(b"-"));
    body.is_some_and(|body| body == b"config" || body.starts_with(b"config="))
}

/// Whether the word is the path of a socket or of a configuration: those are bytes. Without a look at clap, whose own
/// message does not name the word that is none.
fn is_path(words: &[OsString], at: usize) -> bool {
    let word = |at: usize| words.get(at).map(|word| word.as_bytes()).unwrap_or_default();
    let is_file = word(0) == b"config" && matches!(word(1), b"check" | b"show") && !word(at).starts_with(b"-");
    is_file || word(at).starts_with(b"--socket=") || (at > 0 && word(at - 1) == b"--socket")
}

/// A job's name, which is anything but nothing.
fn job_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a job has a name, and this one is empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn command(word: Word) -> Command {
    let (at, verb) = match word {
        Word::Config(ConfigWord::Check(CheckArgs { file, json })) => return Command::Check { file, json },
        Word::Config(ConfigWord::Show(ShowArgs { file })) => return Command::Show { file },
        Word::Config(ConfigWord::Schema) => return Command::Schema,
        Word::Completions(CompletionsArgs { shell }) => {
            return Command::Print(complete::script(&Verbs::command(), shell));
        }
        Word::Man => return Command::Print(manual::page(&Verbs::command())),
        Word::Status(StatusArgs { ready: true, at, .. }) => (at, Verb::Ready),
        Word::Status(StatusArgs { names: true, at, .. }) => (at, Verb::Names),
        Word::Status(StatusArgs { job: None, watch, json, at, .. }) => (at, Verb::Overview { watch, json }),
        Word::Status(StatusArgs { job: Some(job), watch, json, at, .. }) => (at, Verb::Job { job, watch, json }),
        Word::Logs(LogsArgs { job, reopen: true, at, .. }) => (at, Verb::ReopenLogs { job }),
        Word::Logs(LogsArgs { job, follow, lines, json, raw, at, .. }) => {
            (at, Verb::Logs { job, follow, lines, json, raw })
        }
        Word::Events(EventsArgs { job, follow, lines, json, at }) => (at, Verb::Events { job, follow, lines, json }),
        Word::Why(WhyArgs { job, json, at }) => (at, Verb::Why { job, json }),
        Word::Start(args) => act(Act::Start, args),
        Word::Stop(args) => act(Act::Stop, args),
        Word::Restart(args) => act(Act::Restart, args),
        Word::Signal(SignalArgs { job, signal, at }) => (at, Verb::Signal { job, signal }),
        Word::Watches(ListArgs { json, at }) => (at, Verb::Watches { json }),
        Word::Env(ListArgs { json, at }) => (at, Verb::Env { json }),
        Word::Reload(ReloadArgs { dry_run, json, at }) => (at, Verb::Reload { dry_run, json }),
        Word::Maintenance(MaintenanceArgs { to, json, at }) => {
            let on = match to {
                To::On => Some(true),
                To::Off => Some(false),
                To::Status => None,
            };
            (at, Verb::Maintenance { on, json })
        }
        Word::Shutdown(ShutdownArgs { at }) => (at, Verb::Shutdown),
    };
    Command::Console { socket: at.socket, verb }
}

fn act(act: Act, args: ActArgs) -> (Asked, Verb) {
    let wait = (!args.no_wait).then_some(args.timeout);
    (args.at, Verb::Act { act, job: args.job, wait })
}

/// `60s`, `1m30s`, `500ms`: whole numbers, each with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 30s, 1m30s or 500ms".to_owned();
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = behind;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_words_is_that_of_clap() {
        let known: Vec<String> = Verbs::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        assert_eq!(known, WORDS);
        Verbs::command().debug_assert();
    }

    #[test]
    fn every_verb_has_help_with_an_example() {
        for verb in Verbs::command().get_subcommands_mut().filter(|verb| verb.get_name() != "config") {
            let help = verb.render_help().to_string();
            assert!(help.contains("Example") && help.contains("containerpilot "), "{help}");
        }
    }

    #[test]
    fn times_are_whole_numbers_with_units() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "s", "5x", "-5s", "1.5s", "5 s", "99999999999999999999s", "9999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
