//! A process for a test alone, and what the tests have in common.

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use containerpilot::block::Block;
use containerpilot::core::{ChildId, ExitStatus};
use containerpilot::env::Environment;
use containerpilot::plan::{CommandSpec, Signal};
use containerpilot::process::{
    Children, Death, Outputs, Reaped, Received, Signals, SpawnError, Spawned, Stream, block_all, own_pid,
};
use nix::sys::signal::{Signal as Kernel, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid};

/// A test that runs longer hangs.
const DEADLINE: Duration = Duration::from_mins(4);

/// Runs a test in a process of its own, the signals blocked as in `main`.
pub fn isolated(test: impl FnOnce()) {
    run(test, false);
}

/// Runs a test as PID 1 of a namespace of its own. Fails where that isn't allowed: run the tests as root.
pub fn as_pid_one(test: impl FnOnce()) {
    run(test, true);
}

fn run(test: impl FnOnce(), pid_one: bool) {
    let outer = fork(|| {
        if pid_one {
            let made = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID);
            assert_eq!(made, Ok(()), "no right to make a pid namespace: run the tests as root");
            // The first child of ours is PID 1 there, and everything in there dies with it.
            let inner = fork(|| {
                assert_eq!(own_pid(), 1);
                block_all().unwrap();
                test();
            });
            assert_eq!(wait(inner), Some(WaitStatus::Exited(inner, 0)));
        } else {
            block_all().unwrap();
            test();
        }
    });
    assert_eq!(wait(outer), Some(WaitStatus::Exited(outer, 0)), "the test failed in its process, see above");
}

fn fork(body: impl FnOnce()) -> Pid {
    #[expect(unsafe_code, reason = "a test's process; glibc keeps malloc usable after the fork of a threaded process")]
    // SAFETY: the child has only this thread; what other threads of the harness hold locked is not used in it.
    match unsafe { nix::unistd::fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            // The harness's capturing of output is lost with the process.
            std::panic::set_hook(Box::new(|info| {
                let _ = writeln!(std::io::stderr(), "{info}");
            }));
            let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
            #[expect(unsafe_code, reason = "exit handlers belong to the harness")]
            // SAFETY: ends the process.
            unsafe {
                libc::_exit(code)
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the parent of a test isn't the program")]
fn wait(pid: Pid) -> Option<WaitStatus> {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        match nix::sys::wait::waitpid(pid, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive => std::thread::sleep(Duration::from_millis(2)),
            status => return Some(status),
        }
    }
    kill(pid, Kernel::SIGKILL).unwrap();
    let _ = nix::sys::wait::waitpid(pid, None);
    None
}

/// `program` with `args`, its output to be read.
pub fn command(program: &str, args: &[&str]) -> CommandSpec {
    CommandSpec {
        name: "test".into(),
        program: program.into(),
        args: args.iter().map(|arg| (*arg).into()).collect(),
        timeout: None,
        raw: false,
        pid_variable: "CONTAINERPILOT_TEST_PID".into(),
    }
}

/// A script for the shell, its output to be read.
pub fn shell(script: &str) -> CommandSpec {
    command("sh", &["-c", script])
}

/// An environment with nothing but a PATH.
pub fn env() -> Environment {
    [("PATH", "/usr/local/bin:/usr/bin:/bin")].into_iter().collect()
}

/// The room as the driver uses it: a loop on a current-thread runtime.
pub struct Loop {
    pub children: Children,
    pub outputs: Outputs,
    pub signals: Signals,
    pub runtime: std::rc::Rc<tokio::runtime::Runtime>,
    /// Lines in order of delivery.
    pub lines: Vec<(ChildId, Vec<u8>, bool)>,
    pub reaped: Reaped,
    pub others: Vec<Signal>,
    next: u64,
}

impl Loop {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let entered = runtime.enter();
        let (children, outputs, signals) =
            (Children::new().unwrap(), Outputs::new().unwrap(), Signals::listen().unwrap());
        children.adopts_orphans().unwrap();
        drop(entered);
        let (lines, reaped, others) = (Vec::new(), Reaped::default(), Vec::new());
        Self { children, outputs, signals, runtime: runtime.into(), lines, reaped, others, next: 1 }
    }

    pub fn try_spawn(&mut self, command: &CommandSpec, env: &Environment) -> Result<(ChildId, i32), SpawnError> {
        let id = ChildId(self.next);
        self.next += 1;
        let Spawned { pid, outputs } = self.children.spawn(id, command, env)?;
        for pipe in outputs {
            self.outputs.add(id, pipe).unwrap();
        }
        Ok((id, pid))
    }

    pub fn spawn(&mut self, command: &CommandSpec) -> ChildId {
        self.try_spawn(command, &env()).unwrap().0
    }

    /// Turns until the condition holds.
    #[expect(clippy::disallowed_methods, reason = "a test's deadline")]
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_mins(1);
        while !condition(self) {
            assert!(Instant::now() < end, "waited in vain until {what}");
            self.turn(Duration::from_millis(20));
        }
    }

    /// One wake-up, or the pause.
    pub fn turn(&mut self, pause: Duration) {
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            tokio::select! {
                received = self.signals.next() => match received {
                    Received::Child => self.reap(),
                    Received::Other(signal) => self.others.push(signal),
                },
                ready = self.outputs.ready() => {
                    ready.unwrap();
                    let lines = &mut self.lines;
                    self.outputs.pump(1 << 20, &mut by_lines(|id, line| keep(lines, id, line)));
                }
                () = tokio::time::sleep(pause) => {}
            }
        });
    }

    pub fn reap(&mut self) {
        let more = self.children.reap();
        self.reaped.deaths.extend(more.deaths);
        self.reaped.stops.extend(more.stops);
        self.reaped.orphans.extend(more.orphans);
    }

    pub fn death(&mut self, id: ChildId) -> Death {
        let find = move |this: &Self| this.reaped.deaths.iter().find(|death| death.id == id).copied();
        self.until("it is dead", |this| find(this).is_some());
        find(self).unwrap()
    }

    /// Runs a command to its end; gives its status and output.
    pub fn run(&mut self, command: &CommandSpec, env: &Environment) -> (ExitStatus, String) {
        let id = self.try_spawn(command, env).unwrap().0;
        let status = self.death(id).status;
        self.until("its output has ended", |this| this.outputs.drained(id));
        (status, self.text(id))
    }

    /// The lines of one child so far.
    pub fn text(&self, id: ChildId) -> String {
        let lines = self.lines.iter().filter(|(owner, ..)| *owner == id);
        lines.map(|(_, bytes, _)| String::from_utf8(bytes.clone()).unwrap() + "\n").collect()
    }
}

