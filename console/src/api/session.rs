//! What a client may do here, and what was done.

use serde::{Deserialize, Serialize};

/// The console and the rights of the client that asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// Identifies the console in this process. The events of another one have other numbers.
    pub boot: String,
    /// The version of this crate.
    pub version: String,
    /// `true` if there is a token, so that actions are possible.
    pub actions: bool,
    /// `true` if the request had the token.
    pub authorized: bool,
    /// When the console was made, in milliseconds since the start of the year 1970.
    pub started_at_millis: u64,
}

/// The answer to an action that was not refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActionOutcome {
    /// `true` if the action has taken effect. An action that takes long goes on otherwise.
    pub done: bool,
    /// The number of jobs that it concerned, for an action on several.
    pub count: Option<usize>,
    /// More about it.
    pub detail: Option<String>,
}

impl ActionOutcome {
    pub(crate) const fn done() -> Self {
        Self { done: true, count: None, detail: None }
    }

    pub(crate) const fn counted(count: usize) -> Self {
        Self { done: true, count: Some(count), detail: None }
    }
}

/// An action that a client tried.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry. Later ones have greater numbers.
    pub number: u64,
    /// When it was tried, in milliseconds since the start of the year 1970.
    pub at_millis: u64,
    /// The name of the action: the end of the path.
    pub action: String,
    /// The path of the request below `/api/v1`.
    pub path: String,
    /// The path of the actor or pool, or the store with its queue or job, if there is one.
    pub target: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More about it: why it was refused.
    pub detail: Option<String>,
    /// The address of the client.
    pub remote: String,
}

/// What came of an action.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It has taken effect.
    Done,
    /// It goes on.
    Started,
    /// It was refused.
    Refused(super::ProblemKind),
}
