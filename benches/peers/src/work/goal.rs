//! How an actor notifies the race that it has handled the last message.

use std::sync::Arc;

use tokio::sync::Notify;

/// A countdown that notifies a task at zero. It is the whole state of every actor in the race.
#[derive(Clone, Debug)]
pub struct Goal {
    left: u64,
    reached: Option<Arc<Notify>>,
}

impl Goal {
    /// Returns a goal that notifies `reached` after `steps` steps.
    pub fn after(steps: u64, reached: Arc<Notify>) -> Self {
        Self { left: steps, reached: Some(reached) }
    }

    /// Returns a goal that is never reached.
    pub const fn none() -> Self {
        Self { left: u64::MAX, reached: None }
    }

    /// Counts down by `by`.
    pub fn step(&mut self, by: u64) {
        self.left = self.left.wrapping_sub(by);
        if self.left == 0
            && let Some(reached) = &self.reached
        {
            reached.notify_one();
        }
    }

    /// Returns how many steps are left.
    pub const fn left(&self) -> u64 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_notifies_at_the_last_step() {
        let reached = Arc::new(Notify::new());
        let mut goal = Goal::after(2, reached.clone());
        goal.step(1);
        assert_eq!(goal.left(), 1);
        goal.step(1);
        let mut notified = at_once(reached.notified());
        assert!(notified.take().is_some());
    }

    /// Returns the output of a future, or `None` if it is not ready.
    fn at_once<F: Future>(future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
