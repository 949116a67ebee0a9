//! The command line: v3's flags as Go's `flag` package reads them, and the newer verbs.
//!
//! v3 §2. A verb counts only as the very first argument (design §6); everything else is flags. The flags are read
//! here, not by clap, because Go's rules are others: `-name` and `--name` are one, `-flag=false` works, the first
//! word that is no flag ends them. The way to a running supervisor (`-config F`) costs nothing but this loop.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

/// What the program is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Supervise. Holds the path if the command line names one.
    Run {
        /// `-config`.
        config: Option<String>,
        /// Words behind the flags, which v3 ignores.
        ignored: Vec<String>,
    },
    /// Print the version.
    Version,
    /// Print this text and succeed.
    Help(String),
    /// Render the configuration's template.
    Template {
        /// `-config`.
        config: Option<String>,
        /// `-out`; `None` is stdout.
        out: Option<String>,
    },
    /// Ask a running instance through its control socket.
    Ask {
        /// `-config`: names the file that names the socket.
        config: Option<String>,
        /// What.
        ask: Ask,
    },
    /// `config check FILE`
    Check {
        /// The file.
        file: String,
        /// For machines.
        json: bool,
    },
    /// `config show FILE`
    Show {
        /// The file.
        file: String,
    },
}

/// What a running instance is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// `-reload`
    Reload,
    /// `-maintenance enable`, or `disable`
    Maintenance(bool),
    /// `-putenv NAME=VALUE`, each
    PutEnv(Vec<(String, String)>),
    /// `-putmetric NAME=VALUE`, each
    PutMetric(Vec<(String, String)>),
    /// `-ping`
    Ping,
}

/// Why a command line was not understood: the whole text for stderr.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

/// Reads the words behind the program's name.
pub fn parse(program: &str, words: &[OsString]) -> Result<Command, UsageError> {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match words.first().map(String::as_str) {
        Some("config") => verb(program, &words),
        // v3 would start here, in spite of the word: nobody means that.
        Some(word @ ("help" | "version")) => Err(UsageError(format!("{word} is a flag: {program} -{word}\n"))),
        _ => flags(program, &words),
    }
}

#[derive(Parser)]
#[command(name = "containerpilot", disable_help_subcommand = true)]
struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Look at configuration files without starting anything
    #[command(subcommand)]
    Config(ConfigVerb),
}

#[derive(Subcommand)]
enum ConfigVerb {
    /// Print every problem of a configuration; exit 0 when there is no error, 65 when there is
    Check(CheckArgs),
    /// Print the configuration as it would be used, with every default, as JSON5; secrets are masked
    Show(ShowArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// The configuration file
    file: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ShowArgs {
    /// The configuration file
    file: String,
}

fn verb(program: &str, words: &[String]) -> Result<Command, UsageError> {
    if let [_, verb @ ("check" | "show"), more @ ..] = words.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
        && more.iter().any(|word| is_config_flag(word))
    {
        let message = format!("config {verb} takes the file without a flag: {program} config {verb} FILE\n");
        return Err(UsageError(message));
    }
    let argv = std::iter::once(program).chain(words.iter().map(String::as_str));
    match Verbs::try_parse_from(argv) {
        Ok(Verbs { verb: Verb::Config(ConfigVerb::Check(CheckArgs { file, json })) }) => {
            Ok(Command::Check { file, json })
        }
        Ok(Verbs { verb: Verb::Config(ConfigVerb::Show(ShowArgs { file })) }) => Ok(Command::Show { file }),
        Err(error) if error.use_stderr() => Err(UsageError(error.render().to_string())),
        Err(error) => Ok(Command::Help(error.render().to_string())),
    }
}

fn is_config_flag(word: &str) -> bool {
    let body = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
    body.is_some_and(|body| body == "config" || body.starts_with("config="))
}

/// What the flags say, as far as it was read.
#[derive(Default)]
struct Flags {
    config: Option<String>,
    out: Option<String>,
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

    /// Takes the value of a flag that has one. The error says what is wrong with it.
    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "config" => self.config = Some(value),
            "out" => self.out = Some(value),
            // v3 disables for every other word (design §4 row 18); an empty one is no flag, as in v3.
            "maintenance" => {
                self.maintenance = match value.as_str() {
                    "enable" => Some(true),
                    "disable" => Some(false),
                    "" => None,
                    _ => return Err("expected enable or disable".to_owned()),
                }
            }
            _ => {
                let pair = value.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
                let pair = pair.ok_or_else(|| format!("flag value '{value}' was not in the format 'key=val'"))?;
                if name == "putenv" { &mut self.putenv } else { &mut self.putmetric }.push(pair);
            }
        }
        Ok(())
    }

