//! Requests to the agent, each with its limits: time for the whole of it, size of the answer, no redirects.
//!
//! This is the only file that names the HTTP library beside what `address`, `dns` and `types` must implement for it.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::address::Endpoint;
use super::dns::Lookup;
use super::error::{CallError, DiscoveryError};
use super::explain;
use super::tls;
use super::token::Token;
use super::types::{HealthQuery, Healthy, Wait, instances};
use crate::plan::{Consul, ConsulScheme, Secret};

/// For a connection: lookup, TCP and TLS (design §4 row 8).
const CONNECT: Duration = Duration::from_secs(1);
/// The most that is read of an answer (reliability row 62).
const LARGEST: usize = 8 * 1024 * 1024;
/// The most that is said of an answer that is no success.
pub(super) const LARGEST_SAID: usize = 200;
/// The most that is read of such an answer, so that a token in it is seen whole and taken out.
const LARGEST_REFUSAL: usize = 4096;
/// So many agent calls at a time: Consul takes 200 connections of one address. One that hangs for half a minute has that
/// many of ours to look at when it goes on, and watches need theirs too.
const AT_A_TIME: usize = 32;
/// So many queries may wait for a change at a time, each on a connection of its own. With them, the calls and the questions
/// of the other watches, some connections are left for whoever else of this address asks.
pub(crate) const WAITING: usize = 120;
/// So many connections are kept while they have nothing to do, for 90 s, which is longer than between two heartbeats. Room
/// for all agent calls and as many watches: a hundred services with fewer than they use make new ones with each heartbeat.
const IDLE: usize = 64;

/// How long a call may take, from the first byte of the lookup to the last of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Duration);

impl Limit {
    /// Of a service's calls (design §4 row 8). Not shorter where the interval is: an agent that takes longer than that is
    /// slow, and its answer still counts (reliability row 52).
    pub(crate) const AGENT_CALL: Self = Self(Duration::from_secs(5));

    /// Of a query that waits for a change: Consul adds up to a sixteenth of the time asked for.
    pub(crate) fn of_query(wait: Option<Wait>) -> Self {
        let wait = Duration::from_secs(wait.map_or(0, |wait| wait.seconds));
        Self(wait.saturating_add(wait / 16).saturating_add(Duration::from_secs(5)))
    }
}

/// A client of one agent. Cheap until its first call.
pub(crate) struct Client {
    endpoint: Result<Endpoint, CallError>,
    tls: Option<ClientConfig>,
    name: Option<ServerName<'static>>,
    namespace: Option<String>,
    partition: Option<String>,
    token: Token,
    turns: Semaphore,
    /// Of queries that are answered at once.
    questions: Semaphore,
    /// Of queries that wait.
    places: Arc<Semaphore>,
    /// What came of the last call.
    last: Mutex<Option<Result<(), String>>>,
    http: OnceLock<Result<Http, CallError>>,
}

/// The library's client, made at the first call.
struct Http {
    client: reqwest::Client,
    base: Url,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).field("token", &self.token).finish_non_exhaustive()
    }
}

/// What was answered with status 200.
struct Answer {
    body: Vec<u8>,
    index: Option<u64>,
    /// Something is missing in it that the token may not read. Consul tells since 1.11.
    filtered: bool,
}

/// One request, which can be sent again.
struct Call {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
}

impl Client {
    /// A client of the agent that the configuration names. Reads the files of TLS where it is used.
    pub(crate) fn new(consul: &Consul) -> Result<Self, DiscoveryError> {
        let https = consul.scheme == ConsulScheme::Https;
        Ok(Self {
            endpoint: Endpoint::of(consul),
            tls: https.then(|| tls::config(&consul.tls)).transpose()?,
            name: if https { tls::expected_name(&consul.tls)? } else { None },
            namespace: consul.namespace.clone(),
            partition: consul.partition.clone(),
            token: Token::of(consul),
            turns: Semaphore::new(AT_A_TIME),
            questions: Semaphore::new(AT_A_TIME),
            places: Arc::new(Semaphore::new(WAITING)),
            last: Mutex::new(None),
            http: OnceLock::new(),
        })
    }

    /// Whether calls need threads: for reading the token's file, or those that tell where a host is.
    pub(crate) fn needs_threads(&self) -> bool {
        matches!(self.token, Token::File(_)) || self.endpoint.as_ref().is_ok_and(|it| it.is_looked_up(variable))
    }

