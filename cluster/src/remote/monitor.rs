//! Monitors of actors on other nodes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::{ExitReason, Monitor};
use tokio::sync::oneshot;

use crate::error::RemoteTarget;
use crate::peer::Peer;
use crate::wire::Outcome;

/// The end of an actor on another node, or of the connection to the node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemoteDown {
    /// The node and the name of the actor.
    pub target: RemoteTarget,
    /// Why the incarnation ended. [`NoConnection`](ExitReason::NoConnection) says that the node was
    /// lost, or does not serve another monitor: the actor may still run.
    pub reason: ExitReason,
}

/// Resolves once, when the actor has ended that had the name, or the connection is lost.
///
/// # Cancel safety
///
/// It may be polled by reference, as in `select!`; nothing is lost. Dropping it removes the
/// monitor.
#[must_use = "a monitor is a future, and is removed when it is dropped"]
pub struct RemoteMonitor {
    target: RemoteTarget,
    source: Source,
}

enum Source {
    Here(Option<Monitor>),
    There { down: oneshot::Receiver<Outcome>, monitor: Option<(u64, Arc<Peer>)> },
}

impl RemoteMonitor {
    pub(super) const fn here(target: RemoteTarget, monitor: Option<Monitor>) -> Self {
        Self { target, source: Source::Here(monitor) }
    }

    pub(super) const fn there(
        target: RemoteTarget,
        down: oneshot::Receiver<Outcome>,
        monitor: Option<(u64, Arc<Peer>)>,
    ) -> Self {
        Self { target, source: Source::There { down, monitor } }
    }
}

impl Future for RemoteMonitor {
    type Output = RemoteDown;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RemoteDown> {
        let reason = match &mut self.source {
            Source::Here(None) => Poll::Ready(ExitReason::NoProcess),
            Source::Here(Some(monitor)) => Pin::new(monitor).poll(cx).map(|down| down.reason),
            Source::There { down, monitor } => Pin::new(down).poll(cx).map(|outcome| {
                *monitor = None;
                reason_of(outcome.ok())
            }),
        };
        reason.map(|reason| RemoteDown { target: self.target.clone(), reason })
    }
}

/// Returns the reason of what a node says of a monitor or a link; it says nothing if it is lost.
pub(super) fn reason_of(outcome: Option<Outcome>) -> ExitReason {
    match outcome {
        Some(Outcome::Ended(reason)) => reason.into(),
        _ => ExitReason::NoConnection,
    }
}

impl Drop for RemoteMonitor {
    fn drop(&mut self) {
        if let Source::There { monitor: Some((id, peer)), .. } = &self.source {
            peer.cancel(*id);
        }
    }
}

impl fmt::Debug for RemoteMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteMonitor").field("target", &self.target).finish_non_exhaustive()
    }
}
