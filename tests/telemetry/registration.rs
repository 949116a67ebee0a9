//! The service `containerpilot` in Consul (v3 §16).

use crate::setup::launch;
use crate::support::{Agent, DEADLINE, Signal, wait_until};

const CONFIG: &str = r#"{
    consul: "{{ .CONSUL }}", stopTimeout: 1,
    telemetry: { port: {{ .PORT }}, interfaces: ["static:127.0.0.1"], tags: ["team-a"] },
    jobs: [{ name: "web", exec: ["sleep", "1000"] }],
}"#;

#[test]
fn it_is_registered_with_its_tags_and_the_version_until_the_end() {
    let agent = Agent::new();
    let (launch, ports) = launch(CONFIG);
    let mut pilot = launch.env("CONSUL", &agent.address().to_string()).own_hostname("left").start();
    agent.wait_status("containerpilot-left", "passing");
    let service = agent.service("containerpilot-left").unwrap();
    assert_eq!(service["Service"], "containerpilot");
    assert_eq!(service["Port"], ports.port(0));
    assert_eq!(service["Address"], "127.0.0.1");
    assert_eq!(service["Tags"], serde_json::json!(["team-a", env!("CARGO_PKG_VERSION")]));
    pilot.stop();
    wait_until(DEADLINE, || agent.service("containerpilot-left").is_none(), "it is taken out at the end");
    pilot.finish();
}

#[test]
fn maintenance_takes_it_out_and_it_comes_back() {
    let agent = Agent::new();
    let (launch, _ports) = launch(CONFIG);
    let pilot = launch.env("CONSUL", &agent.address().to_string()).own_hostname("left").start();
    agent.wait_status("containerpilot-left", "passing");
    pilot.signal(Signal::SIGUSR1);
    wait_until(DEADLINE, || agent.service("containerpilot-left").is_none(), "maintenance");
    let six = std::time::Duration::from_secs(6);
    crate::support::wait::holds_for(
        six,
        || agent.service("containerpilot-left").is_none(),
        "no heartbeat brings it back",
    );
    pilot.signal(Signal::SIGUSR1);
    agent.wait_status("containerpilot-left", "passing");
    pilot.finish();
}
