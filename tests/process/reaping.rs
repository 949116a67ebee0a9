//! Deaths, groups, orphans.

use std::time::Duration;

use containerpilot::core::{ChildId, ExitStatus};
use containerpilot::plan::Signal;
use containerpilot::process::{Children, terminate_all_now};
use nix::sys::signal::{Signal as Kernel, kill};
use nix::unistd::Pid;

use crate::isolated::{Loop, as_pid_one, by_lines, command, descriptors, env, isolated, keep, shell, status_field};

fn number(signal: i32) -> Signal {
    Signal::from_number(signal).unwrap()
}

#[test]
fn the_end_of_a_child_is_told_as_it_was() {
    isolated(|| {
        let mut room = Loop::new();
        for code in [0, 1, 10, 255] {
            assert_eq!(room.run(&shell(&format!("exit {code}")), &env()).0, ExitStatus::Code(code));
        }
        // The real-time signals too, which have no name.
        for signal in [9, 15, 13, 6, libc::SIGRTMIN(), 64] {
            let (status, _) = room.run(&shell(&format!("kill -{signal} $$")), &env());
            assert_eq!(status, ExitStatus::Signal(number(signal)));
        }
        assert_eq!(room.reaped.deaths.len(), 10);
        assert!(room.reaped.deaths.iter().all(|death| !death.left_behind));
    });
}

#[test]
fn a_signal_reaches_the_whole_group_and_only_while_it_is_unreaped() {
    isolated(|| {
        let mut room = Loop::new();
        let script = "(trap 'echo inner; exit' USR1; echo up; while :; do sleep .01; done) & \
                      trap 'wait; echo outer; exit' USR1; echo up; while :; do sleep .01; done";
        let id = room.spawn(&shell(script));
        room.until("both are up", |room| room.text(id) == "up\nup\n");
        assert!(room.children.pid(id).is_some());
        assert!(room.children.signal(id, Signal::USR1));
        room.death(id);
        room.until("drained", |room| room.outputs.drained(id));
        // The shell has something to say of a `sleep` that got the signal, too.
        let text = room.text(id);
        assert!(text.contains("inner\n") && text.contains("outer\n"), "{text}");
        assert!(!room.children.signal(id, Signal::USR1));
        assert_eq!(room.children.pid(id), None);
        assert!(!room.children.signal(ChildId(99), Signal::KILL));
    });
}

#[test]
fn a_group_is_signalled_while_its_leader_is_an_unreaped_zombie() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("(trap 'echo got; exit' USR2; echo up; while :; do sleep .01; done) & sleep .05"));
        let pid = room.children.pid(id).unwrap();
        // Not reaped: only the output is looked at.
        while status_field(pid, "State") != "Z (zombie)" || room.text(id) != "up\n" {
            let lines = &mut room.lines;
            room.outputs.pump_child(id, 1 << 16, &mut by_lines(|id, line| keep(lines, id, line)));
        }
        assert!(room.children.signal(id, Signal::USR2));
        while !room.text(id).contains("got") {
            let lines = &mut room.lines;
            room.outputs.pump_child(id, 1 << 16, &mut by_lines(|id, line| keep(lines, id, line)));
        }
        room.death(id);
    });
}

#[test]
fn stragglers_get_term_and_cont_or_kill_if_the_group_was_killed() {
    isolated(|| {
        let mut room = Loop::new();
        // Stopped, and still able to die of TERM because of CONT.
        let script = "(trap 'echo term; exit' TERM; echo up; kill -STOP $(exec sh -c 'echo $PPID')) & \
                      until [ \"$(cut -d ' ' -f 3 /proc/$!/stat)\" = T ]; do :; done; exit 3";
        let id = room.spawn(&shell(script));
        let death = room.death(id);
        assert_eq!((death.status, death.left_behind), (ExitStatus::Code(3), true));
        room.until("drained", |room| room.outputs.drained(id));
        assert_eq!(room.text(id), "up\nterm\n");
        // A group that is killed, whose members ignore TERM.
        let id = room.spawn(&shell("trap '' TERM; (sleep 99) & echo up; while :; do sleep .01; done"));
        room.until("up", |room| room.text(id) == "up\n");
        assert!(room.children.signal(id, Signal::KILL));
        assert_eq!(room.death(id).status, ExitStatus::Signal(Signal::KILL));
        room.until("drained", |room| room.outputs.drained(id));
        room.until("nothing is left", |room| !room.children.any_left());
    });
}

