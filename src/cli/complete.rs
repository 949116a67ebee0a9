//! Completions for shells, written from clap's description of the verbs. Our own few lines: `clap_complete` costs more
//! of the binary than the whole console's client, for shells that are mostly outside of the container.

use std::collections::BTreeSet;
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

/// What may be sent to a job, by the names that people use.
pub(super) const SIGNALS: &str = "HUP INT QUIT TERM KILL USR1 USR2 WINCH STOP CONT TSTP TTIN TTOU ALRM ABRT PIPE CHLD \
                                  URG IO PWR SYS TRAP ILL BUS FPE SEGV XCPU XFSZ VTALRM PROF STKFLT";

/// What stands at a place behind a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// One of these.
    Words(String),
    /// A job, for whose names the running instance is asked.
    Job,
    /// Anything.
    Other,
}

/// What stands behind a verb, one place after the other.
fn places(verb: &Command) -> Vec<Place> {
    if verb.has_subcommands() {
        let below: Vec<&str> = verb.get_subcommands().map(Command::get_name).collect();
        return vec![Place::Words(below.join(" ")), Place::Other];
    }
    let place = |arg: &Arg| match arg.get_id().as_str() {
        "job" => Place::Job,
        "signal" => Place::Words(SIGNALS.to_owned()),
        _ => {
            let values: Vec<String> = arg.get_possible_values().iter().map(|of| of.get_name().to_owned()).collect();
            if values.is_empty() { Place::Other } else { Place::Words(values.join(" ")) }
        }
    };
    verb.get_positionals().map(place).collect()
}

/// The flags behind which a value stands, of all verbs.
fn with_values(program: &Command) -> BTreeSet<String> {
    let valued = verbs(program).flat_map(options).filter(|option| value_name(option).is_some());
    valued.flat_map(names).collect()
}

fn bash(program: &Command) -> String {
    let mut cases = String::new();
    for verb in verbs(program) {
        let flags = options(verb).filter_map(Arg::get_long).map(|long| format!("--{long}"));
        let flags: Vec<String> = flags.chain(["--help".to_owned()]).collect();
        let mut case = format!("        {}) flags='{}'", verb.get_name(), flags.join(" "));
        for (place, at) in places(verb).iter().zip(0..) {
            let _ = match place {
                Place::Words(words) => write!(case, " places[{at}]='{words}'"),
                Place::Job => write!(case, " places[{at}]=@job"),
                Place::Other => Ok(()),
            };
        }
        let _ = writeln!(cases, "{case} ;;");
    }
    let names: Vec<&str> = verbs(program).map(Command::get_name).collect();
    let valued = with_values(program).into_iter().filter(|flag| flag != "--socket").collect::<Vec<_>>().join(" | ");
    format!(
        r#"# containerpilot: completions for bash
_containerpilot() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words= flags= given=0 at place name
    local -a places=() socket=()
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='{} {FLAGS}'
    else
        for ((at = 2; at < COMP_CWORD; at++)); do
            case ${{COMP_WORDS[at]}} in
            --socket) socket=(--socket "${{COMP_WORDS[++at]}}") ;;
            {valued}) ((++at)) ;;
            -*) ;;
            *) ((++given)) ;;
            esac
        done
        # The value of a flag is for the shell.
        ((at > COMP_CWORD)) && return
        case ${{COMP_WORDS[1]}} in
{cases}        esac
        place=${{places[given]-}}
        words="${{place#@job}} $flags"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [[ ${{place-}} == @job && $word != -* ]]; then
        # Not by way of compgen, which would evaluate them.
        while IFS= read -r name; do
            [[ $name == "$word"* ]] && printf -v name %q "$name" && COMPREPLY+=("$name")
        done < <(command containerpilot status --names "${{socket[@]}}" 2>/dev/null)
    fi
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
        for (place, at) in places(verb).into_iter().zip(1..) {
            specs.push(match place {
                Place::Words(words) => format!("'{at}: :({words})'"),
                Place::Job => format!("'{at}:job:_containerpilot_jobs'"),
                Place::Other => format!("'{at}:file:_files'"),
            });
        }
        let _ = writeln!(cases, "    {}) _arguments {} ;;", verb.get_name(), specs.join(" "));
    }
    format!(
        r#"#compdef containerpilot
# containerpilot: completions for zsh
_containerpilot_jobs() {{
    local -a jobs socket
    local -i at=${{words[(I)--socket]}}
    ((at && at + 1 < CURRENT)) && socket=(--socket "${{(Q)words[at + 1]}}")
    jobs=(${{(f)"$(command containerpilot status --names $socket 2>/dev/null)"}})
    compadd -a jobs
}}
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

/// What the conditions of fish ask: how many words were given behind the verb, and which jobs there are.
const FISH: &str = r"# containerpilot: completions for fish
function __containerpilot_given
    set -l at 0
    set -l given 0
    set -l value no
    for word in (commandline -opc)
        set at (math $at + 1)
        if test $at -le 2 -o $value = yes
            set value no
        else if contains -- $word VALUED
            set value yes
        else if not string match -q -- '-*' $word
            set given (math $given + 1)
        end
    end
    test $given = $argv[1]
end
function __containerpilot_jobs
    set -l words (commandline -opc)
    set -l socket
    if set -l at (contains -i -- --socket $words)
        set socket --socket $words[(math $at + 1)]
    end
    command containerpilot status --names $socket 2>/dev/null
end";

fn fish(program: &Command) -> String {
    let quoted = |text: &str| text.replace('\\', r"\\").replace('\'', r"\'");
    let valued = with_values(program).into_iter().collect::<Vec<_>>().join(" ");
    let mut lines = vec![FISH.replace("VALUED", &valued)];
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
        for (place, at) in places(verb).into_iter().zip(0..) {
            let words = match place {
                Place::Words(words) => words,
                Place::Job => "(__containerpilot_jobs)".to_owned(),
                Place::Other => continue,
            };
            let given = format!("__fish_seen_subcommand_from {name}; and __containerpilot_given {at}");
            lines.push(format!("complete -c containerpilot -n '{given}' -f -a '{words}'"));
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

/// The flags of a verb, without clap's own and hidden ones.
pub(super) fn options(verb: &Command) -> impl Iterator<Item = &Arg> {
    verb.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set() && arg.get_id() != "help")
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
