//! Why discovery can't be prepared, and why a call failed. Neither ever holds the token.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::core::elapsed;

/// Why discovery can't be prepared. The configuration is at fault, so this is said before anything starts (v3 §13.1).
#[derive(Debug, Error)]
pub enum DiscoveryError {
    /// A file of the TLS settings can't be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no usable certificate or key.
    #[error("use {}: {reason}", path.display())]
    Pem {
        /// Which file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The expected name is no name.
    #[error("expect the server name {0:?}: it is neither a host name nor an IP address")]
    ServerName(String),
    /// The client's key is another than that of its certificate.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Pair {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// The TLS library refuses the settings.
    #[error("set up TLS: {0}")]
    Tls(String),
}

/// Why a call to Consul failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CallError {
    /// Consul answered with another status than 200. The original's words, without its `()` where there is no body.
    #[error("{}", refusal(*code, body))]
    Status { code: u16, body: String },
    /// The original's words for what its HTTP library does not know.
    #[error("unsupported protocol scheme {0:?}")]
    Scheme(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// The whole of it took too long.
    #[error("no answer from {from} within {}", elapsed(*within))]
    TimedOut { from: String, within: Duration },
    /// The answer has more bytes than anybody needs.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what Consul answers.
    #[error("unreadable answer: {0} (this may not be Consul)")]
    Garbage(String),
    /// The settings can't be sent, or not read now.
    #[error("{0}")]
    Unusable(String),
}

/// What somebody may do about it is behind the original's words.
fn refusal(code: u16, body: &str) -> String {
    if body.is_empty() {
        return format!("Unexpected response code: {code}");
    }
    let lower = body.to_ascii_lowercase();
    let hint = if code == 403 && lower.contains("acl not found") {
        " (Consul does not know the token)"
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        // Consul itself refuses in plain text.
        " (this may not be Consul)"
    } else {
        ""
    };
    format!("Unexpected response code: {code} ({body}){hint}")
}

impl CallError {
    /// Whether the agent does not know the service or its check: it was restarted without its state, or never knew.
    ///
    /// Consul 1.8 says 500 with one text, with ACLs another; later ones say 404 (reliability rows 47 and 48).
    pub(crate) fn is_forgotten(&self) -> bool {
        match self {
            Self::Status { code: 404, .. } => true,
            Self::Status { code: 500, body } => {
                let body = body.to_ascii_lowercase();
                ["does not have associated ttl", "unknown check", "unknown service"].iter().any(|t| body.contains(t))
            }
            _ => false,
        }
    }

    /// Whether Consul refuses the token, or us for having none.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Status { code: 403, .. })
    }

    /// Whether a query is refused that has a filter, which is then the likeliest culprit: Consul says 400 for one that it
    /// can't read, and from its servers 500.
    pub(crate) fn may_be_the_filter(&self) -> bool {
        match self {
            Self::Status { code: 400, .. } => true,
            Self::Status { code: 500, body } => {
                let body = body.to_ascii_lowercase();
                ["filter", "expression", "selector"].iter().any(|word| body.contains(word))
            }
            _ => false,
        }
    }

    /// Whether the same request can't succeed later (reliability row 55).
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Status { code: 400, .. } | Self::Scheme(_))
    }
}
