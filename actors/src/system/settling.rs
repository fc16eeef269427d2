//! Waiting until a system is idle.

use std::future::poll_fn;

use tokio::task;

use super::any_process::Work;
use super::shared::System;

impl System {
    /// Resolves when the system is idle: every accepted message was handled, lost or dead-lettered,
    /// and no actor is busy.
    ///
    /// When it resolves, there was one moment since the call at which all of this held together:
    ///
    /// - No message waited in a mailbox and none was in flight. Each caller of an actor has its
    ///   outcome.
    /// - Every incarnation was idle: none was starting, handling a message, a signal or a timer, or
    ///   ending.
    /// - Links, monitors and supervisors were notified of every exit, and every restart that they
    ///   began at once was complete.
    ///
    /// It does not wait for timers, piped futures, attached streams, tasks, delayed jobs of a pool,
    /// or a delayed restart for which no message waits. A suspended actor counts as busy, and so
    /// does a message for an actor that is not running. The actor in whose handler it is awaited is
    /// left out.
    ///
    /// It never resolves in a system that is never idle. It needs no runtime and no timers. It is
    /// made for tests: it takes the lock of each mailbox at least twice, so its time grows with the
    /// number of actors. While it waits for an actor, that actor takes its messages one by one,
    /// which costs some nanoseconds per message.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # struct Sink;
    /// # impl Actor for Sink {
    /// #     type Msg = u64;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// # async fn handle(&mut self, _: u64, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let system = System::new();
    /// let sink = system.spawn::<Sink>(()).detach()?;
    /// for n in 0..100 {
    ///     sink.cast(n)?;
    /// }
    /// system.settled().await;
    /// assert_eq!(system.counters().handled, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn settled(&self) {
        let mut before = None;
        loop {
            let seen = (self.issued_numbers(), self.pass().await);
            // An actor that was idle in both passes, and did nothing in between, was idle at the
            // moment between them.
            if before.as_ref() == Some(&seen) {
                return;
            }
            before = Some(seen);
        }
    }

    /// Waits for one actor after the other. Returns the work counter of each at its idle moment.
    async fn pass(&self) -> Vec<(u64, Work)> {
        let mut seen = Vec::new();
        for process in self.table().living() {
            if task::try_id().is_some_and(|caller| process.mailbox().is_run_by(caller)) {
                continue;
            }
            seen.push((process.identity(), poll_fn(|cx| process.poll_idle(cx.waker())).await));
        }
        seen
    }
}
