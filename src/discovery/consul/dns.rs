//! Addresses of the agent's host name, looked up anew for each connection: an agent may move.
//!
//! Not by the C library: linked statically, it loads what the image's `nsswitch.conf` names (`myhostname`, `resolve`)
//! into this process, built for another C library than ours, and PID 1 would die of it. It would also need a thread for
//! each lookup. This one needs one for all. It reads `/etc/hosts`, asks all servers of `/etc/resolv.conf` at once and takes
//! the first address, so a dead server costs nothing. That there is none is first of all for the first server to say.
//!
//! `config` reads the two files, `message` is what goes over the wire.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use self::config::Config;
use self::message::{Kind, Question, Reply};
use super::address::is_localhost;
use super::file::SmallFile;
use crate::discovery::pace::now;

mod config;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod message;

#[cfg(any(test, fuzzing))]
pub(super) use self::fuzz::fuzz;

/// So many lookups at a time (reliability row 56).
const AT_A_TIME: usize = 4;
/// So long an answer serves others who connect at the same moment.
const SHARED: Duration = Duration::from_secs(1);
/// A lookup goes on so long, even when the request that began it is over: its answer serves the next.
const LONGEST: Duration = Duration::from_secs(10);
/// A question is asked again after this time: packets get lost.
const RESEND: Duration = Duration::from_millis(400);
/// For an answer that is too long for a packet, while there is nothing else.
const BY_TCP: Duration = Duration::from_secs(1);
/// A file that takes longer than this is on a file system that hangs. Well within the time for a connection.
const PATIENCE: Duration = Duration::from_millis(500);
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// The largest answer without TCP is 512 bytes; some servers send more unasked.
const PACKET: usize = 4096;

/// Looks up names.
#[derive(Debug)]
pub(super) struct Lookup {
    /// The host to look up instead of the name in the URL, which is the one expected in a certificate.
    instead: Option<String>,
    files: Arc<Files>,
    turns: Arc<Semaphore>,
    last: Arc<Mutex<Option<Answer>>>,
}

/// The two files.
#[derive(Debug)]
struct Files {
    hosts: SmallFile,
    resolv_conf: SmallFile,
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
        Self {
            instead,
            files: Arc::new(Files::new("/etc/hosts".into(), "/etc/resolv.conf".into(), 53)),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            last: Arc::default(),
        }
    }
}

impl Files {
    fn new(hosts: PathBuf, resolv_conf: PathBuf, port: u16) -> Self {
        Self { hosts: SmallFile::new(hosts, LARGEST), resolv_conf: SmallFile::new(resolv_conf, LARGEST), port }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.instead.clone().unwrap_or_else(|| name.as_str().to_owned());
        let (files, turns, last) = (Arc::clone(&self.files), Arc::clone(&self.turns), Arc::clone(&self.last));
        Box::pin(async move {
            let addresses = addresses(host, files, turns, last).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn addresses(
    host: String,
    files: Arc<Files>,
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
    let found = config::in_hosts(&read(&files.hosts).await?, host);
    if !found.is_empty() {
        return Ok(found);
    }
    let config = Config::parse(&read(&files.resolv_conf).await?);
    if config.servers.is_empty() {
        let path = files.resolv_conf.path().display();
        return Err(io::Error::other(format!("{path} names no server that can be asked")));
    }
    let mut failure = None;
    let mut first_is_silent = false;
    for name in config.candidates(host) {
        match ask(&name, &config, files.port, &mut first_is_silent).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => return Ok(found),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no such host: {host}"))))
}

/// A file's text. One that is not there is an empty one, but not one that does not come: it may hold the name.
async fn read(file: &SmallFile) -> io::Result<String> {
    match file.read(PATIENCE).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(io::Error::new(error.kind(), format!("{} can't be read: {error}", file.path().display())))
        }
        Err(_) => Ok(String::new()),
    }
}

/// Asks all servers; the first that has an address is believed.
///
/// Another than the first may well not know a name: one for the inside and one for the outside are often listed together.
/// So its "no such name" counts only when all others have answered, or when the first has been silent for a while, which
/// is not waited for again.
async fn ask(name: &str, config: &Config, port: u16, first_is_silent: &mut bool) -> io::Result<Vec<IpAddr>> {
    let mut asking = JoinSet::new();
    for (at, server) in config.servers.iter().enumerate() {
        let (server, name) = (SocketAddr::new(*server, port), name.to_owned());
        asking.spawn(async move { (at == 0, ask_one(&name, server).await) });
    }
    let began = now();
    let (mut is_none, mut failure) = (false, None);
    loop {
        let until = if is_none {
            began + RESEND
        } else if failure.is_some() {
            // The silence of the others is probably for ever: the next name has to be asked for, too.
            now() + 2 * RESEND
        } else {
            began + LONGEST
        };
        match timeout_at(until, asking.join_next()).await {
            Ok(Some(Ok((is_first, Ok(found))))) => {
                if !found.is_empty() || is_first || *first_is_silent {
                    return Ok(found);
                }
                is_none = true;
            }
            Ok(Some(Ok((_, Err(error))))) => failure = Some(error),
            Ok(Some(Err(error))) => failure = Some(io::Error::other(error)),
            Ok(None) if is_none => return Ok(Vec::new()),
            Err(_) if is_none => {
                *first_is_silent = true;
                return Ok(Vec::new());
            }
            Ok(None) | Err(_) => return Err(failure.unwrap_or_else(|| io::ErrorKind::TimedOut.into())),
        }
    }
}

/// Asks for both kinds of addresses, again and again until there is an answer. The caller knows when to stop.
///
/// Whatever becomes of one kind, the addresses of the other are good: some servers don't know of IPv6, others are silent
/// about it, and TCP is often blocked.
async fn ask_one(name: &str, server: SocketAddr) -> io::Result<Vec<IpAddr>> {
    let local: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(server).await?;
    let mut open = vec![Question::new(name, Kind::V4)?, Question::new(name, Kind::V6)?];
    let (mut found, mut cut, mut failure) = (Vec::new(), Vec::new(), None);
    let mut packet = vec![0; PACKET];
    while !open.is_empty() && found.is_empty() && failure.is_none() {
        for question in &open {
            socket.send(&question.bytes).await?;
        }
        let mut until = now() + RESEND;
        while !open.is_empty() {
            let Ok(received) = timeout_at(until, socket.recv(&mut packet)).await else { break };
            let reply = match received {
                Ok(length) => packet.get(..length).unwrap_or_default(),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            // Something else on this port is not for us.
            let Some((at, told)) = open.iter().enumerate().find_map(|(at, q)| Some((at, q.reply(reply)?))) else {
                continue;
            };
            let question = open.remove(at);
            match told {
                Reply::Addresses(addresses) => found.extend(addresses),
                Reply::Cut => cut.push(question),
                Reply::Refused(code) => failure = Some(io::Error::other(format!("{server} answers with code {code}"))),
            }
            // The other kind has its time, too.
            until = now() + RESEND;
        }
    }
    for question in cut {
        let patience = if found.is_empty() { BY_TCP } else { RESEND };
        let late = || Err(io::Error::new(io::ErrorKind::TimedOut, format!("{server} does not answer by TCP")));
        match timeout(patience, ask_by_tcp(&question, server)).await.unwrap_or_else(|_| late()) {
            Ok(more) => found.extend(more),
            Err(error) => failure = Some(error),
        }
    }
    // As everybody does: who has both is reached over either, and most agents listen on IPv4.
    found.sort_by_key(IpAddr::is_ipv6);
    match failure {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
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
