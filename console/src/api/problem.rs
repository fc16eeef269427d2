//! Why a request was refused.

use serde::{Deserialize, Serialize};

/// The answer to a request that was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The kind, for programs.
    pub error: ProblemKind,
    /// The details, for people.
    pub detail: String,
}

/// The kind of a [`Problem`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The action needs the token, and the request has another or none.
    Unauthorized,
    /// The console has no token, so it only shows.
    ReadOnly,
    /// The header `Host` has a name that is not known.
    ForeignHost,
    /// The request comes from a page of another origin.
    ForeignOrigin,
    /// There is no such thing.
    NotFound,
    /// The route has no such method.
    MethodNotAllowed,
    /// The state of the target does not allow it, or another incarnation lives.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// A parameter or the body has a wrong form.
    Invalid,
    /// There are too many clients.
    TooMany,
    /// The request took too long.
    TimedOut,
    /// A store failed, or did not answer in time.
    Unavailable,
    /// The answer could not be made.
    Internal,
}

impl Problem {
    pub(crate) fn new(error: ProblemKind, detail: impl Into<String>) -> Self {
        Self { error, detail: detail.into() }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no such {what}"))
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }
}
