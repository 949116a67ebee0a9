//! Rows 72 and 73: where the socket is, who may connect, what else may be in its place (design §4 rows 23, 30 and 32).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use tempfile::TempDir;

use crate::harness::{KEEP, serving, socket, start, wait_ping};
use crate::support::{Launch, Pilot};

fn at(path: &str) -> Launch {
    Launch::config(&format!(r#"{{ control: {{ socket: "{path}" }}, stopTimeout: 2, jobs: [{KEEP}] }}"#))
}

fn by_default() -> Launch {
    Launch::config(&format!("{{ stopTimeout: 2, jobs: [{KEEP}] }}"))
}

/// It must not start anything, and say why.
#[track_caller]
fn refuses(mut pilot: Pilot, why: &str) {
    assert_eq!(pilot.wait_exit(), 69);
    let said = pilot.stdout() + &pilot.stderr();
    assert!(said.contains(why), "{said}");
    assert_eq!(pilot.log(), [""; 0], "nothing was started");
    pilot.finish();
}

#[test]
fn f72_a_stale_socket_is_replaced() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let pilot = serving(at(path.to_str().unwrap()).start());
    assert_eq!(wait_ping(&path).status, 200);
    pilot.finish();
    assert!(!path.exists());
}

// Seen red with src/control/socket.rs:
//- match probe(path) {
//+ match nix::Result::<()>::Err(Errno::ECONNREFUSED) {
#[test]
fn f72_a_socket_that_is_served_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let other = UnixListener::bind(&path).unwrap();
    refuses(
        at(path.to_str().unwrap()).start(),
        &format!("no control socket at {}: somebody serves there", path.display()),
    );
    assert!(UnixStream::connect(&path).is_ok());
    drop(other);
}

// Seen red with src/control/socket.rs:
//- if !file.file_type().is_socket() {
//+ if false {
#[test]
fn f72_what_is_no_socket_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "precious").unwrap();
    symlink(&file, &link).unwrap();
    for path in [&file, &link, &dir.path().to_owned()] {
        let why = format!("no control socket at {}: something else is there that is no socket", path.display());
        refuses(at(path.to_str().unwrap()).start(), &why);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(link.exists());
}

#[test]
fn f72_a_place_that_cannot_be_is_told() {
    refuses(at("/nowhere/at/all").start(), "no control socket at /nowhere/at/all: its directory is not there");
    let long = format!("/tmp/{}", "x".repeat(103));
    refuses(at(&long).start(), "the path has 108 bytes, a socket's may have 107");
}

#[test]
fn f72_without_the_default_place_it_is_in_the_runtime_directory() {
    let pilot = by_default().env("XDG_RUNTIME_DIR", "/tmp").setup("mount -o remount,ro /run");
    let dir = TempDir::new().unwrap();
    let pilot = serving(pilot.env("XDG_RUNTIME_DIR", dir.path().to_str().unwrap()).start());
    let path = dir.path().join("containerpilot.socket");
    assert_eq!(wait_ping(&path).status, 200);
    pilot.finish();
    assert!(!path.exists());
}

#[test]
fn f72_without_any_place_it_runs_and_says_what_to_do() {
    let pilot = by_default().setup("mount -o remount,ro /run").start();
    pilot.wait_log("keep-start");
    pilot.wait_stdout(
        "no control socket: /var/run/containerpilot.socket can't be made: read-only file system; control.socket",
    );
    assert!(!pilot.stdout().contains("control: serving"));
}

#[test]
fn f72_the_default_place_is_the_original_s() {
    let pilot = serving(by_default().start());
    pilot.wait_stdout("control: serving at /var/run/containerpilot.socket\n");
}

#[test]
fn f73_only_the_owner_may_connect() {
    let pilot = start(KEEP);
    let path = socket(&pilot);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(pilot.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let connected = std::thread::spawn(move || {
        // Of this thread alone: what follows is judged as somebody else's.
        setfsgid(Gid::from_raw(65_534));
        setfsuid(Uid::from_raw(65_534));
        UnixStream::connect(path).map(drop).map_err(|error| error.kind())
    });
    assert_eq!(connected.join().unwrap(), Err(std::io::ErrorKind::PermissionDenied));
}

/// Whoever connects between `bind` and a later `chmod` would get in: the mode is there before the name is.
// Seen red with src/control/socket.rs:
//- fchmod(&socket, Mode::from_bits_truncate(MODE))?;
//+
#[test]
fn f73_there_is_no_moment_in_which_others_could_connect() {
    let dir = tempfile::tempdir().unwrap();
    let (file, calls, socket) = (dir.path().join("f"), dir.path().join("calls"), dir.path().join("s"));
    let config = format!(
        "{{ consul: false, control: {{ socket: \"{}\" }}, jobs: [ {{ name: \"a\", exec: \"true\" }} ] }}",
        socket.display()
    );
    fs::write(&file, config).unwrap();
    let words = ["umask 0; exec strace -f -e trace=fchmod,chmod,fchmodat,umask,bind -o", calls.to_str().unwrap()];
    let script = format!("{} \"$0\" -config {}", words.join(" "), file.display());
    let output = Command::new("sh").args(["-c", &script, crate::support::BINARY]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let calls = fs::read_to_string(calls).unwrap();
    let calls: Vec<&str> = calls.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim()).collect();
    let bound = calls.iter().position(|call| call.starts_with("bind(") && call.contains(socket.to_str().unwrap()));
    let bound = bound.unwrap_or_else(|| panic!("{calls:?}"));
    assert!(calls[..bound].iter().any(|call| call.starts_with("fchmod(") && call.contains("0600)")), "{calls:?}");
    let later = calls[bound..].iter().find(|call| call.contains("chmod"));
    assert_eq!(later, None, "none was needed after it");
}

#[test]
fn f73_a_umask_changes_nothing() {
    for umask in ["0000", "0777"] {
        let pilot =
            serving(Launch::config(&crate::harness::with_socket(KEEP)).setup(&format!("umask {umask}")).start());
        let mode = fs::metadata(socket(&pilot)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "umask {umask}");
    }
}
