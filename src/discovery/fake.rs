//! A scripted agent on loopback, with real sockets, for what the real Consul can't be made to show.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};

use crate::plan::{Consul, ConsulScheme, ConsulTls, ServiceSpec};

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// On the how manieth connection.
    pub(super) connection: usize,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Method and target.
    pub(super) fn what(&self) -> &str {
        self.line.trim_end_matches(" HTTP/1.1")
    }
}

/// What is done about it.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Status(u16, String),
    Index(u64, String),
    /// After a while.
    Late(Duration, Box<Reply>),
    /// Never.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// A body without end, a piece every so often.
    Endless(usize, Duration),
}

pub(super) fn ok() -> Reply {
    Reply::Status(200, String::new())
}

pub(super) fn status(code: u16, body: &str) -> Reply {
    Reply::Status(code, body.to_owned())
}

type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The agent; gone when it is dropped, with the runtime of its test at the latest.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub(super) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", script).await
    }

    pub(super) async fn on(address: &str, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, script): (_, Script) = (Arc::clone(&fake.seen), Arc::new(script));
        tokio::spawn(async move {
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, Arc::clone(&seen), Arc::clone(&script)));
            }
        });
        fake
    }

    /// On a unix socket; the address means nothing.
    pub(super) fn on_socket(
        path: &std::path::Path,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let fake = Self { address: "0.0.0.0:0".parse().unwrap(), seen: Arc::default() };
        let (seen, script): (_, Script) = (Arc::clone(&fake.seen), Arc::new(script));
        tokio::spawn(async move {
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, Arc::clone(&seen), Arc::clone(&script)));
            }
        });
        fake
    }

    pub(super) fn consul(&self) -> Consul {
        consul(&self.address.to_string())
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Methods and targets of all that came.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|request| request.what().to_owned()).collect()
    }

    /// How many requests for such a target came.
    pub(super) fn count(&self, part: &str) -> usize {
        self.seen().iter().filter(|request| request.line.contains(part)).count()
    }
}

pub(super) fn consul(address: &str) -> Consul {
    Consul {
        address: address.to_owned(),
        scheme: ConsulScheme::Http,
        token: None,
        token_file: None,
        namespace: None,
        partition: None,
        failing_heartbeat: false,
        tls: ConsulTls::default(),
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    seen: Arc<Mutex<Vec<Request>>>,
    script: Script,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, connection).await {
        seen.lock().unwrap().push(request.clone());
        let mut reply = script(&request);
        while let Reply::Late(pause, then) = reply {
            sleep(pause).await;
            reply = *then;
        }
        let written = match reply {
            Reply::Status(code, body) => {
                let head = format!("HTTP/1.1 {code} Said\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await
            }
            Reply::Index(index, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\nX-Consul-Index: {index}\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all((head + &body).as_bytes()).await
            }
            Reply::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Endless(size, pause) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                let chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {
                    sleep(pause).await;
                }
                return;
            }
            Reply::Hang => {
                let _ = stream.read_u8().await;
                return;
            }
            Reply::Close | Reply::Late(..) => return,
        };
        if written.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + Unpin>, connection: usize) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))).collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line, headers, body: String::from_utf8(body).unwrap(), connection })
}

/// Waits until this is so, at most 10 s.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(10), async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "never came: {what}");
}

/// Waits for it, at most 10 s.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// What this thread logs while it is kept, of all crates and at all levels.
pub(super) struct Logged {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Logged {
    pub(super) fn start() -> Self {
        let text: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || Sink(Arc::clone(&writer)))
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }

    /// Our own lines without those of libraries and those below INFO.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.text();
        let ours = text.lines().filter(|line| line.contains(" containerpilot::") && !line.starts_with("DEBUG"));
        ours.map(|line| line.trim().to_owned()).collect()
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.text().contains(part)
    }
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The service `web-host`, with these tags.
pub(super) fn web(ttl: Duration, tags: &[&str]) -> ServiceSpec {
    ServiceSpec {
        id: "web-host".to_owned(),
        name: "web".to_owned(),
        port: 80,
        address: "10.0.0.1".parse().unwrap(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        ttl,
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_service_after: None,
        meta: BTreeMap::new(),
        tagged_addresses: BTreeMap::new(),
        weights: None,
        ip_variable: String::new(),
    }
}

/// Its requests.
pub(super) const REGISTER: &str = "PUT /v1/agent/service/register";
pub(super) const UPDATE: &str = "PUT /v1/agent/check/update/service:web-host";
pub(super) const DEREGISTER: &str = "PUT /v1/agent/service/deregister/web-host";