    /// What is wrong with the proxy that the environment names, if there is one in between.
    pub(crate) fn proxy_problem(&self) -> Option<String> {
        self.endpoint.as_ref().ok()?.proxy(variable).err().map(|error| error.to_string())
    }

    /// Whether there was a call yet.
    #[cfg(test)]
    pub(crate) fn is_made(&self) -> bool {
        self.http.get().is_some()
    }

    /// `PUT /v1/agent/service/register` with this body.
    pub(crate) async fn register(&self, body: Vec<u8>, limit: Limit) -> Result<(), CallError> {
        self.put(&["agent", "service", "register"], Some(body), limit).await
    }

    /// `PUT /v1/agent/check/update/service:ID` with this body.
    pub(crate) async fn update(&self, id: &str, body: Vec<u8>, limit: Limit) -> Result<(), CallError> {
        self.put(&["agent", "check", "update", &format!("service:{id}")], Some(body), limit).await
    }

    /// `PUT /v1/agent/service/deregister/ID`.
    pub(crate) async fn deregister(&self, id: &str, limit: Limit) -> Result<(), CallError> {
        self.put(&["agent", "service", "deregister", id], None, limit).await
    }

    /// A place among those who may wait for changes, if one is free: without one, ask. It is free again when it is dropped.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// `GET /v1/health/service/NAME`, at once or as soon as something changes; the latter is for who has a [place](Self::place).
    pub(crate) async fn health(&self, query: &HealthQuery<'_>, wait: Option<Wait>) -> Result<Healthy, CallError> {
        let limit = Limit::of_query(wait);
        let mut url = self.url(&["health", "service", &query.0.name])?;
        query.put(&mut url, wait);
        let call = Call { method: Method::GET, url, body: None };
        // The time in the queue is not the agent's: each before us has a limit of his own.
        let _turn = if wait.is_none() { self.questions.acquire().await.ok() } else { None };
        let answer = timeout(limit.0, self.call(&call)).await.map_err(|_| self.timed_out(limit)).flatten();
        let answer = self.note(answer)?;
        let (instances, odd) = instances(&answer.body)?;
        if instances.is_empty() && odd.is_empty() && answer.filtered {
            // Not known is not empty (reliability row 61).
            return Err(CallError::Unusable("the token may not read the service or its nodes".to_owned()));
        }
        Ok(Healthy { index: answer.index, instances, odd })
    }

    async fn put(&self, path: &[&str], body: Option<Vec<u8>>, limit: Limit) -> Result<(), CallError> {
        let call = Call { method: Method::PUT, url: self.url(path)?, body };
        let calling = async {
            let _turn = self.turns.acquire().await;
            self.call(&call).await
        };
        let answer = timeout(limit.0, calling).await.map_err(|_| self.timed_out(limit)).flatten();
        self.note(answer).map(drop)
    }

    /// Notes what came of a call. That a service is not known there is an answer as good as any.
    fn note<T>(&self, answer: Result<T, CallError>) -> Result<T, CallError> {
        let said = match &answer {
            Err(error) if !error.is_forgotten() => Err(error.to_string()),
            Ok(_) | Err(_) => Ok(()),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        answer
    }

    /// What came of the last call.
    pub(crate) fn standing(&self) -> Option<Result<(), String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls, and once more with another token if the file holds another than the one that was refused.
    async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let token = self.token.current().await?;
        match self.send_twice(call, token.as_ref()).await {
            Err(error) if error.is_denied() => match self.token.replaced(token.as_ref()).await {
                Ok(Some(token)) => self.send_twice(call, Some(&token)).await,
                // What Consul said tells more than why there is nothing better.
                Ok(None) | Err(_) => Err(error),
            },
            answer => answer,
        }
    }

