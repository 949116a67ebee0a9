//! A Consul that means no good, or one who may register with it.

use serde_json::json;

use crate::setup::{REGISTER, WEB, launch, start};
use crate::support::scripted::well;
use crate::support::{Agent, Answer, DEADLINE, Scripted, wait_until};

const TOKEN: &str = "5ec2e7f0-70c3-4bad-9bad-5ec2e75ec2e7";

/// Whoever answers in Consul's place must not send the token on to somebody else.
// Seen red with src/discovery/consul/client.rs:
//- .redirect(reqwest::redirect::Policy::none())
//+ .redirect(reqwest::redirect::Policy::limited(5))
#[test]
fn f64_no_redirect_takes_the_token_elsewhere() {
    let elsewhere = Scripted::start(well);
    let to = elsewhere.address();
    let liar = Scripted::start(move |request| {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{to}{}\r\n", request.target);
        Answer::Garbage(format!("{head}Content-Length: 0\r\n\r\n").leak().as_bytes())
    });
    let pilot = launch(WEB, liar.address()).env("CONSUL_HTTP_TOKEN", TOKEN).start();
    liar.wait_for(REGISTER, 2);
    pilot.wait_stdout("service registration failed: ");
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    assert!(!(pilot.stdout() + &pilot.stderr()).contains(TOKEN));
    pilot.finish();
}

/// Scripts read lines of `address:port`: what is neither an address nor a name never becomes one.
// Seen red with src/discovery/consul/types.rs:
//- text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(plain))
//+ text.parse::<IpAddr>().is_ok() || text.chars().all(plain) || !text.is_empty()
#[test]
fn an_instance_whose_address_is_code_is_left_out() {
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "db", interval: 1 } ], jobs: [
        { name: "main", exec: ["sleep", "1000"] },
        { name: "write", exec: ["sh", "-c", "env > $DIR/new; mv $DIR/new $DIR/env"],
          when: { source: "watch.db", each: "changed" } },
    ] }"#;
    let pilot = start(config, agent.address());
    pilot.wait_process("sleep 1000");
    for (id, address) in [("a", "192.0.2.1\n192.0.2.66:1"), ("b", "x; reboot"), ("c", "$(reboot)"), ("d", "192.0.2.4")]
    {
        agent.register(&json!({ "ID": id, "Name": "db", "Port": 1, "Address": address }));
    }
    wait_until(DEADLINE, || pilot.read("env").contains("192.0.2.4:1\n"), "the one that is good");
    pilot.wait_stdout("left out: the address of ");
    let env = pilot.read("env");
    assert!(env.contains("CONTAINERPILOT_WATCH_DB_ADDRS=192.0.2.4:1\n"), "{env}");
    assert!(!env.contains("reboot") && !env.contains("192.0.2.66"), "{env}");
    pilot.finish();
}
