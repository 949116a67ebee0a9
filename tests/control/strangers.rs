//! Row 73, when the socket's permissions were widened afterwards: the kernel says who connects, and only root and the
//! program's own user are served.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{KEEP, post, serving, socket, start, with_socket};
use crate::support::http::{ask, ask_socket};
use crate::support::ports::Ports;
use crate::support::{DEADLINE, Launch, Pilot, Signal, wait_until};

const TELLS: &str =
    r#"{ name: "tell", when: { source: "SIGHUP" }, exec: ["/bin/sh", "-c", "echo A=${A-unset} >> $LOG"] }"#;

/// A user who has nothing to do with anybody here.
const STRANGER: u32 = 12_345;

/// A command that runs as another user.
fn by(uid: u32, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups", program]);
    command
}

/// What another user is answered: the body, and the status in a last line of its own.
fn asks(uid: u32, path: &Path, target: &str, body: &str) -> String {
    let output = by(uid, "curl")
        .args(["-s", "-m", "20", "-w", "%{http_code}", "-d", body, "--unix-socket", path.to_str().unwrap()])
        .arg(format!("http://control{target}"))
        .output()
        .unwrap();
    said(&output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What somebody may do who thinks that it helps.
fn widen(pilot: &Pilot) {
    fs::set_permissions(pilot.dir(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(socket(pilot), Permissions::from_mode(0o666)).unwrap();
}

/// The lines that tell of somebody who was refused; waits until there are so many.
#[track_caller]
fn told(pilot: &Pilot, count: usize) -> Vec<String> {
    let lines = || -> Vec<String> {
        let stdout = pilot.stdout();
        stdout.lines().filter(|line| line.contains("control: refused ")).map(str::to_owned).collect()
    };
    wait_until(DEADLINE, || lines().len() >= count, "it is told");
    assert_eq!(lines().len(), count, "{:?}", lines());
    lines()
}

const WHY: &str = "this socket is for root and for the user that serves it";

// Seen red with src/http/peer.rs:
//- uid == 0 || uid == own
//+ true
#[test]
fn f73_a_stranger_is_refused_where_the_file_would_let_him_in() {
    let ports = Ports::take();
    let telemetry = format!(r#"telemetry: {{ port: {}, interfaces: ["static:127.0.0.1"] }}, jobs:"#, ports.port(0));
    let config = with_socket(&format!("{KEEP}, {TELLS}")).replacen("jobs:", &telemetry, 1);
    let pilot = serving(Launch::config(&config).start());
    widen(&pilot);
    let path = socket(&pilot);
    assert_eq!(asks(STRANGER, &path, "/v3/environ", r#"{"A": "x"}"#), format!("Forbidden: {WHY}\n403"));
    let error = format!(r#"{{"error":{{"code":"forbidden","message":"{WHY}","details":[]}}}}"#);
    assert_eq!(asks(STRANGER, &path, "/v4/shutdown", ""), format!("{error}\n403"));
    assert_eq!(asks(STRANGER, &path, "/v4/jobs/keep/stop", ""), format!("{error}\n403"));
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=unset");
    assert!(!pilot.log().contains(&"keep-term".to_owned()), "nothing was stopped");

    // Root is served on, whatever others do.
    assert_eq!(post(&pilot, "/v3/environ", r#"{"A": "y"}"#).status, 200);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("A=y");

    pilot.wait_stdout(&format!("telemetry: serving at 127.0.0.1:{}", ports.port(0)));
    let page = ask(([127, 0, 0, 1], ports.port(0)).into(), "GET", "/metrics", &[], b"").unwrap().text();
    for path in ["/v3/environ", "/v4/shutdown", "/v4/jobs/{name}/stop"] {
        let sample = format!("containerpilot_control_http_requests{{code=\"403\",path=\"{path}\"}} 1\n");
        assert!(page.contains(&sample), "{page}");
    }
    // The first and the second.
    let lines = told(&pilot, 2);
    assert!(lines[0].contains("control: refused uid 12345 (from outside): only root is served"), "{lines:?}");
}

#[test]
fn f73_a_job_of_another_user_is_refused_and_named() {
    let script = "until [ -e $DIR/go ]; do sleep .05; done; setpriv --reuid=12345 --regid=12345 --clear-groups \
        sh -c 'echo $$ > $DIR/pid; exec curl -s -d {} --unix-socket s http://control/v4/shutdown' > $DIR/said; echo asked >> $LOG";
    let pilot = start(&format!("{KEEP}, {{ name: \"asks\", exec: [\"sh\", \"-c\", \"{script}\"] }}"));
    widen(&pilot);
    fs::write(pilot.path("pid"), "").unwrap();
    fs::set_permissions(pilot.path("pid"), Permissions::from_mode(0o666)).unwrap();
    fs::write(pilot.path("go"), "").unwrap();
    pilot.wait_log("asked");
    assert!(pilot.read("said").contains(r#""code":"forbidden""#), "{}", pilot.read("said"));
    let lines = told(&pilot, 1);
    let expected = format!("control: refused uid 12345 (pid {}): only root is served", pilot.read("pid").trim());
    assert!(lines[0].contains(&expected), "{expected}: {lines:?}");
}

/// The command line of the program itself, since that is what people use.
#[test]
fn f73_the_command_line_says_why() {
    let pilot = start(KEEP);
    widen(&pilot);
    // Another user may not look into a build directory.
    let binary = pilot.path("containerpilot");
    fs::copy(crate::support::BINARY, &binary).unwrap();
    let output = by(STRANGER, binary.to_str().unwrap())
        .args(["status", "--socket", "s"])
        .current_dir(pilot.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), said(&output)), (Some(1), format!("containerpilot: {WHY}\n")));
}

#[test]
fn f73_who_serves_as_another_user_serves_him_and_root() {
    let launch = Launch::config(&with_socket(KEEP)).setup(r#"chmod 777 "$DIR" "$DIR"/*"#);
    let pilot = serving(launch.prefix(&["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]).start());
    let path = socket(&pilot);
    assert_eq!(asks(STRANGER, &path, "/v3/ping", ""), "\n200", "his own");
    assert_eq!(ask_socket(&path, "GET", "/v3/ping", b"").unwrap().status, 200, "root's");
    widen(&pilot);
    assert_eq!(asks(STRANGER + 1, &path, "/v3/ping", ""), format!("Forbidden: {WHY}\n403"));
    pilot.wait_stdout("only root and uid 12345 are served");
}

/// Who has no number in the program's user namespace looks like the kernel's `nobody`, 65534.
#[test]
fn f73_in_a_user_namespace_users_from_outside_are_refused() {
    let launch = Launch::config(&with_socket(KEEP)).prefix(&["unshare", "--user", "--map-root-user"]);
    let pilot = serving(launch.start());
    widen(&pilot);
    let path = socket(&pilot);
    assert_eq!(ask_socket(&path, "GET", "/v3/ping", b"").unwrap().status, 200, "its root is ours");
    assert_eq!(asks(STRANGER, &path, "/v3/ping", ""), format!("Forbidden: {WHY}\n403"));
    pilot.wait_stdout("control: refused uid 65534 ");
}

/// Somebody who is refused must not keep others out instead, nor fill the log.
// Seen red with src/http/peer.rs:
//- const AT_ONCE: usize = 4;
//+ const AT_ONCE: usize = 400;
#[test]
fn f73_a_crowd_of_strangers_takes_no_places() {
    let pilot = start(KEEP);
    widen(&pilot);
    // It serves before its first job has its pipes.
    pilot.wait_log("keep-start");
    let before = pilot.descriptors();
    let script = r#"for (1..200) { socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un($ARGV[0])) or die $!;
        push @all, $s } print "here\n"; sleep 1000"#;
    let mut crowd = by(STRANGER, "perl")
        .args(["-MSocket", "-e", &format!("$| = 1; {script}")])
        .arg(socket(&pilot))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(crowd.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "here\n");
    // In the 32 places for all, a second each, they would take six.
    let begin = Instant::now();
    assert_eq!(ask_socket(&socket(&pilot), "GET", "/v3/ping", b"").unwrap().status, 200);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    let more = pilot.descriptors().len().saturating_sub(before.len());
    assert!(more <= 6, "{more}");
    pilot.wait_descriptors_back(&before);
    // The 1st, 2nd, 4th, … 128th.
    told(&pilot, 8);
    crowd.kill().unwrap();
    crowd.wait().unwrap();
    pilot.finish();
}
