//! v3's flags, by Go's rules.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Ask, Command, UsageError, no_text};

/// What the flags say, as far as it was read.
#[derive(Default)]
struct Flags {
    config: Option<OsString>,
    out: Option<OsString>,
    version: bool,
    template: bool,
    reload: bool,
    ping: bool,
    maintenance: Option<bool>,
    putenv: Vec<(String, String)>,
    putmetric: Vec<(String, String)>,
}

impl Flags {
    fn boolean(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "version" => Some(&mut self.version),
            "template" => Some(&mut self.template),
            "reload" => Some(&mut self.reload),
            "ping" => Some(&mut self.ping),
            _ => None,
        }
    }

    /// Takes the value of a flag that names a file, which is bytes; gives back any other.
    fn take_path(&mut self, name: &str, value: OsString) -> Option<OsString> {
        match name {
            "config" => self.config = Some(value),
            "out" => self.out = Some(value),
            _ => return Some(value),
        }
        None
    }

    /// Takes the value of a flag that has another one. The error says what is wrong with it.
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "maintenance" {
            // v3 disables for every other word (design §4 row 18); an empty one is no flag, as in v3.
            self.maintenance = match value {
                "enable" => Some(true),
                "disable" => Some(false),
                "" => None,
                _ => return Err("expected enable or disable".to_owned()),
            };
            return Ok(());
        }
        let pair = value.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let pair = pair.ok_or_else(|| format!("flag value '{value}' was not in the format 'key=val'"))?;
        if name == "putenv" { &mut self.putenv } else { &mut self.putmetric }.push(pair);
        Ok(())
    }

    /// Of several the first of v3's order counts (v3 §2).
    fn command(self, ignored: Vec<OsString>) -> Command {
        // An empty path is no path, as in the original.
        let config = self.config.filter(|path| !path.is_empty()).map(PathBuf::from);
        let ask = if self.version {
            return Command::Version;
        } else if self.template {
            let out = self.out.filter(|path| !path.is_empty() && path != "-").map(PathBuf::from);
            return Command::Template { config, out };
        } else if self.reload {
            Ask::Reload
        } else if let Some(on) = self.maintenance {
            Ask::Maintenance(on)
        } else if !self.putenv.is_empty() {
            Ask::PutEnv(self.putenv)
        } else if !self.putmetric.is_empty() {
            Ask::PutMetric(self.putmetric)
        } else if self.ping {
            Ask::Ping
        } else {
            return Command::Run { config, ignored };
        };
        Command::Ask { config, ask }
    }
}

/// Reads a command line without a verb.
pub(super) fn read(program: &str, words: &[OsString]) -> Result<Command, UsageError> {
    let mut flags = Flags::default();
    let fail = |message: String| Err(UsageError(format!("{message}\n{}", usage(program))));
    let mut words = words.iter();
    let no_text = |word: &OsStr| Err(UsageError(no_text(word)));
    while let Some(word) = words.as_slice().first() {
        let bytes = word.as_bytes();
        let body = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"));
        let Some(body) = body.filter(|_| bytes.len() > 1) else {
            break;
        };
        words.next();
        if body.is_empty() {
            break;
        }
        let equals = body.iter().position(|byte| *byte == b'=');
        let (name, inline) = body.split_at(equals.unwrap_or(body.len()));
        let inline = inline.strip_prefix(b"=").map(OsStr::from_bytes);
        let Ok(name) = str::from_utf8(name) else { return no_text(word) };
        if name.starts_with('-') || name.is_empty() {
            return fail(format!("bad flag syntax: {}", word.display()));
        }
        if let Some(flag) = flags.boolean(name) {
            let Some(value) = inline.unwrap_or(OsStr::new("true")).to_str() else { return no_text(word) };
            let Some(value) = go_bool(value) else {
                return fail(format!("invalid boolean value \"{value}\" for -{name}: parse error"));
            };
            *flag = value;
            continue;
        }
        match name {
            "config" | "out" | "maintenance" | "putenv" | "putmetric" => {
                let Some(value) = inline.or_else(|| words.next().map(OsString::as_os_str)) else {
                    return fail(format!("flag needs an argument: -{name}"));
                };
                let Some(value) = flags.take_path(name, value.to_owned()) else { continue };
                let Some(value) = value.to_str() else { return no_text(&value) };
                if let Err(why) = flags.take(name, value) {
                    return fail(format!("invalid value \"{value}\" for flag -{name}: {why}"));
                }
            }
            "h" | "help" => return Ok(Command::Help(usage(program))),
            _ => return fail(format!("flag provided but not defined: -{name}")),
        }
    }
    Ok(flags.command(words.cloned().collect()))
}

fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn usage(program: &str) -> String {
    format!(
        "Usage of {program}:
  -config string
    \tpath of the configuration; without it the variable CONTAINERPILOT names the file
  -maintenance string
    \t\"enable\" or \"disable\" maintenance of the running instance
  -out string
    \twith -template: the file to write to; \"-\" or nothing is stdout
  -ping
    \tprint \"ok\" if the running instance answers on its control socket
  -putenv value
    \tNAME=VALUE: set a variable in the running instance; may be given several times
  -putmetric value
    \tNAME=VALUE: record a metric in the running instance; may be given several times
  -reload
    \tmake the running instance read its configuration again
  -template
    \trender the configuration's template and stop
  -version
    \tprint the version and stop

Commands, as the first word; each has --help:
  config check [--json] FILE, config show FILE, config schema
    \tprint every problem of a configuration (exit 0 or 65), all of it with every default, or the schema for editors
  status [JOB] [--watch] [--ready], why JOB, watches, env
    \thow the running instance and its jobs stand, and why
  logs [JOB] [-f] [-n N], logs [JOB] --reopen, events [-f] [-n N]
    \twhat the jobs wrote, and what happened
  start|stop|restart JOB, signal JOB SIGNAL
    \tsteer a job
  reload [--dry-run], maintenance on|off|status, shutdown
    \tsteer the instance
  completions bash|zsh|fish, man
    \tprint completions for a shell, or the manual page

Examples:
  {program} -config /etc/containerpilot.json5
  {program} config check /etc/containerpilot.json5
  {program} status
  {program} logs -f
"
    )
}
