//! The `consul` section and the environment's `CONSUL_…` variables (v3 §13.1; design §4 rows 10, 17, 27).

use std::path::PathBuf;

use super::agent_address::{Found, warn_of_address};
use super::credentials::{Credentials, credentials};
use crate::config::coerce::parse_bool;
use crate::config::context::Context;
use crate::config::decode::{Decoder, Field};
use crate::config::diagnostic::Span;
use crate::config::files::{PemProblem, directory_problem, pem_problem};
use crate::config::json5::{Node, Value};
use crate::config::raw::{self, Text};
use crate::config::report::{Place, Problem, Rank, Report, Step};
use crate::env::Environment;
use crate::plan::{Consul, ConsulScheme, ConsulTls};

/// Where an agent usually is.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8500";

/// What the original said to a file without a usable `consul`.
pub(super) const NO_BACKEND: &str = "no discovery backend defined";

/// What a file says of Consul.
pub(super) enum Decided {
    /// Nothing.
    Absent,
    /// `consul: false`: there is none, and that is meant.
    Off,
    /// Something wrong, which has been said.
    Bad,
    /// An agent.
    Agent(Box<Consul>),
}

impl Decided {
    /// For the plan.
    pub(super) fn into_plan(self) -> Option<Consul> {
        if let Self::Agent(consul) = self { Some(*consul) } else { None }
    }
}

/// Reads the section. Certificates are looked at, but not yet used.
pub(super) fn consul(node: Option<&Node>, context: &Context, report: &mut Report) -> Decided {
    let rank = Rank::decoding(Step::Consul);
    let Some(node) = node else {
        report.lifted(rank, NO_BACKEND);
        return Decided::Absent;
    };
    let raw = match &node.value {
        Value::Bool(false) => {
            report.lifted(rank, NO_BACKEND);
            return Decided::Off;
        }
        Value::String(text) => from_text(text, node),
        Value::Object(_) => {
            let mut decoder = Decoder::new(report, rank);
            let raw = raw::consul(&mut decoder, node, &Place::section("consul"));
            match (decoder.finish(""), raw) {
                (true, Some(raw)) => raw,
                _ => return Decided::Bad,
            }
        }
        _ => {
            let found = report.found(node);
            let message = format!("consul: expected an address, an object or false, found {found}");
            report.add(Problem::error(rank, "consul", node.span, message).original(NO_BACKEND));
            return Decided::Bad;
        }
    };
    Agent { env: &context.env, report, section: node.span }.decide(&raw)
}

/// The text form: a scheme in front decides how the agent is spoken to, and nothing else is.
fn from_text<'n>(text: &str, node: &'n Node) -> raw::Consul<'n> {
    let (scheme, address) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => ("http", rest),
        (_, Some(rest)) => ("https", rest),
        _ => ("http", text),
    };
    raw::Consul {
        address: Text { field: Field::Given(address.to_owned(), node.span), node: Some(node) },
        scheme: Field::Given(scheme.to_owned(), node.span),
        ..raw::Consul::default()
    }
}

struct Agent<'j, 'a> {
    env: &'j Environment,
    report: &'j mut Report<'a>,
    section: Span,
}

