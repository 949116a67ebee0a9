//! The paths of v3, with its methods, codes, texts and log lines (v3 §15).

use tracing::{debug, warn};

use super::server::{Line, Reply, Request};
use super::values::{self, Unprocessable, is_settable};
use crate::api;
use crate::http::{self, Method, Response, StatusCode, plain, refusal};

/// The label of a request in `containerpilot_control_http_requests`: its path, if it is one of ours.
pub(super) fn label(path: &str) -> Option<&'static str> {
    let known = [ENVIRON, METRIC, RELOAD, ENABLE, DISABLE, PING];
    known.into_iter().find(|known| *known == path)
}

const ENVIRON: &str = "/v3/environ";
const METRIC: &str = "/v3/metric";
const RELOAD: &str = "/v3/reload";
const ENABLE: &str = "/v3/maintenance/enable";
const DISABLE: &str = "/v3/maintenance/disable";
const PING: &str = "/v3/ping";

/// Answers a request of one of the paths above.
pub(super) async fn answer(path: &'static str, request: http::Request, line: &Line) -> Response {
    // The body is never looked at where the method is wrong, and only `ping` takes any method.
    if path != PING && request.method() != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    let Ok(asked) = read(path, request.body()) else {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "Unprocessable Entity");
    };
    if path == RELOAD {
        debug!("control: reloading app via control plane");
    }
    match line.ask(asked).await {
        Reply::Done | Reply::Json(_) => {
            if path == RELOAD {
                debug!("control: reloaded app via control plane");
            }
            plain(StatusCode::OK, "\n")
        }
        Reply::Refused { code, message } | Reply::Error { code, error: api::Error { message, .. } } => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            refusal(code, message.trim_end())
        }
    }
}

fn read(path: &'static str, body: &[u8]) -> Result<Request, Unprocessable> {
    Ok(match path {
        ENVIRON => {
            let mut variables = values::variables(body)?;
            let all = variables.len();
            variables.retain(is_settable);
            let skipped = all.saturating_sub(variables.len());
            if skipped > 0 {
                // v3 says nothing, and nothing of what is said here may be a secret.
                warn!("control: {skipped} of {all} variables not set: a name is empty or holds '=', or there is a NUL");
            }
            Request::Environ(variables)
        }
        METRIC => Request::Metric(values::metrics(body)?),
        RELOAD => Request::Reload,
        ENABLE => Request::Maintenance(true),
        DISABLE => Request::Maintenance(false),
        _ => Request::Ping,
    })
}
