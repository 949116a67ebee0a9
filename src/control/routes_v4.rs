//! The paths of `/v4`: JSON, and one shape of an error (design §6). `docs/openapi.json` describes them; a test keeps the
//! two in step.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use super::server::{Line, Query, Reply, Request};
use super::streams::{self, What};
use crate::api;
use crate::core::some_names;
use crate::http::{self, Body, Bytes, Method, Response, StatusCode, json};
use crate::kept::Kept;
use crate::nearest::nearest;
use crate::plan::Signal;

/// Every route, as in the description: method, path. The path is the label of its requests in the metrics.
pub const ROUTES: [(&str, &str); 20] = [
    ("GET", "/v4/jobs"),
    ("GET", "/v4/jobs/{name}"),
    ("GET", "/v4/jobs/{name}/why"),
    ("GET", "/v4/jobs/{name}/logs"),
    ("GET", "/v4/jobs/{name}/events"),
    ("POST", "/v4/jobs/{name}/start"),
    ("POST", "/v4/jobs/{name}/stop"),
    ("POST", "/v4/jobs/{name}/restart"),
    ("POST", "/v4/jobs/{name}/signal"),
    ("POST", "/v4/jobs/{name}/reopen-logs"),
    ("GET", "/v4/logs"),
    ("POST", "/v4/logs/reopen"),
    ("GET", "/v4/events"),
    ("GET", "/v4/watches"),
    ("GET", "/v4/env"),
    ("GET", "/v4/maintenance"),
    ("POST", "/v4/maintenance"),
    ("POST", "/v4/reload"),
    ("POST", "/v4/shutdown"),
    ("GET", "/v4/ping"),
];

/// An answer that takes longer begins with white space, so that the server's bounds don't cut it off.
const SOON: Duration = Duration::from_secs(2);
/// Then a line feed goes out so often, and tells when nobody listens any more.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// The route's path of these segments, if there is one, and its name of a job.
pub(super) fn route(segments: &[String]) -> Option<(&'static str, Option<&str>)> {
    let fits = |path: &str| {
        let mut words = path.split('/').skip(1);
        let mut given = segments.iter();
        let mut name = None;
        loop {
            match (words.next(), given.next()) {
                (None, None) => return Some(name),
                (Some("{name}"), Some(given)) if !given.is_empty() => name = Some(given.as_str()),
                (Some(word), Some(given)) if word == given => {}
                _ => return None,
            }
        }
    };
    ROUTES.iter().find_map(|(_, path)| fits(path).map(|name| (*path, name)))
}

/// Answers a request of one of the paths above.
pub(super) async fn answer(
    path: &'static str,
    name: Option<&str>,
    request: http::Request,
    line: &Line,
    kept: &Kept,
) -> Response {
    let method = request.method();
    let allowed: Vec<&str> = ROUTES.iter().filter(|(_, known)| *known == path).map(|(method, _)| *method).collect();
    if !allowed.contains(&method.as_str()) {
        let message = format!("{path} takes {}, not {method}", allowed.join(" or "));
        return refusal(StatusCode::METHOD_NOT_ALLOWED, api::Error::new("methodNotAllowed", message));
    }
    let name = name.unwrap_or_default();
    let what = match path {
        "/v4/logs" => Some(What::Logs),
        "/v4/jobs/{name}/logs" => Some(What::JobLogs(name.to_owned())),
        "/v4/events" => Some(What::Events),
        "/v4/jobs/{name}/events" => Some(What::JobEvents(name.to_owned())),
        _ => None,
    };
    if let Some(what) = what {
        return streams::answer(kept, what, request.uri().query());
    }
    let asked = match query(path, name, method, request.body()) {
        Ok(query) => line.ask(Request::V4(query)),
        Err(message) => return refusal(StatusCode::BAD_REQUEST, api::Error::new("badRequest", message)),
    };
    let mut asked = Box::pin(asked);
    match timeout(SOON, &mut asked).await {
        Ok(reply) => written(reply),
        Err(_) => later(asked),
    }
}