impl Agent<'_, '_> {
    fn decide(&mut self, raw: &raw::Consul) -> Decided {
        let tls = self.tls(raw.tls.as_ref());
        let from_env = raw.address.text().is_empty().then(|| self.variable("CONSUL_HTTP_ADDR")).flatten();
        let named_by_env = from_env.is_some();
        let address = match raw.address.text() {
            "" => from_env.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()),
            text => text.to_owned(),
        };
        let scheme = match raw.scheme.text() {
            "" if self.is_on("CONSUL_HTTP_SSL") => ConsulScheme::Https,
            "" | "http" => ConsulScheme::Http,
            "https" => ConsulScheme::Https,
            other => ConsulScheme::Other(other.to_owned()),
        };
        // A second scheme, left in the address, wins over the first.
        let (scheme, address) = match address.split_once("://") {
            None => (scheme, address),
            Some(("http", rest)) => (ConsulScheme::Http, rest.to_owned()),
            Some(("https", rest)) => (ConsulScheme::Https, rest.to_owned()),
            Some(("unix", rest)) => (ConsulScheme::Unix, rest.to_owned()),
            Some((unknown, _)) => {
                self.unknown_scheme(raw, unknown, named_by_env);
                return Decided::Bad;
            }
        };
        if let (ConsulScheme::Other(_), Some(span)) = (&scheme, raw.scheme.span()) {
            let message = "consul.scheme: neither \"http\" nor \"https\": every request will fail";
            self.report.add(Problem::warning("consul.scheme", span, message));
        }
        if named_by_env || raw.address.node.is_some() {
            let at = Found { node: raw.address.node.filter(|_| !named_by_env), section: self.section };
            warn_of_address(&address, &scheme, &at, self.report);
        }
        if scheme == ConsulScheme::Https && !tls.verify {
            self.warn_of_no_verification(raw);
        }
        let Credentials { token, token_file, namespace, partition } =
            credentials(raw.token.text(), self.env, self.section, self.report);
        Decided::Agent(Box::new(Consul {
            address,
            scheme,
            token,
            token_file,
            namespace,
            partition,
            failing_heartbeat: raw.failing_heartbeat.is_on(),
            tls,
        }))
    }

    /// A variable that is set to something.
    fn variable(&self, name: &str) -> Option<String> {
        self.env.get_text(name).filter(|value| !value.is_empty())
    }

    /// A variable that is a switch, where anything unreadable is off.
    fn is_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| parse_bool(&value) == Ok(true))
    }

    fn unknown_scheme(&mut self, raw: &raw::Consul, unknown: &str, named_by_env: bool) {
        let original = format!("Unknown protocol scheme: {unknown}");
        let rank = Rank(Step::Consul, 1, 2);
        let problem = if let Some(node) = raw.address.node.filter(|_| !named_by_env) {
            let found = self.report.found(node);
            let message = format!("consul: expected an address with http://, https://, unix:// or none, found {found}");
            Problem::error(rank, "consul", node.span, message)
        } else {
            let message = "CONSUL_HTTP_ADDR in the environment has a scheme that is not http, https or unix";
            Problem::error(rank, "consul", self.section, message).nowhere()
        };
        self.report.add(problem.original(original));
    }

    fn warn_of_no_verification(&mut self, raw: &raw::Consul) {
        let span = raw.tls.as_ref().and_then(|tls| tls.verify.span());
        let risk = "anybody on the way can pretend to be Consul";
        let problem = if let Some(span) = span.filter(|_| self.variable("CONSUL_HTTP_SSL_VERIFY").is_none()) {
            let message = format!("consul.tls.verify: the agent's certificate is not verified: {risk}");
            Problem::warning("consul.tls.verify", span, message)
        } else {
            let message = format!("CONSUL_HTTP_SSL_VERIFY turns off that the agent's certificate is verified: {risk}");
            Problem::warning("consul", self.section, message).nowhere()
        };
        self.report.add(problem);
    }

    /// The TLS settings: the file's, and the environment's over them.
    fn tls(&mut self, raw: Option<&raw::Tls>) -> ConsulTls {
        let field =
            |pick: for<'t> fn(&'t raw::Tls<'_>) -> &'t Field<String>| raw.map_or("", |raw| pick(raw).text()).to_owned();
        let named = |variable: &str, file: String| {
            let value = self.variable(variable).unwrap_or(file);
            (!value.is_empty()).then_some(value)
        };
        let ca_file = named("CONSUL_CACERT", field(|tls| &tls.ca_file.field));
        let ca_path = named("CONSUL_CAPATH", field(|tls| &tls.ca_path.field));
        let client_cert = named("CONSUL_CLIENT_CERT", field(|tls| &tls.client_cert.field));
        let client_key = named("CONSUL_CLIENT_KEY", field(|tls| &tls.client_key.field));
        let server_name = named("CONSUL_TLS_SERVER_NAME", field(|tls| &tls.server_name));

        if let (Some(cert), Some(key)) = (&client_cert, &client_key) {
            let problem = pem_problem(cert, "CERTIFICATE").map(|why| (why, "CONSUL_CLIENT_CERT", "clientcert"));
            let problem =
                problem.or_else(|| pem_problem(key, "KEY").map(|why| (why, "CONSUL_CLIENT_KEY", "clientkey")));
            if let Some((why, variable, key)) = problem {
                let node =
                    raw.and_then(|raw| if key == "clientkey" { raw.client_key.node } else { raw.client_cert.node });
                let original = match &why {
                    PemProblem::Unreadable(text) => text.clone(),
                    PemProblem::NoBlock => "tls: failed to find any PEM data in certificate input".to_owned(),
                };
                self.bad_file(variable, key, node, &said(&why), original);
            }
        }
        match (&client_cert, &client_key) {
            (Some(_), None) => self.warn_of_half_a_pair(
                ("clientcert", "CONSUL_CLIENT_CERT", raw.and_then(|raw| raw.client_cert.node)),
                ("clientkey", "CONSUL_CLIENT_KEY"),
            ),
            (None, Some(_)) => self.warn_of_half_a_pair(
                ("clientkey", "CONSUL_CLIENT_KEY", raw.and_then(|raw| raw.client_key.node)),
                ("clientcert", "CONSUL_CLIENT_CERT"),
            ),
            _ => {}
        }
        if let Some(file) = &ca_file {
            if let Some(why) = pem_problem(file, "CERTIFICATE") {
                let original = match &why {
                    PemProblem::Unreadable(text) => format!("Error loading CA File: {text}"),
                    PemProblem::NoBlock => format!("Error loading CA File: Couldn't parse PEM in: {file}"),
                };
                let node = raw.and_then(|raw| raw.ca_file.node);
                self.bad_file("CONSUL_CACERT", "cafile", node, &said(&why), original);
            }
        } else if let Some(why) = ca_path.as_deref().and_then(directory_problem) {
            let node = raw.and_then(|raw| raw.ca_path.node);
            let reason = why.rsplit(": ").next().unwrap_or("").to_owned();
            self.bad_file("CONSUL_CAPATH", "capath", node, &reason, why);
        }
        ConsulTls {
            ca_file: ca_file.map(PathBuf::from),
            ca_path: ca_path.map(PathBuf::from),
            client_cert: client_cert.map(PathBuf::from),
            client_key: client_key.map(PathBuf::from),
            // Of nothing but a port nothing is left.
            server_name: server_name.as_deref().map(without_port).filter(|name| !name.is_empty()),
            verify: self.verify(raw),
        }
    }

    fn verify(&mut self, raw: Option<&raw::Tls>) -> bool {
        let Some(value) = self.variable("CONSUL_HTTP_SSL_VERIFY") else {
            return raw.and_then(|raw| raw.verify.value().copied()).unwrap_or(true);
        };
        let verify = parse_bool(&value);
        if verify.is_err() {
            let message = "CONSUL_HTTP_SSL_VERIFY in the environment is neither true, false, 1 nor 0";
            let problem = Problem::error(Rank::OURS, "consul", self.section, message).nowhere();
            self.report.add(problem.help("correct it, or unset it: certificates are verified by default"));
        }
        verify.unwrap_or(true)
    }

    /// A certificate without its key, or the other way round: key, variable and place of what is there, and what isn't.
    fn warn_of_half_a_pair(&mut self, there: (&str, &str, Option<&Node>), missing: (&str, &str)) {
        let (key, variable, node) = there;
        let path = format!("consul.tls.{key}");
        let consequence = format!("is not used without consul.tls.{} (or {})", missing.0, missing.1);
        let problem = match node.filter(|_| self.variable(variable).is_none()) {
            Some(node) => Problem::warning(&path, node.span, format!("{path}: {consequence}")),
            None => {
                Problem::warning(&path, self.section, format!("{variable} in the environment {consequence}")).nowhere()
            }
        };
        self.report.add(problem);
    }

    /// A file that can't be used; where the environment names it, the file's own word does not matter.
    fn bad_file(&mut self, variable: &str, key: &str, node: Option<&Node>, why: &str, original: String) {
        let rank = Rank(Step::Consul, 1, 1);
        let path = format!("consul.tls.{key}");
        let problem = if let Some(node) = node.filter(|_| self.variable(variable).is_none()) {
            let found = self.report.found(node);
            Problem::error(rank, &path, node.span, format!("{path}: can't use {found}: {why}"))
        } else {
            let message = format!("{variable} in the environment names a file that can't be used: {why}");
            Problem::error(rank, &path, self.section, message).nowhere()
        };
        self.report.add(problem.original(original));
    }
}