#[test]
fn f05_how_many_were_left_behind_can_be_counted() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("trap '' TERM; sleep 99 & sleep 99 & exit 0"));
        let death = room.death(id);
        assert!(death.left_behind);
        assert_eq!(Children::count_group(death.pid), Some(2));
        // They are ours now, and in a group that we no longer know.
        room.children.sweep(Signal::KILL);
        room.until("nothing is left", |room| !room.children.any_left());
        assert_eq!(room.reaped.orphans.len(), 2);
        assert_eq!(Children::count_group(death.pid), Some(0));
    });
}

#[test]
fn f33_a_child_that_left_its_group_is_signalled_itself() {
    isolated(|| {
        let mut room = Loop::new();
        // Joins the group of a child of its own, in the same session.
        let script = "$p = fork // die; if (!$p) { setpgrp; sleep 99; exit } \
                      select(undef,undef,undef,.01) until setpgrp(0, $p); $| = 1; print getpgrp == $p ? qq(away\\n) : qq(no\\n); sleep 99";
        let id = room.spawn(&command("perl", &["-e", script]));
        room.until("it is away", |room| room.text(id) == "away\n");
        assert!(room.children.signal(id, Signal::TERM));
        assert_eq!(room.death(id).status, ExitStatus::Signal(Signal::TERM));
        room.children.sweep(Signal::KILL);
        room.until("nothing is left", |room| !room.children.any_left());
    });
}

/// Spawns `total` children that end at once, with their index as status, some tens at a time.
fn churn(room: &mut Loop, total: u64) {
    let raw = |code: u64| {
        let mut spec = shell(&format!("exit {code}"));
        spec.raw = true;
        spec
    };
    let (mut started, mut ended) = (0, 0);
    let mut expected = std::collections::BTreeMap::new();
    while ended < total {
        while started < total && expected.len() < 40 {
            expected.insert(room.spawn(&raw(started % 256)), ExitStatus::Code(i32::try_from(started % 256).unwrap()));
            started += 1;
        }
        room.turn(Duration::from_secs(5));
        for death in std::mem::take(&mut room.reaped.deaths) {
            assert_eq!(expected.remove(&death.id), Some(death.status));
            ended += 1;
        }
    }
    assert!(expected.is_empty());
    assert_eq!(room.children.count(), 0);
}

