//! A parent that writes down what it is told, for tests that start one incarnation after the other by hand.

#![allow(dead_code, reason = "each test uses its own part")]

use std::sync::Arc;

use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{MailboxConfig, System};
use tokio::sync::mpsc;

/// What a parent was told.
#[derive(Debug)]
pub(crate) enum Told {
    Started(u64),
    Ended(u64, IncarnationExit),
}

/// A parent that passes everything on to its test.
struct Recorder(mpsc::UnboundedSender<Told>);

impl Parent for Recorder {
    fn started(&self, run: u64) {
        // The test may have seen enough.
        let _ = self.0.send(Told::Started(run));
    }

    fn ended(&self, run: u64, end: IncarnationExit) {
        let _ = self.0.send(Told::Ended(run, end));
    }
}

/// What was told, in order.
pub(crate) struct Record(mpsc::UnboundedReceiver<Told>);

/// A parent and its record.
pub(crate) fn recorder() -> (Arc<dyn Parent>, Record) {
    let (tell, told) = mpsc::unbounded_channel();
    (Arc::new(Recorder(tell)), Record(told))
}

impl Record {
    /// Waits until it is told that a start succeeded, and nothing else before.
    pub(crate) async fn started(&mut self, run: u64) {
        match self.0.recv().await {
            Some(Told::Started(this)) if this == run => {}
            other => panic!("start {run} was to succeed, not {other:?}"),
        }
    }

    /// Waits until it is told of an end, and nothing else before.
    pub(crate) async fn ended(&mut self, run: u64) -> IncarnationExit {
        match self.0.recv().await {
            Some(Told::Ended(this, end)) if this == run => end,
            other => panic!("run {run} was to end, not {other:?}"),
        }
    }

    /// What it was told since, if anything.
    pub(crate) fn more(&mut self) -> Option<Told> {
        self.0.try_recv().ok()
    }
}

/// An incarnation without a task: it ends where its test says so, at once and on the spot.
pub(crate) fn hosted(system: &System) -> (Identity<()>, MailboxConsumer<()>) {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "hosted".into());
    let attachment = identity.attach(recorder().0, 1).expect("it is open");
    (identity, attachment)
}
