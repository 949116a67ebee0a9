//! "eth0:inet", "10.0.0.0/8", "static:…" against a list of addresses: the IP that a job advertises (v3 §7.4).

use std::net::IpAddr;

use super::go_value::{go_format, go_type};
use super::json5::{Node, Value};

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface's name, whatever characters it has (`eth0.100`, `veth1@if2`).
    pub interface: String,
    /// The address; an IPv4-mapped IPv6 address counts as the IPv4 address.
    pub ip: IpAddr,
}

/// What `interfaces` asks for when it is absent or an empty list.
const DEFAULT_SPECS: [&str; 2] = ["eth0:inet", "inet"];

/// Orders by the interface's name, then by the address in its 16-byte form (`::1` before `127.0.0.1` before `2001:…`).
pub fn sort(addresses: &mut [Address]) {
    addresses.sort_by(|a, b| (&a.interface, sixteen(a.ip)).cmp(&(&b.interface, sixteen(b.ip))));
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The specifications that a job's `interfaces` stands for; empty means the default.
///
/// # Errors
/// The original's words for a value of another type than string or array.
pub fn from_node(node: &Node) -> Result<Vec<String>, String> {
    match &node.value {
        Value::Null => Ok(Vec::new()),
        Value::String(spec) => Ok(vec![spec.clone()]),
        Value::Array(nodes) => Ok(nodes.iter().map(|element| go_format(&element.value)).collect()),
        other => Err(format!("unexpected argument type: {}", go_type(other))),
    }
}

/// The address to advertise: the first specification, in the user's order, that matches any address, in the order of
/// [`sort`] (whatever order `addresses` has). No specification at all means `["eth0:inet", "inet"]`.
///
/// # Errors
/// The original's words: all specifications that can't be read, one a line; else that none matched, with both lists.
pub fn choose(specs: &[String], addresses: &[Address]) -> Result<IpAddr, String> {
    let specs: Vec<&str> =
        if specs.is_empty() { DEFAULT_SPECS.to_vec() } else { specs.iter().map(String::as_str).collect() };
    let mut sorted = addresses.to_vec();
    sort(&mut sorted);

    let (mut parsed, mut errors) = (Vec::new(), Vec::new());
    for text in specs {
        match parse_spec(text) {
            Ok(spec) => parsed.push(spec),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    if let Some(ip) = parsed.iter().find_map(|spec| spec.find(&sorted)) {
        return Ok(ip);
    }
    let specs: Vec<String> = parsed.iter().map(Spec::go_format).collect();
    let ips: Vec<String> = sorted.iter().map(|a| format!("{}:{}", a.interface, a.ip.to_canonical())).collect();
    Err(format!(
        "none of the interface specifications were able to match\nSpecifications: [{}]\nInterfaces IPs: [{}]",
        specs.join(" "),
        ips.join(" ")
    ))
}

/// Every address of every interface of this machine, in the kernel's order; none if the kernel won't say.
pub fn of_this_host() -> Vec<Address> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    interfaces
        .filter_map(|entry| {
            let address = entry.address?;
            let ip = if let Some(v4) = address.as_sockaddr_in() {
                IpAddr::V4(v4.ip())
            } else {
                IpAddr::V6(address.as_sockaddr_in6()?.ip()).to_canonical()
            };
            Some(Address { interface: device(&entry.interface_name).to_owned(), ip })
        })
        .collect()
}

/// The device that an address belongs to. The C library gives an address's label where it has one (`eth0:1`), the
/// original the device's name, which the kernel keeps free of colons.
fn device(label: &str) -> &str {
    label.split_once(':').map_or(label, |(device, _)| device)
}

/// One specification, with its text as the user wrote it.
struct Spec<'a> {
    text: &'a str,
    rule: Rule<'a>,
}

enum Rule<'a> {
    /// First address of this family on any interface but loopback addresses.
    Any { v6: bool },
    /// First address of this family on the named interface.
    Named { name: &'a str, v6: bool },
    /// The address at this place among the named interface's, both families counted together.
    Indexed { name: &'a str, index: usize },
    /// First address in the network.
    Network { network: IpAddr, prefix: u8 },
    /// This address, whatever the machine has.
    Static(IpAddr),
}

impl Spec<'_> {
    fn find(&self, sorted: &[Address]) -> Option<IpAddr> {
        let mut ips = sorted.iter().map(|a| (a.interface.as_str(), a.ip.to_canonical()));
        let found = match self.rule {
            Rule::Static(ip) => return Some(ip),
            Rule::Any { v6 } => ips.find(|(_, ip)| ip.is_ipv6() == v6 && !ip.is_loopback()),
            Rule::Named { name, v6 } => ips.find(|(interface, ip)| *interface == name && ip.is_ipv6() == v6),
            Rule::Indexed { name, index } => ips.filter(|(interface, _)| *interface == name).nth(index),
            Rule::Network { network, prefix } => ips.find(|(_, ip)| mask(*ip, prefix) == network),
        };
        found.map(|(_, ip)| ip)
    }

    /// The original prints its own structures with `%s`, and so do we: scripts may look for them.
    fn go_format(&self) -> String {
        let text = self.text;
        match self.rule {
            Rule::Any { v6 } => format!("{{{text} * %!s(bool={v6})}}"),
            Rule::Named { name, v6 } => format!("{{{text} {name} %!s(bool={v6})}}"),
            Rule::Indexed { name, index } => format!("{{{text} {name} %!s(int={index})}}"),
            Rule::Network { network, prefix } => format!("{{{text} {network}/{prefix}}}"),
            Rule::Static(ip) => format!("{{{text} {ip}}}"),
        }
    }
}

fn parse_spec(text: &str) -> Result<Spec<'_>, String> {
    let rule = match text {
        "inet" => Rule::Any { v6: false },
        "inet6" => Rule::Any { v6: true },
        _ => {
            // Before names, or `static:inet` would be an interface.
            if let Some(rest) = static_ip(text) {
                let Ok(ip) = rest.parse::<IpAddr>() else {
                    return Err(format!("Unable to parse static ip static: in {text}"));
                };
                Rule::Static(ip.to_canonical())
            } else if let Some(rule) = named(text)? {
                rule
            } else if let Some((network, prefix)) = network(text) {
                Rule::Network { network, prefix }
            } else {
                return Err(format!("Unable to parse interface spec: {text}"));
            }
        }
    };
    Ok(Spec { text, rule })
}

