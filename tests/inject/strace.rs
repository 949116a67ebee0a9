//! strace on threads of PID 1, which lets their system calls fail.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::support::{DEADLINE, Pilot, wait_until};

/// Holds an exit longer than any test waits.
pub const HELD: &str = "inject=exit_group:delay_enter=600s";

/// A running strace; dropped, it lets go of everybody.
pub struct Strace(Child);

impl Strace {
    /// Attaches it to these threads. What it writes about calls goes to the file `name` in the test's directory, and what
    /// it says to `name.said`.
    #[track_caller]
    pub fn attach(pilot: &Pilot, name: &str, args: &[&str], threads: &[i32]) -> Self {
        let said = format!("{name}.said");
        let child = Command::new("strace")
            .args(["-e", "signal=none"])
            .args(args)
            .arg("-o")
            .arg(pilot.path(name))
            .args(threads.iter().map(|thread| format!("-p{thread}")))
            .stdin(Stdio::null())
            .stderr(File::create(pilot.path(&said)).unwrap())
            .spawn()
            .unwrap();
        let strace = Self(child);
        let attached = || pilot.read(&said).matches(" attached").count() >= threads.len();
        wait_until(DEADLINE, attached, "strace is attached");
        strace
    }

    /// Lets a call fail at its n-th time in one thread. In the main thread it also holds the exit.
    #[track_caller]
    pub fn inject(pilot: &Pilot, thread: i32, call: &str, how: &str) -> Self {
        let (trace, inject) = (format!("trace={call},exit_group"), format!("inject={call}:{how}"));
        Self::attach(pilot, "calls", &["-e", &trace, "-e", &inject, "-e", HELD], &[thread])
    }

    /// Holds the main thread where it exits.
    #[track_caller]
    pub fn hold_exit(pilot: &Pilot) -> Self {
        Self::attach(pilot, "exit", &["-e", "trace=exit_group", "-e", HELD], &[pilot.pid])
    }

    /// Lets go at once, whatever is held: the kernel does it when a tracer dies.
    pub fn let_go(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may be gone already, with whom it traced.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread of PID 1 that has this name, as the test sees it.
#[track_caller]
pub fn thread(pilot: &Pilot, name: &str) -> i32 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pilot.pid)).unwrap();
    let is_it =
        |task: &std::path::Path| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let found = tasks.flatten().map(|task| task.path()).find(|task| is_it(task));
    found.unwrap_or_else(|| panic!("no thread {name}")).file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// Whether a process is held where it exits: everything else in the namespace of PID 1 is still as it was.
pub fn is_at_its_exit(pid: i32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.split(' ').next() == Some(&libc::SYS_exit_group.to_string())
}
