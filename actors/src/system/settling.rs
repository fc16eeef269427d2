//! Waiting until a system has nothing left to do.

use std::future::poll_fn;

use tokio::task;

use super::shared::System;
use crate::any_process::Work;

impl System {
    /// Resolves when the system is idle: every accepted message was handled, lost or dead-lettered, and no actor is busy.
    ///
    /// When it resolves, there was one moment since the call at which all of this held together:
    ///
    /// - No message waited in a mailbox and none was being handled. A caller of an actor has its outcome.
    /// - Every incarnation was idle: none was starting, handling a message, a signal or a timer, or ending.
    /// - Every end had been told to links, monitors and supervisors, and every restart that they decided on at once was complete.
    ///
    /// It does not wait for what is no message yet: timers, piped futures, attached streams, tasks, the jobs that a pool keeps
    /// for later, and a restart that waits for its time while no message waits for it. An actor that is suspended
    /// counts as busy, and so does a message for an actor that is down. The actor in whose handler it is awaited is left out.
    ///
    /// It never resolves in a system that is never idle. No runtime and no timers are needed. It is made for tests: it takes
    /// the lock of each mailbox at least twice, so its time grows with the number of actors. An actor that is waited for
    /// takes its messages one by one, which costs it some nanoseconds for each, and nothing otherwise.
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
    /// #     async fn handle(&mut self, _: u64, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
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
            let seen = (self.numbers_given(), self.pass().await);
            // What was idle in both passes, and did nothing in between, was so at the moment between them.
            if before.as_ref() == Some(&seen) {
                return;
            }
            before = Some(seen);
        }
    }

    /// Waits for one actor after the other. Returns what each has done when it was idle.
    async fn pass(&self) -> Vec<(u64, Work)> {
        let mut seen = Vec::new();
        for process in self.living() {
            if task::try_id().is_some_and(|caller| process.is_run_by(caller)) {
                continue;
            }
            seen.push((process.identity(), poll_fn(|cx| process.poll_idle(cx.waker())).await));
        }
        seen
    }
}
