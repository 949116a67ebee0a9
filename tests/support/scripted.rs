//! An HTTP server that does what it is told, for what a real Consul can't be made to show: hangs, garbage, bodies without
//! an end. It records every request, and its script can be changed while it runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::http;
use super::wait::{self, DEADLINE};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `PUT`, ….
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The head's lines without the first.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// When its last byte was here.
    pub at: Instant,
    /// The connection's number, from 0: the same for requests over one that is kept.
    pub connection: usize,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, as it stands there.
    pub fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.target.split_once('?')?.1.split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// A header's value, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.headers, name)
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status with this body.
    Status(u16, String),
    /// A 200 with these headers and this body.
    With(Vec<(&'static str, String)>, String),
    /// Nothing, ever; the connection stays open.
    Hang,
    /// The other answer, so much later.
    After(Duration, Box<Answer>),
    /// The head of a good answer at once, and then a byte of the body each so often, for ever.
    SlowBody(Duration),
    /// A body in chunks of 64 KiB of JSON that has no end, as fast as it is taken.
    EndlessBody,
    /// A body that announces so many bytes, and its beginning.
    HugeBody(u64),
    /// These bytes instead of an answer, and then the end.
    Garbage(&'static [u8]),
    /// The end of the connection instead of an answer.
    Close,
    /// Text without any head, and then the end.
    Http09(&'static str),
    /// What the server there answers to the same request.
    Forward(SocketAddr),
}

impl Answer {
    /// A 200 with this body.
    pub fn ok(body: &str) -> Self {
        Self::Status(200, body.to_owned())
    }

    /// The answer to a query for a list, with its index.
    pub fn list(index: u64, body: &str) -> Self {
        Self::With(vec![("X-Consul-Index", index.to_string())], body.to_owned())
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// What a healthy agent without any service says: yes to every change, nothing to every query; a blocking query is
/// answered at the end of its wait, at most ten minutes.
pub fn well(request: &Request) -> Answer {
    if request.method != "GET" {
        return Answer::ok("");
    }
    let empty = Answer::list(7, "[]");
    match (request.query("index"), request.query("wait").and_then(seconds)) {
        (Some("7"), Some(wait)) => Answer::After(wait, Box::new(empty)),
        (Some("7"), None) => Answer::After(Duration::from_mins(5), Box::new(empty)),
        _ => empty,
    }
}

/// Go's durations as far as a client sends them: `10s`, `1500ms`, `2m`.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..digits)?.parse().ok()?;
    match text.get(digits..)? {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" | "m0s" => Some(Duration::from_mins(number)),
        _ => None,
    }
}

struct Shared {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<Request>>,
    /// Open connections by number.
    streams: Mutex<Vec<(usize, TcpStream)>>,
    connections: AtomicUsize,
    most_at_once: AtomicUsize,
    over: AtomicBool,
}

/// The server, on a loopback port of its own until the end of its scope.
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<std::thread::JoinHandle<()>>,
}

impl Scripted {
    /// A server with this script on any free port.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on(("127.0.0.1", 0), script)
    }

    /// Likewise at a certain place.
    pub fn start_on(place: (&str, u16), script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(place).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            requests: Mutex::default(),
            streams: Mutex::default(),
            connections: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let accept = {
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming().flatten() {
                    if shared.over.load(Ordering::SeqCst) {
                        break;
                    }
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || serve(&shared, &stream));
                }
            }
        };
        Self { address, shared, acceptor: Some(std::thread::spawn(accept)) }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another script from the next request on.
    pub fn script(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// All requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// The requests whose `METHOD TARGET` holds a text.
    pub fn matching(&self, text: &str) -> Vec<Request> {
        let fits = |request: &Request| format!("{} {}", request.method, request.target).contains(text);
        self.requests().into_iter().filter(fits).collect()
    }

    /// Waits until so many requests came whose `METHOD TARGET` holds a text, and gives them.
    #[track_caller]
    pub fn wait_for(&self, text: &str, count: usize) -> Vec<Request> {
        let found = wait::poll(DEADLINE, || Some(self.matching(text)).filter(|all| all.len() >= count));
        let Some(found) = found else { panic!("not {count} × {text:?} in {:#?}", self.requests()) };
        found
    }

    /// Forgets all requests so far.
    pub fn forget(&self) {
        lock(&self.shared.requests).clear();
    }

    /// How many connections are open now, and how many were at most.
    pub fn open(&self) -> (usize, usize) {
        (lock(&self.shared.streams).len(), self.shared.most_at_once.load(Ordering::SeqCst))
    }

    /// Cuts all connections, whatever they are at.
    pub fn cut(&self) {
        for (_, stream) in lock(&self.shared.streams).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // The acceptor looks at the flag when somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.cut();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(shared: &Shared, stream: &TcpStream) {
    let number = shared.connections.fetch_add(1, Ordering::SeqCst);
    let Ok(copy) = stream.try_clone() else { return };
    {
        let mut streams = lock(&shared.streams);
        streams.push((number, copy));
        shared.most_at_once.fetch_max(streams.len(), Ordering::SeqCst);
    }
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, number) {
        let script = Arc::clone(&*lock(&shared.script));
        lock(&shared.requests).push(request.clone());
        let answer = script(&request);
        let is_last = request.header("Connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
        if give(shared, stream, &request, answer).is_none() || is_last || shared.over.load(Ordering::SeqCst) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    lock(&shared.streams).retain(|(other, _)| *other != number);
}

fn read(reader: &mut BufReader<&TcpStream>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    let mut next = |reader: &mut BufReader<&TcpStream>| {
        line.clear();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = next(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = next(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = http::header(&headers, "Content-Length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Request { method, target, headers, body, at: Instant::now(), connection })
}

/// Carries an answer out; `None` is the connection's end.
fn give(shared: &Shared, mut stream: &TcpStream, request: &Request, answer: Answer) -> Option<()> {
    match answer {
        Answer::Status(status, body) => write_whole(stream, status, &[], body.as_bytes()),
        Answer::With(headers, body) => write_whole(stream, 200, &headers, body.as_bytes()),
        Answer::Hang => until_gone(shared, stream, None),
        Answer::After(pause, then) => {
            until_gone(shared, stream, Some(pause))?;
            give(shared, stream, request, *then)
        }
        Answer::SlowBody(pause) => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n[")
                .ok()?;
            loop {
                until_gone(shared, stream, Some(pause))?;
                stream.write_all(b" ").ok()?;
            }
        }
        Answer::EndlessBody => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Consul-Index: 9\r\n\r\n1\r\n[\r\n")
                .ok()?;
            let chunk = [b"10000\r\n".to_vec(), b"[],".repeat(21_845), b" \r\n".to_vec()].concat();
            loop {
                stream.write_all(&chunk).ok()?;
            }
        }
        Answer::HugeBody(length) => {
            write!(stream, "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\nContent-Length: {length}\r\n\r\n[").ok()?;
            until_gone(shared, stream, None)
        }
        Answer::Garbage(bytes) => stream.write_all(bytes).ok().and(None),
        Answer::Close => None,
        Answer::Http09(text) => stream.write_all(text.as_bytes()).ok().and(None),
        Answer::Forward(to) => {
            let passed = |name: &str| name.to_ascii_lowercase().starts_with("x-consul");
            let headers: Vec<(&str, &str)> =
                request.headers.iter().filter(|(name, _)| passed(name)).map(|(k, v)| (&**k, &**v)).collect();
            let reply = http::ask(to, &request.method, &request.target, &headers, request.body.as_bytes()).ok()?;
            let index = reply.header("X-Consul-Index").unwrap_or("0").to_owned();
            write_whole(stream, reply.status, &[("X-Consul-Index", index)], &reply.body)
        }
    }
}

fn write_whole(mut stream: &TcpStream, status: u16, headers: &[(&str, String)], body: &[u8]) -> Option<()> {
    let mut answer = format!("HTTP/1.1 {status} As Scripted\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        answer += &[name, ": ", value, "\r\n"].concat();
    }
    answer += "\r\n";
    stream.write_all(&[answer.as_bytes(), body].concat()).ok()
}

/// Waits so long, or for ever; `None` as soon as the other side, or the test, has gone.
fn until_gone(shared: &Shared, stream: &TcpStream, pause: Option<Duration>) -> Option<()> {
    let begin = Instant::now();
    loop {
        let left = pause.map_or(Duration::from_millis(50), |pause| pause.saturating_sub(begin.elapsed()));
        if left.is_zero() {
            stream.set_read_timeout(None).ok()?;
            return Some(());
        }
        if shared.over.load(Ordering::SeqCst) {
            return None;
        }
        stream.set_read_timeout(Some(left.min(Duration::from_millis(50)))).ok()?;
        match stream.peek(&mut [0]) {
            Ok(0) => return None,
            // The next request is waiting already.
            Ok(_) => std::thread::sleep(left.min(Duration::from_millis(5))),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
}
