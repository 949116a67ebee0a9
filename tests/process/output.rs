//! Output of real children.

use std::time::{Duration, Instant};

use containerpilot::plan::Signal;
use containerpilot::process::{LONGEST, Released, Stream, own_pid};

use crate::isolated::{Flow, Loop, by_lines, command, descriptors, env, isolated, keep, shell, status_field};

/// Our memory that is no file's, in KiB. Not "private dirty": the harness that we were forked from shares pages with us, and
/// those become private whenever it writes to them.
fn memory() -> usize {
    status_field(own_pid(), "RssAnon").split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn f80_bytes_are_kept_and_the_last_partial_line_is_flushed() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("printf '\\377\\000\\033[1mx\\r\\n\\nlast'"));
        room.until("drained", |room| room.outputs.drained(id));
        let lines: Vec<&[u8]> = room.lines.iter().map(|(_, bytes, _)| bytes.as_slice()).collect();
        assert_eq!(lines, [&b"\xff\0\x1b[1mx"[..], b"", b"last"]);
        room.death(id);
    });
}

#[test]
fn an_end_that_came_with_the_last_line_is_not_overslept() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("echo last"));
        // Before anybody looks: nothing is to come that would wake us once more.
        while room.reaped.deaths.is_empty() {
            room.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
            room.reap();
        }
        room.until("drained", |room| room.outputs.drained(id));
        assert_eq!(room.text(id), "last\n");
    });
}

#[test]
fn a_read_that_gives_little_is_not_taken_for_all_there_is() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let written = dir.path().join("written");
        let mut room = Loop::new();
        // Of a pipe like this each read gives one write.
        let direct = "printf 'one\\ntwo\\n' | dd bs=4 oflag=direct 2>/dev/null";
        let id = room.spawn(&shell(&format!("{direct}; : > {}; exec sleep 1000", written.display())));
        // Nothing is written afterwards.
        while !written.exists() {
            room.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        }
        room.until("both lines are there", |room| room.text(id) == "one\ntwo\n");
        assert!(room.children.signal(id, Signal::KILL));
        room.death(id);
    });
}

// Seen red with src/process/output.rs:
//- let mut is_trickle = count < wanted;
//+ let mut is_trickle = true;
#[test]
fn many_that_say_little_are_all_read_at_once() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut room = Loop::new();
        let script = |n: usize| format!("echo {n}; : > {}; exec sleep 1000", dir.path().join(n.to_string()).display());
        let ids: Vec<_> = (0..40).map(|n| room.spawn(&shell(&script(n)))).collect();
        while std::fs::read_dir(dir.path()).unwrap().count() < ids.len() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let runtime = room.runtime.clone();
        runtime.block_on(room.outputs.ready()).unwrap();
        let mut lines = 0;
        let pumped = room.outputs.pump(
            64 * 1024,
            &mut by_lines(|_, _| {
                lines += 1;
                Flow::Taken
            }),
        );
        assert_eq!((lines, pumped.more), (ids.len(), false));
        for id in ids {
            assert!(room.children.signal(id, Signal::KILL));
            room.death(id);
        }
    });
}

#[test]
fn both_streams_are_told_apart() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&shell("echo out; echo err >&2"));
        room.death(id);
        let mut got = Vec::new();
        room.outputs.pump_child(
            id,
            1 << 16,
            &mut by_lines(|_, line| {
                got.push((line.stream, line.bytes.to_vec()));
                Flow::Taken
            }),
        );
        if room.lines.is_empty() {
            assert_eq!(got, [(Stream::Stdout, b"out".to_vec()), (Stream::Stderr, b"err".to_vec())]);
        }
        room.until("drained", |room| room.outputs.drained(id));
    });
}

