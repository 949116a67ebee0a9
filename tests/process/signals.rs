//! Signals to us.

use std::time::Duration;

use containerpilot::plan::Signal;
use containerpilot::process::own_pid;

use crate::isolated::{Loop, as_pid_one, isolated, status_field};

/// Sends us a signal by number.
fn send(signal: i32) {
    #[expect(unsafe_code, reason = "nix knows no real-time signals")]
    // SAFETY: takes two numbers.
    let result = unsafe { libc::kill(own_pid(), signal) };
    assert_eq!(result, 0);
}

#[test]
fn f01_a_signal_before_the_listener_is_delivered() {
    isolated(|| {
        send(libc::SIGTERM);
        send(libc::SIGHUP);
        let mut room = Loop::new();
        room.until("both came", |room| room.others.len() == 2);
        room.others.sort();
        assert_eq!(room.others, [Signal::HUP, Signal::TERM]);
    });
}

fn f13(room: &mut Loop) {
    let silent = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE, libc::SIGCHLD, 32, 33];
    let expected: Vec<i32> = (1..=64).filter(|signal| !silent.contains(signal)).collect();
    // One by one: CONT takes a pending TSTP away, and the other way round.
    for signal in expected {
        send(signal);
        room.until("it came", |room| !room.others.is_empty());
        assert_eq!(room.others.drain(..).map(Signal::number).collect::<Vec<_>>(), [signal]);
    }
    // Harmless, and not told.
    send(libc::SIGPIPE);
    room.turn(Duration::from_millis(20));
    assert!(room.others.is_empty());
}

#[test]
fn f13_every_signal_is_told_and_none_does_harm() {
    isolated(|| f13(&mut Loop::new()));
}

#[test]
fn f13_as_pid_one_too() {
    as_pid_one(|| {
        let mut room = Loop::new();
        f13(&mut room);
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGKILL, libc::SIGSTOP, 32, 33] {
            send(signal);
            send(signal);
        }
        f13(&mut room);
    });
}

#[test]
fn f14_a_storm_is_merged() {
    isolated(|| {
        let mut room = Loop::new();
        for _ in 0..100_000 {
            send(libc::SIGHUP);
        }
        room.turn(Duration::from_secs(1));
        room.turn(Duration::from_millis(20));
        assert_eq!(room.others, [Signal::HUP]);
    });
}

#[test]
fn a_broken_pipe_of_ours_is_an_error_and_no_signal() {
    isolated(|| {
        let mut room = Loop::new();
        let (read, write) = nix::unistd::pipe().unwrap();
        drop(read);
        assert_eq!(nix::unistd::write(&write, b"x"), Err(nix::errno::Errno::EPIPE));
        room.turn(Duration::from_millis(20));
        assert!(room.others.is_empty());
        assert_eq!(status_field(own_pid(), "SigPnd"), "0000000000000000");
    });
}
