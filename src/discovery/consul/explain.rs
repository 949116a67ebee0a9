//! Why a connection failed, in words that say what to do about it.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// The reasons of an error from the outermost that says something to the innermost, without their frames.
pub(super) fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut tls = None;
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // The outer layers only say that something inside them failed, or repeat it.
        let hollow = text.starts_with("error ") || text.starts_with("client error") || text == "connection error";
        if !hollow && !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        tls = tls.or_else(|| of_tls(error));
        next = error.source();
    }
    let words = if words.is_empty() { error.to_string() } else { words.join(": ") };
    match tls.map(explained) {
        Some(Explained::Instead(text)) => text.to_owned(),
        Some(Explained::Behind(hint)) => format!("{words}: {hint}"),
        Some(Explained::Plain) | None => words,
    }
}

/// What TLS says within an error. The standard library's errors hold theirs where `source` does not find it.
fn of_tls<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Error> {
    if let Some(tls) = error.downcast_ref::<Error>() {
        return Some(tls);
    }
    let inner: &'e (dyn StdError + 'static) = error.downcast_ref::<io::Error>()?.get_ref()?;
    of_tls(inner)
}

enum Explained {
    /// The library's words tell less than these.
    Instead(&'static str),
    /// To be said behind the library's words.
    Behind(&'static str),
    /// They say it.
    Plain,
}

fn explained(error: &Error) -> Explained {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Explained::Instead("no TLS there (does it speak http?)")
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Explained::Behind("its authority is not trusted: name it in consul.tls.cafile")
        }
        // Its own words come from a library below, as a value that has no name here.
        Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "CaUsedAsEndEntity" => {
            Explained::Instead(
                "invalid peer certificate: it is that of an authority (CA:TRUE), and consul.tls.cafile does not name that very one",
            )
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure,
        ) => Explained::Behind("the agent may want a client certificate (consul.tls.clientcert, clientkey)"),
        _ => Explained::Plain,
    }
}
