//! Addresses of the agent's host name, looked up anew for each connection: an agent may move.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::address::is_localhost;
use crate::discovery::pace::now;

/// So many lookups at a time: each keeps a thread for as long as a name server is silent (reliability row 56).
const AT_A_TIME: usize = 4;
/// So long an answer serves others who connect at the same moment.
const SHARED: Duration = Duration::from_secs(1);

/// Looks up names, `localhost` without any file, all others as the system does.
#[derive(Debug)]
pub(super) struct Lookup {
    /// The host to look up instead of the name in the URL, which is the one expected in a certificate.
    instead: Option<String>,
    turns: Arc<Semaphore>,
    last: Arc<Mutex<Option<Answer>>>,
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
        Self { instead, turns: Arc::new(Semaphore::new(AT_A_TIME)), last: Arc::default() }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.instead.clone().unwrap_or_else(|| name.as_str().to_owned());
        let (turns, last) = (Arc::clone(&self.turns), Arc::clone(&self.last));
        Box::pin(async move {
            let addresses = addresses(host, turns, last).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn addresses(
    host: String,
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
    // Given back by the thread, not by us: a lookup that nobody waits for any more still keeps its thread.
    let turn = turns.acquire_owned().await?;
    let known = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(known) = known.filter(|known| known.host == host && known.good_until > now()) {
        return Ok(known.addresses);
    }
    let began = now();
    let lookup = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let addresses: Vec<SocketAddr> = (host.as_str(), 0).to_socket_addrs()?.collect();
        // A lookup that takes longer than a request may take serves the next request.
        let good_until = now() + SHARED + 2 * now().saturating_duration_since(began);
        let answer = Answer { host, addresses: addresses.clone(), good_until };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        std::io::Result::Ok(addresses)
    });
    Ok(lookup.await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look_up(lookup: &Lookup, name: &str) -> Vec<String> {
        let found = lookup.resolve(name.parse().unwrap()).await.unwrap();
        found.map(|address| address.ip().to_string()).collect()
    }

    #[tokio::test]
    async fn localhost_needs_no_file() {
        assert_eq!(look_up(&Lookup::new(None), "localhost").await, ["127.0.0.1", "::1"]);
    }

    #[tokio::test]
    async fn the_expected_name_leads_to_the_real_host() {
        let lookup = Lookup::new(Some("::1".to_owned()));
        assert_eq!(look_up(&lookup, "server.dc1.consul").await, ["::1"]);
    }

    #[tokio::test]
    async fn an_answer_that_came_too_late_serves_the_next_request() {
        let lookup = Lookup::new(Some("consul.invalid".to_owned()));
        let answer = Answer {
            host: "consul.invalid".to_owned(),
            addresses: vec!["192.0.2.1:0".parse().unwrap()],
            good_until: now() + SHARED,
        };
        *lookup.last.lock().unwrap() = Some(answer);
        assert_eq!(look_up(&lookup, "x").await, ["192.0.2.1"]);
        lookup.last.lock().unwrap().as_mut().unwrap().good_until = now();
        assert!(lookup.resolve("x".parse().unwrap()).await.is_err(), "then it is asked again");
    }
}
