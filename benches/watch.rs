//! How long a change in Consul takes to reach the job that waits for it: ours, and a poller that asks once a second as
//! ContainerPilot 3 did, over the same real agent.
//!
//! `cargo bench --bench watch`. Prints the median and the worst of 50 changes, and then how often 200 watches, and 200
//! services beside them, wake us where nothing changes.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement by hand")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Agent, Launch, wait_until};

const CONFIG: &str = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "web", interval: 1 } ], jobs: [
    { name: "main", exec: ["sleep", "1000"] },
    { name: "changed", exec: ["sh", "-c", "echo $CONTAINERPILOT_WATCH_WEB_ADDRS >> $LOG"],
      when: { source: "watch.web", each: "changed" } },
] }"#;

/// The poller: it asks each second, and starts a shell like ours when something changed.
const POLLER: &str = r#"
    trap "exit 0" TERM
    while :; do
        exec 3<>"/dev/tcp/${CONSUL%:*}/${CONSUL#*:}"
        printf 'GET /v1/health/service/web?passing=1 HTTP/1.0\r\n\r\n' >&3
        now=$(tr -d ' \n' <&3 | grep -o '"Service":{.*' | sed 's/.*"Address":"\([^"]*\)".*"Port":\([0-9]*\).*/\1:\2/')
        [ "$now" = "$was" ] || sh -c 'echo $0 >> $LOG' "$now"
        was=$now
        sleep 1
    done
"#;

fn main() {
    if !std::env::args().any(|word| word == "--bench") {
        // `cargo test --all-targets` runs it too, and a measurement is no test.
        return;
    }
    let mut report = std::io::stdout();
    for (what, launch) in [
        ("blocking queries", Launch::config(CONFIG)),
        ("asking once a second", Launch::program("/bin/bash", &["-c", POLLER])),
    ] {
        let agent = Agent::new();
        let pilot = launch.env("CONSUL", &agent.address().to_string()).start();
        let register = |port: u16| {
            agent.register(&json!({ "ID": "web-1", "Name": "web", "Address": "192.0.2.1", "Port": port }));
        };
        register(1);
        pilot.wait_log("192.0.2.1:1");
        let mut times: Vec<Duration> = (2..=51)
            .map(|port| {
                // Changes come whenever they like, not just after a look.
                std::thread::sleep(Duration::from_millis(u64::from(port) * 137 % 1000));
                let begin = Instant::now();
                register(port);
                let line = format!("192.0.2.1:{port}");
                wait_until(support::DEADLINE, || pilot.logged(&line) > 0, &line);
                begin.elapsed()
            })
            .collect();
        times.sort();
        let median = times.get(times.len() / 2).unwrap();
        writeln!(report, "{what}: median {median:.0?}, worst {:.0?}", times.last().unwrap()).unwrap();
        pilot.finish_and_tell();
    }
    for services in [0, MANY] {
        idle(services, &mut report);
    }
}

/// So many watches, and services.
const MANY: usize = 200;
/// From one heartbeat of a service to the next, in seconds.
const BEAT: u64 = 10;

/// What it takes where nothing happens but the services' heartbeats, which are due together.
fn idle(services: usize, report: &mut impl std::io::Write) {
    let watches: Vec<_> = (0..MANY).map(|n| json!({ "name": format!("watched{n}"), "interval": 1 })).collect();
    let mut jobs = vec![json!({ "name": "main", "exec": ["sleep", "1000"] })];
    jobs.extend((0..services).map(|n| {
        json!({ "name": format!("served{n}"), "exec": ["sleep", "1000"], "port": 8000 + n,
            "interfaces": ["static:192.0.2.1"], "health": { "interval": BEAT, "ttl": 3 * BEAT } })
    }));
    let agent = Agent::new();
    let address = agent.address().to_string();
    let config = json!({ "consul": address, "watches": watches, "jobs": jobs }).to_string();
    let pilot = Launch::config(&config).start();
    let healthy = || (0..services).all(|n| agent.healthy(&format!("served{n}")).len() == 1);
    wait_until(support::DEADLINE, healthy, "all services healthy");
    std::thread::sleep(Duration::from_secs(BEAT));
    let look = || (pilot.wakeups(), pilot.cpu_time());
    let (before, window) = (look(), Duration::from_secs(3 * BEAT));
    std::thread::sleep(window);
    let after = look();
    writeln!(
        report,
        "{MANY} watches, {services} services with {} heartbeats, {window:?}: {} wake-ups, {:.1?} of a processor",
        services as u64 * 3,
        after.0 - before.0,
        after.1.saturating_sub(before.1)
    )
    .unwrap();
    pilot.finish_and_tell();
}
