//! Who connects to a unix socket (reliability row 73).
//!
//! The socket's file is 0600, and that keeps others out. Where somebody has widened it since, or a service that lets everybody
//! through stands before it, the kernel still knows who has connected: only root and our own user are served.

use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::net::unix::UCred;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::Handler;
use super::connection::Shared;
use super::serve::{Limits, by_now};
use super::stream::Socket;

/// So many strangers are answered at once; more are hung up on, since the places are for others.
const AT_ONCE: usize = 4;

/// How long a stranger may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Receives those who are not to be served.
pub(super) struct Doorkeeper {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    refused: u32,
}

/// What becomes of a connection.
pub(super) enum Verdict {
    /// It is served.
    Served,
    /// It is answered with a refusal, in this place.
    Refused(Arc<Shared>, OwnedSemaphorePermit),
    /// It is closed.
    HungUp,
}

impl Doorkeeper {
    /// For a server of this name; `refuse` answers strangers.
    pub(super) fn new(name: &'static str, refuse: Handler) -> Self {
        let limits = Limits { header: PATIENCE, total: PATIENCE, ..Limits::default() };
        let shared = Arc::new(Shared { name, limits, handler: refuse, streams: Arc::new(Semaphore::new(0)) });
        Self { shared, places: Arc::new(Semaphore::new(AT_ONCE)), refused: 0 }
    }

    /// Looks who has connected.
    pub(super) fn look(&mut self, socket: &Socket) -> Verdict {
        let Socket::Unix(socket) = socket else { return Verdict::Served };
        let peer = socket.peer_cred();
        let own = geteuid().as_raw();
        if peer.as_ref().is_ok_and(|peer| is_welcome(peer.uid(), own)) {
            return Verdict::Served;
        }
        self.tell(peer.ok(), own);
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Verdict::Refused(Arc::clone(&self.shared), place),
            Err(_) => Verdict::HungUp,
        }
    }

    /// Tells the first, and every 2ⁿ-th: who is refused can come again as often as he likes.
    fn tell(&mut self, peer: Option<UCred>, own: u32) {
        self.refused = self.refused.saturating_add(1);
        if !self.refused.is_power_of_two() {
            return;
        }
        let who = match peer.map(|peer| (peer.uid(), peer.pid())) {
            None => "somebody whose uid can't be told".to_owned(),
            // Zero is nobody here: he is of another pid namespace.
            Some((uid, None | Some(0))) => format!("uid {uid} (from outside)"),
            Some((uid, Some(pid))) => format!("uid {uid} (pid {pid})"),
        };
        let only =
            if own == 0 { "only root is served".to_owned() } else { format!("only root and uid {own} are served") };
        let (name, times, by_now) = (self.shared.name, self.refused, by_now(self.refused));
        warn!(times, "{name}: refused {who}: {only}{by_now}");
    }
}

fn is_welcome(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

#[cfg(test)]
mod tests {
    use super::is_welcome;

    #[test]
    fn f73_root_and_our_own_user_are_welcome() {
        for (uid, own, expected) in [
            (0, 0, true),
            (0, 1000, true),
            (1000, 1000, true),
            (1000, 0, false),
            (1001, 1000, false),
            (65_534, 0, false),
        ] {
            assert_eq!(is_welcome(uid, own), expected, "{uid} at one of {own}");
        }
    }
}
