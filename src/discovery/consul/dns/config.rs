//! `/etc/hosts` and `/etc/resolv.conf`, as resolv.conf(5) has them.

use std::net::{IpAddr, Ipv4Addr};

/// More servers are not asked.
const SERVERS: usize = 3;

/// What `/etc/resolv.conf` says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// None if there are only some that can't be asked.
    pub(super) servers: Vec<IpAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl Config {
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        let mut names_one = false;
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    names_one = true;
                    // Those with a zone (`fe80::1%eth0`) can't be asked: we don't know the interfaces' numbers.
                    config.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
                }
                Some("search" | "domain") => config.search = words.map(|word| without_dot(word).to_owned()).collect(),
                Some("options") => {
                    let ndots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    config.ndots = ndots.unwrap_or(config.ndots).min(15);
                }
                _ => {}
            }
        }
        config.servers.truncate(SERVERS);
        if !names_one {
            config.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        config
    }

    /// The full names that a name may stand for, the likelier first.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        let searched = self.search.iter().filter(|domain| !domain.is_empty()).map(|domain| format!("{name}.{domain}"));
        if name.ends_with('.') {
            vec![without_dot(name).to_owned()]
        } else if name.matches('.').count() >= self.ndots {
            std::iter::once(name.to_owned()).chain(searched).collect()
        } else {
            searched.chain([name.to_owned()]).collect()
        }
    }
}

/// All addresses that the hosts file has for a name.
pub(super) fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let name = without_dot(name);
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|word| without_dot(word).eq_ignore_ascii_case(name)).then_some(ip)
    };
    text.lines().filter_map(of_line).collect()
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read_line_by_line() {
        let text = "127.0.0.1 localhost\n# 10.0.0.9 consul\n10.0.0.1\tConsul consul.local # 10.0.0.8\nfd00::1 consul\nx consul";
        assert_eq!(in_hosts(text, "consul.").len(), 2);
        assert_eq!(in_hosts(text, "consul.local"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(in_hosts(text, "10.0.0.8").is_empty());
    }

    #[test]
    fn names_are_searched_for_as_in_kubernetes() {
        let config = Config::parse(
            "nameserver 10.96.0.10\nnameserver fe80::1%eth0\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:2\n",
        );
        assert_eq!(config.servers, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
        assert_eq!(config.candidates("consul"), ["consul.ns.svc.cluster.local", "consul.svc.cluster.local", "consul"]);
        assert_eq!(config.candidates("consul.example."), ["consul.example"]);
        assert!(Config::parse("nameserver fe80::1%eth0\n").servers.is_empty(), "nobody else is asked instead");
        let config = Config::parse("search local");
        assert_eq!(config.servers, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(config.candidates("a.b"), ["a.b", "a.b.local"]);
    }
}
