use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::*;
use crate::discovery::consul::{Client, Limit};
use crate::discovery::fake::consul;
use crate::plan::{Consul, ConsulScheme};

/// An authority, and what it signed, as files.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=CA -keyout ca.key -out ca.pem");
        authority
    }

    /// A certificate with these names, `NAME.pem` and `NAME.key`.
    fn sign(&self, name: &str, names: &str) {
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        std::fs::write(self.file("ext"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Answers every request with 200, on threads of its own. Tells which name was asked for.
    fn serve(&self, name: &str, ask_for_certificate: bool) -> (SocketAddr, std::sync::mpsc::Receiver<Option<String>>) {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.file(&format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if ask_for_certificate {
            let mut roots = RootCertStore::empty();
            add(&mut roots, Path::new(""), certificates(&self.file("ca.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, names) = std::sync::mpsc::sync_channel(16);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut request = [0; 4096];
                if stream.read(&mut request).is_ok() {
                    let _ = sender.try_send(stream.conn.server_name().map(str::to_owned));
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        (address, names)
    }
}

fn https(address: &str, tls: ConsulTls) -> Consul {
    Consul { scheme: ConsulScheme::Https, tls, ..consul(address) }
}

async fn call(consul: &Consul) -> Result<(), CallError> {
    Client::new(consul).unwrap().deregister("web-x", Limit(Duration::from_secs(5))).await
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_nobody_else() {
    let authority = Authority::new();
    authority.sign("agent", "IP:127.0.0.1,DNS:localhost");
    let (address, _names) = authority.serve("agent", false);
    let address = address.to_string();
    let tls = ConsulTls { ca_file: Some(authority.file("ca.pem")), ..ConsulTls::default() };
    assert_eq!(call(&https(&address, tls)).await, Ok(()));
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(authority.file("ca.pem"), directory.path().join("ca.pem")).unwrap();
    std::fs::write(directory.path().join("README"), "no certificate").unwrap();
    std::fs::create_dir(directory.path().join("..data")).unwrap();
    let tls = ConsulTls { ca_path: Some(directory.path().to_owned()), ..ConsulTls::default() };
    assert_eq!(call(&https(&address, tls)).await, Ok(()));
    let error = call(&https(&address, ConsulTls::default())).await.unwrap_err().to_string();
    let hint = "its authority is not trusted: name it in consul.tls.cafile";
    assert!(error.starts_with(&address) && error.contains("UnknownIssuer") && error.ends_with(hint), "{error}");
    let other = Authority::new();
    let tls = ConsulTls { ca_file: Some(other.file("ca.pem")), ..ConsulTls::default() };
    assert!(call(&https(&address, tls)).await.is_err());
    assert_eq!(call(&https(&address, ConsulTls { verify: false, ..ConsulTls::default() })).await, Ok(()));
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let own = |name: &str| {
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=self -addext \
             subjectAltName=IP:127.0.0.1,DNS:self.example -keyout {name}.key -out {name}.pem"
        ));
    };
    own("self");
    own("twin");
    let tls = |name: &str| ConsulTls { ca_file: Some(authority.file(name)), ..ConsulTls::default() };
    let (address, _names) = authority.serve("self", false);
    let address = address.to_string();
    assert_eq!(call(&https(&address, tls("self.pem"))).await, Ok(()));
    let with_name = |name: &str| ConsulTls { server_name: Some(name.to_owned()), ..tls("self.pem") };
    assert_eq!(call(&https(&address, with_name("self.example"))).await, Ok(()));
    let error = call(&https(&address, with_name("other.example"))).await.unwrap_err().to_string();
    assert!(error.contains("certificate not valid for name"), "{error}");
    let error = call(&https(&address, tls("twin.pem"))).await.unwrap_err().to_string();
    assert!(error.contains("it is that of an authority (CA:TRUE)"), "of the same name, but another: {error}");
    // An authority that signed the agent's certificate is none of this.
    authority.sign("agent", "DNS:self.example");
    let (address, _names) = authority.serve("agent", false);
    assert!(call(&https(&address.to_string(), tls("ca.pem"))).await.is_err());
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_in_its_time() {
    let authority = Authority::new();
    authority.openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:x -keyout x.key -out x.pem",
    );
    let tls = ConsulTls { ca_file: Some(authority.file("x.pem")), ..ConsulTls::default() };
    let verifier = verifier(&tls, &Arc::new(ring::default_provider())).unwrap();
    let certificate = certificates(&authority.file("x.pem")).unwrap().remove(0);
    let verify = |now: u64| {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        verifier.verify_server_cert(&certificate, &[], &ServerName::try_from("x").unwrap(), &[], now).map(drop)
    };
    let (day, today) = (24 * 60 * 60, UnixTime::now().as_secs());
    assert_eq!(verify(today), Ok(()));
    let why = |now| verify(now).unwrap_err().to_string();
    assert!(why(today + 3 * day).contains("expired"), "{}", why(today + 3 * day));
    assert!(why(today - day).contains("not valid yet"), "{}", why(today - day));
}

#[tokio::test]
async fn the_expected_name_is_asked_for_and_verified() {
    let authority = Authority::new();
    authority.sign("agent", "DNS:server.dc1.consul,IP:10.9.9.9");
    let (address, names) = authority.serve("agent", false);
    let address = address.to_string();
    let tls = |name: Option<&str>| ConsulTls {
        ca_file: Some(authority.file("ca.pem")),
        server_name: name.map(str::to_owned),
        ..ConsulTls::default()
    };
    let error = call(&https(&address, tls(None))).await.unwrap_err().to_string();
    assert!(error.starts_with(&address) && error.contains("certificate not valid for name"), "{error}");
    assert!(call(&https(&address, tls(Some("other.dc1.consul")))).await.is_err());
    assert_eq!(call(&https(&address, tls(Some("server.dc1.consul")))).await, Ok(()));
    assert_eq!(names.recv().unwrap().as_deref(), Some("server.dc1.consul"));
    assert_eq!(call(&https(&address, tls(Some("10.9.9.9")))).await, Ok(()), "an address has no name to ask for");
    assert_eq!(names.recv().unwrap(), None);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_both_files_are_given() {
    let authority = Authority::new();
    authority.sign("agent", "IP:127.0.0.1");
    authority.sign("me", "DNS:me");
    let (address, _names) = authority.serve("agent", true);
    let address = address.to_string();
    let mut tls = ConsulTls { ca_file: Some(authority.file("ca.pem")), ..ConsulTls::default() };
    tls.client_cert = Some(authority.file("me.pem"));
    let error = call(&https(&address, tls.clone())).await.expect_err("one alone is not used").to_string();
    let hint = "the agent may want a client certificate (consul.tls.clientcert, clientkey)";
    assert!(error.starts_with(&address) && error.ends_with(hint), "{error}");
    tls.client_key = Some(authority.file("me.key"));
    assert_eq!(call(&https(&address, tls)).await, Ok(()));
}

#[tokio::test]
async fn an_agent_without_tls_is_told_as_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = call(&https(&address, ConsulTls { verify: false, ..ConsulTls::default() })).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{address}: no TLS there (does it speak http?)"));
}

#[test]
fn bad_files_are_told_before_anything_starts() {
    let authority = Authority::new();
    authority.sign("me", "DNS:me");
    authority.sign("you", "DNS:you");
    let new = |tls: ConsulTls| Client::new(&https("127.0.0.1:1", tls)).unwrap_err().to_string();
    let (ca, key) = (authority.file("ca.pem"), authority.file("me.key"));
    let gone = new(ConsulTls { ca_file: Some("/gone.pem".into()), ..ConsulTls::default() });
    assert_eq!(gone, "read /gone.pem: No such file or directory (os error 2)");
    assert_eq!(
        new(ConsulTls { ca_path: Some("/dev/fd/99".into()), ..ConsulTls::default() }),
        "read /dev/fd/99: No such file or directory (os error 2)"
    );
    assert!(new(ConsulTls { ca_file: Some(key.clone()), ..ConsulTls::default() }).ends_with("no certificate in it"));
    assert_eq!(
        new(ConsulTls { ca_file: Some("/dev/zero".into()), ..ConsulTls::default() }),
        "read /dev/zero: not a regular file"
    );
    let pair = |cert: &str, key: &Path| ConsulTls {
        ca_file: Some(ca.clone()),
        client_cert: Some(authority.file(cert)),
        client_key: Some(key.to_owned()),
        ..ConsulTls::default()
    };
    assert!(new(pair("me.pem", &ca)).ends_with("there is no private key in it"));
    let (you, key) = (authority.file("you.pem"), key.display());
    let other = format!("the key in {key} does not belong to the certificate in {}", you.display());
    assert_eq!(new(pair("you.pem", &authority.file("me.key"))), other);
    let name = ConsulTls { server_name: Some("a b".to_owned()), ..ConsulTls::default() };
    assert_eq!(new(name), "expect the server name \"a b\": it is neither a host name nor an IP address");
}

#[test]
fn files_of_tls_are_nobodys_business_without_tls() {
    let tls = ConsulTls { ca_file: Some("/gone.pem".into()), ..ConsulTls::default() };
    assert!(Client::new(&Consul { tls, ..consul("127.0.0.1:1") }).is_ok());
}

#[test]
fn without_a_word_the_images_authorities_are_trusted_or_else_the_public_ones() {
    let authority = Authority::new();
    let (own, broken) = (authority.file("ca.pem"), authority.file("nothing.pem"));
    assert_eq!(public(&[&broken, &own]).len(), 1);
    std::fs::write(&broken, "no certificate").unwrap();
    assert_eq!(public(&[&broken]).len(), webpki_roots::TLS_SERVER_ROOTS.len());
}
