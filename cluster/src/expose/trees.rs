//! The trees of this node, as other nodes read them: an exposure without an actor.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ActorHandle, Reply, System};
use perennial_durable::{Bincode, Codec, Json, Wire};
use perennial_operations::TreeNode;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use super::answers::Answers;
use super::exposure::{Delivery, Expose, decode_message};
use crate::wire::Outcome;

/// How long a text is used again.
const FRESH: Duration = Duration::from_millis(250);

/// The most requests that are answered at once, and wait for a text.
const AT_ONCE: usize = 8;

/// The bytes of an answer beside its text.
const ENVELOPE: usize = 16;

/// Asks for the trees of a node.
///
/// The answer is a text: its first line is the number of all nodes of the trees, and each further
/// line is a node in JSON. So the gateways carry it as it is, and versions may add fields.
#[derive(Deserialize, Serialize)]
pub(crate) struct ReadTrees {
    /// The most bytes that the asking node accepts.
    pub(crate) max_bytes: u64,
    pub(crate) reply: Reply<String>,
}

impl Wire for ReadTrees {
    const TAG: &'static str = "perennial.trees";
}

/// The latest text, and when it was made.
type Latest = Mutex<Option<(Instant, Arc<str>)>>;

pub(crate) struct TreesExposure {
    max_bytes: usize,
    /// Locked while a text is made, so that requests cost one thread at most.
    latest: Arc<Latest>,
    /// Further requests are refused: a node that asks in a loop costs a bounded amount.
    admitted: Arc<Semaphore>,
}

impl TreesExposure {
    /// Creates an exposure whose answers have at most this number of bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let admitted = Arc::new(Semaphore::new(AT_ONCE));
        Self { max_bytes, latest: Arc::default(), admitted }
    }
}

impl Expose for TreesExposure {
    fn deliver(&self, system: &System, delivery: Delivery) -> Result<Option<Answers>, Outcome> {
        let (message, replies) = decode_message::<ReadTrees, Bincode>(system, &delivery.payload)?;
        let Some(expected) = delivery.replies else { return Ok(None) };
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| Outcome::Busy)?;
        let asked = usize::try_from(message.max_bytes).unwrap_or(usize::MAX);
        let (latest, system, max) = (self.latest.clone(), system.clone(), self.max_bytes);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Some(text) = latest_text(latest, system, max).await {
                message.reply.send(fitting(&text, asked).to_owned());
            }
            drop(admitted);
        });
        // Dropped with the answers, which ends the task of a call that is cancelled.
        let outcome = async move {
            while tasks.join_next().await.is_some() {}
            Outcome::ReplyDropped
        };
        Ok(Some(Answers::of::<Bincode>(replies, expected, Box::pin(outcome))))
    }

    fn handle(&self, _: &System) -> Option<ActorHandle> {
        None
    }
}

/// Returns the text of the trees as they were within the last quarter of a second, or `None` if
/// making it panics.
async fn latest_text(latest: Arc<Latest>, system: System, max: usize) -> Option<Arc<str>> {
    let mut latest = latest.lock_owned().await;
    let fresh = latest.as_ref().filter(|(made, _)| made.elapsed() < FRESH);
    if let Some((_, text)) = fresh {
        return Some(text.clone());
    }
    let make = move || {
        let text: Arc<str> = text(&TreeNode::all(&system), max.saturating_sub(ENVELOPE)).into();
        // The thread has the lock: it goes on when the call is cancelled.
        *latest = Some((Instant::now(), text.clone()));
        text
    };
    spawn_blocking(make).await.ok()
}

/// Writes as many of the first nodes as fit.
fn text(nodes: &[TreeNode], max: usize) -> String {
    let mut text = nodes.len().to_string();
    for node in nodes {
        let Ok(line) = Json::encode(node) else { break };
        let Ok(line) = String::from_utf8(line) else { break };
        if text.len() + 1 + line.len() > max {
            break;
        }
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// Returns the first lines of a text, as many as fit into an answer of so many bytes. The first one
/// always does.
fn fitting(text: &str, max: usize) -> &str {
    let max = max.saturating_sub(ENVELOPE);
    if text.len() <= max {
        return text;
    }
    let first = text.find('\n').unwrap_or(text.len());
    // A line ends before each line feed, and the byte after the text may be one.
    let last = text.as_bytes()[..=max].iter().rposition(|byte| *byte == b'\n').unwrap_or(first);
    text.get(..last.max(first)).unwrap_or(text)
}
