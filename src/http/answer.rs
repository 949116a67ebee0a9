//! Responses as both servers give them, in the words and headers of Go's `net/http` (v3 §15).

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::{Body, Response};

/// A text, as it is.
pub fn plain(code: StatusCode, text: impl Into<String>) -> Response {
    answer(code, "text/plain; charset=utf-8", text.into())
}

/// A JSON document, as it is.
pub fn json(code: StatusCode, document: impl Into<String>) -> Response {
    answer(code, "application/json", document.into())
}

/// An error as Go's `http.Error` gives it: the text, a line feed, and no guessing of its kind.
pub fn refusal(code: StatusCode, text: &str) -> Response {
    let mut response = plain(code, format!("{text}\n"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// How a refusal looks that the server gives by itself: in v3's way, or in that of `/v4` (design §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Json,
}

impl Shape {
    /// What who asks for this path expects.
    pub(super) fn of(path: &str) -> Self {
        if path == "/v4" || path.starts_with("/v4/") { Self::Json } else { Self::Text }
    }

    pub(super) fn refusal(self, code: StatusCode, text: &str) -> Response {
        let word = match code {
            StatusCode::BAD_REQUEST => "badRequest",
            StatusCode::REQUEST_TIMEOUT => "timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "tooLarge",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "internal",
        };
        match self {
            Self::Text => refusal(code, text),
            Self::Json => {
                let error = serde_json::json!({"error": {"code": word, "message": text, "details": []}});
                json(code, format!("{error}\n"))
            }
        }
    }
}

fn answer(code: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
