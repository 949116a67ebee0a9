//! Row 58's other half: a withdrawal that nobody answers never delays a SIGKILL.

use std::time::Duration;

use crate::setup::{UPDATE, start};
use crate::support::scripted::well;
use crate::support::{Answer, Scripted};
use crate::told::{gaps, moments};

// Seen red with src/core/service.rs:
//- run.begin_grace(turn);
//+ let _ = run;
#[test]
fn f58_a_consul_that_hangs_keeps_no_deaf_job_alive_beyond_its_stop_timeout() {
    let server = Scripted::start(well);
    let config = r#"{ consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 8, jobs: [
        { name: "deaf", exec: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], port: 1,
          interfaces: "static:192.0.2.1", health: { interval: 1, ttl: 60 } },
    ] }"#;
    let mut pilot = start(config, server.address());
    server.wait_for(UPDATE, 1);
    server.script(|_| Answer::Hang);
    assert_eq!(pilot.stop().0, 0);
    let told = pilot.stdout();
    assert!(told.contains("deaf stops, but may still be registered: Consul did not answer in 2s"), "{told}");
    // By our own stamps, with room for timers that are late where nobody gets the processor.
    let killed = moments(&pilot, "of SIGTERM: killing its process group");
    let begun = moments(&pilot, "stopping on SIGTERM: 1 job, SIGKILL 8s after each one's SIGTERM");
    let lived = gaps(&[begun.as_slice(), &killed].concat());
    assert_eq!(lived.len(), 1, "{told}");
    assert!(lived[0] > Duration::from_millis(7900) && lived[0] < Duration::from_millis(9500), "{lived:?}: {told}");
    // TERM itself was sent two seconds after the beginning, or somewhat later: KILL was not put off by that.
    let left: Vec<&str> =
        told.lines().filter_map(|line| line.split_once("deaf did not end within ")).map(|(_, left)| left).collect();
    let seconds: f64 = left[0].split_once("s of SIGTERM").unwrap().0.parse().unwrap();
    assert!(seconds <= 6.0 && seconds > 4.0, "{left:?}");
    pilot.finish();
}