    /// Of several the first of v3's order counts (v3 §2).
    fn command(self, ignored: Vec<String>) -> Command {
        // An empty path is no path, as in the original.
        let config = self.config.filter(|path| !path.is_empty());
        let ask = if self.version {
            return Command::Version;
        } else if self.template {
            return Command::Template { config, out: self.out.filter(|path| !path.is_empty() && path != "-") };
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

fn flags(program: &str, words: &[String]) -> Result<Command, UsageError> {
    let mut flags = Flags::default();
    let fail = |message: String| Err(UsageError(format!("{message}\n{}", usage(program))));
    let mut words = words.iter();
    while let Some(word) = words.as_slice().first() {
        let Some(body) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|_| word.len() > 1) else {
            break;
        };
        words.next();
        if body.is_empty() {
            break;
        }
        if body.starts_with('-') || body.starts_with('=') {
            return fail(format!("bad flag syntax: {word}"));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        if let Some(flag) = flags.boolean(name) {
            let value = inline.unwrap_or_else(|| "true".to_owned());
            let Some(value) = go_bool(&value) else {
                return fail(format!("invalid boolean value \"{value}\" for -{name}: parse error"));
            };
            *flag = value;
            continue;
        }
        match name {
            "config" | "out" | "maintenance" | "putenv" | "putmetric" => {
                let Some(value) = inline.or_else(|| words.next().cloned()) else {
                    return fail(format!("flag needs an argument: -{name}"));
                };
                if let Err(why) = flags.take(name, value.clone()) {
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

fn usage(program: &str) -> String {
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

Commands, as the first word:
  config check [--json] FILE
    \tprint every problem of a configuration; exit 0 or 65
  config show FILE
    \tprint the configuration with every default as JSON5

Examples:
  {program} -config /etc/containerpilot.json5
  {program} config check /etc/containerpilot.json5
  {program} -config /etc/containerpilot.json5 -reload
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, UsageError> {
        parse("containerpilot", &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn run(config: Option<&str>, ignored: &[&str]) -> Command {
        Command::Run {
            config: config.map(str::to_owned),
            ignored: ignored.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn flags_take_one_dash_or_two_and_a_value_with_or_without_an_equals_sign() {
        for words in [vec!["-config", "F"], vec!["--config", "F"], vec!["-config=F"], vec!["--config=F"]] {
            assert_eq!(read(&words), Ok(run(Some("F"), &[])), "{words:?}");
        }
        assert_eq!(read(&["-config=a=b"]), Ok(run(Some("a=b"), &[])));
        assert_eq!(read(&["-config", "A", "-config", "B"]), Ok(run(Some("B"), &[])));
        assert_eq!(read(&["-config", ""]), Ok(run(None, &[])));
    }

    #[test]
    fn flags_end_at_the_first_other_word() {
        assert_eq!(read(&["-config", "F", "app", "-version"]), Ok(run(Some("F"), &["app", "-version"])));
        assert_eq!(read(&["--", "-version"]), Ok(run(None, &["-version"])));
        assert_eq!(read(&["-", "-version"]), Ok(run(None, &["-", "-version"])));
    }

    #[test]
    fn version_wins_over_template_wins_over_running() {
        assert_eq!(read(&["-template", "-version", "-config", "F"]), Ok(Command::Version));
        assert_eq!(read(&["-version=false", "-config=F"]), Ok(run(Some("F"), &[])));
        let template = |out: Option<&str>| Command::Template { config: Some("F".into()), out: out.map(str::to_owned) };
        assert_eq!(read(&["-template", "-config=F"]), Ok(template(None)));
        assert_eq!(read(&["-template", "-config=F", "-out", "-"]), Ok(template(None)));
        assert_eq!(read(&["-template=T", "-config=F", "-out", "G"]), Ok(template(Some("G"))));
    }

    #[test]
    fn what_is_wrong_is_said_in_go_words() {
        for (words, text) in [
            (vec!["-bogus"], "flag provided but not defined: -bogus\n"),
            (vec!["-config"], "flag needs an argument: -config\n"),
            (vec!["-version=maybe"], "invalid boolean value \"maybe\" for -version: parse error\n"),
            (vec!["---config"], "bad flag syntax: ---config\n"),
            (vec!["-=x"], "bad flag syntax: -=x\n"),
        ] {
            let UsageError(message) = read(&words).unwrap_err();
            assert!(message.starts_with(text), "{words:?}: {message}");
            assert!(message.contains("Usage of containerpilot:"), "{message}");
        }
    }

    #[test]
    fn a_verb_is_one_only_as_the_first_word() {
        assert_eq!(read(&["config", "check", "F"]), Ok(Command::Check { file: "F".into(), json: false }));
        assert_eq!(read(&["config", "check", "--json", "F"]), Ok(Command::Check { file: "F".into(), json: true }));
        assert_eq!(read(&["config", "show", "F"]), Ok(Command::Show { file: "F".into() }));
        assert_eq!(read(&["-config", "F", "config", "check"]), Ok(run(Some("F"), &["config", "check"])));
        assert!(read(&["config", "chekc", "F"]).is_err());
        assert!(matches!(read(&["config", "--help"]), Ok(Command::Help(_))));
        assert!(matches!(read(&["-h"]), Ok(Command::Help(_))));
    }

    #[test]
    fn flags_that_are_written_as_words_and_words_as_flags_are_told() {
        let told = |words: &[&str]| read(words).unwrap_err().0;
        assert_eq!(told(&["help"]), "help is a flag: containerpilot -help\n");
        assert_eq!(told(&["version"]), "version is a flag: containerpilot -version\n");
        for (flag, verb) in [("-config", "check"), ("--config", "show"), ("-config=F", "check")] {
            let text = format!("config {verb} takes the file without a flag: containerpilot config {verb} FILE\n");
            assert_eq!(told(&["config", verb, flag, "F"]), text);
        }
        // Behind a flag they are words as any others.
        assert_eq!(read(&["-config", "F", "help"]), Ok(run(Some("F"), &["help"])));
    }

    fn ask(ask: Ask) -> Command {
        Command::Ask { config: None, ask }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_running_instance_is_asked_by_flags() {
        assert_eq!(read(&["-reload"]), Ok(ask(Ask::Reload)));
        assert_eq!(read(&["-ping=true"]), Ok(ask(Ask::Ping)));
        assert_eq!(read(&["-ping=false", "-reload=0"]), Ok(run(None, &[])));
        assert_eq!(read(&["-maintenance", "enable"]), Ok(ask(Ask::Maintenance(true))));
        assert_eq!(read(&["--maintenance=disable"]), Ok(ask(Ask::Maintenance(false))));
        assert_eq!(read(&["-maintenance", ""]), Ok(run(None, &[])));
        let with_config = Command::Ask { config: Some("F".into()), ask: Ask::Ping };
        assert_eq!(read(&["-config", "F", "-ping", "ignored"]), Ok(with_config));
    }

    #[test]
    fn pairs_are_split_at_the_first_equals_sign_and_gathered() {
        let env = Ask::PutEnv(vec![pair("A", "x=y"), pair("B", ""), pair("A", "z")]);
        assert_eq!(read(&["-putenv", "A=x=y", "-putenv=B=", "--putenv", "A=z"]), Ok(ask(env)));
        assert_eq!(read(&["-putmetric", "m=1"]), Ok(ask(Ask::PutMetric(vec![pair("m", "1")]))));
    }

    #[test]
    fn of_several_questions_the_first_in_the_original_order_counts() {
        let words = ["-ping", "-putmetric=m=1", "-putenv=A=x", "-maintenance=enable", "-reload", "-template"];
        let expected = [
            Ask::Ping,
            Ask::PutMetric(vec![pair("m", "1")]),
            Ask::PutEnv(vec![pair("A", "x")]),
            Ask::Maintenance(true),
            Ask::Reload,
        ];
        for (count, expected) in (1..).zip(expected) {
            assert_eq!(read(&words[..count]), Ok(ask(expected)), "{:?}", &words[..count]);
        }
        assert_eq!(read(&words), Ok(Command::Template { config: None, out: None }));
    }

    #[test]
    fn a_wrong_value_is_told_in_go_words() {
        let told = |words: &[&str]| read(words).unwrap_err().0.lines().next().unwrap_or_default().to_owned();
        let no_pair = "invalid value \"FOO\" for flag -putenv: flag value 'FOO' was not in the format 'key=val'";
        assert_eq!(told(&["-putenv", "FOO"]), no_pair);
        assert_eq!(told(&["-putmetric"]), "flag needs an argument: -putmetric");
        let typo = "invalid value \"enabel\" for flag -maintenance: expected enable or disable";
        assert_eq!(told(&["-maintenance", "enabel"]), typo);
        assert_eq!(told(&["-ping=maybe"]), "invalid boolean value \"maybe\" for -ping: parse error");
    }
}
