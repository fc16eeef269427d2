//! What a node does for one peer: the calls whose answers it waits for, and the monitors.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{AbortHandle, Id, JoinSet};

/// The tasks of one connection, by the numbers that the peer has given them. All of them end when
/// this is dropped.
#[derive(Debug, Default)]
pub(super) struct Served {
    tasks: JoinSet<()>,
    by_number: HashMap<u64, AbortHandle>,
    numbers: HashMap<Id, u64>,
}

impl Served {
    /// Returns the number of tasks that have neither ended nor been cancelled.
    pub(super) fn len(&mut self) -> usize {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let task = match ended {
                Ok((task, ())) => task,
                Err(error) => error.id(),
            };
            let number = self.numbers.remove(&task);
            let is_present = |number: &u64| self.by_number.get(number).is_some_and(|to| to.id() == task);
            if let Some(number) = number.filter(is_present) {
                self.by_number.remove(&number);
            }
        }
        self.by_number.len()
    }

    /// Runs a future until it ends, or is cancelled. It takes the place of one with its number.
    pub(super) fn spawn(&mut self, number: u64, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.numbers.insert(task.id(), number);
        if let Some(before) = self.by_number.insert(number, task) {
            before.abort();
        }
    }

    /// Drops the future with this number.
    pub(super) fn cancel(&mut self, number: u64) {
        if let Some(task) = self.by_number.remove(&number) {
            task.abort();
        }
    }
}
