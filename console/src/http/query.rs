//! The parameters of a request: one form for most routes, of which each reads its own.

use std::collections::BTreeSet;

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{ActorSort, Expansion, JobState, Problem, ProblemKind, Window};

/// The parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    offset: Option<usize>,
    limit: Option<usize>,
    pub(super) q: Option<String>,
    pub(super) sort: Option<ActorSort>,
    pub(super) kind: Option<String>,
    pub(super) state: Option<JobState>,
    pub(super) after: Option<String>,
    pub(super) before: Option<u64>,
    pub(super) identity: Option<u64>,
    pub(super) parent: Option<u64>,
    expanded: Option<String>,
}

impl Parameters {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        parse(uri)
    }

    pub(super) fn window(&self) -> Window {
        Window::new(self.offset, self.limit)
    }

    /// Returns the number of the event after which a list begins.
    pub(super) fn after(&self) -> Result<Option<u64>, Problem> {
        let after = self.after.as_deref();
        after.map(str::parse).transpose().map_err(|_| invalid("`after` is not a number"))
    }

    /// Returns the identities of the expanded nodes, or `None` if none are named.
    pub(super) fn expanded(&self) -> Result<Option<BTreeSet<u64>>, Problem> {
        let Some(expanded) = &self.expanded else { return Ok(None) };
        let identities = expanded.split(',').filter(|identity| !identity.is_empty()).map(str::parse);
        identities
            .collect::<Result<_, _>>()
            .map(Some)
            .map_err(|_| invalid("`expanded` is not a list of numbers"))
    }
}

/// The visible rows of trees that a client asks for: by an address, or by a body if it expands too
/// many nodes for one.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RowsRequest {
    #[serde(flatten)]
    pub(super) expansion: Expansion,
    pub(super) q: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
}

impl RowsRequest {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        let parameters = Parameters::of(uri)?;
        let expansion = Expansion::only(parameters.expanded()?);
        let Parameters { q, offset, limit, .. } = parameters;
        Ok(Self { expansion, q, offset, limit })
    }

    pub(super) fn window(&self) -> Window {
        Window::new(self.offset, self.limit)
    }
}

/// Reads the parameters of a request.
pub(super) fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let parsed = Query::try_from_uri(uri);
    parsed.map(|Query(parameters)| parameters).map_err(|error| invalid(error.body_text()))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Invalid, detail)
}
