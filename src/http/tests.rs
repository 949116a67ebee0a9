//! The server over real sockets: what any peer may send, and what it costs.

use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::*;

/// What a handler of these tests has seen: method, path and length of the body.
type Seen = Arc<Mutex<Vec<(String, String, usize)>>>;

struct Server {
    address: std::net::SocketAddr,
    serving: Serving,
    seen: Seen,
}

fn short() -> Limits {
    Limits { header: Duration::from_millis(300), total: Duration::from_millis(600), ..Limits::default() }
}

fn start(limits: Limits) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let handler: Handler = Arc::new(move |request| {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        log.lock().unwrap().push((method, path.clone(), request.body().len()));
        Box::pin(async move {
            match path.as_str() {
                "/panic" => panic!("told to"),
                "/slow" => std::future::pending().await,
                "/big" => plain(StatusCode::OK, "x".repeat(64 << 20)),
                "/stream" => {
                    let (sender, receiver) = mpsc::channel(1);
                    tokio::spawn(async move {
                        for n in 0..8 {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            if sender.send(format!("{n}\n").into()).await.is_err() {
                                return;
                            }
                        }
                    });
                    Response::new(Body::stream(receiver))
                }
                _ => plain(StatusCode::OK, "\n"),
            }
        })
    });
    listener.set_nonblocking(true).unwrap();
    let listener = Listener::Tcp(tokio::net::TcpListener::from_std(listener).unwrap());
    let serving = serve("test", listener, limits, handler);
    Server { address, serving, seen }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes, and reads until the server ends the connection. The peer may be gone before all is sent.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect().await;
        let _ = socket.write_all(bytes).await;
        rest(&mut socket).await
    }

    fn seen(&self) -> Vec<(String, String, usize)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stays open after {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_is_answered_and_the_connection_ends() {
    let server = start(Limits::default());
    let answer = server.send(b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n\n"), "{answer}");
    assert_eq!(server.seen(), [("POST".to_owned(), "/a".to_owned(), 3)]);
}

#[tokio::test]
async fn only_the_first_request_of_a_connection_is_read() {
    let server = start(Limits::default());
    let answer = server.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    // What one parser takes for a body and another for a request is never a second request.
    let both = b"POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = server.send(both).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    let paths: Vec<String> = server.seen().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(paths, ["/1", "/3"]);
}

#[tokio::test]
async fn a_body_is_read_up_to_64_kib() {
    let server = start(Limits::default());
    let most = "x".repeat(64 * 1024);
    let request = |body: &str| format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(server.send(request(&most).as_bytes()).await.starts_with("HTTP/1.1 200"));
    let huge = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n";
    assert!(server.send(huge).await.starts_with("HTTP/1.1 413"));
    let chunk = format!("{:x}\r\n{most}\r\n", most.len());
    let chunked = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}1\r\nx\r\n");
    assert!(server.send(chunked.as_bytes()).await.starts_with("HTTP/1.1 413"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_never_seen() {
    let server = start(Limits::default());
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500));
    for bytes in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /\0 HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nTransfer-Encoding: zip\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &long,
        &many,
    ] {
        let answer = server.send(bytes.as_bytes()).await;
        let start: String = bytes.chars().take(60).collect();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start:?}: {answer:?}");
    }
    assert_eq!(server.seen(), []);
    assert!(server.send(b"GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn somebody_slow_is_let_go_in_time() {
    let server = start(short());
    let begin = Instant::now();
    let mut mute = server.connect().await;
    let mut half_a_header = server.connect().await;
    half_a_header.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let mut half_a_body = server.connect().await;
    half_a_body.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab").await.unwrap();
    let mut slow_handler = server.connect().await;
    slow_handler.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut no_reader = server.connect().await;
    no_reader.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();

    rest(&mut mute).await;
    rest(&mut half_a_header).await;
    let answer = rest(&mut half_a_body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?}");
    let answer = rest(&mut slow_handler).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(server.serving.finish(Duration::from_secs(3)).await, "the one that doesn't read is gone, too");
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_for_their_turn() {
    let server = start(short());
    let mut idle = Vec::new();
    for _ in 0..Limits::default().connections {
        idle.push(server.connect().await);
    }
    // Served as soon as the idle ones are let go.
    assert!(server.send(b"GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_an_answer() {
    let server = start(Limits::default());
    assert!(server.send(b"GET /panic HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 500"));
    assert!(server.send(b"GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stream_may_take_longer_and_leaves_room_for_others() {
    let server = start(Limits { streams: 1, ..short() });
    let mut reader = server.connect().await;
    reader.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    reader.read_exact(&mut first).await.unwrap();
    let refused = server.send(b"GET /stream HTTP/1.1\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    let answer = rest(&mut reader).await;
    assert!(answer.contains("\r\n0\n\r\n") && answer.contains("\r\n7\n\r\n"), "{answer}");
    assert!(server.send(b"GET /stream HTTP/1.0\r\n\r\n").await.ends_with("6\n7\n"));
}

#[tokio::test]
async fn who_ends_his_half_still_gets_the_answer() {
    let server = start(Limits::default());
    let mut socket = server.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    socket.shutdown().await.unwrap();
    assert!(rest(&mut socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_server_that_is_stopped_answers_who_has_asked_and_lets_the_others_go() {
    let server = start(Limits::default());
    let address = server.address;
    let mut idle = server.connect().await;
    let mut asked = server.connect().await;
    asked.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
    let mut go_on = [0; 25];
    asked.read_exact(&mut go_on).await.unwrap();
    let finished = tokio::spawn(server.serving.finish(Duration::from_secs(30)));
    let begin = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert!(begin.elapsed() < Duration::from_secs(2), "at once, not at the end of its time");
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    asked.write_all(b"x").await.unwrap();
    assert!(rest(&mut asked).await.starts_with("HTTP/1.1 200"));
    assert!(finished.await.unwrap());
}
