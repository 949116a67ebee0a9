use tempfile::TempDir;
use tokio::net::TcpListener;

use super::message::tests::answer;
use super::*;
use crate::discovery::consul::file::hang_files;
use crate::discovery::consul::file::tests::with_one_thread;

/// Files, and a name server that is asked because of them.
struct Bench {
    dir: TempDir,
    lookup: Lookup,
}

impl Bench {
    fn new(resolv_conf: &str, port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut lookup = Lookup::new(None);
        lookup.files = Arc::new(Files::new(dir.path().join("hosts"), dir.path().join("resolv.conf"), port));
        std::fs::write(dir.path().join("resolv.conf"), resolv_conf).unwrap();
        Self { dir, lookup }
    }

    async fn look_up(&self, name: &str) -> Result<Vec<String>, String> {
        look_up(&self.lookup, name).await
    }
}

async fn look_up(lookup: &Lookup, name: &str) -> Result<Vec<String>, String> {
    let found = timeout(Duration::from_secs(5), lookup.resolve(name.parse().unwrap())).await.unwrap();
    found.map(|found| found.map(|address| address.ip().to_string()).collect()).map_err(|error| error.to_string())
}

/// Answers each question by this function of its bytes; nothing is no answer.
async fn server(script: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    serve(socket, script);
    port
}

fn serve(socket: UdpSocket, script: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            if let Some(reply) = script(&packet[..length]) {
                socket.send_to(&reply, from).await.unwrap();
            }
        }
    });
}

/// The same port for both protocols, which somebody else may have half of.
async fn both() -> (UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            return (socket, listener);
        }
    }
}

fn ips(question: &[u8]) -> Vec<IpAddr> {
    // The kind of addresses that is asked for is the last byte but two.
    let v4 = question[question.len() - 3] == 1;
    vec![if v4 { "10.0.0.1".parse().unwrap() } else { "fd00::1".parse().unwrap() }]
}

#[tokio::test]
async fn localhost_needs_no_file() {
    let bench = Bench::new("", 1);
    assert_eq!(bench.look_up("localhost").await.unwrap(), ["127.0.0.1", "::1"]);
}

#[tokio::test]
async fn the_expected_name_leads_to_the_real_host() {
    let lookup = Lookup::new(Some("::1".to_owned()));
    assert_eq!(look_up(&lookup, "server.dc1.consul").await.unwrap(), ["::1"]);
}

#[tokio::test]
async fn the_hosts_file_comes_first() {
    let bench = Bench::new("nameserver 127.0.0.1", 1);
    std::fs::write(bench.dir.path().join("hosts"), "10.1.1.1 consul").unwrap();
    assert_eq!(bench.look_up("consul").await.unwrap(), ["10.1.1.1"]);
}

#[tokio::test]
async fn both_kinds_are_asked_for_under_each_name() {
    let port = server(|question| {
        let known = question.windows(6).any(|bytes| bytes == b"\x05local");
        Some(if known { answer(question, [0, 0], &ips(question)) } else { answer(question, [0, 3], &[]) })
    })
    .await;
    let bench = Bench::new("nameserver 127.0.0.1\nsearch example local", port);
    assert_eq!(bench.look_up("consul").await.unwrap(), ["10.0.0.1", "fd00::1"]);
    assert_eq!(bench.look_up("consul.").await.unwrap_err(), "no such host: consul.");
}

/// How long this took at best: a machine that stands still makes anything late, but not each time.
async fn at_best(look_up: impl AsyncFn()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = now();
        look_up().await;
        best = best.min(began.elapsed());
    }
    best
}

#[tokio::test]
async fn f56_a_dead_server_costs_nothing_and_a_lost_packet_little() {
    let took = at_best(async || {
        let lost = std::sync::atomic::AtomicUsize::new(0);
        let port = server(move |question| {
            let first = lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
            (!first).then(|| answer(question, [0, 0], &ips(question)))
        })
        .await;
        // Nobody is at 127.0.0.2, and nobody answers for a network that is for documentation.
        let bench = Bench::new("nameserver 127.0.0.2\nnameserver 192.0.2.1\nnameserver 127.0.0.1", port);
        assert_eq!(bench.look_up("consul").await.unwrap(), ["10.0.0.1", "fd00::1"]);
    });
    assert!(took.await < Duration::from_millis(900));
}

#[tokio::test]
async fn f56_a_name_that_one_server_refuses_and_another_ignores_is_not_the_last() {
    let port = server(|question| {
        let searched = question.windows(6).any(|bytes| bytes == b"\x05local");
        Some(if searched { answer(question, [0, 2], &[]) } else { answer(question, [0, 0], &ips(question)) })
    })
    .await;
    let bench = Bench::new("nameserver 127.0.0.1\nnameserver 192.0.2.1\nsearch local", port);
    assert_eq!(bench.look_up("consul").await.unwrap(), ["10.0.0.1", "fd00::1"]);
}

