//! Monitors: to be told, once, that an incarnation has ended.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::any_process::AnyProcess;
use crate::exit::ExitReason;
use crate::signal::Down;

/// Resolves once, when one incarnation of an actor has ended. Always resolves.
///
/// It is bound to the incarnation that lives when it is made. Made between two incarnations, during a restart, it
/// is bound to the one that is due. It tells of that one end and no other: to watch on across a restart, make another. If
/// nobody lives and nobody is due, it resolves at once with [`ExitReason::NoProcess`]; if the actor is just closing, as soon as its names
/// are free.
///
/// Any number of monitors may watch one actor. To drop one takes it back.
///
/// # Ordering
///
/// When it resolves, the mailbox is detached, callers that went down with the incarnation have been told, and the names of
/// an actor that ended for good are free.
///
/// # Cancel safety
///
/// It may be polled by reference, as in `select!`; nothing is lost.
#[must_use = "a monitor is a future, and is taken back when it is dropped"]
pub struct Monitor {
    process: Arc<dyn AnyProcess>,
    watcher: Option<u64>,
    down: oneshot::Receiver<Down>,
}

impl Monitor {
    pub(super) fn of(process: Arc<dyn AnyProcess>) -> Self {
        let (tell, down) = oneshot::channel();
        let watcher = process.watch(Box::new(move |pid, reason| {
            // Whoever watched may have lost interest.
            let _ = tell.send(Down { pid, reason: reason.clone() });
        }));
        let watcher = match watcher {
            Ok(id) => Some(id),
            Err(tell) => {
                tell(None, &ExitReason::NoProcess);
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
            // The watcher is dropped untold only when the process itself is.
            down.unwrap_or(Down { pid: None, reason: ExitReason::NoProcess })
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(id) = self.watcher {
            self.process.unwatch(id);
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("label", &self.process.label()).finish_non_exhaustive()
    }
}
