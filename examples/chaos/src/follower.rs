//! A client that follows the events of the run from a snapshot, as a console does, and compares its
//! model with fresh snapshots.

use std::time::Duration;

use perennial::System;
use perennial::operations::{Events, Model, Operations, Snapshot, Update};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The number of events between two comparisons.
const BETWEEN: u64 = 100;

/// A snapshot may hold changes of other threads before their events are there. They are the same
/// after so many events and this time, at most.
const AHEAD: u64 = 100;
const QUIET: Duration = Duration::from_secs(5);

/// A client in a task of its own.
pub struct Follower {
    is_over: oneshot::Sender<()>,
    task: JoinHandle<Vec<String>>,
}

struct Client {
    operations: Operations,
    model: Model,
    events: Events,
    /// The number of events since the last comparison.
    applied: u64,
    wrong: Vec<String>,
}

impl Follower {
    pub fn start(system: &System) -> Self {
        let operations = Operations::of(system);
        let Snapshot { sequence, model, .. } = operations.snapshot();
        let events = operations.events_after(sequence);
        let client = Client { operations, model, events, applied: 0, wrong: Vec::new() };
        let (is_over, until) = oneshot::channel();
        Self { is_over, task: tokio::spawn(client.follow(until)) }
    }

    /// Returns where the model was another than that of a snapshot, once nothing happens any more.
    pub async fn end(self) -> Vec<String> {
        drop(self.is_over);
        self.task.await.unwrap_or_else(|error| vec![error.to_string()])
    }
}

impl Client {
    async fn follow(mut self, mut until: oneshot::Receiver<()>) -> Vec<String> {
        loop {
            let update = tokio::select! {
                biased;
                _ = &mut until => break,
                update = self.events.next() => update,
            };
            self.apply(&update);
            if self.applied >= BETWEEN {
                self.applied = 0;
                self.compare().await;
            }
        }
        while let Some(update) = self.events.try_next() {
            self.apply(&update);
        }
        if self.model != self.operations.snapshot().model {
            self.wrong.push("it differs at the end".to_owned());
        }
        self.wrong
    }

    fn apply(&mut self, update: &Update) {
        match update {
            Update::Event(event) => {
                self.model.apply(event);
                self.applied += 1;
            }
            // It is told that it was too slow, and takes a new snapshot.
            _ => {
                let Snapshot { sequence, model, .. } = self.operations.snapshot();
                (self.model, self.events) = (model, self.operations.events_after(sequence));
            }
        }
    }

    /// Compares the model with that of a fresh snapshot, after the same event.
    async fn compare(&mut self) {
        let Snapshot { sequence, model: mut fresh, .. } = self.operations.snapshot();
        while self.events.last() < sequence || self.model != fresh {
            let next = tokio::time::timeout(QUIET, self.events.next()).await;
            let later = self.events.last().saturating_sub(sequence);
            match next {
                Ok(update @ Update::Event(_)) if later <= AHEAD => {
                    self.apply(&update);
                    if let (Update::Event(event), 1..) = (&update, later) {
                        fresh.apply(event);
                    }
                }
                Ok(missed @ Update::Missed(_)) => return self.apply(&missed),
                _ => return self.wrong.push(format!("it differs after event {sequence}")),
            }
        }
    }
}
