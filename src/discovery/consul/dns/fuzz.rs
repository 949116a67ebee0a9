//! What is fuzzed of this room (see [`crate::fuzzing`]).

use super::config::{Config, in_hosts};
use super::message::{Kind, Question, Reply};

/// Reads these bytes as a name server's answer, as `/etc/resolv.conf` and as `/etc/hosts`.
pub(in crate::discovery::consul) fn fuzz(bytes: &[u8]) {
    for kind in [Kind::V4, Kind::V6] {
        let Ok(question) = Question::new("consul.example", kind) else { unreachable!("a name") };
        // Else it would take luck to get past the number that nobody can guess.
        let mut packet = question.bytes.get(..2).unwrap_or_default().to_vec();
        packet.extend(bytes.get(2..).unwrap_or_default());
        if let Some(Reply::Addresses(found)) = question.reply(&packet) {
            assert!(found.iter().all(|ip| ip.is_ipv4() == (kind == Kind::V4)), "{found:?}");
            assert!(found.len().saturating_mul(15) <= packet.len(), "as many as were told");
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let config = Config::parse(&text);
    assert!(config.servers.len() <= 3, "{config:?}");
    for name in ["consul", "consul.example", "consul."] {
        let candidates = config.candidates(name);
        assert!(!candidates.is_empty() && candidates.len() <= text.len().saturating_add(1), "{candidates:?}");
        let found = in_hosts(&text, name);
        assert!(found.len() <= text.lines().count(), "{found:?}");
    }
    // The text for a name: what is none is refused.
    if let Ok(question) = Question::new(&text, Kind::V4) {
        assert!(question.bytes.len() <= 12 + 255 + 4, "{question:?}");
    }
}
