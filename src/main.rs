//! The binary, as far as it is: the command line is read, nothing is supervised yet (see `docs/status.md`).

use std::io::Write;
use std::process::ExitCode;

use containerpilot::cli::{self, Command, UsageError};
use containerpilot::exit::Exit;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let (text, exit) = match cli::parse("containerpilot", &words) {
        Ok(Command::Version) => {
            let text = format!("Version: {}\nGitHash: \n", env!("CARGO_PKG_VERSION"));
            let written = std::io::stdout().lock().write_all(text.as_bytes());
            return ExitCode::from(u8::from(if written.is_ok() { Exit::Success } else { Exit::Failure }));
        }
        Ok(Command::Help(text)) => (text, Exit::Success),
        Err(UsageError(text)) => (text, Exit::Usage),
        Ok(_) => ("containerpilot: this build can't load a configuration yet\n".to_owned(), Exit::Internal),
    };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    ExitCode::from(u8::from(exit))
}