#[test]
fn f80_a_line_without_end_comes_in_pieces_and_takes_no_memory() {
    isolated(|| {
        let mut room = Loop::new();
        let before = memory();
        let id = room.spawn(&shell("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo next"));
        let (mut bytes, mut pieces, mut most) = (0, 0, 0);
        while !room.outputs.drained(id) {
            let runtime = room.runtime.clone();
            runtime.block_on(room.outputs.ready()).unwrap();
            room.outputs.pump(
                1 << 20,
                &mut by_lines(|_, line| {
                    assert!(line.bytes.len() <= LONGEST);
                    assert!(line.cut == (line.bytes.len() == LONGEST), "{}", line.bytes.len());
                    bytes += line.bytes.len();
                    pieces += 1;
                    Flow::Taken
                }),
            );
            most = most.max(memory());
        }
        assert_eq!(bytes, 100_000_000 + 4);
        assert_eq!(pieces, 100_000_000_usize.div_ceil(LONGEST) + 1);
        assert!(most < before + 256, "{before} KiB before, {most} KiB at most");
        room.death(id);
    });
}

#[test]
fn f80_a_million_lines_arrive_whole_and_in_order() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&command("seq", &["1000000"]));
        let mut next = 1_u32;
        while !room.outputs.drained(id) {
            let runtime = room.runtime.clone();
            runtime.block_on(room.outputs.ready()).unwrap();
            room.outputs.pump(
                1 << 18,
                &mut by_lines(|_, line| {
                    assert_eq!(std::str::from_utf8(line.bytes).unwrap().parse(), Ok(next));
                    next += 1;
                    Flow::Taken
                }),
            );
        }
        assert_eq!(next, 1_000_001);
        room.death(id);
    });
}

