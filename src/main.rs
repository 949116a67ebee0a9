//! The binary: signals are blocked before anything else, then `app` does what is asked for.

use std::process::ExitCode;

use containerpilot::exit::Exit;
use containerpilot::{app, process};

fn main() -> ExitCode {
    process::share_one_heap();
    let exit = match process::block_all() {
        Ok(()) => app::run(std::env::args_os()),
        // The kernel refuses no mask that it knows.
        Err(_) => Exit::Internal,
    };
    ExitCode::from(u8::from(exit))
}
