//! The stream of events, as server-sent events.
//!
//! A client has a place in the ring of the last events and no queue of its own. What it does not
//! read waits in the ring, and is missed if it waits for too long.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use futures_util::stream;
use perennial_operations::{Events, Update};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use super::answer::{of_type, problem};
use super::query::Parameters;
use crate::api::{Missed, Problem, ProblemKind, StreamReset};
use crate::site::Site;

/// The longest silence. Proxies end what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long events are gathered before they are sent, and the most that are sent at once.
const GATHERED: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 256;

/// One client.
struct Feed {
    boot: String,
    events: Events,
    /// What is sent first.
    greeting: Option<String>,
    _permit: OwnedSemaphorePermit,
}

pub(super) async fn stream(State(site): State<Arc<Site>>, headers: HeaderMap, uri: Uri) -> Response {
    let parameters = match Parameters::of(&uri) {
        Ok(parameters) => parameters,
        Err(Problem { error, detail }) => return problem(error, detail),
    };
    let Ok(permit) = site.streams.clone().try_acquire_owned() else {
        return problem(ProblemKind::TooMany, "too many clients follow the events");
    };
    // The header is newer: a browser that reconnects has the parameter of its first request.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let feed = Feed::after(&site, last.or(parameters.after).as_deref(), permit);
    let chunks = stream::unfold(feed, async |mut feed: Feed| {
        let chunk = feed.next().await;
        Some((Ok::<_, Infallible>(chunk), feed))
    });
    of_type("text/event-stream", StatusCode::OK, Body::from_stream(chunks))
}

impl Feed {
    /// Begins after the event with this id. Without one, or with that of another process, it begins
    /// now.
    fn after(site: &Site, id: Option<&str>, permit: OwnedSemaphorePermit) -> Self {
        let boot = site.shared.boot.clone();
        let (own, foreign) = match id {
            Some(id) => {
                let sequence = id.strip_prefix(&*boot).and_then(|rest| rest.strip_prefix('-'));
                let sequence = sequence.and_then(|sequence| sequence.parse().ok());
                (sequence, sequence.is_none())
            }
            None => (None, false),
        };
        let events = match own {
            Some(sequence) => site.operations.events_after(sequence),
            None => site.operations.events(),
        };
        let mut greeting = "retry: 1000\n\n".to_owned();
        if foreign {
            let reset = StreamReset { boot: boot.clone(), sequence: events.last() };
            write_event(&mut greeting, &format!("{boot}-{}", events.last()), "reset", &reset);
        }
        Self { boot, events, greeting: Some(greeting), _permit: permit }
    }

    /// Waits for events, and returns those that came until a moment later.
    async fn next(&mut self) -> String {
        if let Some(greeting) = self.greeting.take() {
            return greeting;
        }
        let mut chunk = String::new();
        match timeout(KEEP_ALIVE, self.events.next()).await {
            Ok(update) => self.write(&mut chunk, &update),
            Err(_) => return ": keep-alive\n\n".to_owned(),
        }
        sleep(GATHERED).await;
        for _ in 1..AT_ONCE {
            let Some(update) = self.events.try_next() else { break };
            self.write(&mut chunk, &update);
        }
        chunk
    }

    fn write(&self, chunk: &mut String, update: &Update) {
        let id = format!("{}-{}", self.boot, self.events.last());
        match update {
            Update::Event(event) => write_event(chunk, &id, "event", event),
            Update::Missed(missed) => write_event(chunk, &id, "missed", &Missed { missed: *missed }),
            _ => {}
        }
    }
}

/// Writes one server-sent event. JSON has no line breaks.
fn write_event(chunk: &mut String, id: &str, name: &str, data: &impl Serialize) {
    if let Ok(data) = serde_json::to_string(data) {
        let _ = write!(chunk, "id: {id}\nevent: {name}\ndata: {data}\n\n");
    }
}