#[test]
fn f78_a_full_sink_holds_the_writers_and_loses_nothing() {
    isolated(|| {
        let mut room = Loop::new();
        let before = descriptors();
        let ids = [room.spawn(&command("seq", &["100000"])), room.spawn(&command("seq", &["100000"]))];
        let mut next = [1_u32; 2];
        // Takes 7 lines, then refuses once.
        let mut room_left = 7;
        let mut refusals = 0;
        let runtime = room.runtime.clone();
        let mut full = false;
        while !ids.iter().all(|id| room.outputs.drained(*id)) {
            if !full {
                runtime.block_on(room.outputs.ready()).unwrap();
            }
            let pumped = room.outputs.pump(
                1 << 18,
                &mut by_lines(|id, line| {
                    if room_left == 0 {
                        refusals += 1;
                        return Flow::Full;
                    }
                    room_left -= 1;
                    let next = &mut next[usize::from(id == ids[1])];
                    assert_eq!(std::str::from_utf8(line.bytes).unwrap().parse(), Ok(*next));
                    *next += 1;
                    Flow::Taken
                }),
            );
            full = pumped.full;
            if full {
                room_left = 7;
            }
        }
        assert_eq!(next, [100_001; 2]);
        assert!(refusals > 20_000);
        for id in ids {
            room.death(id);
        }
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn f78_a_sink_that_stays_full_stops_the_reading() {
    isolated(|| {
        let mut room = Loop::new();
        let id = room.spawn(&command("yes", &[]));
        let runtime = room.runtime.clone();
        let mut bytes = 0;
        for _ in 0..100 {
            runtime.block_on(room.outputs.ready()).unwrap();
            bytes += room.outputs.pump(1 << 20, &mut by_lines(|_, _| Flow::Full)).bytes;
            bytes += room.outputs.pump_child(id, 1 << 20, &mut by_lines(|_, _| Flow::Full)).bytes;
        }
        assert!((1..=16 * 1024).contains(&bytes), "{bytes}");
        room.children.signal(id, Signal::KILL);
        while room.reaped.deaths.is_empty() {
            room.runtime.clone().block_on(room.signals.next());
            room.reap();
        }
        let released = room.outputs.release(id, &mut by_lines(|_, _| Flow::Full));
        // What was read, and what was in the pipe, which nobody holds any more.
        let unread = released.lost_bytes - bytes;
        assert!(unread <= 64 * 1024 && !released.still_open, "{released:?}, {bytes} read");
        assert!(room.outputs.drained(id));
    });
}

/// Shell: a command that holds the output in a session of its own, out of reach of the end of its group.
fn left_behind(command: &str) -> String {
    format!("setsid {command} & until [ \"$(cut -d ' ' -f 6 /proc/$!/stat)\" = $! ]; do :; done")
}

/// Lets a child write and die, reads nothing meanwhile, then releases it with room for so many lines.
fn release_with_room(script: &str, mut room_left: usize) -> (Released, usize) {
    let mut room = Loop::new();
    let before = descriptors();
    let id = room.spawn(&shell(script));
    while room.reaped.deaths.is_empty() {
        room.runtime.clone().block_on(room.signals.next());
        room.reap();
    }
    let mut taken = 0;
    let released = room.outputs.release(
        id,
        &mut by_lines(|_, line| {
            if room_left == 0 {
                return Flow::Full;
            }
            room_left -= 1;
            taken += line.bytes.len() + 1;
            Flow::Taken
        }),
    );
    assert!(room.outputs.drained(id));
    assert_eq!(descriptors(), before);
    room.children.sweep(Signal::KILL);
    room.until("nothing is left", |room| !room.children.any_left());
    (released, taken)
}

#[test]
fn f78_every_byte_that_is_lost_at_the_end_is_counted() {
    isolated(|| {
        let lines = |count: usize| format!("yes 123456789 | head -n {count}");
        // Both pipes are nearly full, one has less than a read: all of it, nothing of it, or a part is taken.
        for (script, all) in [
            (format!("{}; {} >&2", lines(6000), lines(6000)), 120_000),
            (lines(6000), 60_000),
            (lines(100), 1000),
            (format!("{}; printf 'no end'", lines(6000)), 60_006),
        ] {
            for room_left in [0, 1, 99, 2000, 5999, usize::MAX] {
                let (released, taken) = release_with_room(&script, room_left);
                // The end of the stream stands for a last line feed.
                let most = if script.contains("no end") && room_left == usize::MAX { all + 1 } else { all };
                assert_eq!(released.lost_bytes, most - taken, "{script}, room for {room_left}");
                assert!(!released.still_open, "{script}, room for {room_left}: everybody is dead");
            }
        }
    });
}

#[test]
fn f78_a_pipe_of_any_size_is_delivered_to_its_end() {
    isolated(|| {
        // F_SETPIPE_SZ: the largest that needs no privilege.
        let script = r#"perl -e 'fcntl(STDOUT, 1031, 1 << 20) or die; print "123456789\n" x 100000'"#;
        assert_eq!(release_with_room(script, usize::MAX), (Released::default(), 1_000_000));
        let lost = Released { lost_bytes: 1_000_000 - 10, still_open: false };
        assert_eq!(release_with_room(script, 1), (lost, 10));
    });
}

#[test]
fn f78_who_holds_a_pipe_is_told_apart_from_who_held_it() {
    isolated(|| {
        let holds = |script: &str, room_left| release_with_room(script, room_left).0;
        let lost = Released { lost_bytes: 60_000, still_open: true };
        let script = format!("yes 123456789 | head -n 6000; {}", left_behind("sleep 99"));
        assert_eq!(holds(&script, 0), lost);
        assert_eq!(holds(&script, usize::MAX), Released { lost_bytes: 0, still_open: true });
        // It goes on writing: that ends somewhere.
        for room_left in [0, usize::MAX] {
            assert!(holds(&left_behind("yes"), room_left).still_open);
        }
    });
}

#[test]
fn f41_a_pipe_that_a_grandchild_holds_is_let_go() {
    isolated(|| {
        let mut room = Loop::new();
        let before = descriptors();
        let id = room.spawn(&shell(&format!("printf partial; {}", left_behind("sleep 99"))));
        room.death(id);
        let lines = &mut room.lines;
        room.outputs.pump_child(id, 1 << 20, &mut by_lines(|id, line| keep(lines, id, line)));
        assert!(!room.outputs.drained(id));
        assert!(lines.is_empty());
        let released = room.outputs.release(id, &mut by_lines(|id, line| keep(lines, id, line)));
        assert!(released.still_open);
        assert!(room.outputs.drained(id));
        assert_eq!(room.text(id), "partial\n");
        assert_eq!(descriptors(), before);
        room.children.sweep(Signal::KILL);
        room.until("nothing is left", |room| !room.children.any_left());
        // Somebody who has nothing to release.
        assert_eq!(room.outputs.release(id, &mut by_lines(|_, _| Flow::Taken)), Released::default());
    });
}

#[test]
fn f81_all_output_can_be_had_at_the_death() {
    isolated(|| {
        let mut room = Loop::new();
        for round in 0..300 {
            let id = room.spawn(&shell(&format!("echo {round}; echo {round} >&2")));
            let pid = room.children.pid(id).unwrap();
            while room.reaped.deaths.pop().is_none() {
                room.runtime.clone().block_on(room.signals.next());
                room.reap();
            }
            let lines = &mut room.lines;
            room.outputs.pump_child(id, 1 << 20, &mut by_lines(|id, line| keep(lines, id, line)));
            assert!(room.outputs.drained(id), "{pid}");
            assert_eq!(room.text(id), format!("{round}\n{round}\n"));
            room.lines.clear();
        }
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures")]
fn one_that_floods_does_not_starve_the_others() {
    isolated(|| {
        let mut room = Loop::new();
        let floods: Vec<_> = (0..3).map(|_| room.spawn(&command("yes", &[]))).collect();
        let quiet: Vec<_> = (0..80).map(|_| room.spawn(&shell("sleep .2; echo here"))).collect();
        let runtime = room.runtime.clone();
        let (mut heard, mut per_flood, mut all_flood) = (0, [0_usize; 3], false);
        let start = Instant::now();
        // On a busy machine those that flood may begin last, and far from each other: what counts is what they get together.
        while heard < quiet.len() || !all_flood || per_flood.iter().any(|bytes| *bytes < 1_000_000) {
            if !all_flood && per_flood.iter().all(|bytes| *bytes > 0) {
                (all_flood, per_flood) = (true, [0; 3]);
            }
            assert!(start.elapsed() < Duration::from_secs(30), "heard {heard}, {per_flood:?}");
            // Less than one read for each that floods: every pump leaves some for the next.
            runtime.block_on(room.outputs.ready()).unwrap();
            let pumped = room.outputs.pump(
                20_000,
                &mut by_lines(|id, line| {
                    match floods.iter().position(|flood| *flood == id) {
                        Some(at) => per_flood[at] += line.bytes.len(),
                        None => heard += usize::from(line.bytes == b"here"),
                    }
                    Flow::Taken
                }),
            );
            assert!(pumped.bytes <= 20_000 + 16 * 1024, "a budget is exceeded by one read at most");
        }
        let (least, most) = (per_flood.iter().min().unwrap(), per_flood.iter().max().unwrap());
        assert!(most < &(3 * least), "{per_flood:?}");
        for id in floods {
            room.children.signal(id, Signal::KILL);
            room.outputs.release(id, &mut by_lines(|_, _| Flow::Taken));
        }
        room.until("all are dead", |room| !room.children.any_left());
    });
}

#[test]
fn an_idle_pipe_takes_next_to_no_memory() {
    isolated(|| {
        let mut room = Loop::new();
        room.run(&shell("echo warm"), &env());
        let before = memory();
        let ids: Vec<_> = (0..500).map(|_| room.spawn(&shell("echo line; exec sleep 99"))).collect();
        room.until("all have spoken", |room| room.lines.len() == 501);
        room.lines = Vec::new();
        let each = (memory() - before) * 1024 / 1000;
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{each} bytes of memory a pipe\n"));
        assert!(each < 600, "{each} bytes a pipe");
        for id in &ids {
            room.children.signal(*id, Signal::KILL);
        }
        room.until("all are dead", |room| !room.children.any_left());
    });
}
