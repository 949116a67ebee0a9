//! The harness itself: agents and the scripted server do what the tests rely on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::certificates::Authority;
use crate::support::consul::{MASTER, Options};
use crate::support::http::ask;
use crate::support::scripted::well;
use crate::support::wait::holds_for;
use crate::support::{Agent, Answer, DEADLINE, Launch, Scripted, wait_until};

fn service(id: &str, ttl: &str) -> serde_json::Value {
    json!({ "ID": id, "Name": "web", "Address": "192.0.2.1", "Port": 80, "Check": { "TTL": ttl, "Status": "passing" } })
}

#[test]
fn an_agent_keeps_what_it_is_told_until_it_restarts() {
    let mut agent = Agent::new();
    agent.register(&service("web-left", "30s"));
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    agent.wait_healthy("web", &["web-left"]);
    agent.deregister("web-left");
    agent.wait_healthy("web", &[]);
    agent.register(&service("web-left", "30s"));
    agent.restart();
    assert_eq!(agent.service("web-left"), None);
    let update = agent.ask("PUT", "/v1/agent/check/update/service:web-left", br#"{"Status":"passing"}"#).unwrap();
    assert_eq!(update.status, 500);
    assert!(update.text().contains("does not have associated TTL"), "{}", update.text());
}

#[test]
fn a_time_to_live_lapses() {
    let agent = Agent::new();
    agent.register(&service("web-left", "1s"));
    agent.wait_status("web-left", "critical");
    agent.wait_healthy("web", &[]);
    let passes = || {
        agent.put("/v1/agent/check/update/service:web-left", r#"{"Status":"passing","Output":"ok"}"#);
        agent.status("web-left").as_deref() == Some("passing")
    };
    wait_until(DEADLINE, passes, "it passes again");
}

#[test]
fn a_frozen_agent_takes_connections_and_says_nothing() {
    let agent = Agent::new();
    agent.freeze();
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.write_all(b"GET /v1/status/leader HTTP/1.0\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    agent.thaw();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 1);
}

#[test]
fn a_stopped_agent_refuses_connections_and_comes_back_at_its_address() {
    let mut agent = Agent::new();
    let before = agent.address();
    agent.stop();
    assert!(TcpStream::connect(before).is_err());
    agent.start();
    assert_eq!(agent.address(), before);
    assert_eq!(agent.get("/v1/agent/services"), json!({}));
}

#[test]
fn nothing_of_an_agent_is_left() {
    let agent = Agent::new();
    let address = agent.address();
    drop(agent);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn tokens_allow_what_their_rules_say_until_they_are_revoked() {
    let agent = Options::default().acl().start();
    let put = |token: &str| {
        let reply = ask(
            agent.address(),
            "PUT",
            "/v1/agent/service/register",
            &[("X-Consul-Token", token)],
            service("web-left", "30s").to_string().as_bytes(),
        );
        reply.unwrap()
    };
    assert_eq!(put("").status, 403);
    let reader = agent.new_token(r#"service_prefix "" { policy = "read" }"#);
    let denied = put(&reader.secret);
    assert_eq!((denied.status, denied.text().as_str()), (403, "Permission denied: Missing service:write on web"));
    let writer = agent.new_token(r#"service "web" { policy = "write" }"#);
    assert_eq!(put(&writer.secret).status, 200);
    agent.revoke(&writer);
    let revoked = put(&writer.secret);
    assert_eq!((revoked.status, revoked.text().as_str()), (403, "ACL not found"));
    assert_eq!(put(MASTER).status, 200);
}

#[test]
fn tls_asks_for_the_authority_the_name_and_the_client() {
    let authority = Authority::new();
    let own = authority.sign("agent", &["DNS:consul.test", "IP:127.0.0.1"]);
    let client = authority.sign("client", &["DNS:client.test"]);
    let agent = Options::default().tls(&authority, &own, true).start();
    let get = |args: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &agent.https().to_string()]);
        let mut child =
            command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(b"GET /v1/status/leader HTTP/1.0\r\n\r\n");
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        String::from_utf8_lossy(&output.stdout).contains("200 OK")
    };
    let (ca, cert, key) = (authority.ca(), client.cert, client.key);
    let trust = ["-CAfile", ca.to_str().unwrap()];
    let name = ["-verify_hostname", "consul.test"];
    let shown = ["-cert", cert.to_str().unwrap(), "-key", key.to_str().unwrap()];
    assert!(get(&[&trust[..], &name, &shown].concat()));
    assert!(!get(&[&trust[..], &name].concat()), "without the client's certificate");
    assert!(!get(&[&name[..], &shown].concat()), "without the authority");
    assert!(!get(&[&trust[..], &["-verify_hostname", "other.test"], &shown].concat()), "by another name");
}

#[test]
fn an_agent_answers_over_ipv6_and_over_a_socket() {
    let agent = Options::default().ipv6().start();
    assert!(agent.address().is_ipv6());
    let mut stream = std::os::unix::net::UnixStream::connect(agent.socket()).unwrap();
    stream.write_all(b"GET /v1/status/leader HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("200 OK"), "{answer}");
}

#[test]
fn two_data_centres_join() {
    let here = Agent::new();
    let there = Options::default().datacentre("dc2").start();
    let before = here.ask("GET", "/v1/health/service/web?dc=dc2", b"").unwrap();
    assert_eq!((before.status, before.text().as_str()), (500, "No path to datacenter"));
    here.join_wan(&there);
    there.register(&service("web-right", "30s"));
    there.wait_healthy("web", &["web-right"]);
    let seen = || here.get("/v1/health/service/web?dc=dc2").as_array().is_some_and(|list| list.len() == 1);
    wait_until(DEADLINE, seen, "the other data centre's service");
    assert_eq!(here.healthy("web"), Vec::<String>::new());
}

#[test]
fn the_program_under_test_reaches_the_agents_of_the_test() {
    let agent = Agent::new();
    let text = r#"exec 3<>"/dev/tcp/${CONSUL%:*}/${CONSUL#*:}" && printf 'GET /v1/status/leader HTTP/1.0\r\n\r\n' >&3 && cat <&3"#;
    let launch = Launch::program("/bin/bash", &["-c", text]).env("CONSUL", &agent.address().to_string());
    let pilot = launch.own_hostname("left").start();
    pilot.wait_stdout("200 OK");
}

#[test]
fn the_scripted_server_answers_as_told_and_remembers() {
    let server = Scripted::start(well);
    let get = |target: &str| ask(server.address(), "GET", target, &[("X-Consul-Token", "abc")], b"");
    assert_eq!(get("/v1/health/service/web?passing=1").unwrap().header("x-consul-index"), Some("7"));
    server.script(|_| Answer::Status(500, "No path to datacenter".to_owned()));
    let reply = get("/v1/health/service/web").unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (500, "No path to datacenter"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let first = requests.first().unwrap();
    assert_eq!((first.method.as_str(), first.path()), ("GET", "/v1/health/service/web"));
    assert_eq!((first.query("passing"), first.header("x-consul-token")), (Some("1"), Some("abc")));
    assert_eq!(server.matching("PUT").len(), 0);
}

#[test]
fn the_scripted_server_misbehaves() {
    let server = Scripted::start(|_| Answer::Close);
    let connect = || {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stream
    };
    let mut byte = [0; 1];
    assert_eq!(connect().read(&mut byte).unwrap(), 0);
    server.script(|_| Answer::Hang);
    let mut hung = connect();
    hung.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(hung.read(&mut byte).is_err());
    drop(hung);
    server.script(|_| Answer::Http09("hello"));
    let mut text = String::new();
    connect().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    server.script(|_| Answer::EndlessBody);
    let mut much = vec![0; 20 << 20];
    connect().read_exact(&mut much).unwrap();
    server.script(|_| Answer::SlowBody(Duration::from_millis(20)));
    let begin = Instant::now();
    let mut stream = connect();
    stream.read_exact(&mut [0; 100]).unwrap();
    assert!(begin.elapsed() > Duration::from_millis(40));
    server.script(|_| Answer::After(Duration::from_millis(50), Box::new(Answer::ok("late"))));
    let begin = Instant::now();
    assert_eq!(ask(server.address(), "GET", "/", &[], b"").unwrap().text(), "late");
    assert!(begin.elapsed() >= Duration::from_millis(50));
    wait_until(DEADLINE, || server.open().0 <= 1, "connections end");
    drop(stream);
    wait_until(DEADLINE, || server.open().0 == 0, "all connections end");
}

#[test]
fn the_scripted_server_passes_on() {
    let agent = Agent::new();
    let to = agent.address();
    let server = Scripted::start(move |_| Answer::Forward(to));
    let body = service("web-left", "4s").to_string();
    assert_eq!(ask(server.address(), "PUT", "/v1/agent/service/register", &[], body.as_bytes()).unwrap().status, 200);
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    holds_for(Duration::from_secs(1), || agent.status("web-left").as_deref() == Some("passing"), "it is passing");
    agent.wait_status("web-left", "critical");
}
