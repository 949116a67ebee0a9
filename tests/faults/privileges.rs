//! What children may: as much as the program itself, and nothing more (rows 29 and 30 have descriptors and environment). And
//! what somebody else in the container may learn of the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::{Launch, Pilot, Process, process};

/// A child of each kind, known by how long it sleeps.
const WORK: &str = r#"{ consul: false, control: { socket: "{{ .DIR }}/s" }, stopTimeout: 30, jobs: [
    { name: "plain", exec: ["sleep", "1001"] },
    { name: "raw", exec: ["sleep", "1002"], logging: { raw: true } },
    { name: "checked", exec: ["sh", "-c", "sleep 1003; :"],
      health: { exec: ["sleep", "1004"], interval: 1, ttl: 900, timeout: "900s" } },
    { name: "again", exec: ["sh", "-c", "[ -e $DIR/once ] && exec sleep $0; touch $DIR/once", "1005"], restarts: 1 },
    { name: "each", exec: ["sleep", "1006"], when: { source: "again", once: "exitSuccess" } },
] }"#;

const CHILDREN: [&str; 5] = ["sleep 1001", "sleep 1002", "sleep 1004", "sleep 1005", "sleep 1006"];

/// What a process may and what it is, as the kernel shows it, but for what makes it this process.
fn rights(pid: i32) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for field in [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "Cpus_allowed",
    ] {
        found.insert(field.to_owned(), process::status_field(pid, field).unwrap());
    }
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    for name in ["limits", "cgroup", "oom_score_adj", "loginuid"] {
        found.insert(name.to_owned(), read(name));
    }
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_else(|_| PathBuf::new());
    for name in ["root", "cwd", "ns/mnt", "ns/net", "ns/pid", "ns/user", "ns/uts", "ns/ipc", "ns/cgroup"] {
        found.insert(name.to_owned(), link(name).display().to_string());
    }
    // The session, the terminal and the nice value of `stat`.
    let (_, fields) = process::stat(pid).unwrap();
    for (name, index) in [("session", 3), ("terminal", 4), ("nice", 16)] {
        found.insert(name.to_owned(), fields.get(index).unwrap().clone());
    }
    found
}

/// That everybody has what the program has; gives what that is.
#[track_caller]
fn all_alike(pilot: &Pilot) -> BTreeMap<String, String> {
    let ours = rights(pilot.pid);
    for text in CHILDREN {
        let child: Process = pilot.wait_process(text);
        assert_eq!(rights(child.pid), ours, "{text}");
    }
    ours
}

fn launch() -> Launch {
    // Whoever it runs as must come to its files.
    Launch::config(WORK).setup(r#"chmod -R a+rwX "$DIR""#)
}

#[test]
fn children_have_the_rights_of_root_where_we_are_root() {
    let pilot = launch().setup("umask 0027").start();
    let ours = all_alike(&pilot);
    assert_eq!((ours["Umask"].as_str(), ours["terminal"].as_str()), ("0027", "0"));
    pilot.finish();
}

#[test]
fn children_have_the_few_capabilities_that_a_container_leaves_us() {
    let few = "+chown,+kill,+setuid,+setgid,+net_bind_service";
    let sets = ["--bounding-set", "--inh-caps", "--ambient-caps"];
    let sets =
        [format!("{}=-all,{few}", sets[0]), format!("{}=-all,+kill", sets[1]), format!("{}=-all,+kill", sets[2])];
    let prefix = ["setpriv", "--no-new-privs", &sets[0], &sets[1], &sets[2]];
    let pilot = launch().prefix(&["prlimit", "--nofile=200:300", "--core=0:0"]).prefix(&prefix).start();
    let ours = all_alike(&pilot);
    assert_eq!(ours["NoNewPrivs"], "1");
    assert_eq!(ours["CapBnd"], "00000000000004e1");
    assert_eq!(ours["CapAmb"], "0000000000000020");
    pilot.finish();
}

#[test]
fn children_have_the_user_the_groups_and_no_capability_of_a_simple_user() {
    let prefix =
        ["setpriv", "--reuid=12345", "--regid=12346", "--groups=7,4711", "--inh-caps=-all", "--bounding-set=-all"];
    let pilot = launch().prefix(&prefix).start();
    let ours = all_alike(&pilot);
    assert_eq!(ours["Uid"], "12345\t12345\t12345\t12345");
    assert_eq!(ours["Groups"], "7 4711");
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(ours[set], "0000000000000000", "{set}");
    }
    pilot.finish();
}

/// A terminal is ours and our children's, and nobody gets one who had none (`setsid` and an open would be enough).
#[test]
fn children_have_our_terminal_and_no_other() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let pilot = launch().stdin(Stdio::from(terminal.slave)).controlling_terminal().start();
    let ours = all_alike(&pilot);
    assert_ne!(ours["terminal"], "0");
    pilot.finish();
    drop(terminal.master);
}

/// Another user of the container sees that it runs, and nothing that it holds; the arguments are for all to see. Our own user
/// sees everything, as docs/security.md says, and so the test would notice.
#[test]
fn another_user_cannot_look_into_the_program_nor_signal_it() {
    let script = r#"
        for name in environ mem maps auxv syscall fd/0 cwd/containerpilot.json5 root/etc/passwd; do
            (: < /proc/1/$name) 2> /dev/null && can="$can $name"
        done
        ls /proc/1/fd > /dev/null 2>&1 && can="$can list"
        kill -0 1 2> /dev/null && can="$can signal"
        (: < /proc/1/cmdline) && echo "$0 can:$can" >> $LOG
        sleep 1000"#;
    let script = serde_json::to_string(script).unwrap();
    let config = format!(
        r#"{{ consul: false, jobs: [
            {{ name: "spy", exec: ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "sh", "-c", {script}, "spy"] }},
            {{ name: "own", exec: ["sh", "-c", {script}, "own"] }},
        ] }}"#
    );
    let pilot = Launch::config(&config).setup(r#"chmod a+rwX "$LOG"; chmod a+x "$DIR""#).start();
    pilot.wait_log("spy can:");
    let all = "environ mem maps auxv syscall fd/0 cwd/containerpilot.json5 root/etc/passwd list signal";
    pilot.wait_log(&format!("own can: {all}"));
    pilot.finish();
}
