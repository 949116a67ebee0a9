//! Consul over TLS: a private authority, client certificates, wrong names.

use std::time::Duration;

use crate::setup::{WEB, launch};
use crate::support::certificates::{Authority, Certificate};
use crate::support::consul::{Agent, Options};
use crate::support::wait::holds_for;
use crate::support::{Launch, Pilot};

struct World {
    authority: Authority,
    client: Certificate,
    agent: Agent,
}

/// An agent whose certificate is for these names.
fn world(names: &[&str], clients_show_theirs: bool) -> World {
    let authority = Authority::new();
    let own = authority.sign("agent", names);
    let client = authority.sign("client", &["DNS:client.example"]);
    let agent = Options::default().tls(&authority, &own, clients_show_theirs).start();
    World { authority, client, agent }
}

impl World {
    /// The program with these TLS settings.
    fn launch(&self, tls: &str) -> Launch {
        let consul = format!("{{ address: \"{}\", scheme: \"https\", tls: {{ {tls} }} }}", self.agent.https());
        launch(&WEB.replace("\"{{ .CONSUL }}\"", &consul), "")
    }

    fn ca(&self) -> String {
        format!("cafile: \"{}\"", self.authority.ca().display())
    }

    fn shown(&self) -> String {
        format!("clientcert: \"{}\", clientkey: \"{}\"", self.client.cert.display(), self.client.key.display())
    }

    /// It is registered, and gone after the stop.
    #[track_caller]
    fn lets_in(&self, launch: Launch) {
        let pilot = launch.start();
        self.agent.wait_status("web-left", "passing");
        assert_eq!(pilot.finish(), 0);
        self.agent.wait_gone("web-left");
    }

    /// It runs, is not registered, and tells why.
    #[track_caller]
    fn keeps_out(&self, launch: Launch) -> Pilot {
        let pilot = launch.start();
        pilot.wait_stdout("service registration failed: ");
        pilot.wait_process("sleep 1000");
        holds_for(Duration::from_secs(1), || self.agent.service("web-left").is_none(), "it is not registered");
        pilot
    }
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named_and_not_otherwise() {
    let world = world(&["IP:127.0.0.1"], false);
    world.lets_in(world.launch(&world.ca()));
    let folder = format!("capath: \"{}\"", world.authority.dir().join("trusted").display());
    std::fs::create_dir(world.authority.path("trusted")).unwrap();
    std::fs::copy(world.authority.ca(), world.authority.path("trusted/ca.pem")).unwrap();
    world.lets_in(world.launch(&folder));
    world.lets_in(world.launch("").env("CONSUL_CACERT", world.authority.ca().to_str().unwrap()));
    let pilot = world.keeps_out(world.launch(""));
    assert!(pilot.stdout().to_lowercase().contains("certificate"), "{}", pilot.stdout());
    pilot.finish();
    let other = Authority::new();
    let wrong = format!("cafile: \"{}\"", other.ca().display());
    world.keeps_out(world.launch(&wrong)).finish();
}

#[test]
fn without_verification_everybody_is_trusted_and_that_is_said() {
    let world = world(&["DNS:other.example"], false);
    let pilot = world.launch("verify: false").start();
    world.agent.wait_status("web-left", "passing");
    let said = [pilot.stdout(), pilot.stderr()].concat();
    assert!(said.contains("verif"), "{said}");
    pilot.finish();
    world.lets_in(world.launch(&world.ca()).env("CONSUL_HTTP_SSL_VERIFY", "false"));
}

#[test]
fn the_name_must_be_right_or_be_named() {
    let world = world(&["DNS:server.dc1.consul"], false);
    let pilot = world.keeps_out(world.launch(&world.ca()));
    assert!(pilot.stdout().contains("127.0.0.1") || pilot.stdout().contains("name"), "{}", pilot.stdout());
    pilot.finish();
    let named = format!("{}, servername: \"server.dc1.consul\"", world.ca());
    world.lets_in(world.launch(&named));
    world.lets_in(world.launch(&world.ca()).env("CONSUL_TLS_SERVER_NAME", "server.dc1.consul"));
    let wrong = format!("{}, servername: \"server.dc2.consul\"", world.ca());
    world.keeps_out(world.launch(&wrong)).finish();
}

#[test]
fn an_agent_that_asks_for_our_certificate_gets_it() {
    let world = world(&["IP:127.0.0.1"], true);
    world.lets_in(world.launch(&format!("{}, {}", world.ca(), world.shown())));
    let by_environment = world
        .launch(&world.ca())
        .env("CONSUL_CLIENT_CERT", world.client.cert.to_str().unwrap())
        .env("CONSUL_CLIENT_KEY", world.client.key.to_str().unwrap());
    world.lets_in(by_environment);
    world.keeps_out(world.launch(&world.ca())).finish();
}

#[test]
fn the_scheme_may_stand_in_the_address_or_the_environment() {
    let world = world(&["IP:127.0.0.1"], false);
    let ca = world.authority.ca();
    let at = world.agent.https();
    let text = launch(&WEB.replace("{{ .CONSUL }}", &format!("https://{at}")), "");
    world.lets_in(text.env("CONSUL_CACERT", ca.to_str().unwrap()));
    let consul = format!("{{ address: \"{at}\" }}");
    let switched = launch(&WEB.replace("\"{{ .CONSUL }}\"", &consul), "");
    world.lets_in(switched.env("CONSUL_HTTP_SSL", "true").env("CONSUL_CACERT", ca.to_str().unwrap()));
}

#[test]
fn plain_http_to_a_tls_port_is_a_failure_that_is_told() {
    let world = world(&["IP:127.0.0.1"], false);
    world.keeps_out(launch(WEB, world.agent.https())).finish();
    let consul = format!("{{ address: \"{}\", scheme: \"https\" }}", world.agent.address());
    world.keeps_out(launch(&WEB.replace("\"{{ .CONSUL }}\"", &consul), "")).finish();
}
