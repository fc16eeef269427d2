//! The events that entities report to their driver: short, under a lock of its own, from any task.

use std::sync::Arc;
use std::task::Wake;

use perennial_actors::host::sync::Mutex;
use perennial_actors::host::{IncarnationExit, Parent};
use tokio::sync::Notify;

use super::engine::{Event, SlotKey};

/// The events that the driver has not handled yet.
#[derive(Default)]
pub(super) struct Inbox {
    events: Mutex<Vec<(SlotKey, Event)>>,
    changed: Notify,
}

impl Inbox {
    pub(super) fn push(&self, key: SlotKey, event: Event) {
        self.events.lock().push((key, event));
        self.notify();
    }

    /// Has the driver look again.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }

    pub(super) fn take(&self) -> Vec<(SlotKey, Event)> {
        std::mem::take(&mut *self.events.lock())
    }

    /// Resolves once there may be something to do.
    pub(super) async fn notified(&self) {
        self.changed.notified().await;
    }
}

/// Every start is followed by one `ended`. The number of the run is that of the slot.
impl Parent for Inbox {
    fn started(&self, run: u64) {
        self.push(SlotKey::from_number(run), Event::Started);
    }

    fn ended(&self, run: u64, end: IncarnationExit) {
        let failed = !end.started || end.reason.is_abnormal();
        self.push(SlotKey::from_number(run), Event::Ended { failed });
    }
}

/// Wakes the driver when the first message comes.
pub(super) struct FirstMessage {
    pub(super) inbox: Arc<Inbox>,
    pub(super) key: SlotKey,
}

impl Wake for FirstMessage {
    fn wake(self: Arc<Self>) {
        self.inbox.push(self.key, Event::Queued);
    }
}