    /// Sends, and once more when the connection broke: it was probably one that the agent had given up already
    /// (reliability row 50). The library does so by itself only when nothing at all was sent. All our calls may be
    /// repeated.
    async fn send_twice(&self, call: &Call, token: Option<&Secret>) -> Result<Answer, CallError> {
        let http = self.http()?;
        let response = match http.client.execute(request(call, token)?).await {
            Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                http.client.execute(request(call, token)?).await
            }
            response => response,
        };
        let response = response.map_err(|error| self.broken(error))?;
        self.read(response, token).await
    }

    async fn read(&self, response: Response, token: Option<&Secret>) -> Result<Answer, CallError> {
        let code = response.status().as_u16();
        let index = response.headers().get("x-consul-index");
        let index = index.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let filtered = response.headers().get("x-consul-results-filtered-by-acls").is_some_and(|value| value == "true");
        if code == 200 {
            let body = self.body(response, LARGEST).await?;
            return if body.len() > LARGEST {
                Err(CallError::TooLarge(LARGEST))
            } else {
                Ok(Answer { body, index, filtered })
            };
        }
        // Whatever comes of the body, the status is what matters.
        let body = self.body(response, LARGEST_REFUSAL).await.unwrap_or_default();
        Err(CallError::Status { code, body: one_line(&body, token) })
    }

    /// The body, or more than `most` bytes of it.
    async fn body(&self, mut response: Response, most: usize) -> Result<Vec<u8>, CallError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > most {
                break;
            }
        }
        Ok(body)
    }

    fn url(&self, path: &[&str]) -> Result<Url, CallError> {
        let mut url = self.http()?.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().push("v1").extend(path);
        }
        Ok(url)
    }

    fn http(&self) -> Result<&Http, CallError> {
        self.http.get_or_init(|| self.make_http()).as_ref().map_err(Clone::clone)
    }

    fn make_http(&self) -> Result<Http, CallError> {
        let endpoint = self.endpoint.as_ref().map_err(Clone::clone)?;
        let mut base = endpoint.base.clone();
        let mut headers = HeaderMap::new();
        let enterprise = [("x-consul-namespace", &self.namespace), ("x-consul-partition", &self.partition)];
        for (name, value) in enterprise {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                headers.insert(HeaderName::from_static(name), header(name, value)?);
            }
        }
        let proxy = endpoint.proxy(variable)?;
        let mut instead = None;
        if let (Some(ServerName::DnsName(name)), None) = (&self.name, &proxy) {
            // The name in the URL is the one that TLS asks for. A proxy would look it up, so there it is only expected.
            headers.insert(HOST, header("host", &endpoint.authority())?);
            instead = Some(endpoint.host().to_owned());
            base.set_host(Some(name.as_ref())).map_err(|error| CallError::Unusable(error.to_string()))?;
        }
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(IDLE)
            .user_agent(concat!("containerpilot/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .dns_resolver(Arc::new(Lookup::new(instead)));
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy);
        }
        if let Some(socket) = &endpoint.socket {
            builder = builder.unix_socket(socket.as_path());
        }
        // Without TLS, too: the library makes settings of its own otherwise, and panics for want of a provider.
        builder = builder.use_preconfigured_tls(self.tls.clone().map_or_else(tls::trusting_nobody, Ok)?);
        Ok(Http { client: builder.build().map_err(|error| self.broken(error))?, base })
    }

    /// Where it broke and why, without the URL.
    fn broken(&self, error: reqwest::Error) -> CallError {
        CallError::Transport(format!("{}: {}", self.agent(), explain::reason(&error.without_url())))
    }

    fn timed_out(&self, limit: Limit) -> CallError {
        CallError::TimedOut { from: self.agent(), within: limit.0 }
    }

    /// Where the agent is, for messages, and who is asked instead: the fault may be his.
    fn agent(&self) -> String {
        match &self.endpoint {
            Ok(Endpoint { socket: Some(socket), .. }) => socket.display().to_string(),
            Ok(endpoint) => match endpoint.proxy_in_use(variable) {
                Some(proxy) => format!("{} (through {proxy})", endpoint.authority()),
                None => endpoint.authority(),
            },
            Err(_) => "Consul".to_owned(),
        }
    }
}

fn request(call: &Call, token: Option<&Secret>) -> Result<reqwest::Request, CallError> {
    let mut request = reqwest::Request::new(call.method.clone(), call.url.clone());
    if let Some(token) = token {
        let mut value = header("x-consul-token", token.expose())?;
        value.set_sensitive(true);
        request.headers_mut().insert("x-consul-token", value);
    }
    if let Some(body) = &call.body {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.clone().into());
    }
    Ok(request)
}

/// A header's value. One that can't be sent is not repeated.
pub(super) fn header(name: &str, value: &str) -> Result<HeaderValue, CallError> {
    let unusable = |_| CallError::Unusable(format!("the value for the header {name} holds what no header can"));
    HeaderValue::from_str(value).map_err(unusable)
}

/// The beginning of a body for a message. A server that repeats our token is not repeated.
pub(super) fn one_line(body: &[u8], token: Option<&Secret>) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Some(token) = token {
        text = text.replace(token.expose(), "***");
    }
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let mut line = words.join(" ");
    line.truncate(line.floor_char_boundary(LARGEST_SAID));
    line
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests;