/// `NAME`, `NAME:inet`, `NAME:inet6`, `NAME[i]`, where a name is letters, digits and underscores of ASCII.
fn named(text: &str) -> Result<Option<Rule<'_>>, String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if name.is_empty() {
        return Ok(None);
    }
    match rest {
        "" | ":inet" => return Ok(Some(Rule::Named { name, v6: false })),
        ":inet6" => return Ok(Some(Rule::Named { name, v6: true })),
        _ => {}
    }
    let digits = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or("");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match digits.parse::<i64>().ok().and_then(|index| usize::try_from(index).ok()) {
        Some(index) => Ok(Some(Rule::Indexed { name, index })),
        None => Err(format!("Unable to parse index {digits} in {text}")),
    }
}

/// What follows `static:`. A bare integer is no address to the original, but some other specification.
fn static_ip(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("static:")?;
    let is_integer = rest.parse::<i64>().is_ok();
    (!is_integer).then_some(rest)
}

/// A network in CIDR notation, its host bits cleared. `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let ip: IpAddr = address.parse().ok()?;
    let prefix: u8 = prefix.parse().ok()?;
    if prefix > if ip.is_ipv4() { 32 } else { 128 } {
        return None;
    }
    let network = mask(ip, prefix);
    match (network, network.to_canonical()) {
        (IpAddr::V6(_), v4 @ IpAddr::V4(_)) => Some((v4, prefix.checked_sub(96)?)),
        _ => Some((network, prefix)),
    }
}

/// The address with all but its first `prefix` bits cleared; unchanged if it has no more bits than that.
fn mask(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & !host).into())
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & !host).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback_address() {
        assert!(of_this_host().iter().any(|address| address.ip.is_loopback()));
    }

    #[test]
    fn a_labelled_address_is_its_device_s() {
        assert_eq!(device("eth0:1"), "eth0");
        assert_eq!(device("veth1@if2"), "veth1@if2");
    }

    #[test]
    fn static_is_no_interface_but_for_a_bare_integer() {
        for (spec, error) in [
            ("static:inet", "Unable to parse static ip static: in static:inet"),
            ("static:99999999999999999999", "Unable to parse static ip static: in static:99999999999999999999"),
            ("static:-5", "Unable to parse interface spec: static:-5"),
        ] {
            assert_eq!(choose(&[spec.to_owned()], &[]), Err(error.to_owned()));
        }
    }

    #[test]
    fn the_list_need_not_be_sorted() {
        let address = |interface: &str, ip: &str| Address { interface: interface.to_owned(), ip: ip.parse().unwrap() };
        let addresses = [address("eth1", "10.0.0.2"), address("eth0.100", "10.0.0.1"), address("eth1", "10.0.0.1")];
        assert_eq!(choose(&["eth1[0]".to_owned()], &addresses).unwrap().to_string(), "10.0.0.1");
        assert_eq!(choose(&["10.0.0.0/8".to_owned()], &addresses).unwrap().to_string(), "10.0.0.1");
    }

    #[test]
    fn a_network_of_one_family_has_no_address_of_the_other() {
        let v4 = [Address { interface: "eth0".to_owned(), ip: "10.0.0.1".parse().unwrap() }];
        assert!(choose(&["::/0".to_owned()], &v4).is_err());
        assert!(choose(&["::ffff:10.0.0.0/104".to_owned()], &v4).is_ok());
    }
}