/// A line, or a piece of one that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub bytes: &'a [u8],
    pub cut: bool,
    pub stream: Stream,
}

/// Whether a line was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Taken,
    Full,
}

/// A sink of lines, one after the other: what is not taken comes again.
pub fn by_lines(mut take: impl FnMut(ChildId, Line<'_>) -> Flow) -> impl FnMut(ChildId, Stream, Block<'_>) -> usize {
    move |id, stream, block| {
        let mut taken = 0;
        for (bytes, end) in block.lines() {
            if take(id, Line { bytes, cut: block.is_cut(), stream }) == Flow::Full {
                break;
            }
            taken = end;
        }
        taken
    }
}

pub fn keep(lines: &mut Vec<(ChildId, Vec<u8>, bool)>, id: ChildId, line: Line<'_>) -> Flow {
    lines.push((id, line.bytes.to_vec(), line.cut));
    Flow::Taken
}

/// The numbers of our open descriptors.
pub fn descriptors() -> Vec<i32> {
    open_descriptors().into_keys().collect()
}

/// Our open descriptors, and what each is.
pub fn open_descriptors() -> BTreeMap<i32, String> {
    let listed = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers: Vec<i32> =
        listed.filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().ok()).collect();
    // The one that this function opened is gone by now.
    let target = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
    let open = numbers.into_iter().filter_map(|number| Some((number, target(number)?)));
    open.map(|(number, target)| (number, target.to_string_lossy().into_owned())).collect()
}

/// The value of a field of `/proc/PID/status`, empty when the process is gone.
pub fn status_field(pid: i32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}