#[test]
fn f03_f06_f07_no_exit_of_many_is_lost_or_mistaken() {
    // Row 6 asks for 100 000: CP_SPAWNS=100000.
    let total = std::env::var("CP_SPAWNS").map_or(20_000, |text| text.parse().unwrap());
    isolated(|| {
        let mut room = Loop::new();
        let before = descriptors();
        churn(&mut room, total);
        assert!(!room.children.any_left());
        assert!(room.reaped.orphans.is_empty());
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn f02_two_hundred_deaths_at_once_are_all_told() {
    isolated(|| {
        let mut room = Loop::new();
        let ids: Vec<_> = (0..200).map(|_| room.spawn(&command("sleep", &["99"]))).collect();
        for id in &ids {
            assert!(room.children.signal(*id, Signal::TERM));
        }
        room.until("all are dead", |room| room.reaped.deaths.len() == 200);
        room.until("all output has ended", |room| ids.iter().all(|id| room.outputs.drained(*id)));
        assert!(room.reaped.deaths.iter().all(|death| death.status == ExitStatus::Signal(Signal::TERM)));
        assert!(!room.children.any_left());
    });
}

#[test]
fn f04_orphans_are_adopted_reaped_and_never_taken_for_a_child() {
    isolated(|| {
        let mut room = Loop::new();
        let many = "for i in $(seq 300); do (setsid sh -c 'sleep .05; exit 7' &) ; done; exit 5";
        let id = room.spawn(&shell(many));
        assert_eq!(room.death(id).status, ExitStatus::Code(5));
        room.until("all orphans are reaped", |room| !room.children.any_left());
        // `setsid` forks only where it leads a group, which it doesn't here.
        assert!(room.reaped.orphans.len() >= 300, "{}", room.reaped.orphans.len());
        assert_eq!(room.reaped.deaths.len(), 1);
    });
}

#[test]
fn f10_an_inherited_ignored_sigchld_loses_no_status() {
    isolated(|| {
        #[expect(unsafe_code, reason = "sets no handler")]
        // SAFETY: no code of ours runs for an ignored signal.
        unsafe { nix::sys::signal::signal(Kernel::SIGCHLD, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
        containerpilot::process::block_all().unwrap();
        let mut room = Loop::new();
        assert_eq!(room.run(&shell("exit 9"), &env()).0, ExitStatus::Code(9));
    });
}

#[test]
fn f09_f15_a_stopped_child_is_told_once_and_can_still_be_ended() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&command("sleep", &["99"]));
        let pid = room.children.pid(id).unwrap();
        for round in 1..=2 {
            kill(Pid::from_raw(pid), Kernel::SIGTTIN).unwrap();
            room.until("its stop is told", |room| room.reaped.stops.len() == round);
            room.reap();
            assert_eq!(room.reaped.stops.len(), round, "once");
            assert_eq!((room.reaped.stops[0].id, room.reaped.stops[0].signal), (id, number(libc::SIGTTIN)));
            assert!(room.children.signal(id, Signal::CONT));
            room.turn(Duration::from_millis(20));
        }
        // Row 17: TERM waits until CONT.
        kill(Pid::from_raw(pid), Kernel::SIGSTOP).unwrap();
        room.until("it is stopped", |room| room.reaped.stops.len() == 3);
        assert!(room.children.signal(id, Signal::TERM));
        assert!(room.reaped.deaths.is_empty());
        assert!(room.children.signal(id, Signal::CONT));
        assert_eq!(room.death(id).status, ExitStatus::Signal(Signal::TERM));
    });
}

#[test]
fn f19_as_pid_one_everything_is_ended_wherever_it_hides() {
    as_pid_one(|| {
        let mut room = Loop::new();
        let id =
            room.spawn(&shell("trap '' TERM; setsid sh -c 'echo up; sleep 99; sleep 99' & setsid sleep 99 & exit 0"));
        room.death(id);
        room.until("up", |room| room.text(id) == "up\n");
        room.children.sweep(Signal::TERM);
        room.turn(Duration::from_millis(50));
        assert!(room.children.any_left(), "they ignore TERM");
        room.children.sweep(Signal::KILL);
        room.until("nothing is left", |room| !room.children.any_left());
        assert!(room.reaped.orphans.len() >= 2);
    });
}

#[test]
fn f19_f21_without_pid_one_only_what_is_ours_is_ended() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("setsid sh -c 'sleep 99; sleep 99' & setsid sleep 99 & exit 0"));
        room.death(id);
        let running = room.spawn(&shell("trap '' TERM; echo up; sleep 99; sleep 99"));
        room.until("up", |room| room.text(running) == "up\n");
        // Neither the harness nor anybody else.
        let parent = nix::unistd::getppid();
        room.children.sweep(Signal::KILL);
        // What hung below the shell is ours when that is dead.
        assert_eq!(room.death(running).status, ExitStatus::Signal(Signal::KILL));
        room.children.sweep(Signal::KILL);
        room.until("nothing is left", |room| !room.children.any_left());
        assert!(kill(parent, None).is_ok());
    });
}

#[test]
fn f22_a_panic_can_still_terminate_all_groups() {
    isolated(|| {
        let mut room = Loop::new();
        let ids: Vec<_> = (0..3).map(|_| room.spawn(&shell("sleep 99 & wait"))).collect();
        terminate_all_now();
        for id in ids {
            assert_eq!(room.death(id).status, ExitStatus::Signal(Signal::TERM));
        }
        room.until("nothing is left", |room| !room.children.any_left());
    });
}

#[test]
fn an_id_is_for_one_child_at_a_time() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&command("sleep", &["99"]));
        assert!(room.children.spawn(id, &command("true", &[]), &env()).is_err());
        room.children.signal(id, Signal::KILL);
        room.death(id);
    });
}
