//! A parent that records its notifications, for tests that start each incarnation themselves.

use std::sync::Arc;

use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{MailboxConfig, System};
use tokio::sync::mpsc;

/// A notification of a parent.
#[derive(Debug)]
pub(crate) enum Told {
    Started(u64),
    Ended(u64, IncarnationExit),
}

/// A parent that forwards every notification to its test.
struct Recorder(mpsc::UnboundedSender<Told>);

impl Parent for Recorder {
    fn started(&self, run: u64) {
        // The test may have dropped the receiver.
        let _ = self.0.send(Told::Started(run));
    }

    fn ended(&self, run: u64, end: IncarnationExit) {
        let _ = self.0.send(Told::Ended(run, end));
    }
}

/// The notifications of a parent, in order.
pub(crate) struct Record(mpsc::UnboundedReceiver<Told>);

/// Returns a parent and its record.
pub(crate) fn recorder() -> (Arc<dyn Parent>, Record) {
    let (tell, told) = mpsc::unbounded_channel();
    (Arc::new(Recorder(tell)), Record(told))
}

impl Record {
    /// Waits for the next notification, which must be the successful start of `run`.
    pub(crate) async fn started(&mut self, run: u64) {
        match self.0.recv().await {
            Some(Told::Started(this)) if this == run => {}
            other => panic!("start {run} was to succeed, not {other:?}"),
        }
    }

    /// Waits for the next notification, which must be the end of `run`.
    pub(crate) async fn ended(&mut self, run: u64) -> IncarnationExit {
        match self.0.recv().await {
            Some(Told::Ended(this, end)) if this == run => end,
            other => panic!("run {run} was to end, not {other:?}"),
        }
    }

    /// Returns the next notification, if there is one.
    pub(crate) fn more(&mut self) -> Option<Told> {
        self.0.try_recv().ok()
    }
}

/// Returns an incarnation without a task. Its test ends it, at once.
pub(crate) fn hosted(system: &System) -> (Identity<()>, MailboxConsumer<()>) {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "hosted".into());
    let attachment = identity.attach(recorder().0, 1).expect("it is open");
    (identity, attachment)
}
