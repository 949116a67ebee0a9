//! Another log file in each reload, while the output before is stuck (row 78).

use std::io::{Read as _, Write as _};

use nix::fcntl::{FcntlArg, fcntl};

use crate::support::http::ask_socket;
use crate::support::{DEADLINE, Launch, wait_until};

fn text(file: &str) -> String {
    format!(
        r#"{{ consul: false, control: {{ socket: "{{{{ .DIR }}}}/s" }}, reload: {{ quiesce: "10ms" }}, stopTimeout: 2,
        logging: {{ {file} }}, jobs: [ {{ name: "a", exec: ["sleep", "1000"] }},
            {{ name: "flood", exec: ["sh", "-c", "while [ ! -e $DIR/over ]; do echo 0123456789012345678901234567890123456789; done"] }},
        ] }}"#
    )
}

fn file(number: usize) -> String {
    text(&format!(r#"output: "{{{{ .DIR }}}}/log{number}""#))
}

// Seen red with src/log/writer/queue.rs:
//- if self.queue.iter().filter(|work| is_switch(work)).count() >= SWITCHES {
//+ if self.queue.iter().filter(|work| is_switch(work)).count() >= 100 * SWITCHES {
#[test]
fn f78_outputs_that_wait_for_a_stuck_one_are_few() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // It is full from the start.
    let room = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    writer.write_all(&vec![b'\n'; room.try_into().unwrap()]).unwrap();
    let pilot = Launch::config(&text("")).stdout(writer).start();
    wait_until(DEADLINE, || std::os::unix::net::UnixStream::connect(pilot.path("s")).is_ok(), "it serves");
    let mut most = 0;
    for number in 0..40 {
        std::fs::write(pilot.path("containerpilot.json5"), file(number)).unwrap();
        assert_eq!(ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap().status, 200);
        let open = pilot.descriptors().iter().filter(|open| open.target.contains("/log")).count();
        most = most.max(open);
    }
    // Four in the writer's hands, and four that wait behind them.
    assert!((4..=8).contains(&most), "{most}");
    std::fs::write(pilot.path("over"), "").unwrap();
    let drain = std::thread::spawn(move || std::io::copy(&mut reader.by_ref(), &mut std::io::sink()));
    wait_until(
        DEADLINE,
        || pilot.descriptors().iter().filter(|open| open.target.contains("/log")).count() == 1,
        "one is left",
    );
    let told = || (0..40).map(|number| pilot.read(&format!("log{number}"))).collect::<String>();
    let said = "the log stays as it was: its output is blocked, and too many changes wait for that";
    wait_until(DEADLINE, || told().contains(said), "it is told");
    // And the next change is made.
    std::fs::write(pilot.path("containerpilot.json5"), file(99)).unwrap();
    assert_eq!(ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap().status, 200);
    wait_until(DEADLINE, || pilot.read("log99").contains("reloaded: "), "it is the log now");
    pilot.finish();
    drain.join().unwrap().unwrap();
}
