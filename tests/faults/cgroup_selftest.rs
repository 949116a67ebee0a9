//! The harness's control groups do what the tests rely on, in both versions.

use std::fs;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::{Group, Version, below_ours, with_controller};
use crate::support::Launch;
use crate::support::wait::holds_for;

/// Two versions side by side, as systemd's hybrid layout has them.
const MOUNTS: &str = "\
31 23 0:28 / ROOT rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / ROOT/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/abc ROOT/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / ROOT/unified rw,relatime - cgroup2 cgroup2 rw
";

const OWN: &str = "9:memory:/docker/abc/inner\n4:cpu,cpuacct:/elsewhere\n0::/slice/scope\n";

fn folder(at: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(at).unwrap();
    for (name, text) in files {
        fs::write(at.join(name), text).unwrap();
    }
}

#[test]
fn a_group_is_looked_for_where_the_controller_is() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for path in ["cpu,cpuacct", "memory/inner", "unified/slice/scope"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    let mounts = MOUNTS.replace("ROOT", root.to_str().unwrap());
    let ours = |version, controller: &str| below_ours(version, controller, &mounts, OWN);
    let found =
        |mount: &str, ours: &str| -> Result<(PathBuf, PathBuf), String> { Ok((root.join(mount), root.join(ours))) };
    assert_eq!(ours(Version::One, "memory"), found("memory", "memory/inner"), "only a part of it is mounted");
    assert_eq!(ours(Version::One, "cpu"), found("cpu,cpuacct", "cpu,cpuacct"), "ours can't be seen from here");
    assert_eq!(ours(Version::Two, "memory"), found("unified", "unified/slice/scope"));
    let none = ours(Version::One, "pids").unwrap_err();
    assert_eq!(none, "no control groups of version 1 with pids are mounted");
    assert_eq!(below_ours(Version::Two, "pids", "", OWN).unwrap_err(), "nor are any of version 2");
}

#[test]
fn a_controller_of_version_2_is_used_where_it_is_delegated() {
    let dir = tempfile::tempdir().unwrap();
    let (mount, slice, scope) = (dir.path().join("u"), dir.path().join("u/slice"), dir.path().join("u/slice/scope"));
    folder(&mount, &[("cgroup.subtree_control", "cpu memory pids\n")]);
    folder(&slice, &[("cgroup.subtree_control", "memory\n")]);
    folder(&scope, &[("cgroup.subtree_control", "")]);
    assert_eq!(with_controller("memory", &mount, &scope), Ok(slice));
    assert_eq!(fs::read_to_string(scope.join("cgroup.subtree_control")).unwrap(), "+memory", "it was asked for");
    assert_eq!(with_controller("pids", &mount, &scope), Ok(mount.clone()));
    assert_eq!(with_controller("freezer", &mount, &scope), Ok(scope.clone()), "it is no controller there");
    let none = with_controller("io", &mount, &scope).unwrap_err();
    assert!(none.contains("not in cgroup.subtree_control of") && none.contains("has io delegated"), "{none}");
}

#[test]
fn each_version_has_its_files() {
    let [one, two] = [Version::One, Version::Two].map(|version| {
        let dir = tempfile::tempdir().unwrap();
        let read = [("pids.current", "7\n"), ("pids.events", "max 3\n")];
        let swap = [("memory.memsw.limit_in_bytes", ""), ("memory.swap.max", "")];
        let events = "low 0\nhigh 0\nmax 2\noom 2\noom_kill 1\noom_group_kill 0\n";
        let killed =
            [("memory.events", events), ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")];
        folder(dir.path(), &[read, swap, killed].concat());
        let state = [("cgroup.events", "populated 1\nfrozen 1\n"), ("freezer.state", "FROZEN\n")];
        folder(dir.path(), &state);
        // The folder is the test's own to remove.
        let group = ManuallyDrop::new(Group::pretended(version, dir.path()));
        group.limit_memory(5_000_000);
        group.limit_processes(Some(9));
        assert_eq!((group.processes(), group.refused_processes()), (7, 3));
        assert_eq!(group.killed_for_memory(), if version == Version::One { 2 } else { 1 });
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap_or_else(|_| "absent".to_owned());
        assert_eq!(read("pids.max"), "9");
        group.limit_processes(None);
        assert_eq!(read("pids.max"), "max");
        if version == Version::Two {
            let frozen = group.freeze();
            assert_eq!(read("cgroup.freeze"), "1");
            drop(frozen);
        }
        let files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max", "memory.swap.max"];
        let written = [&files[..], &["cgroup.freeze"]].concat();
        written.into_iter().map(read).collect::<Vec<_>>()
    });
    assert_eq!(one, ["5000000", "5000000", "absent", "", "absent"]);
    assert_eq!(two, ["absent", "", "5000000", "0", "0"]);
}

#[test]
fn who_is_in_a_frozen_group_stands_still_and_goes_on() {
    let groups = [Version::One, Version::Two].map(|version| Group::of(version, "freezer"));
    assert!(groups.iter().any(Result::is_ok), "there are control groups of one version or the other");
    for group in groups.into_iter().flatten() {
        let config = r#"{ consul: false, jobs: [
            { name: "tick", exec: ["sh", "-c", "while :; do echo tick >> $LOG; sleep 0.01; done"] } ] }"#;
        let launch = Launch::config(config).setup(&group.enter()).zombie_grace(Duration::from_secs(30));
        let pilot = launch.start();
        pilot.wait_logged("tick", 3);
        let frozen = group.freeze();
        let ticks = pilot.logged("tick");
        holds_for(Duration::from_millis(500), || pilot.logged("tick") == ticks, "nothing happens");
        drop(frozen);
        pilot.wait_logged("tick", ticks + 3);
        pilot.finish();
    }
}