/// Why a file can't be used, without its name.
fn said(problem: &PemProblem) -> String {
    match problem {
        PemProblem::Unreadable(text) => text.rsplit(": ").next().unwrap_or("").to_owned(),
        PemProblem::NoBlock => "no PEM block of the right kind in it".to_owned(),
    }
}

/// The host of `host:port`; an IPv6 address may stand in brackets.
fn without_port(name: &str) -> String {
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
    // What is no address in its brackets may have a port of its own in there.
    let bracketed = bracketed.filter(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    let plain = || name.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map(|(host, _)| host);
    bracketed.or_else(plain).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, said};
    use super::without_port;

    #[test]
    fn half_a_client_certificate_is_told() {
        for (there, missing, variable) in
            [("clientcert", "clientkey", "CONSUL_CLIENT_KEY"), ("clientkey", "clientcert", "CONSUL_CLIENT_CERT")]
        {
            let consul = format!("{{ address: \"c:8501\", scheme: \"https\", tls: {{ {there}: \"/x.pem\" }} }}");
            let said = said(&outcome(&format!("{{ consul: {consul}, jobs: [ {{ name: \"a\", exec: \"a\" }} ] }}")));
            let want = format!("W consul.tls.{there}: is not used without consul.tls.{missing} (or {variable})");
            assert_eq!(said, [want]);
        }
    }

    #[test]
    fn a_server_name_loses_its_port() {
        for (given, want) in
            [("s", "s"), ("s:8501", "s"), ("::1", "::1"), ("[::1]:8501", "::1"), ("[::1]", "::1"), ("[a:1]", "[a")]
        {
            assert_eq!(without_port(given), want);
            assert_eq!(without_port(want), want, "what is shown can be read back");
        }
        let only_a_port =
            r#"{ consul: { address: "c:8501", tls: { servername: ":1" } }, jobs: [{ name: "a", exec: "a" }] }"#;
        let consul = outcome(only_a_port).plan.unwrap().consul.unwrap();
        assert_eq!(consul.tls.server_name, None);
    }
}
