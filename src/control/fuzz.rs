//! What is fuzzed of this room (see [`crate::fuzzing`]).

use super::client::wire::Answer;
use super::routes_v3;
use super::values::{self, is_settable};
use crate::http::segments;

/// Names and values.
type Pairs = Vec<(String, String)>;

/// The bodies of a request, for those who take them: what they would set and what they would record.
pub(crate) fn bodies(body: &[u8]) -> (Option<Pairs>, Option<Pairs>) {
    let settable = values::variables(body).map(|pairs| pairs.into_iter().filter(is_settable).collect());
    (settable.ok(), values::metrics(body).ok())
}

/// The path of a request.
pub(crate) fn path(path: &str) {
    let Some(segments) = segments(path) else { return };
    assert!(!segments.is_empty() && segments.iter().all(|segment| !segment.contains('\0')), "{segments:?}");
    let path = format!("/{}", segments.join("/"));
    assert!(routes_v3::label(&path).is_none_or(|label| label == path), "{path}");
}

/// What a server, or whatever is at the socket's path, answers to the command line.
///
/// # Panics
/// When it finds something.
pub fn answer(bytes: &[u8]) {
    if let Ok(mut answer) = Answer::read(bytes) {
        let (body, _) = answer.whole(1 << 20);
        assert!(body.len() <= bytes.len(), "{body:?}");
    }
}
