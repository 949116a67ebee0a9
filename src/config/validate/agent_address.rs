//! Whether anybody can be reached at the agent's address. The original takes any text for one (v3 §13.1) and so do we, but
//! who only learns of it from requests that fail looks for the reason in Consul.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::config::diagnostic::Span;
use crate::config::json5::Node;
use crate::config::report::{Problem, Report};
use crate::plan::ConsulScheme;

/// What is odd about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// A user name stands in it, and maybe a password.
    User,
    /// It is none.
    Unusable,
    /// A socket that is looked for in the working directory.
    Relative,
    /// The scheme's port is used.
    NoPort(u16),
}

/// Where the address stands.
pub(super) struct Found<'n> {
    /// The file's text; nothing where the environment gives the address.
    pub(super) node: Option<&'n Node>,
    /// The place of the `consul` section.
    pub(super) section: Span,
}

/// Warns of an address that hardly leads to an agent. `address` is what follows the scheme.
pub(super) fn warn_of_address(address: &str, scheme: &ConsulScheme, at: &Found, report: &mut Report) {
    let Some(doubt) = doubt(address, scheme) else { return };
    let whole = at.node.is_some_and(|node| node.span == at.section);
    let path = if whole || at.node.is_none() { "consul" } else { "consul.address" };
    let (subject, found) = match at.node {
        Some(node) => (format!("{path}:"), format!(", found {}", report.found(node))),
        // What the environment says is not repeated.
        None => ("CONSUL_HTTP_ADDR in the environment:".to_owned(), String::new()),
    };
    let message = match doubt {
        Doubt::User => format!("{subject} expected HOST:PORT without user name and password: every request will fail"),
        Doubt::Unusable => format!("{subject} expected HOST:PORT or unix:///PATH{found}: every request will fail"),
        Doubt::Relative => {
            format!("{subject} expected unix:///PATH{found}: this path depends on the working directory")
        }
        Doubt::NoPort(port) => format!("{subject} there is no port in it, so it is {port}"),
    };
    let problem = Problem::warning(path, at.node.map_or(at.section, |node| node.span), message);
    let problem = match doubt {
        Doubt::NoPort(443) => problem.help("agents mostly speak https on port 8501"),
        Doubt::NoPort(_) => problem.help("agents mostly listen on port 8500"),
        Doubt::User => problem.help("Consul knows tokens: consul.token, CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE"),
        Doubt::Unusable | Doubt::Relative => problem,
    };
    // An excerpt would show the password.
    let hidden = at.node.is_none() || doubt == Doubt::User;
    report.add(if hidden { problem.nowhere() } else { problem });
}

fn doubt(address: &str, scheme: &ConsulScheme) -> Option<Doubt> {
    let port = match scheme {
        ConsulScheme::Unix if address.is_empty() => return Some(Doubt::Unusable),
        ConsulScheme::Unix => return (!address.starts_with('/')).then_some(Doubt::Relative),
        // Nothing helps, and that has been said.
        ConsulScheme::Other(_) => return None,
        ConsulScheme::Http => 80,
        ConsulScheme::Https => 443,
    };
    if address.contains('@') {
        return Some(Doubt::User);
    }
    match host_and_port(address) {
        None => Some(Doubt::Unusable),
        Some(false) => Some(Doubt::NoPort(port)),
        Some(true) => None,
    }
}

/// Whether there is a port behind a host; nothing if it is something else altogether.
fn host_and_port(address: &str) -> Option<bool> {
    let rest = if let Some(bracketed) = address.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']')?;
        ip.parse::<Ipv6Addr>().ok()?;
        rest
    } else {
        let (host, rest) = address.split_at_checked(address.find(':').unwrap_or(address.len()))?;
        if !is_host(host) {
            return None;
        }
        rest
    };
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some(false),
        Some("") => Some(false),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse::<u16>().ok().filter(|port| *port > 0).map(|_| true)
        }
        Some(_) => None,
    }
}

/// Whether a text may be a name or an IPv4 address. Names of other languages are left to those who look them up.
fn is_host(host: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_') || (!c.is_ascii() && !c.is_control());
    // Four numbers are an address or nothing.
    let numbers = host.split('.').filter(|label| label.bytes().all(|b| b.is_ascii_digit())).count();
    let is_address = numbers == 4 && host.split('.').count() == 4;
    !host.is_empty() && host.chars().all(good) && (!is_address || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, said};
    use super::*;

    #[test]
    fn what_can_be_reached_gives_no_doubt() {
        for address in [
            "127.0.0.1:8500",
            "[::1]:8500",
            "localhost:1",
            "consul:65535",
            "my_consul.example:8500",
            "bücher.example:1",
        ] {
            assert_eq!(doubt(address, &ConsulScheme::Http), None, "{address}");
        }
        assert_eq!(doubt("/run/consul.sock", &ConsulScheme::Unix), None);
        assert_eq!(doubt("anything", &ConsulScheme::Other("x".to_owned())), None);
    }

    #[test]
    fn what_can_never_work_is_doubted() {
        for address in [
            "127.0.0.1:18500/foo",
            "localhost:85000",
            "localhost:0",
            "host:port",
            "host:-1",
            "::1",
            "[::1",
            "[::1]8500",
            "[x]:1",
            "999.0.0.1:8500",
            "a b:1",
            "unix:run/x.sock",
            ":8500",
            "",
        ] {
            assert_eq!(doubt(address, &ConsulScheme::Http), Some(Doubt::Unusable), "{address}");
        }
        assert_eq!(doubt("", &ConsulScheme::Unix), Some(Doubt::Unusable));
        assert_eq!(doubt("u:p@127.0.0.1:18500", &ConsulScheme::Http), Some(Doubt::User));
        assert_eq!(doubt("relative", &ConsulScheme::Unix), Some(Doubt::Relative));
        for (address, scheme, port) in [
            ("consul", ConsulScheme::Http, 80),
            ("127.0.0.1", ConsulScheme::Https, 443),
            ("[::1]", ConsulScheme::Http, 80),
            ("consul:", ConsulScheme::Http, 80),
        ] {
            assert_eq!(doubt(address, &scheme), Some(Doubt::NoPort(port)), "{address}");
        }
    }

    #[test]
    fn a_doubtful_address_is_taken_with_a_warning_that_tells_no_password() {
        let of =
            |consul: &str| said(&outcome(&format!("{{ consul: {consul}, jobs: [ {{ name: \"a\", exec: \"a\" }} ] }}")));
        for (consul, want) in [
            (
                "\"127.0.0.1:18500/foo\"",
                "W consul: expected HOST:PORT or unix:///PATH, found \"127.0.0.1:18500/foo\": every request will fail",
            ),
            (
                "{ address: \"unix:run/x.sock\" }",
                "W consul.address: expected HOST:PORT or unix:///PATH, found \"unix:run/x.sock\": every request will fail",
            ),
            (
                "\"http://u:hush@127.0.0.1:18500\"",
                "W consul: expected HOST:PORT without user name and password: every request will fail",
            ),
            (
                "\"unix://x\"",
                "W consul: expected unix:///PATH, found \"unix://x\": this path depends on the working directory",
            ),
            ("\"https://consul\"", "W consul: there is no port in it, so it is 443"),
            ("{ address: \"consul\" }", "W consul.address: there is no port in it, so it is 80"),
        ] {
            let said = of(consul);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said.iter().all(|line| line.starts_with(want)), "{said:?}");
        }
    }
}
