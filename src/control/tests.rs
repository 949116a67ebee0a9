//! The control socket over real sockets, with a loop that does what the test says.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{self, Question};
use super::*;
use crate::kept::Kept;
use crate::plan;

fn at(path: &Path) -> plan::Control {
    plan::Control { socket: path.to_owned(), configured: true }
}

fn by_default(path: &Path) -> plan::Control {
    plan::Control { socket: path.to_owned(), configured: false }
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn bind(path: &Path) -> Result<Control, String> {
    Control::bind(&at(path), None).map(Option::unwrap).map_err(|error| error.to_string())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A socket that nobody listens on any more.
fn dead_socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(UnixStream::connect(path).is_err());
}

/// Serves, answers everything as told, and keeps what was asked.
struct Server {
    _dir: TempDir,
    path: PathBuf,
    control: Control,
    asked: Vec<Request>,
}

impl Server {
    fn start() -> Self {
        let dir = dir();
        let path = dir.path().join("s");
        let mut control = bind(&path).unwrap();
        control.serve(Kept::new()).unwrap();
        Self { _dir: dir, path, control, asked: Vec::new() }
    }

    /// Carries a future out while the loop answers.
    async fn with<T>(&mut self, reply: impl Fn() -> Option<Reply>, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                biased;
                result = &mut future => return result,
                () = self.control.ready() => {}
            }
            while let Some(asked) = self.control.take() {
                self.asked.push(asked.request.clone());
                if let Some(reply) = reply() {
                    asked.answer(reply);
                }
            }
        }
    }

    /// What comes back for these bytes.
    async fn send(&mut self, bytes: &str) -> String {
        let path = self.path.clone();
        self.with(|| Some(Reply::Done), raw(path, bytes.to_owned())).await
    }

    /// Status line, the body, and whether the headers are those of an error, of a request with this body.
    async fn request(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let answer =
            self.send(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.contains("connection: close"), "{head}");
        assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(code != 200, head.contains("x-content-type-options: nosniff"), "{head}");
        (code, body.to_owned())
    }

    /// Asks as the command line does, from a thread of its own.
    async fn ask(&mut self, question: Question, reply: impl Fn() -> Option<Reply>) -> Result<(), String> {
        let places = vec![self.path.clone()];
        let asked = tokio::task::spawn_blocking(move || client::ask(&places, &question));
        self.with(reply, asked).await.unwrap().map_err(|error| error.to_string())
    }
}

