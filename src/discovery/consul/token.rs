//! The ACL token: given, or in a file that is read again when Consul refuses what it held.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::CallError;
use super::file::SmallFile;
use crate::plan::{Consul, Secret};

/// No token is longer.
const LONGEST: u64 = 64 * 1024;
/// A file system that takes longer than this for it hangs, and the call shall be able to say so.
const PATIENCE: Duration = Duration::from_millis(900);

/// Where the token comes from.
#[derive(Debug)]
pub(super) enum Token {
    /// There is none.
    None,
    /// The configuration gives it.
    Fixed(Secret),
    /// A file holds it.
    File(TokenFile),
}

/// The file of the token, and what it held last.
#[derive(Debug)]
pub(super) struct TokenFile {
    file: SmallFile,
    read: Mutex<Option<Secret>>,
}

impl Token {
    pub(super) fn of(consul: &Consul) -> Self {
        match (&consul.token, &consul.token_file) {
            (Some(token), _) if !token.expose().is_empty() => Self::Fixed(token.clone()),
            (_, Some(path)) => Self::File(TokenFile { file: SmallFile::new(path, LONGEST), read: Mutex::default() }),
            _ => Self::None,
        }
    }

    /// The token to send; reads the file at the first use.
    pub(super) async fn current(&self) -> Result<Option<Secret>, CallError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::File(file) => {
                let known = file.known();
                if known.is_some() { Ok(known) } else { file.read_again().await }
            }
        }
    }

    /// Another token than the one that was refused: somebody else's call has read it already, or the file holds it now.
    pub(super) async fn replaced(&self, refused: Option<&Secret>) -> Result<Option<Secret>, CallError> {
        let Self::File(file) = self else { return Ok(None) };
        let known = file.known();
        let now = if known.as_ref() == refused { file.read_again().await? } else { known };
        Ok(now.filter(|token| Some(token) != refused))
    }
}

impl TokenFile {
    fn known(&self) -> Option<Secret> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read_again(&self) -> Result<Option<Secret>, CallError> {
        let path = self.file.path().display();
        let unusable = |error: &io::Error| CallError::Unusable(format!("the token file {path} can't be read: {error}"));
        let bytes = self.file.read(PATIENCE).await.map_err(|error| unusable(&error))?;
        let token = of_file(&bytes).map_err(|error| unusable(&error))?;
        (*self.read.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&token);
        Ok(token)
    }
}

/// The token that a file with these bytes holds.
pub(super) fn of_file(bytes: &[u8]) -> io::Result<Option<Secret>> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?.trim();
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::consul::file::hang_files;
    use crate::discovery::consul::file::tests::with_one_thread;
    use crate::discovery::fake::consul;

    #[test]
    fn a_file_system_that_hangs_is_named_and_what_it_held_is_still_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cr3t\n").unwrap();
        let token = Token::of(&Consul { token_file: Some(path), ..consul("127.0.0.1:1") });
        with_one_thread(async {
            let hung = hang_files();
            let (one, other) = tokio::join!(token.current(), token.current());
            for error in [one.unwrap_err().to_string(), other.unwrap_err().to_string()] {
                assert!(error.ends_with("/token can't be read: the file system does not answer"), "{error}");
            }
            drop(hung);
            let current = token.current().await.unwrap();
            assert_eq!(current, Some(Secret::new("s3cr3t")));
            let _hung = hang_files();
            assert_eq!(token.current().await.unwrap(), current);
            assert_eq!(token.replaced(current.as_ref()).await.unwrap(), None, "nothing better is known");
            assert!(!format!("{token:?}").contains("s3cr3t"));
        });
    }
}
