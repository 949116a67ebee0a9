//! The command line as values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Act, Ask, Command, UsageError, Verb, parse};

fn read(words: &[&str]) -> Result<Command, UsageError> {
    parse("containerpilot", &words.iter().map(OsString::from).collect::<Vec<_>>())
}

fn run(config: Option<&str>, ignored: &[&str]) -> Command {
    Command::Run { config: config.map(PathBuf::from), ignored: ignored.iter().map(OsString::from).collect() }
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
    let template = |out: Option<&str>| Command::Template { config: Some("F".into()), out: out.map(PathBuf::from) };
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
    assert_eq!(read(&["config", "schema"]), Ok(Command::Schema));
    assert_eq!(read(&["config", "show", "F"]), Ok(Command::Show { file: "F".into() }));
    assert_eq!(read(&["-config", "F", "config", "check"]), Ok(run(Some("F"), &["config", "check"])));
    assert!(read(&["config", "chekc", "F"]).is_err());
    assert!(matches!(read(&["config", "--help"]), Ok(Command::Print(_))));
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

fn console(socket: Option<&str>, verb: Verb) -> Command {
    Command::Console { socket: socket.map(Into::into), verb }
}

#[test]
fn verbs_that_ask_the_instance_are_read() {
    let job = || "web".to_owned();
    let cases: &[(&str, Verb)] = &[
        ("status", Verb::Overview { watch: false, json: false }),
        ("status --watch", Verb::Overview { watch: true, json: false }),
        ("status web --json", Verb::Job { job: job(), watch: false, json: true }),
        ("status --ready", Verb::Ready),
        ("status --names", Verb::Names),
        ("logs", Verb::Logs { job: None, follow: false, lines: None, json: false, raw: false }),
        ("logs web -f -n 7", Verb::Logs { job: Some(job()), follow: true, lines: Some(7), json: false, raw: false }),
        ("logs --raw", Verb::Logs { job: None, follow: false, lines: None, json: false, raw: true }),
        ("logs --reopen", Verb::ReopenLogs { job: None }),
        ("logs web --reopen", Verb::ReopenLogs { job: Some(job()) }),
        ("events -fn0 --json", Verb::Events { job: None, follow: true, lines: Some(0), json: true }),
        ("events web", Verb::Events { job: Some(job()), follow: false, lines: None, json: false }),
        ("why web", Verb::Why { job: job(), json: false }),
        ("start web", Verb::Act { act: Act::Start, job: job(), wait: Some(Duration::from_mins(1)) }),
        ("stop web --no-wait", Verb::Act { act: Act::Stop, job: job(), wait: None }),
        (
            "restart --timeout 1m30s web",
            Verb::Act { act: Act::Restart, job: job(), wait: Some(Duration::from_secs(90)) },
        ),
        ("signal web -- -1", Verb::Signal { job: job(), signal: "-1".to_owned() }),
        ("signal web HUP", Verb::Signal { job: job(), signal: "HUP".to_owned() }),
        ("watches", Verb::Watches { json: false }),
        ("env --json", Verb::Env { json: true }),
        ("reload --dry-run", Verb::Reload { dry_run: true, json: false }),
        ("maintenance on", Verb::Maintenance { on: Some(true), json: false }),
        ("maintenance off", Verb::Maintenance { on: Some(false), json: false }),
        ("maintenance status --json", Verb::Maintenance { on: None, json: true }),
        ("shutdown", Verb::Shutdown),
    ];
    for (line, verb) in cases {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(read(&words), Ok(console(None, verb.clone())), "{line}");
    }
    let ready = console(Some("/s"), Verb::Ready);
    assert_eq!(read(&["status", "--ready", "--socket", "/s"]), Ok(ready));
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    for line in [
        "status --watch --json",
        "status web --ready",
        "logs --reopen -f",
        "stop web --no-wait --timeout 5s",
        "stop",
        "stop web --timeout 5",
        "maintenance",
        "maintenance maybe",
        "logs -n -1",
        "completions tcsh",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(read(&words).is_err(), "{line}");
    }
    let told = read(&["status", "-config", "F"]).unwrap_err().0;
    assert_eq!(told, "status takes no configuration: containerpilot status --socket PATH names the instance\n");
}

/// A word of bytes, of which `~` stands for one that is in no UTF-8.
fn bytes(word: &str) -> OsString {
    OsString::from_vec(word.bytes().map(|byte| if byte == b'~' { 0xff } else { byte }).collect())
}

#[test]
fn words_that_are_no_text_are_paths_or_refused() {
    let read = |line: &str| parse("containerpilot", &line.split(' ').map(bytes).collect::<Vec<_>>());
    let path = || PathBuf::from(bytes("/a~"));
    for line in ["-config /a~", "-config=/a~", "--config=/a~"] {
        assert_eq!(read(line), Ok(Command::Run { config: Some(path()), ignored: vec![] }), "{line}");
    }
    let template = Command::Template { config: Some("F".into()), out: Some(path()) };
    assert_eq!(read("-template -config F -out /a~"), Ok(template));
    assert_eq!(read("a~ b~"), Ok(Command::Run { config: None, ignored: vec![bytes("a~"), bytes("b~")] }));
    assert_eq!(read("config check /a~ --json"), Ok(Command::Check { file: path(), json: true }));
    assert_eq!(read("config show /a~"), Ok(Command::Show { file: path() }));
    let ready = || Ok(Command::Console { socket: Some(path()), verb: Verb::Ready });
    assert_eq!(read("status --ready --socket /a~"), ready());
    assert_eq!(read("status --socket=/a~ --ready"), ready());
    for (line, word) in [
        ("status we~b", "we\\xFFb"),
        ("why --socket s ~ --json", "\\xFF"),
        ("signal web ~", "\\xFF"),
        ("logs -n ~", "\\xFF"),
        ("status --~", "--\\xFF"),
        ("config ~", "\\xFF"),
        ("config check f --~", "--\\xFF"),
        ("-~", "-\\xFF"),
        ("-ping=~", "-ping=\\xFF"),
        ("-putenv A=~", "A=\\xFF"),
        ("-putmetric=A=~", "A=\\xFF"),
        ("-maintenance e~", "e\\xFF"),
    ] {
        let text = format!("this word of the command line is not UTF-8: \"{word}\"\n");
        assert_eq!(read(line), Err(UsageError(text)), "{line}");
    }
}

#[test]
fn a_job_is_called_something() {
    for verb in ["status", "logs", "events", "why", "start", "stop", "restart"] {
        let UsageError(told) = read(&[verb, ""]).unwrap_err();
        assert!(told.contains("a job has a name, and this one is empty"), "{verb}: {told}");
    }
    assert!(read(&["signal", "", "HUP"]).unwrap_err().0.contains("a job has a name"));
}

#[test]
fn any_other_first_word_is_one_that_v3_ignored() {
    for word in ["foo", "statuss", "Status", "exec", "run"] {
        assert_eq!(read(&[word]), Ok(run(None, &[word])));
    }
    assert_eq!(read(&["-config", "F", "status"]), Ok(run(Some("F"), &["status"])));
}

#[test]
fn signals_that_are_offered_are_signals() {
    for name in super::complete::SIGNALS.split(' ') {
        assert!(crate::plan::Signal::from_name(name).is_some(), "{name}");
    }
}

fn printed(words: &[&str]) -> String {
    match read(words) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn help_completions_and_the_manual_page_are_as_they_were_read() {
    insta::assert_snapshot!("usage", super::flags::usage("containerpilot"));
    insta::assert_snapshot!("help", printed(&["status", "--help"]));
    insta::assert_snapshot!("manual", printed(&["man"]));
    for shell in ["bash", "zsh", "fish"] {
        insta::assert_snapshot!(shell, printed(&["completions", shell]));
    }
}
