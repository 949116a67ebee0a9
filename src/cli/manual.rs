//! The manual page, in roff's `man` macros, from clap's description of the verbs and what stands beside it.

use std::fmt::Write as _;

use clap::Command;

use super::complete::{about, help, names, options, value_name};

const BEFORE: &str = r".SH NAME
containerpilot \- init and supervisor for containers
.SH SYNOPSIS
\fBcontainerpilot\fR \fB\-config\fR \fIFILE\fR
.br
\fBcontainerpilot\fR \fICOMMAND\fR [\fIOPTIONS\fR] ...
.SH DESCRIPTION
The first process of a container: starts jobs when events say so, checks their health, registers them with Consul and
reaps everything. Without a command as the very first word it supervises what the configuration says;
\fBcontainerpilot \-help\fR lists the flags for that. The commands below ask the running instance on its control socket.
.SH COMMANDS
";

const BEHIND: &str = r".SH EXIT STATUS
Of the commands: 0, it was done; 1, it was refused or nobody answered; 2, the command line is wrong; 65, a
configuration is wrong (\fBconfig\fR). Of a supervisor, that of its jobs.
.SH ENVIRONMENT
.TP
\fBCONTAINERPILOT\fR
Names the configuration.
.TP
\fBCONTAINERPILOT_SOCKET\fR
The control socket of the instance to ask. Every job is given that of its own.
.TP
\fBNO_COLOR\fR
If it is not empty, nothing is coloured.
.TP
\fBCOLUMNS\fR
The width of the terminal, instead of its own word.
.SH FILES
.TP
\fI/var/run/containerpilot.socket\fR
The control socket, unless the configuration says otherwise.
";

/// The page.
pub(super) fn page(program: &Command) -> String {
    let mut program = program.clone();
    program.build();
    let mut page = format!(".TH CONTAINERPILOT 1 \"\" \"containerpilot {}\"\n{BEFORE}", env!("CARGO_PKG_VERSION"));
    for verb in program.get_subcommands_mut() {
        if verb.has_subcommands() {
            verb.get_subcommands_mut().for_each(|below| section(&mut page, below));
        } else {
            section(&mut page, verb);
        }
    }
    page + BEHIND
}

/// One command: how it is written, what it does, its flags, its example. Writing to a text can't fail.
fn section(page: &mut String, verb: &mut Command) {
    let usage = verb.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: containerpilot ").unwrap_or(&usage);
    let _ = writeln!(page, ".SS {}\n{}.", escaped(usage), escaped(&about(verb)));
    for option in options(verb) {
        let names: Vec<String> = names(option).iter().map(|name| format!("\\fB{}\\fR", escaped(name))).collect();
        let value = value_name(option).map(|value| format!(" \\fI{}\\fR", escaped(value))).unwrap_or_default();
        // A switch is off where it is not given.
        let default = option
            .get_default_values()
            .first()
            .filter(|_| option.get_action().takes_values())
            .map(|value| format!(" (default {})", value.display()));
        let says = help(option) + &default.unwrap_or_default();
        let _ = writeln!(page, ".TP\n{}{value}\n{}.", names.join(", "), escaped(&says));
    }
    let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some((_, examples)) = after.split_once(":\n") {
        let _ = writeln!(page, ".PP\nExample:\n.PP\n.nf\n{}\n.fi", escaped(examples));
    }
}

/// A text as roff shows it unchanged.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins with one of these is a request.
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
