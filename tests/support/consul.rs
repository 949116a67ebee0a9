//! A real Consul agent of a test's own.
//!
//! Each is a server with its state in memory, on loopback ports that no other test has, led by itself within a quarter of
//! a second. It ends with the scope, and dies with the test.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::certificates::{Authority, Certificate};
use super::http::{self, Reply};
use super::ports::Ports;
use super::wait::{self, DEADLINE, wait_until};

/// The token that may do everything, where an agent asks for one.
pub const MASTER: &str = "3f0e2a51-7d2c-4b7c-9a54-0c7f6a1e5d01";

/// What an agent is to be like.
pub struct Options {
    datacentre: String,
    ipv6: bool,
    acl: bool,
    extra: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { datacentre: "dc1".to_owned(), ipv6: false, acl: false, extra: String::new() }
    }
}

impl Options {
    /// Another data centre than `dc1`.
    pub fn datacentre(mut self, name: &str) -> Self {
        name.clone_into(&mut self.datacentre);
        self
    }

    /// Speaks to clients over `::1`.
    pub fn ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Nothing is allowed without a token; [`MASTER`] may do all.
    pub fn acl(mut self) -> Self {
        self.acl = true;
        let tokens = format!(r#"tokens {{ master = "{MASTER}" agent = "{MASTER}" }}"#);
        self.line(&format!(r#"acl {{ enabled = true default_policy = "deny" {tokens} }}"#))
    }

    /// HTTPS beside HTTP, with this certificate; clients must show one of the authority's if that is asked for.
    pub fn tls(self, authority: &Authority, own: &Certificate, clients_show_theirs: bool) -> Self {
        let file = |field: &str, path: &Path| format!("{field} = \"{}\"", path.display());
        self.line(&file("ca_file", &authority.ca()))
            .line(&file("cert_file", &own.cert))
            .line(&file("key_file", &own.key))
            .line(&format!("verify_incoming_https = {clients_show_theirs}"))
    }

    /// More of its configuration, in Consul's language.
    pub fn line(mut self, hcl: &str) -> Self {
        self.extra.push_str(hcl);
        self.extra.push('\n');
        self
    }

    /// Starts it and waits until it leads.
    #[track_caller]
    pub fn start(self) -> Agent {
        let mut agent = self.prepare();
        agent.start();
        agent
    }

    /// An agent that isn't started: its ports are its own already.
    pub fn prepare(self) -> Agent {
        let dir = tempfile::Builder::new().prefix("pilot-consul-").tempdir().expect("a directory of the agent's own");
        let ports = Ports::take();
        let client: IpAddr = if self.ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let mut text = String::new();
        let wan = ports.port(4);
        writeln!(text, "ports {{ dns = -1 grpc = -1 http = {} https = {}", ports.port(0), ports.port(1)).expect("text");
        writeln!(text, "server = {} serf_lan = {} serf_wan = {wan} }}", ports.port(2), ports.port(3)).expect("text");
        // The second address is a socket in its directory.
        let socket = dir.path().join("http.socket");
        writeln!(text, "addresses {{ http = \"{client} unix://{}\" https = \"{client}\" }}", socket.display())
            .expect("text");
        writeln!(text, "disable_update_check = true\nbind_addr = \"127.0.0.1\"\n{}", self.extra).expect("text");
        std::fs::write(dir.path().join("agent.hcl"), text).expect("its configuration can be written");
        Agent { dir, ports, client, options: self, child: None }
    }
}

/// An agent.
pub struct Agent {
    dir: TempDir,
    ports: Ports,
    client: IpAddr,
    options: Options,
    child: Option<Child>,
}

impl Agent {
    /// One with nothing special.
    #[track_caller]
    pub fn new() -> Self {
        Options::default().start()
    }

    /// Where it answers HTTP.
    pub fn address(&self) -> SocketAddr {
        (self.client, self.ports.port(0)).into()
    }

    /// Where it answers HTTPS, if it does.
    pub fn https(&self) -> SocketAddr {
        (self.client, self.ports.port(1)).into()
    }

    /// Its HTTP socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("http.socket")
    }

    /// Starts it, again if need be: nothing is left of what it knew before.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let _ = std::fs::remove_file(self.socket());
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "consul", "agent", "-dev", "-log-level=info", "-config-file=agent.hcl"])
            .arg(format!("-datacenter={}", self.options.datacentre))
            .arg(format!("-node=node-{}", self.options.datacentre))
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", super::PATH)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        self.child = Some(command.spawn().expect("consul is there (scripts/install-consul)"));
        let leads = wait::poll(DEADLINE, || {
            let gone = self.child.as_mut()?.try_wait().ok()?.is_some();
            (gone || self.is_ready()).then_some(!gone)
        });
        assert!(leads == Some(true), "the agent does not lead: {}", self.log());
    }

    /// Whether it leads, knows its own node, and takes the master token.
    fn is_ready(&self) -> bool {
        let get = |target: &str| self.ask_with("GET", target, &[], b"").ok().filter(|reply| reply.status == 200);
        let self_known = || get("/v1/health/service/consul").is_some_and(|reply| reply.text().contains("serfHealth"));
        let token_known = || !self.options.acl || get("/v1/acl/token/self").is_some();
        get("/v1/status/leader").is_some_and(|reply| reply.text().contains(':')) && token_known() && self_known()
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it and starts it anew, with all that it knew forgotten.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    /// Lets it stand still: connections are taken by the kernel, and nobody answers.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let pid = self.pid();
        wait_until(DEADLINE, || super::process::look(pid).is_some_and(|p| p.state == 'T'), "the agent stands still");
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("a signal to our own child");
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("it runs").id()).expect("a pid")
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Joins the other data centre's agent, and waits until each knows the way to the other.
    #[track_caller]
    pub fn join_wan(&self, other: &Self) {
        self.put(&format!("/v1/agent/join/127.0.0.1:{}?wan=1", other.ports.port(4)), "");
        let knows = |one: &Self, two: &Self| {
            let reply = one.ask("GET", &format!("/v1/health/service/consul?dc={}", two.options.datacentre), b"");
            reply.is_ok_and(|reply| reply.status == 200)
        };
        wait_until(DEADLINE, || knows(self, other) && knows(other, self), "the data centres know each other");
    }

    fn ask_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Reply> {
        let mut headers = headers.to_vec();
        if self.options.acl && http::header(&owned(&headers), "X-Consul-Token").is_none() {
            headers.push(("X-Consul-Token", MASTER));
        }
        http::ask(self.address(), method, target, &headers, body)
    }

    /// Asks it, with the master token where it wants one.
    pub fn ask(&self, method: &str, target: &str, body: &[u8]) -> std::io::Result<Reply> {
        self.ask_with(method, target, &[], body)
    }

    /// Asks it with another token.
    pub fn ask_as(&self, token: &str, method: &str, target: &str, body: &[u8]) -> std::io::Result<Reply> {
        self.ask_with(method, target, &[("X-Consul-Token", token)], body)
    }

    /// What it says to a query.
    #[track_caller]
    pub fn get(&self, target: &str) -> Value {
        let reply = self.insist("GET", target, "");
        assert!(reply.status == 200, "{target}: {} {}", reply.status, reply.text());
        reply.json()
    }

    /// Tells it something, which it must take.
    #[track_caller]
    pub fn put(&self, target: &str, body: &str) -> Reply {
        let reply = self.insist("PUT", target, body);
        assert!(reply.status == 200, "{target}: {} {}", reply.status, reply.text());
        reply
    }

    /// Asks until there is an answer: Consul cuts connections when one address has over 200 of them, a test's and those
    /// of a hundred services that nobody answered for a while.
    #[track_caller]
    fn insist(&self, method: &str, target: &str, body: &str) -> Reply {
        let answered = wait::poll(Duration::from_secs(5), || self.ask(method, target, body.as_bytes()).ok());
        answered.unwrap_or_else(|| panic!("no answer to {method} {target}"))
    }

    /// Makes a token with these rules, in Consul's language. Gives its secret.
    #[track_caller]
    pub fn new_token(&self, rules: &str) -> Token {
        // A policy's name must be its own.
        let count = self.get("/v1/acl/policies").as_array().map_or(0, Vec::len);
        let policy = json!({ "Name": format!("policy-{count}"), "Rules": rules });
        self.put("/v1/acl/policy", &policy.to_string());
        let token = json!({ "Policies": [{ "Name": format!("policy-{count}") }] });
        let made = self.put("/v1/acl/token", &token.to_string()).json();
        let text = |field: &str| made.get(field).and_then(Value::as_str).expect("a token").to_owned();
        Token { secret: text("SecretID"), accessor: text("AccessorID") }
    }

    /// Takes a token back.
    #[track_caller]
    pub fn revoke(&self, token: &Token) {
        let reply = self.ask("DELETE", &format!("/v1/acl/token/{}", token.accessor), b"").expect("it answers");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Registers a service by hand.
    #[track_caller]
    pub fn register(&self, service: &Value) {
        self.put("/v1/agent/service/register", &service.to_string());
    }

    /// Takes a service out by hand.
    #[track_caller]
    pub fn deregister(&self, id: &str) {
        self.put(&format!("/v1/agent/service/deregister/{id}"), "");
    }

    /// A service that was registered with it, by its id.
    pub fn service(&self, id: &str) -> Option<Value> {
        self.get("/v1/agent/services").get(id).cloned()
    }

    /// The status of a service's time-to-live check, by the service's id: `passing`, `warning`, `critical`.
    pub fn status(&self, id: &str) -> Option<String> {
        let checks = self.get("/v1/agent/checks");
        Some(checks.get(format!("service:{id}"))?.get("Status")?.as_str()?.to_owned())
    }

    /// Waits until a service's check has this status.
    #[track_caller]
    pub fn wait_status(&self, id: &str, status: &str) {
        let seen = || self.status(id).as_deref() == Some(status);
        wait_until(DEADLINE, seen, &format!("{id} is {status}"));
    }

    /// Waits until it does not know the service any more.
    #[track_caller]
    pub fn wait_gone(&self, id: &str) {
        wait_until(DEADLINE, || self.service(id).is_none(), &format!("{id} is gone"));
    }

    /// The ids of a service's healthy instances in the catalogue, in their order.
    pub fn healthy(&self, name: &str) -> Vec<String> {
        let list = self.get(&format!("/v1/health/service/{name}?passing=1"));
        let id = |entry: &Value| Some(entry.get("Service")?.get("ID")?.as_str()?.to_owned());
        let mut ids: Vec<String> = list.as_array().into_iter().flatten().filter_map(id).collect();
        ids.sort();
        ids
    }

    /// Waits until exactly these instances are healthy.
    #[track_caller]
    pub fn wait_healthy(&self, name: &str, ids: &[&str]) {
        wait_until(DEADLINE, || self.healthy(name) == ids, &format!("{name} has the healthy instances {ids:?}"));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the agent in {}:\n{}", self.dir.path().display(), self.log().trim_end());
        }
        self.stop();
    }
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What a client sends.
    pub secret: String,
    accessor: String,
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// How long a check's lapse may be seen late, beside Consul's own.
pub const SLACK: Duration = Duration::from_secs(2);
