//! Where the port is: at the one address that `interfaces` choose, and at no other (v3 §16 and §7.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;

use crate::support::{Launch, Pilot};

const PORT: u16 = 9090;

/// A network with these interfaces beside `lo`.
const NETWORK: &str = "
    for n in 0 1 2; do ip link add eth$n type veth peer name zz$n && ip link set eth$n up && ip link set zz$n up || exit 1; done
    ip addr add 192.0.2.10/24 dev eth0 && ip addr add 10.1.0.1/24 dev eth1 && ip addr add 10.1.0.2/24 dev eth1 || exit 1
    ip addr add 198.51.100.7/24 dev eth2 && ip addr add fd00:2::7/64 nodad dev eth2 || exit 1";

/// What anybody could reach: each address of each interface.
const ADDRESSES: [&str; 7] = ["127.0.0.1", "::1", "192.0.2.10", "10.1.0.1", "10.1.0.2", "198.51.100.7", "fd00:2::7"];

fn start(interfaces: &str) -> Pilot {
    let config = format!(
        "{{ consul: false, control: {{ socket: '{{{{ .DIR }}}}/s' }}, telemetry: {{ port: {PORT}, {interfaces} }}, \
         jobs: [{{ name: 'web', exec: ['sleep', '1000'] }}] }}"
    );
    let pilot = Launch::config(&config).own_network().setup(NETWORK).start();
    pilot.wait_stdout("telemetry: serving at ");
    pilot
}

/// Every TCP socket of the program's network that waits for connections: nobody else is in it.
fn listening(pilot: &Pilot) -> Vec<SocketAddr> {
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{}/net/{name}", pilot.pid)).unwrap();
    let sockets = [table("tcp"), table("tcp6")].concat();
    let fields = sockets.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    // Number, our address, the peer's, and the state, which is ten for one that listens.
    fields
        .filter_map(|fields| match fields[..] {
            [_, own, _, "0A", ..] => Some(address(own)),
            _ => None,
        })
        .collect()
}

/// `0100007F:2382` is 127.0.0.1:9090: words of four bytes, each as the processor has it.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let words =
        ip.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).unwrap(), 16).unwrap());
    let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    let ip = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap())),
    };
    (ip, u16::from_str_radix(port, 16).unwrap()).into()
}

/// Whether somebody within that network is answered there.
fn answers(pilot: &Pilot, ip: IpAddr) -> bool {
    let url = format!("http://{}/healthz", SocketAddr::new(ip, PORT));
    let mut curl = Command::new("nsenter");
    curl.args(["-t", &pilot.pid.to_string(), "-n", "curl", "-s", "-o", "/dev/null", "-m", "5", &url]);
    curl.status().unwrap().success()
}

// Seen red with src/telemetry/server.rs:
//- match TcpListener::bind(SocketAddr::new(address, port)).await {
//+ match TcpListener::bind(SocketAddr::new(if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) }, port)).await {
#[test]
fn the_port_is_where_the_interfaces_say_and_nowhere_else() {
    for (interfaces, expected) in [
        ("", "192.0.2.10"),
        ("interfaces: ['eth1']", "10.1.0.1"),
        ("interfaces: ['eth1[1]']", "10.1.0.2"),
        ("interfaces: ['eth2:inet6']", "fd00:2::7"),
        ("interfaces: ['eth7', '198.51.100.0/24', 'eth0']", "198.51.100.7"),
        ("interfaces: ['lo']", "127.0.0.1"),
        ("interfaces: ['inet']", "192.0.2.10"),
        ("interfaces: ['static:127.0.0.1']", "127.0.0.1"),
    ] {
        let pilot = start(interfaces);
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(listening(&pilot), [SocketAddr::new(expected, PORT)], "{interfaces}");
        for address in ADDRESSES {
            let address = address.parse().unwrap();
            assert_eq!(answers(&pilot, address), address == expected, "{interfaces}: {address}");
        }
        pilot.finish();
    }
}

/// The way to all addresses, which somebody has to write down.
#[test]
fn all_addresses_are_served_only_if_the_file_says_so() {
    let pilot = start("interfaces: ['static:0.0.0.0']");
    assert_eq!(listening(&pilot), [SocketAddr::from(([0, 0, 0, 0], PORT))]);
    for address in ADDRESSES {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(answers(&pilot, address), address.is_ipv4(), "{address}");
    }
    pilot.finish();
}

/// Without the section nobody is served at all, and with it nothing else is opened: no other port, nothing to Consul.
#[test]
fn without_telemetry_there_is_no_port() {
    let config =
        "{ consul: false, control: { socket: '{{ .DIR }}/s' }, jobs: [{ name: 'web', exec: ['sleep', '1000'] }] }";
    let pilot = Launch::config(config).own_network().setup(NETWORK).start();
    pilot.wait_stdout("control: serving at ");
    pilot.wait_process("sleep 1000");
    assert_eq!(listening(&pilot), []);
    pilot.finish();
}

#[test]
fn a_reload_leaves_nothing_at_the_old_address() {
    let pilot = start("interfaces: ['eth0']");
    let file = pilot.path("containerpilot.json5");
    let text = std::fs::read_to_string(&file).unwrap().replace("eth0", "eth1");
    std::fs::write(&file, text).unwrap();
    let status = crate::support::http::ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap().status;
    assert_eq!(status, 200);
    pilot.wait_stdout("telemetry: serving at 10.1.0.1:9090");
    let expected = [SocketAddr::from(([10, 1, 0, 1], PORT))];
    crate::support::wait_until(crate::support::DEADLINE, || listening(&pilot) == expected, "the old one is closed");
    pilot.finish();
}
