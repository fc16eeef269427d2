//! What a node does for one peer: the calls whose answers it waits for, the monitors and the links.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::OutsideLink;
use tokio::task::{AbortHandle, Id, JoinSet};

/// The tasks of one connection, by the numbers that the peer has given them. All of them end when
/// this is dropped, and the actors that are linked get an exit signal.
#[derive(Debug, Default)]
pub(super) struct Served {
    tasks: JoinSet<()>,
    by_number: HashMap<u64, Task>,
    numbers: HashMap<Id, u64>,
}

#[derive(Debug)]
struct Task {
    abort: AbortHandle,
    /// The end of the link that it serves.
    link: Option<Arc<OutsideLink>>,
}

impl Task {
    /// Ends the task, without a signal.
    fn cancel(self) {
        self.abort.abort();
        if let Some(link) = self.link {
            link.unlink();
        }
    }
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
            let is_present =
                |number: &u64| self.by_number.get(number).is_some_and(|to| to.abort.id() == task);
            if let Some(number) = number.filter(is_present) {
                self.by_number.remove(&number);
            }
        }
        self.by_number.len()
    }

    /// Runs a future until it ends, or is cancelled. It takes the place of one with its number.
    pub(super) fn spawn(&mut self, number: u64, task: impl Future<Output = ()> + Send + 'static) {
        self.add(number, None, task);
    }

    /// Does the same for a link, which ends with the connection.
    pub(super) fn spawn_link(
        &mut self,
        number: u64,
        link: Arc<OutsideLink>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.add(number, Some(link), task);
    }

    fn add(
        &mut self,
        number: u64,
        link: Option<Arc<OutsideLink>>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let abort = self.tasks.spawn(task);
        self.numbers.insert(abort.id(), number);
        if let Some(before) = self.by_number.insert(number, Task { abort, link }) {
            before.cancel();
        }
    }

    /// Drops the future with this number. A link is removed without a signal.
    pub(super) fn cancel(&mut self, number: u64) {
        if let Some(task) = self.by_number.remove(&number) {
            task.cancel();
        }
    }

    /// Sends the exit signal of the other end of the link with this number.
    pub(super) fn exit(&mut self, number: u64, reason: &ExitReason) {
        let Some(task) = self.by_number.remove(&number) else { return };
        task.abort.abort();
        if let Some(link) = task.link {
            link.exit(reason);
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for link in self.by_number.values().filter_map(|task| task.link.as_ref()) {
            link.exit(&ExitReason::NoConnection);
        }
    }
}
