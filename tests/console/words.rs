//! Help, completions and the manual page: as a shell and `man` read them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::stand_in::{command, told};
use crate::support::{Launch, PATH, run};

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

/// What bash offers behind these words.
fn offered(words: &[&str]) -> Vec<String> {
    let script = format!(
        "{}\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _containerpilot; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        printed("completions bash")
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-u", "-c", &script, "bash", "containerpilot"]).args(words).env_clear().env("PATH", PATH);
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
    assert_eq!(offered(&["foo", ""]), [""; 0]);
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
    assert!(pilot.stdout().contains("1 word behind the flags ignored"));
}
