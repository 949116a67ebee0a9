//! The ACL token: given, or in a file that is read again when Consul refuses what it held.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::CallError;
use crate::plan::{Consul, Secret};

/// No token is longer.
const LONGEST: u64 = 64 * 1024;

/// Where the token comes from.
#[derive(Debug)]
pub(super) enum Token {
    /// There is none.
    None,
    /// The configuration gives it.
    Fixed(Secret),
    /// A file holds it; what was read from it last.
    File { path: PathBuf, read: Mutex<Option<Secret>> },
}

impl Token {
    pub(super) fn of(consul: &Consul) -> Self {
        match (&consul.token, &consul.token_file) {
            (Some(token), _) if !token.expose().is_empty() => Self::Fixed(token.clone()),
            (_, Some(path)) => Self::File { path: path.clone(), read: Mutex::default() },
            _ => Self::None,
        }
    }

    /// The token to send; reads the file at the first use.
    pub(super) async fn current(&self) -> Result<Option<Secret>, CallError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::File { path, read } => {
                let known = read.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if known.is_some() { Ok(known) } else { read_again(path, read).await }
            }
        }
    }

    /// Another token than the one that was refused: somebody else's call has read it already, or the file holds it now.
    pub(super) async fn replaced(&self, refused: Option<&Secret>) -> Result<Option<Secret>, CallError> {
        let Self::File { path, read } = self else { return Ok(None) };
        let known = read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = if known.as_ref() == refused { read_again(path, read).await? } else { known };
        Ok(now.filter(|token| Some(token) != refused))
    }
}

/// Reads the file on a thread of its own: it may be on a file system that hangs.
async fn read_again(path: &Path, read: &Mutex<Option<Secret>>) -> Result<Option<Secret>, CallError> {
    let file = path.to_owned();
    let text = tokio::task::spawn_blocking(move || read_small(&file, LONGEST)).await;
    let text = text.map_err(io::Error::other).flatten();
    let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into()));
    let text =
        text.map_err(|error| CallError::Unusable(format!("the token file {} can't be read: {error}", path.display())))?;
    let token = text.trim();
    let token = (!token.is_empty()).then(|| Secret::new(token));
    (*read.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&token);
    Ok(token)
}

/// A regular file's content: a pipe would never end, and nothing that we read is large.
pub(super) fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::other(format!("longer than {most} bytes")));
    }
    Ok(content)
}
