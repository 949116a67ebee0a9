//! TLS towards Consul: authorities, client certificate, expected name (v3 §13.1, design §4 row 10).

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::error::{CallError, DiscoveryError};
use super::file::read_small;
use crate::plan::ConsulTls;

/// The largest PEM file that is read: all public authorities together have 250 kB.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Where distributions keep the authorities that the system trusts: Debian and Alpine, Fedora, SUSE.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// The settings of a TLS connection. Reads every file that is named, whether it is used or not, so that a bad one fails
/// the start.
pub(super) fn config(tls: &ConsulTls) -> Result<ClientConfig, DiscoveryError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| DiscoveryError::Tls(error.to_string()))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    // As the original: one without the other is not used.
    let (Some(cert), Some(key)) = (&tls.client_cert, &tls.client_key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(cert)?;
    if chain.is_empty() {
        return Err(no_certificate(cert));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    // Not the library's words, which may hold a piece of the key.
    let private = private.map_err(|_| pem(key, "there is no private key in it"))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| match error {
        Error::InconsistentKeys(_) => DiscoveryError::Pair { certificate: cert.clone(), key: key.clone() },
        error => DiscoveryError::Tls(error.to_string()),
    })
}

fn verifier(tls: &ConsulTls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, DiscoveryError> {
    let (roots, named) = roots(tls)?;
    if !tls.verify {
        return Ok(Arc::new(AcceptAll(Arc::clone(provider))));
    }
    let library = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let library = library.map_err(|error| DiscoveryError::Tls(error.to_string()))?;
    Ok(Arc::new(Verifier { name: expected_name(tls)?, named, library }))
}

/// The settings where nobody is spoken to over TLS.
pub(super) fn trusting_nobody() -> Result<ClientConfig, CallError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| CallError::Unusable(error.to_string()))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The name that the agent's certificate must have, if it is not the one in the address.
pub(super) fn expected_name(tls: &ConsulTls) -> Result<Option<ServerName<'static>>, DiscoveryError> {
    let name = tls.server_name.as_deref().filter(|name| !name.is_empty());
    let parsed = name.map(|name| ServerName::try_from(name.to_owned()).map_err(|_| name.to_owned()));
    parsed.transpose().map_err(DiscoveryError::ServerName)
}

/// Whom to trust, and the certificates of those that the configuration names.
fn roots(tls: &ConsulTls) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), DiscoveryError> {
    let (path, files) = match (&tls.ca_file, &tls.ca_path) {
        (Some(file), _) => (file, vec![file.clone()]),
        (None, Some(path)) => (path, files_in(path)?),
        (None, None) => return Ok((public(&SYSTEM.map(Path::new)), Vec::new())),
    };
    let (mut roots, mut named) = (RootCertStore::empty(), Vec::new());
    for file in files {
        let found = certificates(&file)?;
        add(&mut roots, &file, found.clone())?;
        named.extend(found);
    }
    if roots.is_empty() { Err(no_certificate(path)) } else { Ok((roots, named)) }
}

/// Whom the image trusts, an authority of its own company maybe among them; in one that says nothing, whom browsers do.
fn public(files: &[&Path]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for file in files {
        // What can't be used there was not named by anybody here.
        roots.add_parsable_certificates(certificates(file).unwrap_or_default());
        if !roots.is_empty() {
            return roots;
        }
    }
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots
}

fn add(roots: &mut RootCertStore, file: &Path, found: Vec<CertificateDer<'static>>) -> Result<(), DiscoveryError> {
    found.into_iter().try_for_each(|certificate| roots.add(certificate)).map_err(|error| pem(file, error))
}

/// The files of a directory in the order of their names; a volume of Kubernetes has links and directories between them.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>, DiscoveryError> {
    let failed = |source| DiscoveryError::Read { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, DiscoveryError> {
    let text = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.map_err(|error| pem(file, error))
}

fn read(file: &Path) -> Result<Vec<u8>, DiscoveryError> {
    read_small(file, LARGEST).map_err(|source| DiscoveryError::Read { path: file.to_owned(), source })
}

fn pem(file: &Path, reason: impl Display) -> DiscoveryError {
    DiscoveryError::Pem { path: file.to_owned(), reason: format!("{reason}") }
}

fn no_certificate(file: &Path) -> DiscoveryError {
    pem(file, "there is no certificate in it")
}

/// Verifies as the library does, but for two things.
#[derive(Debug)]
struct Verifier {
    /// Expected instead of the name that is connected to.
    name: Option<ServerName<'static>>,
    /// Trusted also as the agent's own: `openssl req -x509` makes a certificate that is its own authority, and the original
    /// takes it where it is itself the one that is named. The library refuses every authority in that place.
    named: Vec<CertificateDer<'static>>,
    library: Arc<WebPkiServerVerifier>,
}

/// Whether the only fault that was found is that it is an authority's. Its dates were verified before that (a test holds
/// this fast); its signature is its own and says nothing.
fn is_only_an_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = self.name.as_ref().unwrap_or(name);
        let verified = self.library.verify_server_cert(certificate, intermediates, name, ocsp, now);
        let is_named = || self.named.iter().any(|named| named.as_ref() == certificate.as_ref());
        match verified {
            Err(error) if is_only_an_authority(&error) && is_named() => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library.supported_verify_schemes()
    }
}

/// `verify: false`: whoever answers is the agent.
#[derive(Debug)]
struct AcceptAll(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
