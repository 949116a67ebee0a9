//! The socket: bound with patience, four paths, and every question handed to the loop (v3 §16, reliability row 77).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{debug, info};

use super::page::Format;
use crate::errno;
use crate::http::{self, Handler, Limits, Listener, Method, Request, Response, StatusCode, header};
use crate::leaf;

/// How often, and how far apart, the address is asked for.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// What the server tells the loop.
#[derive(Debug)]
pub(super) enum News {
    /// Somebody asks.
    Asked(Question),
    /// The address can't be had.
    Failed {
        /// By which server: another may have taken its place meanwhile.
        server: u64,
        why: String,
    },
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Question {
    pub ask: Ask,
    pub reply: oneshot::Sender<Page>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Metrics(Format),
    Status,
    Health,
    Ready,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    pub is_good: bool,
    pub content_type: &'static str,
    pub body: String,
}

impl Page {
    pub fn text(is_good: bool, body: String) -> Self {
        Self { is_good, content_type: "text/plain; charset=utf-8", body }
    }
}

/// A server on its address, or on its way there. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Server(tokio::task::JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    /// Starts it, under this number; within a runtime.
    pub fn start(number: u64, address: IpAddr, port: i64, news: mpsc::Sender<News>) -> Self {
        Self(tokio::spawn(async move {
            leaf::once("telemetry", run(number, address, port, news)).await;
        }))
    }
}

async fn run(number: u64, address: IpAddr, port: i64, news: mpsc::Sender<News>) {
    match listen(address, port).await {
        Ok(listener) => {
            let at = listener.local_addr().map_or_else(|_| place(address, port), |at| at.to_string());
            info!("telemetry: serving at {at}");
            let _serving = http::serve("telemetry", Listener::Tcp(listener), Limits::default(), handler(news));
            // Until this task is dropped, and the server with it.
            std::future::pending::<()>().await;
        }
        Err(why) => {
            let why = format!("telemetry: error listening to socket at {}: {why}", place(address, port));
            // Nobody to tell it: the loop has ended.
            let _ = news.send(News::Failed { server: number, why }).await;
        }
    }
}

fn place(address: IpAddr, port: i64) -> String {
    if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The port may still be another's: of a predecessor that goes, of an address that comes.
async fn listen(address: IpAddr, port: i64) -> Result<TcpListener, String> {
    let port = u16::try_from(port).map_err(|_| "invalid port".to_owned())?;
    let mut tried = 0;
    loop {
        match TcpListener::bind(SocketAddr::new(address, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tried += 1;
                let words = errno::go_words_of(&error);
                if tried >= TRIES {
                    return Err(words);
                }
                debug!("telemetry: {address} port {port} can't be had yet: {words}");
                sleep(PAUSE).await;
            }
        }
    }
}

fn handler(news: mpsc::Sender<News>) -> Handler {
    Arc::new(move |request: Request| {
        let news = news.clone();
        Box::pin(async move {
            let accept = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
            let accept = accept.collect::<Vec<_>>().join(",");
            match route(request.method(), request.uri().path(), &accept) {
                Ok(ask) => answer(ask, &news).await,
                Err(Unanswered::Method(allowed)) => {
                    let mut response = http::refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
                    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
                    response
                }
                Err(Unanswered::Path) => http::refusal(StatusCode::NOT_FOUND, "404 page not found"),
            }
        })
    })
}

/// Why a request never gets to the loop.
#[derive(Debug, PartialEq, Eq)]
enum Unanswered {
    /// Only these methods.
    Method(&'static str),
    /// There is nothing.
    Path,
}

/// What a request asks for.
fn route(method: &Method, path: &str, accept: &str) -> Result<Ask, Unanswered> {
    let is_probe = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/metrics" => Ok(Ask::Metrics(Format::accepted(accept))),
        "/status" if *method == Method::GET => Ok(Ask::Status),
        "/status" => Err(Unanswered::Method("GET")),
        "/healthz" if is_probe => Ok(Ask::Health),
        "/readyz" if is_probe => Ok(Ask::Ready),
        "/healthz" | "/readyz" => Err(Unanswered::Method("GET, HEAD")),
        _ => Err(Unanswered::Path),
    }
}

/// The loop answers, or nobody does: then `http`'s time limit ends the wait.
async fn answer(ask: Ask, news: &mpsc::Sender<News>) -> Response {
    let (reply, page) = oneshot::channel();
    let asked = news.send(News::Asked(Question { ask, reply })).await;
    let Some(page) = (if asked.is_ok() { page.await.ok() } else { None }) else {
        return http::refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    let code = if page.is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = http::plain(code, page.body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(page.content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        let (get, head, post) = (Method::GET, Method::HEAD, Method::POST);
        assert_eq!(route(&get, "/metrics", ""), Ok(Ask::Metrics(Format::Text)));
        assert_eq!(route(&post, "/metrics", ""), Ok(Ask::Metrics(Format::Text)), "any method, as in v3");
        let open = "application/openmetrics-text";
        assert_eq!(route(&get, "/metrics", open), Ok(Ask::Metrics(Format::OpenMetrics)));
        assert_eq!(route(&get, "/status", ""), Ok(Ask::Status));
        for method in [&head, &post, &Method::OPTIONS] {
            assert_eq!(route(method, "/status", ""), Err(Unanswered::Method("GET")));
        }
        assert_eq!(route(&head, "/healthz", ""), Ok(Ask::Health));
        assert_eq!(route(&get, "/readyz", ""), Ok(Ask::Ready));
        assert_eq!(route(&post, "/readyz", ""), Err(Unanswered::Method("GET, HEAD")));
        for path in ["/", "/metrics/", "/Status", "/v3/ping", "*"] {
            assert_eq!(route(&get, path, ""), Err(Unanswered::Path), "{path}");
        }
    }

    #[test]
    fn an_address_is_written_as_a_url_has_it() {
        assert_eq!(place("::1".parse().unwrap(), 9090), "[::1]:9090");
        assert_eq!(place("10.0.0.1".parse().unwrap(), -1), "10.0.0.1:-1");
    }
}
