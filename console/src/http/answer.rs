//! Answers: JSON, and problems with a kind that programs can read.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::{Problem, ProblemKind};

/// Returns a value as JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => of_type("application/json", status, bytes),
        Err(error) => problem(ProblemKind::Internal, error.to_string()),
    }
}

/// Returns a problem.
pub(super) fn problem(kind: ProblemKind, detail: impl Into<String>) -> Response {
    json(status_of(kind), &Problem { error: kind, detail: detail.into() })
}

/// Returns a problem that was found.
pub(super) fn refused(Problem { error, detail }: Problem) -> Response {
    problem(error, detail)
}

/// Returns a body of a type. No cache keeps it.
pub(super) fn of_type(content_type: &'static str, status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the status of a kind of problem.
const fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ProblemKind::ForeignHost | ProblemKind::ForeignOrigin | ProblemKind::ReadOnly => {
            StatusCode::FORBIDDEN
        }
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::TooMany | ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ProblemKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
