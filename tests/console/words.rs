//! Help, completions and the manual page: as a shell and `man` read them.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stand_in::{StandIn, command, job, told};
use crate::support::{BINARY, DEADLINE, Launch, PATH, run, wait_until};

/// What goes well and prints to standard output.
#[track_caller]
fn printed(line: &str) -> String {
    let (code, stdout, stderr) = told(&run(&line.split(' ').collect::<Vec<_>>()));
    assert_eq!((code, stderr.as_str()), (0, ""), "{line}");
    stdout
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in [
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
        "config check",
        "config show",
    ] {
        let help = printed(&format!("{verb} --help"));
        assert!(help.contains("Usage: containerpilot ") && help.contains("Example"), "{help}");
        assert_eq!(printed(&format!("{verb} -h")).lines().next(), help.lines().next());
    }
}

#[test]
fn a_near_miss_of_a_flag_is_told() {
    let (code, _, stderr) = told(&run(&["status", "--jsno"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("a similar argument exists: '--json'"), "{stderr}");
}

/// Its words, of which `~` stands for a byte that is in no UTF-8.
fn odd(dir: &Path, line: &str) -> (i32, String, String) {
    let bytes = |word: &str| word.bytes().map(|byte| if byte == b'~' { 0xff } else { byte }).collect();
    let words = line.split(' ').map(|word| OsString::from_vec(bytes(word)));
    let mut odd = Command::new(BINARY);
    odd.args(words).env_clear();
    told(&odd.current_dir(dir).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn a_word_that_is_no_text_is_a_path_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(OsStr::from_bytes(b"f\xff.json5"));
    std::fs::write(&file, r#"{ consul: false, jobs: [{ name: "a", exec: "true" }] }"#).unwrap();
    let (code, stdout, stderr) = odd(dir.path(), "config check f~.json5");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "f\u{fffd}.json5: no problems\n", ""));
    let (code, _, stderr) = odd(dir.path(), "-template -config f~.json5 -out g~");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(dir.path().join(OsStr::from_bytes(b"g\xff"))).unwrap());
    let (code, _, stderr) = odd(dir.path(), "status --socket /nowhere/s~");
    assert!(code == 1 && stderr.contains("/nowhere/s\u{fffd}: no such file"), "{stderr}");
    for line in ["status we~b --socket s", "-putenv we~b", "logs -n we~b", "why --socket=s we~b"] {
        let text = "this word of the command line is not UTF-8: \"we\\xFFb\"\n";
        assert_eq!(odd(dir.path(), line), (2, String::new(), text.to_owned()), "{line}");
    }
}

#[test]
fn a_job_without_a_name_is_refused_before_anybody_is_asked() {
    let (code, _, stderr) = told(&run(&["why", ""]));
    assert!(code == 2 && stderr.contains("a job has a name, and this one is empty"), "{stderr}");
}

/// What bash offers behind these words.
fn offered(words: &[&str]) -> Vec<String> {
    offered_by(words, Path::new("/"), "/nowhere")
}

/// Likewise, in a directory where the program is in the path, and with a socket.
fn offered_by(words: &[&str], dir: &Path, socket: &str) -> Vec<String> {
    let script = format!(
        "{}\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _containerpilot; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        printed("completions bash")
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-u", "-c", &script, "bash", "containerpilot"]).args(words).env_clear();
    bash.env("PATH", format!("{}:{PATH}", dir.display())).env("CONTAINERPILOT_SOCKET", socket).current_dir(dir);
    let (code, stdout, stderr) = told(&bash.output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_flags_and_choices() {
    assert_eq!(offered(&["st"]), ["status", "start", "stop"]);
    assert_eq!(offered(&["-pu"]), ["-putenv", "-putmetric"]);
    assert_eq!(offered(&["status", "--w"]), ["--watch"]);
    assert_eq!(offered(&["maintenance", "o"]), ["on", "off"]);
    assert_eq!(offered(&["config", ""]), ["check", "show", "schema", "--help"]);
    assert_eq!(offered(&["completions", ""]), ["bash", "zsh", "fish", "--help"]);
    // Paths: the shell's own.
    assert_eq!(offered(&["status", "--socket", ""]), [""; 0]);
    assert_eq!(offered(&["stop", "web", "--timeout", ""]), [""; 0]);
    assert_eq!(offered(&["foo", ""]), [""; 0]);
}

#[test]
fn bash_completes_the_jobs_that_there_are_and_signals() {
    let jobs = ["web", "web", "db", "web two", "$(touch ran)", "odd\u{1b}[2J", "two\nlines", ""];
    let jobs: Vec<Value> = jobs.iter().map(|name| job(name, "running", 1)).collect();
    let stand_in = StandIn::json(&json!({ "jobs": jobs }));
    let dir = stand_in.dir.path();
    std::os::unix::fs::symlink(BINARY, dir.join("containerpilot")).unwrap();
    let socket = stand_in.socket();
    let at = |words: &[&str], socket: &str| offered_by(words, dir, socket);
    // Who does not answer within a second is not waited for.
    let offers = |words: &[&str], socket: &str, names: &[&str]| {
        wait_until(DEADLINE, || at(words, socket) == names, &format!("{names:?} for {words:?}"));
    };
    let served = socket.to_str().unwrap();
    for verb in ["status", "logs", "events", "why", "start", "stop", "restart", "signal"] {
        offers(&[verb, "w"], served, &["web", "web\\ two"]);
    }
    offers(&["status", "$"], served, &["\\$\\(touch\\ ran\\)"]);
    assert!(!dir.join("ran").exists());
    offers(&["why", "--socket", served, "d"], "/nowhere", &["db"]);
    offers(&["stop", "--timeout", "5s", "d"], served, &["db"]);
    // Only where one belongs, and silently none where nobody answers.
    assert_eq!(at(&["why", "web", "d"], served), [""; 0]);
    assert_eq!(at(&["reload", "d"], served), [""; 0]);
    assert_eq!(at(&["why", "d"], "/nowhere"), [""; 0]);
    assert_eq!(at(&["signal", "web", "U"], "/nowhere"), ["USR1", "USR2", "URG"]);
    assert_eq!(at(&["signal", "U"], served), [""; 0]);
}

#[test]
fn a_completion_does_not_wait_for_an_instance_that_hangs() {
    let silent = StandIn::new(|_, stream| drop(std::io::Read::read(stream, &mut [0])));
    let began = Instant::now();
    assert!(silent.failure("status --names").contains("does not answer in time"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn groff_has_nothing_to_say_about_the_manual_page() {
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    let mut child = groff.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(printed("man").as_bytes()).unwrap();
    let (code, page, warnings) = told(&child.wait_with_output().unwrap());
    assert_eq!((code, warnings.as_str()), (0, ""));
    assert!(page.contains("status [OPTIONS] [JOB]") && page.contains("--socket PATH"), "{page}");
    assert!(page.contains("(default 60s)") && page.contains("$CONTAINERPILOT_SOCKET"), "{page}");
}

#[test]
fn a_word_that_is_no_verb_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("f.json5"),
        r#"{ consul: false, control: { socket: "s" }, jobs: [{ name: "a", exec: "true" }] }"#,
    )
    .unwrap();
    let said = |line: &str| told(&command(dir.path(), line).env("CONTAINERPILOT", "f.json5").output().unwrap());
    let hint = "containerpilot -help lists the commands and flags\n";
    let meant = format!("containerpilot: the first word is no command: did you mean status?\n{hint}");
    assert_eq!(said("statuss"), (2, String::new(), meant));
    assert_eq!(said("ps"), (2, String::new(), format!("containerpilot: the first word is no command\n{hint}")));
    // Behind a file that is named they are ignored as in v3, and it is soon done; so they are where it is PID 1.
    let (code, stdout, stderr) = said("-config f.json5 statuss");
    assert!(code == 0 && stdout.contains("1 word behind the flags ignored"), "{code} {stdout} {stderr}");
    let mut pilot = Launch::config(r#"{ consul: false, jobs: [{ name: "a", exec: "true" }] }"#)
        .env("CONTAINERPILOT", "containerpilot.json5")
        .args(&["statuss"])
        .start();
    assert_eq!(pilot.wait_exit(), 0);
    pilot.wait_stdout("1 word behind the flags ignored");
}
