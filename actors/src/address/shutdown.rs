//! Shutdown of a whole system.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task;
use tokio::time::Sleep;

use super::handle::ActorHandle;
use crate::clock::{deadline_after, sleep_until};
use crate::counters::MessageStats;
use crate::error::NoTimers;
use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::process::supervisor_of;
use crate::system::System;

/// How long a shutdown waits for killed actors. An actor that never awaits never ends.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// The report of a system [shutdown](System::shutdown).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "it lists the actors that did not stop"]
pub struct SystemShutdown {
    /// The actors that had not stopped within the grace period. They were killed.
    pub killed: Vec<ActorHandle>,
    /// The actors that still run although they were killed, because they never await.
    pub unstopped: Vec<ActorHandle>,
    /// The message counts of all mailboxes together.
    pub counters: MessageStats,
}

impl SystemShutdown {
    /// Returns `true` if every actor stopped by itself within the grace period.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.killed.is_empty() && self.unstopped.is_empty()
    }
}

impl System {
    /// Stops every actor of the system. Resolves when no actor is running, or only actors that
    /// cannot be stopped.
    ///
    /// Every actor that no supervisor of the system has started is stopped with
    /// [`ExitReason::Shutdown`]: spawned actors, and root supervisors, which stop their children in
    /// their own order. Actors that are spawned meanwhile are stopped too. After `grace`, every
    /// actor that is still running is killed. An actor that has not ended 5 seconds after the kill
    /// never awaits; it is left running and reported.
    ///
    /// The system can be used afterwards: new actors run as usual.
    ///
    /// An actor that awaits this in a handler is not waited for, because it stops only after the
    /// handler returns. To wait for that actor too, spawn the shutdown in a task.
    ///
    /// # Errors
    ///
    /// [`NoTimers`] if timers are not available. Then no actor was stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the actors that were notified to stop still stop. None is killed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
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
    /// let sink = system.spawn::<Sink>(()).await?;
    /// let report = system.shutdown(Duration::from_secs(5)).await?;
    /// assert!(report.is_clean());
    /// assert!(sink.cast(1).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, grace: Duration) -> Result<SystemShutdown, NoTimers> {
        let grace = sleep_until(deadline_after(grace))?;
        let stop = |actor: &ActorHandle| {
            let _ = actor.stop(ExitReason::shutdown());
        };
        let killed = self.end_all(grace, |actor| !is_started_by_another(actor), stop).await;
        let mut unstopped = Vec::new();
        if !killed.is_empty() {
            let kill = |actor: &ActorHandle| {
                let _ = actor.kill();
            };
            unstopped = self.end_all(sleep_until(deadline_after(KILL_GRACE))?, |_| true, kill).await;
        }
        Ok(SystemShutdown { killed, unstopped, counters: self.counters() })
    }

    /// Calls `end` for all actors that `concerns` selects, and waits until no actor is running or
    /// the time has elapsed. Returns the actors that are still running.
    async fn end_all(
        &self,
        mut time: Pin<Box<Sleep>>,
        concerns: impl Fn(&ActorHandle) -> bool,
        end: impl Fn(&ActorHandle),
    ) -> Vec<ActorHandle> {
        let mut notified = HashSet::new();
        let caller = task::try_id();
        loop {
            let alive = self.alive(caller);
            if alive.is_empty() || time.is_elapsed() {
                return alive.into_iter().map(|(actor, _)| actor).collect();
            }
            let concerned = alive.into_iter().filter(|(actor, _)| concerns(actor));
            let mut monitors: Vec<_> = concerned
                .map(|(actor, pid)| {
                    let monitor = actor.monitor();
                    if notified.insert(pid) {
                        end(&actor);
                    }
                    monitor
                })
                .collect();
            let ended = poll_fn(|cx| {
                while let Some(last) = monitors.last_mut() {
                    if Pin::new(last).poll(cx).is_pending() {
                        return time.as_mut().poll(cx);
                    }
                    monitors.pop();
                }
                Poll::Ready(())
            });
            ended.await;
        }
    }

    /// Returns the running actors, except the one that runs in this task.
    fn alive(&self, caller: Option<task::Id>) -> Vec<(ActorHandle, Pid)> {
        let others = self
            .table()
            .living()
            .into_iter()
            .filter(|process| !caller.is_some_and(|id| process.mailbox().is_run_by(id)));
        others
            .filter_map(|process| process.state().pid().map(|pid| (ActorHandle::new(process), pid)))
            .collect()
    }
}

/// Returns `true` if a running supervisor has started the actor, and will stop it.
fn is_started_by_another(actor: &ActorHandle) -> bool {
    supervisor_of(&**actor.process()).is_some_and(|supervisor| supervisor.state().pid().is_some())
}
