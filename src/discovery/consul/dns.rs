//! Addresses of the agent's host name, looked up anew for each connection: an agent may move.
//!
//! Not by the C library: linked statically, it loads what the image's `nsswitch.conf` names (`myhostname`, `resolve`)
//! into this process, built for another C library than ours, and PID 1 would die of it. It would also need a thread for
//! each lookup. This one needs none. It reads `/etc/hosts`, asks all servers of `/etc/resolv.conf` at once and takes the
//! first answer, so a dead server costs nothing.
//!
//! `config` reads the two files, `message` is what goes over the wire.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::config::Config;
use self::message::{Kind, Question, Reply};
use super::address::is_localhost;
use crate::discovery::pace::now;

mod config;
mod message;

/// So many lookups at a time (reliability row 56).
const AT_A_TIME: usize = 4;
/// So long an answer serves others who connect at the same moment.
const SHARED: Duration = Duration::from_secs(1);
/// A lookup goes on so long, even when the request that began it is over: its answer serves the next.
const LONGEST: Duration = Duration::from_secs(10);
/// A question is asked again after this time: packets get lost.
const RESEND: Duration = Duration::from_millis(400);
/// The largest answer without TCP is 512 bytes; some servers send more unasked.
const PACKET: usize = 4096;

/// Looks up names.
#[derive(Debug)]
pub(super) struct Lookup {
    /// The host to look up instead of the name in the URL, which is the one expected in a certificate.
    instead: Option<String>,
    files: Files,
    turns: Arc<Semaphore>,
    last: Arc<Mutex<Option<Answer>>>,
}

/// Where the two files are.
#[derive(Debug, Clone)]
struct Files {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    /// The servers' port.
    port: u16,
}

/// What the last lookup gave.
#[derive(Debug, Clone)]
struct Answer {
    host: String,
    addresses: Vec<SocketAddr>,
    good_until: Instant,
}

impl Lookup {
    pub(super) fn new(instead: Option<String>) -> Self {
        let (hosts, resolv_conf) = (PathBuf::from("/etc/hosts"), PathBuf::from("/etc/resolv.conf"));
        Self {
            instead,
            files: Files { hosts, resolv_conf, port: 53 },
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            last: Arc::default(),
        }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.instead.clone().unwrap_or_else(|| name.as_str().to_owned());
        let (files, turns, last) = (self.files.clone(), Arc::clone(&self.turns), Arc::clone(&self.last));
        Box::pin(async move {
            let addresses = addresses(host, files, turns, last).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn addresses(
    host: String,
    files: Files,
    turns: Arc<Semaphore>,
    last: Arc<Mutex<Option<Answer>>>,
) -> Result<Vec<SocketAddr>, Failure> {
    if is_localhost(&host) {
        let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(both.map(|ip| SocketAddr::new(ip, 0)).to_vec());
    }
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, 0)]);
    }
    let turn = turns.acquire_owned().await?;
    let known = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(known) = known.filter(|known| known.host == host && known.good_until > now()) {
        return Ok(known.addresses);
    }
    // A task of its own: a lookup that takes longer than a request may take serves the next request.
    let lookup = tokio::spawn(async move {
        let _turn = turn;
        let began = now();
        let found =
            timeout(LONGEST, find(&host, &files)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let addresses: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        let good_until = now() + SHARED + 2 * now().saturating_duration_since(began);
        let answer = Answer { host, addresses: addresses.clone(), good_until };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        io::Result::Ok(addresses)
    });
    Ok(lookup.await??)
}

/// The addresses of a name: of the hosts file, else of the first of its full forms that has any.
async fn find(host: &str, files: &Files) -> io::Result<Vec<IpAddr>> {
    // Two short files on a local file system: no thread is worth them.
    let hosts = read(&files.hosts);
    let found = config::in_hosts(&hosts, host);
    if !found.is_empty() {
        return Ok(found);
    }
    let config = Config::parse(&read(&files.resolv_conf));
    let mut failure = None;
    for name in config.candidates(host) {
        match ask(&name, &config, files.port).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => return Ok(found),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no such host: {host}"))))
}

fn read(path: &Path) -> String {
    // A file that is not there is an empty one.
    let bytes = super::token::read_small(path, 1024 * 1024).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks all servers; the first that answers at all is believed.
async fn ask(name: &str, config: &Config, port: u16) -> io::Result<Vec<IpAddr>> {
    let mut asking = JoinSet::new();
    for server in &config.servers {
        let (server, name) = (SocketAddr::new(*server, port), name.to_owned());
        asking.spawn(async move { ask_one(&name, server).await });
    }
    let mut failure = None;
    loop {
        // When one has failed, the silence of the others is probably for ever: the next name has to be asked for, too.
        let patience = if failure.is_some() { 2 * RESEND } else { LONGEST };
        match timeout(patience, asking.join_next()).await {
            Ok(Some(Ok(Ok(found)))) => return Ok(found),
            Ok(Some(Ok(Err(error)))) => failure = Some(error),
            Ok(Some(Err(error))) => failure = Some(io::Error::other(error)),
            Ok(None) | Err(_) => return Err(failure.unwrap_or_else(|| io::ErrorKind::TimedOut.into())),
        }
    }
}

/// Asks for both kinds of addresses, again and again until there is an answer. The caller knows when to stop.
async fn ask_one(name: &str, server: SocketAddr) -> io::Result<Vec<IpAddr>> {
    let local: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(server).await?;
    let mut open = vec![Question::new(name, Kind::V4)?, Question::new(name, Kind::V6)?];
    let mut found = Vec::new();
    let mut packet = vec![0; PACKET];
    while !open.is_empty() {
        for question in &open {
            socket.send(&question.bytes).await?;
        }
        let until = now() + RESEND;
        while !open.is_empty() {
            let left = until.saturating_duration_since(now());
            let Ok(received) = timeout(left, socket.recv(&mut packet)).await else { break };
            let reply = packet.get(..received?).unwrap_or_default();
            // Something else on this port is not for us.
            let Some((at, told)) = open.iter().enumerate().find_map(|(at, q)| Some((at, q.reply(reply)?))) else {
                continue;
            };
            let question = open.remove(at);
            match told {
                Reply::Addresses(addresses) => found.extend(addresses),
                Reply::Cut => found.extend(ask_by_tcp(&question, server).await?),
                Reply::Refused(code) => return Err(io::Error::other(format!("{server} answers with code {code}"))),
            }
        }
    }
    // As everybody does: who has both is reached over either, and most agents listen on IPv4.
    found.sort_by_key(IpAddr::is_ipv6);
    Ok(found)
}

async fn ask_by_tcp(question: &Question, server: SocketAddr) -> io::Result<Vec<IpAddr>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.bytes.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), question.bytes.as_slice()].concat()).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    match question.reply(&reply) {
        Some(Reply::Addresses(found)) => Ok(found),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests;
