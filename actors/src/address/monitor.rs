//! Monitors: one notification of the end of an incarnation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::exit::ExitReason;
use crate::signal::Down;
use crate::system::AnyProcess;

/// Resolves once, when one incarnation of an actor has ended. It always resolves.
///
/// A monitor is bound to the incarnation that runs when it is made. Made during a restart, it is
/// bound to the pending incarnation. It reports only that one exit: to observe the next
/// incarnation, make another monitor. If no incarnation is running or pending, it resolves at once
/// with [`ExitReason::NoProcess`]; if the actor is just closing, it resolves when its names are
/// free.
///
/// Any number of monitors may be set on one actor. Dropping a monitor removes it.
///
/// # Ordering
///
/// When it resolves, the mailbox is detached, callers whose messages were lost have been notified,
/// and the names of an actor that ended for good are free.
///
/// # Cancel safety
///
/// It may be polled by reference, as in `select!`; nothing is lost.
#[must_use = "a monitor is a future, and is removed when it is dropped"]
pub struct Monitor {
    process: Arc<dyn AnyProcess>,
    watcher: Option<u64>,
    down: oneshot::Receiver<Down>,
}

impl Monitor {
    pub(super) fn of(process: Arc<dyn AnyProcess>) -> Self {
        let (sender, down) = oneshot::channel();
        let watcher = process.mailbox().watch(Box::new(move |pid, reason| {
            // The monitor may have been dropped.
            let _ = sender.send(Down { pid, reason: reason.clone() });
        }));
        let watcher = match watcher {
            Ok(id) => Some(id),
            Err(callback) => {
                callback(None, &ExitReason::NoProcess);
                None
            }
        };
        Self { process, watcher, down }
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        Pin::new(&mut self.down).poll(cx).map(|down| {
            self.watcher = None;
            // The callback is dropped without a call only when the process itself is dropped.
            down.unwrap_or(Down { pid: None, reason: ExitReason::NoProcess })
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(id) = self.watcher {
            self.process.mailbox().unwatch(id);
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("label", &self.process.label()).finish_non_exhaustive()
    }
}
