//! Where the agent is: the base of all URLs, and the proxy in between.

use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Proxy, Url};

use super::error::CallError;
use crate::plan::{Consul, ConsulScheme};

/// Where the agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme, host and port.
    pub(super) base: Url,
    /// The unix socket that is spoken to instead of the host.
    pub(super) socket: Option<PathBuf>,
}

impl Endpoint {
    /// Reads the address of the configuration.
    ///
    /// # Errors
    /// What every request is answered with, as in the original, which takes any text for an address (v3 §13.1).
    pub(super) fn of(consul: &Consul) -> Result<Self, CallError> {
        let scheme = match &consul.scheme {
            ConsulScheme::Unix => {
                let base = url("http://localhost/")?;
                return Ok(Self { base, socket: Some(PathBuf::from(&consul.address)) });
            }
            ConsulScheme::Http => "http",
            ConsulScheme::Https => "https",
            ConsulScheme::Other(scheme) => return Err(CallError::Scheme(scheme.clone())),
        };
        // Not repeated in what is said: somebody may have written a password into it.
        let unusable = || CallError::Unusable("the agent's address is not HOST:PORT".to_owned());
        if consul.address.contains(['@', '/', '?', '#', '\\']) {
            return Err(unusable());
        }
        let base = url(&format!("{scheme}://{}/", consul.address)).map_err(|_| unusable())?;
        Ok(Self { base, socket: None })
    }

    /// `HOST:PORT`, for messages and for the header of that name.
    pub(super) fn authority(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The host without the brackets of IPv6.
    pub(super) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// Whether reaching it takes the lookup of a name: its own, or that of the proxy in between.
    pub(super) fn is_looked_up(&self, variable: impl Fn(&str) -> Option<String>) -> bool {
        let is_address = is_localhost(self.host()) || self.host().parse::<IpAddr>().is_ok();
        self.socket.is_none() && (!is_address || matches!(self.proxy(variable), Ok(Some(_))))
    }

    /// The proxy that the environment names for this agent.
    ///
    /// As Go does it: `HTTP_PROXY` or `HTTPS_PROXY`, but for those whom `NO_PROXY` names, and never for `localhost` and
    /// loopback addresses. `ALL_PROXY` is not honoured, and neither is `HTTP_PROXY` in a CGI script.
    pub(super) fn proxy(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, CallError> {
        let Some((name, proxy)) = self.proxy_variable(&variable) else { return Ok(None) };
        // Its value stays unsaid: proxies have passwords.
        let unusable = || CallError::Unusable(format!("the proxy of {name} is not a usable address"));
        let scheme = proxy.split_once("://").map_or("http", |(scheme, _)| scheme).to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(unusable());
        }
        let proxy = Proxy::all(proxy).map_err(|_| unusable())?;
        Ok(Some(proxy.no_proxy(exempt(&variable).and_then(|list| NoProxy::from_string(&list)))))
    }

    /// The proxy that requests really go through, for messages: its variable and its address, without user and password.
    pub(super) fn proxy_in_use(&self, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let (name, proxy) = self.proxy_variable(&variable)?;
        let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
        let url = Url::parse(&proxy).ok()?;
        let matcher = Matcher::builder().all("http://proxy").no(exempt(&variable).unwrap_or_default()).build();
        matcher.intercept(&self.base.as_str().parse::<Uri>().ok()?)?;
        let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("the proxy of {name}, {}{port}", url.host_str()?))
    }

    /// The variable that names a proxy for this agent, and its value.
    fn proxy_variable(&self, variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
        let loopback = self.host().parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if self.socket.is_some() || loopback || is_localhost(self.host()) {
            return None;
        }
        let names =
            if self.base.scheme() == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
        if names.contains(&"HTTP_PROXY") && variable("REQUEST_METHOD").is_some() {
            return None;
        }
        names.into_iter().find_map(|name| variable(name).filter(|v| !v.is_empty()).map(|v| (name, v)))
    }
}

/// Whom no proxy is asked for.
fn exempt(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()))
}

/// The name that needs no lookup.
pub(super) fn is_localhost(host: &str) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

