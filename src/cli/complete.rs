//! Completions for shells, written from clap's description of the verbs. Our own few lines: `clap_complete` costs more
//! of the binary than the whole console's client, for shells that are mostly outside of the container.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, ValueEnum, ValueHint};

/// A shell that completes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// GNU's
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly one
    Fish,
}

/// v3's flags, which are not clap's.
const FLAGS: &str = "-config -help -maintenance -out -ping -putenv -putmetric -reload -template -version";

/// The script for a shell.
pub(super) fn script(program: &Command, shell: Shell) -> String {
    let mut program = program.clone();
    program.build();
    match shell {
        Shell::Bash => bash(&program),
        Shell::Zsh => zsh(&program),
        Shell::Fish => fish(&program),
    }
}

fn bash(program: &Command) -> String {
    let mut cases = String::new();
    for verb in verbs(program) {
        let flags = options(verb).filter_map(Arg::get_long).map(|long| format!("--{long}"));
        let words: Vec<String> = choices(verb).into_iter().chain(flags).chain(["--help".to_owned()]).collect();
        let _ = writeln!(cases, "        {}) words='{}' ;;", verb.get_name(), words.join(" "));
    }
    let names: Vec<&str> = verbs(program).map(Command::get_name).collect();
    format!(
        r#"# containerpilot: completions for bash
_containerpilot() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='{} {FLAGS}'
    elif [[ ${{COMP_WORDS[COMP_CWORD - 1]}} != --socket ]]; then
        case ${{COMP_WORDS[1]}} in
{cases}        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _containerpilot containerpilot
"#,
        names.join(" ")
    )
}

fn zsh(program: &Command) -> String {
    let quoted = |text: &str| text.replace('\'', r"'\''");
    let mut described = String::new();
    let mut cases = String::new();
    for verb in verbs(program) {
        let _ = writeln!(described, "        '{}:{}'", verb.get_name(), quoted(&about(verb)));
        let mut specs = Vec::new();
        for option in options(verb) {
            let help = quoted(&help(option)).replace('[', r"\[").replace(']', r"\]");
            let value = match value_name(option) {
                None => String::new(),
                Some(name) if is_path(option) => format!(":{name}:_files"),
                Some(name) => format!(":{name}:"),
            };
            for name in names(option) {
                specs.push(format!("'{name}[{help}]{value}'"));
            }
        }
        let choices = choices(verb);
        if !choices.is_empty() {
            specs.push(format!("'1: :({})'", choices.join(" ")));
        }
        if verb.has_subcommands() {
            specs.push("'2:file:_files'".to_owned());
        }
        let _ = writeln!(cases, "    {}) _arguments {} ;;", verb.get_name(), specs.join(" "));
    }
    format!(
        r#"#compdef containerpilot
# containerpilot: completions for zsh
_containerpilot() {{
    local -a verbs
    verbs=(
{described}    )
    if ((CURRENT == 2)); then
        _describe verb verbs
        return
    fi
    shift words
    ((CURRENT--))
    case $words[1] in
{cases}    esac
}}
# Autoloaded from $fpath, or read by `source`.
if [[ ${{funcstack[1]}} == _containerpilot ]]; then
    _containerpilot "$@"
else
    compdef _containerpilot containerpilot
fi
"#
    )
}

fn fish(program: &Command) -> String {
    let quoted = |text: &str| text.replace('\\', r"\\").replace('\'', r"\'");
    let mut lines = vec!["# containerpilot: completions for fish".to_owned()];
    for verb in verbs(program) {
        let (name, about) = (verb.get_name(), quoted(&about(verb)));
        lines.push(format!("complete -c containerpilot -n __fish_use_subcommand -f -a {name} -d '{about}'"));
        let here = format!("complete -c containerpilot -n '__fish_seen_subcommand_from {name}'");
        for option in options(verb) {
            let long = option.get_long().map(|long| format!(" -l {long}")).unwrap_or_default();
            let short = option.get_short().map(|short| format!(" -s {short}")).unwrap_or_default();
            let value = match value_name(option) {
                None => "",
                Some(_) if is_path(option) => " -r -F",
                Some(_) => " -x",
            };
            lines.push(format!("{here}{long}{short}{value} -d '{}'", quoted(&help(option))));
        }
        let choices = choices(verb);
        if !choices.is_empty() {
            lines.push(format!("{here} -f -a '{}'", choices.join(" ")));
        }
    }
    lines.join("\n") + "\n"
}

/// The verbs; clap adds none of its own.
fn verbs(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands()
}

/// What a verb does, in one line.
pub(super) fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

/// The flags of a verb, without clap's own.
pub(super) fn options(verb: &Command) -> impl Iterator<Item = &Arg> {
    verb.get_arguments().filter(|arg| !arg.is_positional() && arg.get_id() != "help")
}

/// What a flag does, in one line.
pub(super) fn help(option: &Arg) -> String {
    option.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The flag as it is written: the short one first.
pub(super) fn names(option: &Arg) -> Vec<String> {
    let short = option.get_short().map(|short| format!("-{short}"));
    short.into_iter().chain(option.get_long().map(|long| format!("--{long}"))).collect()
}

/// The name of a flag's value, if it takes one.
pub(super) fn value_name(option: &Arg) -> Option<&str> {
    let takes = matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
    option.get_value_names().filter(|_| takes).and_then(|names| names.first()).map(clap::builder::Str::as_str)
}

fn is_path(option: &Arg) -> bool {
    option.get_value_hint() == ValueHint::AnyPath
}

/// The words that may follow a verb: its own verbs, or the values of its first argument.
fn choices(verb: &Command) -> Vec<String> {
    let below = verb.get_subcommands().map(|below| below.get_name().to_owned());
    let values = verb.get_positionals().take(1).flat_map(Arg::get_possible_values);
    below.chain(values.map(|value| value.get_name().to_owned())).collect()
}