async fn raw(path: PathBuf, bytes: String) -> String {
    let mut socket = tokio::net::UnixStream::connect(path).await.unwrap();
    let _ = socket.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

mod routes {
    use super::*;

    #[tokio::test]
    async fn every_path_of_v3_does_its_thing() {
        let mut server = Server::start();
        let environ = Request::Environ(vec![pair("A", "x"), pair("B", "")]);
        let metric = Request::Metric(vec![pair("m", "1e+06"), pair("n", "x")]);
        for (path, body, asked) in [
            ("/v3/environ", r#"{"A": "x", "B": null}"#, environ),
            ("/v3/metric", r#"{"m": 1000000, "n": "x"}"#, metric),
            ("/v3/reload", "whatever", Request::Reload),
            ("/v3/maintenance/enable", "", Request::Maintenance(true)),
            ("/v3/maintenance/disable", "", Request::Maintenance(false)),
            ("/v3/ping", "", Request::Ping),
        ] {
            assert_eq!(server.request("POST", path, body).await, (200, "\n".to_owned()), "{path}");
            assert_eq!(server.asked.pop(), Some(asked), "{path}");
        }
    }

    #[tokio::test]
    async fn only_ping_takes_any_method() {
        let mut server = Server::start();
        for path in ["/v3/environ", "/v3/metric", "/v3/reload", "/v3/maintenance/enable", "/v3/maintenance/disable"] {
            for method in ["GET", "PUT", "DELETE", "BREW"] {
                let refused = (405, "Method Not Allowed\n".to_owned());
                assert_eq!(server.request(method, path, "{}").await, refused, "{method} {path}");
            }
        }
        assert_eq!(server.asked, []);
        for method in ["GET", "PUT", "DELETE", "BREW"] {
            assert_eq!(server.request(method, "/v3/ping", "").await.0, 200);
        }
    }

    #[tokio::test]
    async fn unknown_paths_are_404_and_not_counted() {
        let mut server = Server::start();
        for path in ["/", "/v3", "/v3/env", "/v3/ping/", "/V3/ping", "/v3/maintenance", "/v5/jobs", "*"] {
            assert_eq!(server.request("POST", path, "{}").await, (404, "404 page not found\n".to_owned()), "{path}");
        }
        assert_eq!(server.asked, []);
        assert_eq!(server.control.requests(), []);
        assert_eq!(server.request("GET", "/v3/%70ing?a=b", "").await.0, 200, "as Go reads paths");
    }

    #[tokio::test]
    async fn a_body_that_is_none_is_422_and_nothing_is_applied() {
        let mut server = Server::start();
        for path in ["/v3/environ", "/v3/metric"] {
            for body in ["", "nonsense", "[]", "7", r#"{"A": "x""#] {
                let refused = (422, "Unprocessable Entity\n".to_owned());
                assert_eq!(server.request("POST", path, body).await, refused, "{path} {body}");
            }
            assert_eq!(server.request("POST", path, "null").await.0, 200);
        }
        assert_eq!(server.request("POST", "/v3/environ", r#"{"A": "x", "B": 1}"#).await.0, 422);
        assert_eq!(server.asked, [Request::Environ(Vec::new()), Request::Metric(Vec::new())]);
    }

    #[tokio::test]
    async fn names_that_no_environment_holds_are_skipped() {
        let mut server = Server::start();
        let body = r#"{"": "a", "A=B": "b", "C\u0000": "c", "D": "d\u0000", "E": "e=f"}"#;
        assert_eq!(server.request("POST", "/v3/environ", body).await.0, 200);
        assert_eq!(server.asked, [Request::Environ(vec![pair("E", "e=f")])]);
    }

    #[tokio::test]
    async fn requests_are_counted_by_code_and_path() {
        let mut server = Server::start();
        for _ in 0..3 {
            server.request("GET", "/v3/ping", "").await;
        }
        server.request("GET", "/v3/reload", "").await;
        server.request("POST", "/v3/environ", "7").await;
        let counts = [(200, "/v3/ping", 3), (405, "/v3/reload", 1), (422, "/v3/environ", 1)];
        assert_eq!(server.control.requests(), counts);
        assert_eq!(server.control.requests(), [], "each is told once");
    }

    #[tokio::test]
    async fn the_loop_may_refuse_and_may_not_answer_at_all() {
        let mut server = Server::start();
        let path = server.path.clone();
        let reload = "POST /v3/reload HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        let refusal = || Some(Reply::Refused { code: 409, message: "it is stopping".to_owned() });
        let answer = server.with(refusal, raw(path.clone(), reload.to_owned())).await;
        assert!(
            answer.starts_with("HTTP/1.1 409 Conflict") && answer.ends_with("\r\n\r\nit is stopping\n"),
            "{answer}"
        );
        let answer = server.with(|| None, raw(path, reload.to_owned())).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

mod hostile {
    use super::*;

    #[tokio::test]
    async fn nothing_reaches_the_loop_that_is_not_a_whole_request() {
        let mut server = Server::start();
        let long = "x".repeat(70_000);
        for bytes in [
            "\0\0\0\0\r\n\r\n".to_owned(),
            "POST /v3/reload\r\n\r\n".to_owned(),
            "POST /v3/reload HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
            "POST /v3/reload HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n".to_owned(),
            format!("POST /v3/environ HTTP/1.1\r\nContent-Length: 70000\r\n\r\n{long}"),
            format!("POST /v3/environ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n{long}\r\n0\r\n\r\n"),
            format!("POST /v3/reload HTTP/1.1\r\nA: {long}\r\n\r\n"),
            format!("POST /{long} HTTP/1.1\r\n\r\n"),
        ] {
            let answer = server.send(&bytes).await;
            let start: String = bytes.chars().take(70).collect();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start:?}: {answer:?}");
        }
        assert_eq!(server.asked, []);
    }

    #[tokio::test]
    async fn one_connection_is_one_request() {
        let mut server = Server::start();
        let reload = "POST /v3/reload HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        let answer = server.send(&reload.repeat(3)).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
        let smuggled = format!(
            "POST /v3/ping HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{reload}"
        );
        assert_eq!(server.send(&smuggled).await.matches("HTTP/1.1").count(), 1);
        assert_eq!(server.asked, [Request::Reload, Request::Ping]);
    }
}

mod command_line {
    use super::*;

    #[tokio::test]
    async fn what_the_command_line_asks_arrives() {
        let mut server = Server::start();
        let done = || Some(Reply::Done);
        let pairs = || vec![pair("A", "1"), pair("B", "ü\n\"=,"), pair("A", "2")];
        for question in [
            Question::Reload,
            Question::Maintenance(true),
            Question::Maintenance(false),
            Question::Environ(pairs()),
            Question::Metric(pairs()),
            Question::Ping,
        ] {
            server.ask(question, done).await.unwrap();
        }
        let last_counts = || vec![pair("A", "2"), pair("B", "ü\n\"=,")];
        let asked = [
            Request::Reload,
            Request::Maintenance(true),
            Request::Maintenance(false),
            Request::Environ(last_counts()),
            Request::Metric(last_counts()),
            Request::Ping,
        ];
        assert_eq!(server.asked, asked);
    }

    #[tokio::test]
    async fn a_refusal_is_a_failure_in_the_servers_words() {
        let mut server = Server::start();
        let refused = |code, message: &str| Some(Reply::Refused { code, message: message.to_owned() });
        let told = server.ask(Question::Reload, || refused(422, "line 1\nline 2\n")).await;
        assert_eq!(told, Err("line 1\nline 2".to_owned()));
        let told = server.ask(Question::Metric(vec![pair("m", "-1")]), || refused(422, "Unprocessable Entity")).await;
        assert_eq!(told, Err("unprocessable entity received by control server".to_owned()));
        assert_eq!(server.ask(Question::Ping, || refused(500, "")).await, Err("the server answered 500".to_owned()));
        assert_eq!(server.ask(Question::Ping, || None).await, Err("Service Unavailable".to_owned()));
        let long = Question::Environ(vec![pair("A", &"x".repeat(100_000))]);
        assert_eq!(server.ask(long, || Some(Reply::Done)).await, Err("Request Entity Too Large".to_owned()));
    }

    #[tokio::test]
    async fn nobody_to_ask_is_told_as_go_does() {
        let dir = dir();
        let socket = dir.path().join("s");
        let told = |question| client::ask(std::slice::from_ref(&socket), &question).unwrap_err().to_string();
        let path = socket.display();
        let missing = format!("Post http://control/v3/reload: dial unix {path}: connect: no such file or directory");
        assert_eq!(told(Question::Reload), missing);
        dead_socket(&socket);
        let dead = format!("Get http://control/v3/ping: dial unix {path}: connect: connection refused");
        assert_eq!(told(Question::Ping), dead);
        let silent = UnixListener::bind(dir.path().join("t")).unwrap();
        let other = vec![socket.clone(), dir.path().join("t")];
        let asked = tokio::task::spawn_blocking(move || client::ask(&other, &Question::Ping));
        drop(silent.accept().unwrap());
        let told = asked.await.unwrap().unwrap_err().to_string();
        assert!(told.starts_with("Get http://control/v3/ping: "), "{told}");
    }

    #[test]
    fn the_socket_is_looked_for_where_it_may_have_been_made() {
        let xdg = Some(OsStr::new("/run/user/7"));
        let socket = Path::new("/a/s");
        assert_eq!(client::places(&at(socket), xdg), [socket]);
        assert_eq!(client::places(&by_default(socket), None), [socket]);
        let both = [socket, Path::new("/run/user/7/containerpilot.socket")];
        assert_eq!(client::places(&by_default(socket), xdg), both);
        assert_eq!(client::places(&by_default(socket), Some(OsStr::new("relative"))), [socket]);
    }
}

mod file {
    use super::*;

    #[test]
    fn only_the_owner_may_connect_and_it_is_removed_at_the_end() {
        let dir = dir();
        let path = dir.path().join("s");
        let control = bind(&path).unwrap();
        assert_eq!(control.path(), path);
        assert_eq!(mode(&path), 0o600);
        assert!(UnixStream::connect(&path).is_ok(), "who connects waits until it is served");
        drop(control);
        assert!(!path.exists());
    }

    #[test]
    fn only_our_own_file_is_removed_at_the_end() {
        let dir = dir();
        let path = dir.path().join("s");
        let first = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = bind(&path).unwrap();
        drop(first);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_dead_socket_is_replaced() {
        let dir = dir();
        let path = dir.path().join("s");
        dead_socket(&path);
        let _control = bind(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn nothing_but_a_dead_socket_is_removed() {
        let dir = dir();
        let path = |name: &str| dir.path().join(name);
        let told = |name: &str| {
            let told = bind(&path(name)).unwrap_err();
            let start = format!("no control socket at {}: ", path(name).display());
            told.strip_prefix(&start).unwrap_or_else(|| panic!("{told}")).to_owned()
        };
        fs::write(path("file"), "precious").unwrap();
        fs::create_dir(path("dir")).unwrap();
        symlink("nowhere", path("link")).unwrap();
        let alive = UnixListener::bind(path("alive")).unwrap();
        let datagrams = std::os::unix::net::UnixDatagram::bind(path("datagrams")).unwrap();

        assert_eq!(told("file"), "something else is there that is no socket (a file): it is not removed");
        assert_eq!(told("dir"), "something else is there that is no socket (a directory): it is not removed");
        assert_eq!(told("link"), "something else is there that is no socket (a symbolic link): it is not removed");
        assert_eq!(told("alive"), "somebody serves there: is another instance running?");
        assert!(told("datagrams").starts_with("a socket is there, and whether it is dead can't be told: "));
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "precious");
        assert!(fs::metadata(path("datagrams")).unwrap().file_type().is_socket());
        assert!(UnixStream::connect(path("alive")).is_ok());
        drop((alive, datagrams));
    }

    #[test]
    fn a_busy_socket_is_alive() {
        let dir = dir();
        let path = dir.path().join("s");
        let first = bind(&path).unwrap();
        // Nobody accepts, so that its queue gets full.
        let socket = |n: usize| {
            let socket = std::os::unix::net::SocketAddr::from_pathname(&path).unwrap();
            let stream = std::thread::spawn(move || UnixStream::connect_addr(&socket));
            std::thread::yield_now();
            (n, stream)
        };
        let waiting: Vec<_> = (0..140).map(socket).collect();
        assert!(bind(&path).unwrap_err().ends_with("is another instance running?"));
        drop(first);
        for (_, thread) in waiting {
            let _ = thread.join();
        }
    }

    #[test]
    fn a_place_where_no_socket_can_be_is_told() {
        let dir = dir();
        let missing = dir.path().join("missing/s");
        assert_eq!(
            bind(&missing).unwrap_err(),
            format!("no control socket at {}: its directory is not there", missing.display())
        );
        let long = dir.path().join("x".repeat(108));
        let length = long.as_os_str().len();
        let told = bind(&long).unwrap_err();
        let why =
            format!("the path has {length} bytes, a socket's may have 107: choose a shorter one with control.socket");
        assert!(told.ends_with(&why), "{told}");
        let longest = dir.path().join("x".repeat(107 - dir.path().as_os_str().len() - 1));
        bind(&longest).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(bind(&dir.path().join("file/s")).unwrap_err().ends_with(": not a directory"));
    }

    #[test]
    fn the_default_place_gives_way_to_the_runtime_directory_and_to_none() {
        let dir = dir();
        fs::write(dir.path().join("file"), "").unwrap();
        let impossible = by_default(&dir.path().join("file/s"));
        let xdg = Some(dir.path().as_os_str());
        let control = Control::bind(&impossible, xdg).unwrap().unwrap();
        assert_eq!(control.path(), dir.path().join("containerpilot.socket"));
        drop(control);
        assert!(Control::bind(&impossible, None).unwrap().is_none());
        let nowhere = dir.path().join("nowhere");
        assert!(Control::bind(&impossible, Some(nowhere.as_os_str())).unwrap().is_none());
        // Somebody has it: that is no reason to hide.
        fs::write(dir.path().join("containerpilot.socket"), "").unwrap();
        assert!(Control::bind(&impossible, xdg).is_err());
        assert!(Control::bind(&by_default(&dir.path().join("file")), xdg).is_err());
    }

    #[test]
    fn the_directory_of_the_default_place_is_made() {
        let dir = dir();
        let path = dir.path().join("var/run/s");
        let control = Control::bind(&by_default(&path), None).unwrap().unwrap();
        assert_eq!(control.path(), path);
        assert_eq!(mode(path.parent().unwrap()) & 0o022, 0);
    }
}

#[tokio::test]
async fn the_end_answers_who_waits_and_removes_the_file() {
    let mut server = Server::start();
    let path = server.path.clone();
    let client = tokio::spawn(raw(path.clone(), "GET /v3/ping HTTP/1.1\r\n\r\n".to_owned()));
    server.control.ready().await;
    server.control.finish().await;
    assert!(client.await.unwrap().starts_with("HTTP/1.1 503"));
    assert!(!path.exists());
}

#[tokio::test]
async fn readiness_is_cancel_safe_and_silent_without_requests() {
    let mut server = Server::start();
    assert!(tokio::time::timeout(Duration::from_millis(20), server.control.ready()).await.is_err());
    assert!(server.control.take().is_none());
    let client = tokio::spawn(raw(server.path.clone(), "GET /v3/ping HTTP/1.1\r\n\r\n".to_owned()));
    server.control.ready().await;
    server.control.ready().await;
    server.control.take().unwrap().answer(Reply::Done);
    assert!(client.await.unwrap().starts_with("HTTP/1.1 200"));
}
