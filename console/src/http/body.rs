//! The bodies of requests.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use crate::api::{Problem, ProblemKind};

/// The most bytes of a body.
const BODY: usize = 64 * 1024;

/// Reads a body as JSON. An empty one is the default.
pub(super) async fn body<B: DeserializeOwned + Default>(request: Request) -> Result<B, Problem> {
    check_headers(request.headers())?;
    let too_large = |_| Problem::new(ProblemKind::TooLarge, "the body is longer than 64 KiB");
    let bytes = to_bytes(request.into_body(), BODY).await.map_err(too_large)?;
    if bytes.is_empty() {
        return Ok(B::default());
    }
    serde_json::from_slice(&bytes).map_err(|error| Problem::new(ProblemKind::Invalid, error.to_string()))
}

/// Refuses a body that is announced as too long before it is read. One that is no JSON could come
/// from a form of a foreign page.
fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let len = text(CONTENT_LENGTH).and_then(|len| len.parse::<usize>().ok());
    if len.is_some_and(|len| len > BODY) {
        return Err(Problem::new(ProblemKind::TooLarge, "the body is longer than 64 KiB"));
    }
    let media = text(CONTENT_TYPE).and_then(|media| media.split(';').next()).unwrap_or_default();
    if media.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnsupportedMediaType, "the content type is not application/json"))
}
