//! Rows 15 and 16: `docker run -it`, where we lead the session of a terminal and our jobs are in its background.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::signals::config;
use crate::support::{DEADLINE, Pilot, Signal, process, wait, wait_until};

/// The other side of a terminal: the person, or docker.
struct Terminal {
    master: File,
    seen: RefCell<Vec<u8>>,
}

impl Terminal {
    /// A new terminal, and what leads into it for the program.
    fn new() -> (Self, File) {
        // Closed by exec: processes of other tests must not keep it open.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name).unwrap();
        (Self { master: OwnedFd::from(master).into(), seen: RefCell::default() }, slave)
    }

    fn types(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }

    /// What the terminal shows so far.
    fn text(&self) -> String {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = (&self.master).read(&mut buffer) {
            self.seen.borrow_mut().extend_from_slice(buffer.get(..n).unwrap());
        }
        String::from_utf8_lossy(&self.seen.borrow()).into_owned()
    }

    #[track_caller]
    fn wait(&self, text: &str) {
        wait_until(DEADLINE, || self.text().contains(text), &format!("{text:?} on the terminal"));
    }
}

/// The program with a terminal as `docker run -it` gives it.
fn on_a_terminal(text: &str) -> (Pilot, Terminal) {
    let (terminal, slave) = Terminal::new();
    let launch = config(text).stdin(slave.try_clone().unwrap()).stdout(slave).controlling_terminal();
    (launch.start(), terminal)
}

fn state(pid: i32) -> Option<char> {
    process::look(pid).map(|process| process.state)
}

#[test]
fn f15_ctrl_c_stops_everything_in_order_and_reaches_no_job() {
    let (mut pilot, terminal) = on_a_terminal(
        r#"{ consul: false, jobs: [
            { name: "job", exec: ["perl", "polite.pl", "up", "term"] },
            { name: "after", exec: ["sh", "-c", "echo after >> $LOG"], when: { source: "job", once: "stopped" } },
        ] }"#,
    );
    pilot.wait_log("up");
    terminal.types(b"\x03");
    terminal.wait("stopping on SIGINT");
    assert_eq!(pilot.wait_exit(), 0);
    assert_eq!(pilot.log(), ["up", "term", "after"]);
    pilot.finish();
}

#[test]
fn f15_ctrl_z_and_ctrl_backslash_neither_stop_nor_end_us() {
    let (pilot, terminal) = on_a_terminal(
        r#"{ consul: false, jobs: [
            { name: "job", exec: ["sh", "-c", "while :; do echo tick >> $LOG; sleep .05; done"] },
        ] }"#,
    );
    pilot.wait_log("tick");
    let job = pilot.wait_process("while :").pid;
    terminal.types(b"\x1a\x1c");
    let ticks = pilot.logged("tick");
    pilot.wait_logged("tick", ticks + 10);
    assert!(!matches!(state(pilot.pid), Some('t' | 'T')));
    assert_eq!(pilot.wait_process("while :").pid, job);
    terminal.types(b"\x03");
    terminal.wait("stopping on SIGINT");
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/process/clone.rs:
//- let mut moves = [(descriptors.input.as_raw_fd(), 0), (-1, 1), (-1, 2)];
//+ let mut moves = [(-1, 0), (-1, 1), (-1, 2)];
#[test]
fn f15_a_job_has_nothing_to_read_on_its_standard_input() {
    let (mut pilot, _terminal) = on_a_terminal(
        r#"{ consul: false, jobs: [
            { name: "job", exec: ["sh", "-c", "readlink /proc/self/fd/0 >> $LOG; cat >> $LOG; echo end >> $LOG"] },
            { name: "raw", exec: ["sh", "-c", "exec readlink /proc/self/fd/0 >> $LOG"], logging: { raw: true },
              when: { source: "job", once: "exitSuccess" } },
        ] }"#,
    );
    assert_eq!(pilot.wait_exit(), 0);
    assert_eq!(pilot.log(), ["/dev/null", "end", "/dev/null"]);
    pilot.finish();
}

