//! `reload.watch`: a change of the file asks for a reload, and nothing else does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::wait::{holds_for, let_pass};
use crate::support::{DEADLINE, Launch, Pilot, Signal, wait_until};
use crate::told::{times, wait_times};

/// A configuration with a job of this name, whose file is watched.
fn watched(job: &str) -> String {
    text("true", job)
}

fn text(watch: &str, job: &str) -> String {
    format!(
        r#"{{ consul: false, logging: {{ level: "DEBUG" }}, signals: {{ SIGHUP: "reload" }}, stopTimeout: 2,
            reload: {{ quiesce: "50ms", watch: {watch} }},
            jobs: [ {{ name: "{job}", exec: ["sleep", "1000"] }} ] }}"#
    )
}

/// The program, once it watches its file.
fn start() -> Pilot {
    let pilot = Launch::config(&watched("a")).start();
    wait_times(&pilot, SAME, 1);
    pilot
}

/// Told of each reading that found nothing new, the first one among them.
const SAME: &str = "the configuration file has the text that it had: nothing to reload";

const DONE: &str = " reloaded: ";

fn file(pilot: &Pilot) -> std::path::PathBuf {
    pilot.path("containerpilot.json5")
}

/// Puts a new file in the place of another, as tools do that care.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[track_caller]
fn goes_from(pilot: &Pilot, one: &str, other: &str) {
    wait_times(pilot, &format!("reloaded: 0 changed, 1 removed ({one}), 1 added ({other}), 0 unchanged"), 1);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures")]
fn a_file_that_is_renamed_over_it_or_written_in_place_is_followed() {
    let pilot = start();
    replace(&file(&pilot), &watched("b"));
    goes_from(&pilot, "a", "b");
    fs::write(file(&pilot), watched("c")).unwrap();
    goes_from(&pilot, "b", "c");
    // As some editors do: the old one is put aside first.
    let began = Instant::now();
    fs::rename(file(&pilot), pilot.path("containerpilot.json5~")).unwrap();
    fs::write(file(&pilot), watched("d")).unwrap();
    let at_once = began.elapsed() < Duration::from_millis(100);
    goes_from(&pilot, "c", "d");
    assert_eq!(times(&pilot, DONE), 3);
    assert!(!at_once || times(&pilot, "not reloaded") == 0, "{}", pilot.stdout());
    pilot.finish();
}

#[test]
fn a_config_map_of_kubernetes_is_followed_through_its_links() {
    let setup = r#"mkdir "$DIR/etc" "$DIR/etc/..1" && mv "$DIR/containerpilot.json5" "$DIR/etc/..1/" &&
        ln -s ..1 "$DIR/etc/..data" && ln -s ..data/containerpilot.json5 "$DIR/etc/containerpilot.json5" &&
        ln -s etc/containerpilot.json5 "$DIR/containerpilot.json5""#;
    let pilot = Launch::config(&watched("a")).setup(setup).start();
    wait_times(&pilot, SAME, 1);
    let etc = pilot.path("etc");
    for (n, (before, after)) in [("a", "b"), ("b", "c")].into_iter().enumerate() {
        // As the kubelet does: a new directory, a new link to it, the link's new name, the old directory gone.
        let (old, new) = (format!("..{}", n + 1), format!("..{}", n + 2));
        fs::create_dir(etc.join(&new)).unwrap();
        fs::write(etc.join(&new).join("containerpilot.json5"), watched(after)).unwrap();
        symlink(&new, etc.join("..data_tmp")).unwrap();
        fs::rename(etc.join("..data_tmp"), etc.join("..data")).unwrap();
        // By the link alone: what it led to is still there.
        goes_from(&pilot, before, after);
        fs::remove_dir_all(etc.join(&old)).unwrap();
    }
    assert_eq!(times(&pilot, "not reloaded"), 0, "{}", pilot.stdout());
    pilot.finish();
}

#[test]
fn a_file_that_is_mounted_alone_is_followed_when_it_is_written_elsewhere() {
    let setup = r#"mkdir "$DIR/host" && cp "$DIR/containerpilot.json5" "$DIR/host/app" &&
        mount --bind "$DIR/host/app" "$DIR/containerpilot.json5""#;
    let pilot = Launch::config(&watched("a")).setup(setup).start();
    wait_times(&pilot, SAME, 1);
    fs::write(pilot.path("host/app"), watched("b")).unwrap();
    goes_from(&pilot, "a", "b");
    pilot.finish();
}

#[test]
fn f70_a_bad_file_is_refused_and_the_good_one_after_it_is_followed() {
    let pilot = start();
    let pid = pilot.wait_process("sleep 1000").pid;
    replace(&file(&pilot), "{\n  jobs: [ { name: \"a\" exec: \"b\" } ]\n}");
    wait_times(&pilot, "not reloaded, everything goes on as it was: ", 1);
    pilot.wait_stdout("containerpilot.json5:2:23: ");
    // Touched, it is as bad as it was, and that was told.
    fs::write(file(&pilot), fs::read(file(&pilot)).unwrap()).unwrap();
    wait_times(&pilot, SAME, 2);
    fs::remove_file(file(&pilot)).unwrap();
    wait_times(&pilot, "not reloaded, everything goes on as it was: ", 2);
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    assert_eq!(times(&pilot, DONE), 0);
    replace(&file(&pilot), &watched("b"));
    goes_from(&pilot, "a", "b");
    assert_eq!(times(&pilot, "not reloaded"), 2);
    pilot.finish();
}

#[test]
fn a_touch_that_changes_nothing_reloads_nothing() {
    let pilot = start();
    for n in 0..3 {
        if n % 2 == 0 {
            fs::write(file(&pilot), watched("a")).unwrap();
        } else {
            replace(&file(&pilot), &watched("a"));
        }
        wait_times(&pilot, SAME, n + 2);
    }
    holds_for(Duration::from_millis(500), || times(&pilot, DONE) == 0, "no reload");
    // Who asks himself is served.
    pilot.signal(Signal::SIGHUP);
    wait_times(&pilot, "reloaded: 0 changed, 0 removed, 0 added, 1 unchanged", 1);
    pilot.finish();
}

#[test]
fn fifty_changes_in_a_second_are_one_reload() {
    // Longer than a busy machine keeps this test from writing.
    let long = |job: &str| watched(job).replace("quiesce: \"50ms\"", "quiesce: \"4s\", coalesce: \"60s\"");
    let pilot = Launch::config(&long("j0")).start();
    wait_times(&pilot, SAME, 1);
    for n in 1..=50 {
        replace(&file(&pilot), &long(&format!("j{n}")));
        let_pass(Duration::from_millis(15));
    }
    goes_from(&pilot, "j0", "j50");
    holds_for(Duration::from_secs(1), || times(&pilot, DONE) == 1, "one reload");
    pilot.finish();
}

#[test]
fn nothing_wakes_up_while_nothing_happens() {
    let pilot = start();
    pilot.wait_process("sleep 1000");
    // Once it is quiet, it stays so.
    let quiet = || {
        let before = pilot.wakeups();
        let_pass(Duration::from_secs(2));
        pilot.wakeups() == before
    };
    assert!((0..10).any(|_| quiet()), "two seconds without a wake-up");
    // And that is not for want of being awake.
    replace(&file(&pilot), &watched("b"));
    goes_from(&pilot, "a", "b");
    pilot.finish();
}

#[test]
fn a_reload_begins_and_ends_it() {
    let pilot = Launch::config(&text("false", "a")).start();
    pilot.wait_process("sleep 1000");
    let watches = || pilot.descriptors().into_iter().filter(|open| open.target.contains("inotify")).count();
    assert_eq!(watches(), 0);
    replace(&file(&pilot), &text("true", "b"));
    holds_for(Duration::from_millis(500), || times(&pilot, DONE) == 0, "nobody watches");
    pilot.signal(Signal::SIGHUP);
    goes_from(&pilot, "a", "b");
    wait_times(&pilot, SAME, 1);
    assert!(watches() > 0);
    replace(&file(&pilot), &text("false", "c"));
    goes_from(&pilot, "b", "c");
    wait_times(&pilot, "reload.watch: the configuration file is not watched any more", 1);
    replace(&file(&pilot), &text("true", "d"));
    holds_for(Duration::from_millis(500), || times(&pilot, DONE) == 2, "nobody watches any more");
    wait_until(DEADLINE, || watches() == 0, "nothing is left of it");
    pilot.finish();
}

#[test]
fn without_inotify_that_is_told_and_all_else_works() {
    let none = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    let pilot =
        Launch::config(&watched("a")).prefix(&["unshare", "--user", "--map-root-user", "sh", "-c", none, "sh"]).start();
    pilot.wait_process("sleep 1000");
    wait_times(
        &pilot,
        "reload.watch: the configuration file is not watched: too many open files: raise fs.inotify.",
        1,
    );
    fs::write(file(&pilot), watched("b")).unwrap();
    pilot.signal(Signal::SIGHUP);
    goes_from(&pilot, "a", "b");
    pilot.finish();
}
