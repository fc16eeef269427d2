//! The requests to the console.

use std::fmt;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use crate::openapi::Method;
use crate::request::Request;

/// The longest time for one request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one console.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

/// The console cannot be reached, or broke off.
#[derive(Debug)]
pub struct Unreachable(ureq::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the console does not answer: {}", self.0)
    }
}

impl std::error::Error for Unreachable {}

impl From<ureq::Error> for Unreachable {
    fn from(error: ureq::Error) -> Self {
        Self(error)
    }
}

/// The answer of the console.
#[derive(Debug)]
pub struct Answer {
    pub is_success: bool,
    pub text: String,
}

impl Client {
    pub fn new(url: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        let authorization = token.map(|token| format!("Bearer {token}"));
        Self { agent: config.build().into(), url: url.to_owned(), authorization }
    }

    /// Returns `true` if it has a token.
    pub const fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Returns the OpenAPI document of the console.
    pub fn document(&self) -> Result<String, Unreachable> {
        Ok(read(self.agent.get(format!("{}/openapi.json", self.url)).call())?.text)
    }

    /// Sends a request. Blocks until there is an answer.
    pub fn send(&self, request: &Request) -> Result<Answer, Unreachable> {
        let url = format!("{}{}", self.url, request.path);
        let query = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        read(match request.method {
            Method::Get => self.authorized(self.agent.get(url)).query_pairs(query).call(),
            Method::Post => {
                let post = self.authorized(self.agent.post(url)).query_pairs(query);
                let body = request.body.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
                post.content_type("application/json").send(body)
            }
        })
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }
}

fn read(answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, Unreachable> {
    let mut answer = answer?;
    let text = answer.body_mut().read_to_string()?;
    Ok(Answer { is_success: answer.status().is_success(), text })
}
