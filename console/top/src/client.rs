//! The requests to the console.

use std::fmt;
use std::time::Duration;

use perennial_console::api::{ActorRow, EventPage, Overview, Page, Problem, TreeRow};
use serde::de::DeserializeOwned;
use serde_json::json;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::state::{View, Wanted};

/// The longest time for one request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the console answered.
#[derive(Debug)]
pub struct Fetched {
    pub overview: Overview,
    pub rows: Rows,
}

/// The rows of a view.
#[derive(Debug)]
pub enum Rows {
    Tree(Page<TreeRow>),
    /// The actors, in the order of a view.
    Actors(View, Page<ActorRow>),
    Events(EventPage),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The console cannot be reached, or broke off.
    Unreachable(ureq::Error),
    /// It refused the request.
    Refused(Problem),
    /// It answered something else than a console of this version does.
    NotAConsole(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the console does not answer: {error}"),
            Self::Refused(problem) => write!(f, "the console refuses: {}", problem.detail),
            Self::NotAConsole(why) => write!(f, "not a console of this version: {why}"),
        }
    }
}

/// A client of one console.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        Self { agent: config.build().into(), url: format!("{url}/api/v1") }
    }

    /// Returns the overview and the rows that are wanted.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn fetch(&self, wanted: &Wanted) -> Result<Fetched, ClientError> {
        Ok(Fetched { overview: self.get("overview", &[])?, rows: self.rows(wanted)? })
    }

    fn rows(&self, wanted: &Wanted) -> Result<Rows, ClientError> {
        match wanted {
            Wanted::Tree { expanded, collapsed, text, window } => {
                let body = json!({
                    "base": "auto", "expanded": expanded, "collapsed": collapsed, "q": text,
                    "offset": window.offset, "limit": window.limit,
                });
                self.post("tree/rows", &body).map(Rows::Tree)
            }
            Wanted::Actors { view, text, window } => {
                let (offset, limit) = (window.offset.to_string(), window.limit.to_string());
                let query = [("sort", view.name()), ("q", text), ("offset", &offset), ("limit", &limit)];
                self.get("processes", &query).map(|page| Rows::Actors(*view, page))
            }
            Wanted::Events { text, limit } => {
                self.get("events", &[("q", text), ("limit", &limit.to_string())]).map(Rows::Events)
            }
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ClientError> {
        let request = self.agent.get(format!("{}/{path}", self.url));
        let query = query.iter().filter(|(_, value)| !value.is_empty());
        read(request.query_pairs(query.copied()).call())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T, ClientError> {
        let request = self.agent.post(format!("{}/{path}", self.url)).content_type("application/json");
        read(request.send(body.to_string()))
    }
}

fn read<T: DeserializeOwned>(answer: Result<Response<Body>, ureq::Error>) -> Result<T, ClientError> {
    let mut answer = answer.map_err(ClientError::Unreachable)?;
    let text = answer.body_mut().read_to_string().map_err(ClientError::Unreachable)?;
    if answer.status().is_success() {
        return serde_json::from_str(&text).map_err(|error| ClientError::NotAConsole(error.to_string()));
    }
    let problem = serde_json::from_str(&text);
    Err(problem.map_or_else(|_| ClientError::NotAConsole(answer.status().to_string()), ClientError::Refused))
}