/// What is asked for.
fn query(path: &str, name: &str, method: &Method, body: &Bytes) -> Result<Query, String> {
    let name = name.to_owned();
    Ok(match path {
        "/v4/jobs" => Query::Overview,
        "/v4/jobs/{name}" => Query::Job(name),
        "/v4/jobs/{name}/why" => Query::Why(name),
        "/v4/jobs/{name}/start" => Query::Start(name),
        "/v4/jobs/{name}/stop" => Query::Stop(name),
        "/v4/jobs/{name}/restart" => Query::Restart(name),
        "/v4/jobs/{name}/signal" => {
            let api::SignalRequest { signal } = read(body, "{\"signal\": \"HUP\"}")?;
            let number = signal.parse().ok().and_then(Signal::from_number);
            let known = number.or_else(|| Signal::from_name(&signal));
            Query::Signal(
                name,
                known.ok_or_else(|| {
                    format!("signal: expected a name such as \"HUP\" or a number from 1 to 64, found {signal:?}")
                })?,
            )
        }
        "/v4/jobs/{name}/reopen-logs" => Query::ReopenJobLogs(name),
        "/v4/logs/reopen" => Query::ReopenLogs,
        "/v4/watches" => Query::Watches,
        "/v4/env" => Query::Env,
        "/v4/maintenance" if *method == Method::GET => Query::Maintenance,
        "/v4/maintenance" => {
            let api::MaintenanceRequest { on } = read(body, "{\"on\": true}")?;
            Query::SetMaintenance(on)
        }
        "/v4/reload" if body.is_empty() => Query::Reload { dry_run: false },
        "/v4/reload" => {
            let api::ReloadRequest { dry_run } = read(body, "{\"dryRun\": true}")?;
            Query::Reload { dry_run }
        }
        "/v4/shutdown" => Query::Shutdown,
        _ => Query::Ping,
    })
}

/// Values are not repeated: who knows what they are.
fn read<T: DeserializeOwned>(body: &Bytes, such_as: &str) -> Result<T, String> {
    // By way of an object: structs would be taken from lists, too.
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body);
    object.and_then(|object| serde_json::from_value(object.into())).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "is not what is expected".to_owned(),
            serde_json::error::Category::Eof => "ends too early".to_owned(),
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
                format!("is no JSON at line {}, column {}", error.line(), error.column())
            }
        };
        format!("the body {what}: expected an object such as {such_as}")
    })
}

/// An answer that comes when it comes: a refusal has no status of its own then, but its shape.
fn later(asked: impl Future<Output = Reply> + Send + 'static) -> Response {
    let (sender, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut asked = Box::pin(asked);
        let mut alive = interval(SIGN_OF_LIFE);
        let text = loop {
            tokio::select! {
                reply = &mut asked => break text(reply).1,
                _ = alive.tick() => if sender.send(Bytes::from_static(b"\n")).await.is_err() { return },
            }
        };
        let _ = sender.send(Bytes::from(text)).await;
    });
    let mut response = json(StatusCode::OK, String::new());
    *response.body_mut() = Body::stream(pieces);
    response
}

fn written(reply: Reply) -> Response {
    let (code, text) = text(reply);
    json(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text)
}

fn text(reply: Reply) -> (u16, String) {
    match reply {
        Reply::Json(text) => (200, text + "\n"),
        Reply::Done => (200, "{}\n".to_owned()),
        Reply::Error { code, error } => (code, shape(error)),
        Reply::Refused { code, message } => (code, shape(api::Error::new("unavailable", message))),
    }
}

/// A refusal in the one shape.
pub(super) fn refusal(code: StatusCode, error: api::Error) -> Response {
    json(code, shape(error))
}

/// What is said to who asks for a job that is not there: the nearest name, or those that there are.
pub fn no_such_job(name: &str, jobs: &[&str]) -> api::Error {
    let hint = match nearest(name, jobs.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if jobs.is_empty() => "there are no jobs".to_owned(),
        None => format!("there are {}", some_names(jobs)),
    };
    api::Error::new("notFound", format!("no job is called {name}: {hint}"))
}

fn shape(error: api::Error) -> String {
    serde_json::to_string(&api::Refusal { error }).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, route};

    fn found(path: &str) -> Option<(&'static str, Option<String>)> {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        route(&segments).map(|(path, name)| (path, name.map(str::to_owned)))
    }

    #[test]
    fn each_route_is_found_by_its_path_and_nothing_else_is_one() {
        for (_, path) in ROUTES {
            let name = path.contains("{name}").then(|| "we b".to_owned());
            assert_eq!(found(&path.replace("{name}", "we b")), Some((path, name)));
        }
        for path in ["/", "/v4", "/v4/", "/v4/jobs/", "/v4/jobs//why", "/v4/jobs/a/b", "/v4/jobs/a/why/", "/v3/jobs"] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
