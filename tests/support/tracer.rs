//! A thread that stops PID 1 at the very moment it exits, and looks who is left.
//!
//! When PID 1 of a namespace ends, the kernel kills everybody else in it: afterwards nothing can be seen, and a look
//! before is a race. A tracer that asks for `PTRACE_EVENT_EXIT` gets PID 1 stopped at the start of its exit, with all its
//! descriptors open and all other processes alive. Only PID 1's main thread is traced; its children are not. Each
//! signal to it takes the way through the tracer, some 20 µs longer.
//!
//! Raw calls, since nix has no word for real-time signals nor for `PTRACE_LISTEN`.

#![expect(unsafe_code, reason = "ptrace and wait with plain numbers; neither touches our memory but for one integer")]

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::errno::Errno;

use super::process::{self, Descriptor, Process};

/// What there was when PID 1 exited.
#[derive(Debug, Clone, Default)]
pub struct LastLook {
    /// Whether it could be stopped at its exit; a SIGKILL may leave no time, and then the lists are empty.
    pub stopped: bool,
    /// How it ended; `None` when the wait failed.
    pub status: Option<ExitStatus>,
    /// Everybody else in the namespace, zombies too.
    pub others: Vec<Process>,
    /// What PID 1 had open.
    pub descriptors: BTreeSet<Descriptor>,
}

/// Traces PID 1 until it is gone.
pub struct Tracer {
    thread: Option<JoinHandle<LastLook>>,
}

impl Tracer {
    /// Begins; PID 1 is traced when this returns.
    pub fn start(pid_one: i32) -> Self {
        let (ready, is_ready) = mpsc::sync_channel(1);
        // The kernel ties a tracee to one thread of its tracer, so all of it happens there.
        let thread = std::thread::spawn(move || {
            let seized = ptrace(libc::PTRACE_SEIZE, pid_one, libc::PTRACE_O_TRACEEXIT);
            let _ = ready.send(seized);
            if seized.is_ok() { trace(pid_one) } else { LastLook::default() }
        });
        let seized = is_ready.recv().expect("the tracer says how it went");
        seized.expect("PID 1 can be traced (the harness needs CAP_SYS_PTRACE)");
        Self { thread: Some(thread) }
    }

    /// What there was at the exit, for which it waits. `None` the second time.
    pub fn finish(&mut self) -> Option<LastLook> {
        Some(self.thread.take()?.join().expect("the tracer does not fail"))
    }
}

fn trace(pid_one: i32) -> LastLook {
    let mut look = LastLook::default();
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes the status into a local integer.
        let waited = Errno::result(unsafe { libc::waitpid(pid_one, &raw mut status, libc::__WALL) });
        match waited {
            Err(Errno::EINTR) => continue,
            Err(_) => return look,
            Ok(_) if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) => {
                return LastLook { status: Some(ExitStatus::from_raw(status)), ..look };
            }
            Ok(_) => {}
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let gone_on = match event {
            libc::PTRACE_EVENT_EXIT => {
                let name = process::namespace(pid_one).unwrap_or_default();
                let others = process::in_namespace(&name).into_iter().filter(|p| p.pid != pid_one).collect();
                look = LastLook { stopped: true, status: None, others, descriptors: process::descriptors(pid_one) };
                ptrace(libc::PTRACE_CONT, pid_one, 0)
            }
            // A stop like SIGSTOP's: it stays stopped until SIGCONT, as without a tracer.
            libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => ptrace(libc::PTRACE_LISTEN, pid_one, 0),
            libc::PTRACE_EVENT_STOP => ptrace(libc::PTRACE_CONT, pid_one, 0),
            // A signal on its way: pass it on.
            _ => ptrace(libc::PTRACE_CONT, pid_one, signal),
        };
        // It may have been killed in the meantime; then the next wait says so.
        let _ = gone_on;
    }
}

/// One request without an address.
fn ptrace(request: libc::c_uint, pid: i32, data: libc::c_int) -> Result<(), Errno> {
    let data = libc::c_long::from(data);
    // SAFETY: none of the requests above reads or writes memory of ours.
    Errno::result(unsafe { libc::ptrace(request, pid, std::ptr::null_mut::<libc::c_void>(), data) }).map(drop)
}
