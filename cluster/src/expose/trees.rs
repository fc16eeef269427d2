//! The trees of this node, as other nodes read them: an exposure without an actor.

use std::sync::Arc;

use perennial_actors::{ActorHandle, Reply, System};
use perennial_durable::{Bincode, Codec, Json, Wire};
use perennial_operations::TreeNode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use super::answers::Answers;
use super::exposure::{Delivery, Expose, decode_message};
use crate::wire::Outcome;

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

pub(crate) struct TreesExposure {
    max_bytes: usize,
    /// One text is made at a time, so that requests cost one thread at most.
    making: Arc<Semaphore>,
}

impl TreesExposure {
    /// Creates an exposure whose answers have at most this number of bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, making: Arc::new(Semaphore::new(1)) }
    }
}

impl Expose for TreesExposure {
    fn deliver(&self, system: &System, delivery: Delivery) -> Result<Option<Answers>, Outcome> {
        let (message, replies) = decode_message::<ReadTrees, Bincode>(system, &delivery.payload)?;
        let Some(expected) = delivery.replies else { return Ok(None) };
        let max = usize::try_from(message.max_bytes).unwrap_or(usize::MAX).min(self.max_bytes);
        let mut tasks = JoinSet::new();
        tasks.spawn(answer(system.clone(), self.making.clone(), max, message.reply));
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

async fn answer(system: System, making: Arc<Semaphore>, max: usize, reply: Reply<String>) {
    let Ok(permit) = making.acquire_owned().await else { return };
    let made = spawn_blocking(move || {
        let text = text(&TreeNode::all(&system), max.saturating_sub(ENVELOPE));
        // The thread has the permit: it goes on when the call is cancelled.
        drop(permit);
        text
    });
    if let Ok(text) = made.await {
        reply.send(text);
    }
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