#[tokio::test]
async fn f56_an_answer_that_comes_too_late_serves_the_next_request() {
    let began = now();
    let port = server(move |question| {
        (began.elapsed() > Duration::from_millis(600)).then(|| answer(question, [0, 0], &ips(question)))
    })
    .await;
    let bench = Bench::new("nameserver 127.0.0.1", port);
    let hasty = timeout(Duration::from_millis(300), bench.lookup.resolve("consul".parse().unwrap()));
    assert!(hasty.await.is_err());
    crate::discovery::fake::until("it is known", || bench.lookup.last.lock().unwrap().is_some()).await;
    let known = bench.lookup.last.lock().unwrap().clone().unwrap();
    assert_eq!((known.host.as_str(), known.addresses.len()), ("consul", 2));
    std::fs::write(bench.dir.path().join("resolv.conf"), "nameserver 192.0.2.1").unwrap();
    assert!(bench.look_up("consul").await.is_ok(), "nobody is asked");
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_by_tcp() {
    let (socket, listener) = both().await;
    let port = socket.local_addr().unwrap().port();
    serve(socket, |question| Some(answer(question, [2, 0], &[])));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let reply = answer(&question, [0, 0], &ips(&question));
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
    let bench = Bench::new("nameserver 127.0.0.1", port);
    assert_eq!(bench.look_up("consul").await.unwrap(), ["10.0.0.1", "fd00::1"]);
}

#[tokio::test]
async fn a_server_that_refuses_is_named() {
    let port = server(|question| Some(answer(question, [0, 5], &[]))).await;
    let bench = Bench::new("nameserver 127.0.0.1", port);
    assert_eq!(bench.look_up("consul").await.unwrap_err(), format!("127.0.0.1:{port} answers with code 5"));
}

fn is_v4(question: &[u8]) -> bool {
    question[question.len() - 3] == 1
}

/// An address for IPv4, and for IPv6 what this makes of the question.
async fn half(v6: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    server(
        move |question| {
            if is_v4(question) { Some(answer(question, [0, 0], &["10.0.0.1".parse().unwrap()])) } else { v6(question) }
        },
    )
    .await
}

#[tokio::test]
async fn f56_what_fails_for_one_kind_of_address_harms_not_the_other() {
    let refused = half(|question| Some(answer(question, [0, 2], &[]))).await;
    let silent = half(|_| None).await;
    // Nobody listens for TCP there.
    let cut = half(|question| Some(answer(question, [2, 0], &[]))).await;
    for port in [refused, silent, cut] {
        let took = at_best(async || {
            let bench = Bench::new("nameserver 127.0.0.1\n", port);
            assert_eq!(bench.look_up("consul.example").await, Ok(vec!["10.0.0.1".to_owned()]));
        });
        assert!(took.await < Duration::from_millis(900));
    }
}

#[tokio::test]
async fn f56_a_server_that_is_deaf_to_tcp_is_given_up_soon() {
    let (socket, _deaf) = both().await;
    let port = socket.local_addr().unwrap().port();
    serve(socket, |question| {
        let cut = !is_v4(question);
        Some(if cut { answer(question, [2, 0], &[]) } else { answer(question, [0, 0], &ips(question)) })
    });
    let took = at_best(async || {
        let bench = Bench::new("nameserver 127.0.0.1\n", port);
        assert_eq!(bench.look_up("consul.example").await, Ok(vec!["10.0.0.1".to_owned()]));
    });
    assert!(took.await < Duration::from_millis(900));
}

/// Two servers: the first with this answer after this time, if any, and a second that knows no name at all.
async fn first_and_second(first_after: Option<Duration>) -> u16 {
    let first = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    serve(UdpSocket::bind(("127.0.0.2", port)).await.unwrap(), |question| Some(answer(question, [0, 3], &[])));
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = first.recv_from(&mut packet).await {
            let Some(pause) = first_after else { continue };
            tokio::time::sleep(pause).await;
            let reply = answer(&packet[..length], [0, 0], &ips(&packet[..length]));
            first.send_to(&reply, from).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn f56_no_such_name_is_for_the_first_server_to_say() {
    let port = first_and_second(Some(Duration::from_millis(5))).await;
    // Who does not hear of it in time believes the second; a machine that stands still lets that happen, but not each time.
    let mut found = Err(String::new());
    for _ in 0..5 {
        let bench = Bench::new("nameserver 127.0.0.1\nnameserver 127.0.0.2\n", port);
        found = bench.look_up("consul.example").await;
        if found.is_ok() {
            break;
        }
    }
    assert_eq!(found, Ok(vec!["10.0.0.1".to_owned(), "fd00::1".to_owned()]));
    // The other way round it has been said.
    let bench = Bench::new("nameserver 127.0.0.2\nnameserver 127.0.0.1\n", port);
    assert_eq!(bench.look_up("consul.example").await.unwrap_err(), "no such host: consul.example");
}

#[tokio::test]
async fn f56_a_first_server_that_is_silent_is_waited_for_once() {
    let port = first_and_second(None).await;
    let bench = Bench::new("nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch a b c d e\n", port);
    let began = now();
    assert_eq!(bench.look_up("consul").await.unwrap_err(), "no such host: consul");
    let took = began.elapsed();
    // Not once for each name.
    assert!(took >= RESEND && took < 5 * RESEND, "{took:?}");
}

#[tokio::test]
async fn a_server_that_cant_be_asked_is_not_replaced_by_another() {
    let bench = Bench::new("nameserver fe80::1%eth0\n", 1);
    let error = bench.look_up("consul").await.unwrap_err();
    assert!(error.ends_with("/resolv.conf names no server that can be asked"), "{error}");
}

#[test]
fn files_that_hang_stop_nothing_and_what_they_held_stands() {
    let bench = Bench::new("nameserver 127.0.0.1", 1);
    let hosts = bench.dir.path().join("hosts");
    with_one_thread(async {
        let hung = hang_files();
        let error = bench.look_up("consul").await.unwrap_err();
        assert!(error.ends_with("/hosts can't be read: the file system does not answer"), "{error}");
        std::fs::write(&hosts, "10.1.1.1 consul").unwrap();
        drop(hung);
        assert_eq!(bench.look_up("consul").await.unwrap(), ["10.1.1.1"]);
        *bench.lookup.last.lock().unwrap() = None;
        let _hung = hang_files();
        assert_eq!(bench.look_up("consul").await.unwrap(), ["10.1.1.1"]);
    });
}