fn url(text: &str) -> Result<Url, CallError> {
    Url::parse(text).map_err(|error| CallError::Unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ConsulTls;

    fn consul(scheme: ConsulScheme, address: &str) -> Consul {
        Consul {
            address: address.to_owned(),
            scheme,
            token: None,
            token_file: None,
            namespace: None,
            partition: None,
            failing_heartbeat: false,
            tls: ConsulTls::default(),
        }
    }

    fn http(address: &str) -> Result<Endpoint, CallError> {
        Endpoint::of(&consul(ConsulScheme::Http, address))
    }

    #[test]
    fn hosts_and_ports() {
        for (address, authority) in [
            ("127.0.0.1:8500", "127.0.0.1:8500"),
            ("[::1]:8500", "[::1]:8500"),
            ("localhost:8500", "localhost:8500"),
            ("consul", "consul:80"),
            ("my_consul.example:1", "my_consul.example:1"),
        ] {
            assert_eq!(http(address).unwrap().authority(), authority, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_fails_each_request_without_repeating_it() {
        for address in ["user:hush@host:8500", "host:port", "::1", "a b", "", "host/hush", "host:99999"] {
            let error = http(address).unwrap_err().to_string();
            assert_eq!(error, "the agent's address is not HOST:PORT", "{address}");
        }
    }

    #[test]
    fn a_scheme_nobody_knows_is_told_in_the_original_words() {
        let error = Endpoint::of(&consul(ConsulScheme::Other("httpshttps".to_owned()), "x")).unwrap_err();
        assert_eq!(error.to_string(), r#"unsupported protocol scheme "httpshttps""#);
    }

    #[test]
    fn a_proxy_is_used_but_not_for_this_host() {
        let variable = |name: &str| (name == "HTTP_PROXY").then(|| "proxy:3128".to_owned());
        assert!(http("consul:8500").unwrap().proxy(variable).unwrap().is_some());
        assert!(http("10.0.0.1:8500").unwrap().proxy(variable).unwrap().is_some());
        for own in ["localhost:8500", "127.0.0.1:8500", "127.1.2.3:8500", "[::1]:8500"] {
            assert!(http(own).unwrap().proxy(variable).unwrap().is_none(), "{own}");
        }
        let https = Endpoint::of(&consul(ConsulScheme::Https, "consul:8501")).unwrap();
        assert!(https.proxy(variable).unwrap().is_none());
        let cgi = |name: &str| variable(name).or_else(|| (name == "REQUEST_METHOD").then(String::new));
        assert!(http("consul:8500").unwrap().proxy(cgi).unwrap().is_none());
    }

    #[test]
    fn a_name_is_looked_up_be_it_the_agents_or_its_proxys() {
        let none = |_: &str| None;
        let proxy = |name: &str| (name == "HTTP_PROXY").then(|| "proxy:3128".to_owned());
        assert!(http("consul:8500").unwrap().is_looked_up(none));
        assert!(!http("10.0.0.1:8500").unwrap().is_looked_up(none));
        assert!(!http("[fd00::1]:8500").unwrap().is_looked_up(none));
        assert!(http("10.0.0.1:8500").unwrap().is_looked_up(proxy));
        assert!(!http("localhost:8500").unwrap().is_looked_up(proxy));
        assert!(!Endpoint::of(&consul(ConsulScheme::Unix, "/sock")).unwrap().is_looked_up(proxy));
    }

    #[test]
    fn a_proxy_is_named_where_it_is_asked() {
        let with = |no_proxy: &'static str| {
            move |name: &str| match name {
                "HTTP_PROXY" => Some("http://me:hush@proxy:3128/".to_owned()),
                "NO_PROXY" => Some(no_proxy.to_owned()),
                _ => None,
            }
        };
        let told = |address: &str, no_proxy| http(address).unwrap().proxy_in_use(with(no_proxy));
        let named = Some("the proxy of HTTP_PROXY, proxy:3128".to_owned());
        assert_eq!(told("10.0.0.1:8500", ""), named);
        assert_eq!(told("consul:8500", "other,10.0.0.0/8"), named);
        for (address, no_proxy) in
            [("10.0.0.1:8500", "10.0.0.0/8"), ("consul.dc:8500", "dc"), ("consul:8500", "*"), ("localhost:8500", "")]
        {
            assert_eq!(told(address, no_proxy), None, "{address}");
        }
        let bare = |name: &str| (name == "http_proxy").then(|| "10.9.9.9".to_owned());
        let bare = http("consul:8500").unwrap().proxy_in_use(bare);
        assert_eq!(bare, Some("the proxy of http_proxy, 10.9.9.9:80".to_owned()));
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused() {
        let variable = |name: &str| (name == "HTTP_PROXY").then(|| "socks5://proxy:1080".to_owned());
        let error = http("consul:8500").unwrap().proxy(variable).unwrap_err();
        assert_eq!(error.to_string(), "the proxy of HTTP_PROXY is not a usable address");
    }

    #[test]
    fn the_proxys_password_is_not_said() {
        let variable = |name: &str| (name == "http_proxy").then(|| "http://me:hush@ :1".to_owned());
        let error = http("consul:8500").unwrap().proxy(variable).unwrap_err();
        assert_eq!(error.to_string(), "the proxy of http_proxy is not a usable address");
    }
}
