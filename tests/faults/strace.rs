//! strace on PID 1, from outside: for a program started with [`Launch::untraced`](crate::support::Launch::untraced).

#![expect(clippy::disallowed_methods, reason = "a test waits for its own processes")]

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::support::{DEADLINE, Pilot, wait_until};

/// A running strace; it ends with the program.
pub struct Strace(Child);

impl Strace {
    /// Attaches it to all of the program, children to come included. What it writes about calls goes to the file
    /// `calls` in the test's directory.
    #[track_caller]
    pub fn attach(pilot: &Pilot, args: &[&str]) -> Self {
        let child = Command::new("strace")
            .args(["-f", "-e", "signal=none"])
            .args(args)
            .arg("-o")
            .arg(pilot.path("calls"))
            .args(["-p", &pilot.pid.to_string()])
            .stdin(Stdio::null())
            .stderr(File::create(pilot.path("strace")).unwrap())
            .spawn()
            .unwrap();
        let strace = Self(child);
        wait_until(DEADLINE, || pilot.read("strace").contains("attached"), "strace is attached");
        strace
    }

    /// Waits for its end, after that of the program: then the file is complete.
    pub fn finish(mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // Of a test that failed; else it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
