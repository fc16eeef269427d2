//! The time of a supervisor, and the one timer it ever needs.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::inbox::{Inbox, News};
use crate::engine::Time;

/// Tells the time since the supervisor began, and rings when the nearest deadline has passed.
pub(super) struct Clock {
    began: Instant,
    armed: Option<(Time, JoinHandle<()>)>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), armed: None }
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Rings at `deadline`, and at none that was set before.
    pub(super) fn set(&mut self, deadline: Option<Time>, inbox: &Arc<Inbox>) {
        if self.armed.as_ref().map(|(armed, _)| *armed) == deadline {
            return;
        }
        self.disarm();
        let Some(deadline) = deadline else { return };
        // One that is further away than time can tell never strikes.
        let Some(at) = self.began.checked_add(deadline) else { return };
        let inbox = inbox.clone();
        let ring = tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            inbox.put(News::Tick);
        });
        self.armed = Some((deadline, ring));
    }

    /// To be set anew after it has rung.
    pub(super) fn disarm(&mut self) {
        if let Some((_, ring)) = self.armed.take() {
            ring.abort();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.disarm();
    }
}