#[test]
fn f15_a_job_that_reads_the_terminal_is_stopped_by_it_and_that_is_told() {
    let (mut pilot, terminal) = on_a_terminal(
        r#"{ consul: false, stopTimeout: 300, jobs: [
            { name: "reader", exec: ["sh", "-c", "echo up >> $LOG; read word < /dev/tty"] },
            { name: "writer", exec: ["sh", "-c", "stty tostop < /dev/tty; echo hello"], logging: { raw: true } },
        ] }"#,
    );
    terminal.wait("reader (pid ");
    terminal.wait("was stopped by SIGTTIN and does not run on by itself");
    // `stty` may not change the terminal from the background either.
    terminal.wait("writer (pid ");
    terminal.wait("was stopped by SIGTTOU and does not run on by itself");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "both can be ended: {took:?}");
    pilot.finish();
}

#[test]
fn f15_in_the_background_of_the_terminal_we_still_write_and_listen() {
    let (pilot, terminal) = on_a_terminal(
        r#"{ consul: false, jobs: [
            { name: "greedy", exec: ["perl", "-e", "use POSIX; $SIG{TTOU} = 'IGNORE'; open T, '+<', '/dev/tty' or die; \
                tcsetpgrp(fileno T, getpgrp) or die; system 'stty tostop < /dev/tty; echo taken >> $LOG'; sleep 1000"] },
            { name: "talker", when: { source: "SIGHUP" }, exec: ["echo", "still here"] },
        ] }"#,
    );
    pilot.wait_log("taken");
    for heard in 1..=3 {
        pilot.signal(Signal::SIGHUP);
        wait_until(DEADLINE, || terminal.text().matches("still here").count() == heard, "its line is on the terminal");
    }
    assert!(!matches!(state(pilot.pid), Some('t' | 'T')));
    // Ctrl-C is for the one in the foreground now.
    let greedy = pilot.wait_process("perl -e");
    terminal.types(b"\x03");
    wait_until(DEADLINE, || pilot.processes().iter().all(|p| p.pid != greedy.pid), "Ctrl-C ends the greedy one");
    assert!(state(pilot.pid).is_some());
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/log/output.rs:
//- Err(why) => return Err((done, why)),
//+ Err(_) => {}
#[test]
fn f16_a_terminal_that_hangs_up_is_not_our_end() {
    let (pilot, terminal) = on_a_terminal(
        r#"{ consul: false, jobs: [
            { name: "job", exec: ["sh", "-c", "while :; do echo a line; echo tick >> $LOG; sleep .02; done"] },
            { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >> $LOG"] },
        ] }"#,
    );
    pilot.wait_log("tick");
    terminal.wait("a line");
    let memory = || process::memory_kib(pilot.pid, "Anonymous").unwrap();
    let before = memory();
    drop(terminal);
    pilot.wait_log("hup");
    // Nobody takes its lines any more, and it goes on: the job isn't held up either.
    let ticks = pilot.logged("tick");
    pilot.wait_logged("tick", ticks + 50);
    let used = pilot.cpu_time();
    wait::holds_for(Duration::from_millis(500), || state(pilot.pid).is_some(), "it lives");
    let used = pilot.cpu_time().saturating_sub(used);
    assert!(used < Duration::from_millis(150), "it does not spin: {used:?} in 500 ms");
    // On a busy machine a spinning thread gets no more than that either, but it never sleeps.
    let threads = std::fs::read_dir(format!("/proc/{}/task", pilot.pid)).unwrap();
    let mut awake: Vec<i32> =
        threads.map(|thread| thread.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    let all_sleep = || {
        awake.retain(|thread| state(*thread) != Some('S'));
        awake.is_empty()
    };
    wait_until(DEADLINE, all_sleep, "each of its threads sleeps now and then");
    assert!(memory() < before + 1024, "lost lines are not kept");
    assert_eq!(pilot.logged("hup"), 1);
    assert_eq!(pilot.finish(), 0);
}
