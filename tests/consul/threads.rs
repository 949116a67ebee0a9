//! Threads that can't be had at the start, where Consul's address needs some (row 25). A reload that needs them is in
//! `tests/reload/threads.rs`, threads that were had in time in `heartbeats`.

use crate::cgroup::Group;
use crate::setup::{WEB, launch};
use crate::support::Agent;

/// The agent has a name there.
const HOSTS: &str = "echo '127.0.0.1 consul.example' > $DIR/hosts && mount --bind $DIR/hosts /etc/hosts || exit 125";

// Seen red with src/app.rs:
//- discovery.find_threads().map_err(failed)?;
//+ drop(discovery.find_threads().map_err(failed));
#[test]
fn f25_a_start_without_a_thread_to_be_had_names_the_cause_and_the_remedy() {
    let agent = Agent::new();
    // The program and the log's thread; one that asks for more, which the pool has no room for beside it.
    for most in [2, 3] {
        let group = Group::new("pids");
        group.limit_processes(Some(most));
        let mut pilot = launch(WEB, format!("consul.example:{}", agent.address().port()))
            .setup(HOSTS)
            .setup(&group.enter())
            .start();
        assert_eq!(pilot.wait_exit(), 70);
        let said = pilot.stderr();
        assert!(said.contains("failed to use Consul: no thread to read files on"), "{said}");
        assert!(said.contains("resource temporarily unavailable (no further thread is allowed: ulimit -u"), "{said}");
        assert!(said.lines().count() == 1 && !said.contains("report it") && !said.contains("panic"), "{said}");
        pilot.finish();
    }
}
