//! A running tree, seen from its root: inspecting, stopping and joining it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ActorHandle, ExitReason, Monitor, System};
use tokio::time::{Instant, sleep_until};

use crate::driver::Root;
use crate::dropped::Dropped;
use crate::nesting;
use crate::node::ChildNode;
use crate::policy::ChildKind;
use crate::tree::{Tree, UnstoppedChild};

/// A running tree. `H` is the handle that manages the root.
///
/// It corresponds to an OTP application: the root has no supervisor, so the tree ends when the root
/// ends. Clones refer to the same tree. Dropping them does not stop it.
#[derive(Clone)]
pub struct App<H> {
    root: Arc<Root>,
    supervisor: H,
    shutdown_timeout: Option<Duration>,
}

impl<H> App<H> {
    pub(crate) const fn new(root: Arc<Root>, supervisor: H) -> Self {
        Self { root, supervisor, shutdown_timeout: None }
    }

    /// Returns the handle that manages the children of the root.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").start(&System::new()).await?;
app.supervisor().start_child(clock("clock")).await?;
assert_eq!(app.supervisor().count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub const fn supervisor(&self) -> &H {
        &self.supervisor
    }

    /// Returns a snapshot of the tree.
    ///
    /// It is read without a request to any supervisor, so it does not wait, and it also shows a
    /// supervisor that is being restarted.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
assert!(app.tree().at(["clock"]).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.root.tree()
    }

    /// Returns the handle of the root as an actor: for stopping, killing and monitoring it alone.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
app.handle().stop(ExitReason::shutdown())?;
assert!(matches!(app.join().await, ExitReason::Shutdown(None)));"#
    )]
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.root.node.handle()
    }

    /// Returns a future that resolves to the exit reason of the root once it has ended. See
    /// [`Monitor`].
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = Supervisor::new("app").start(&System::new()).await?;
    /// let down = app.monitor();
    /// app.handle().kill()?;
    /// assert!(matches!(down.await.reason, ExitReason::Killed));
    /// # Ok(())
    /// # }
    /// ```
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }

    /// Sets the longest time that a [`shutdown`](Self::shutdown) of the whole tree may take, also
    /// one by a signal. After it every child that has not stopped is killed, whatever its own
    /// [`Shutdown`](crate::Shutdown) says, and the report names it. By default there is no limit:
    /// the times of the children add up.
    ///
    /// It is a setting of this value and its clones. The first shutdown sets the deadline. Choose
    /// less than systemd's `TimeoutStopSec=` or the `terminationGracePeriodSeconds` of a pod, so
    /// that there is time for the report.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{RunOutcome, Supervisor};
    /// #[tokio::main]
    /// async fn main() -> Result<RunOutcome, Box<dyn std::error::Error>> {
    ///     let app = Supervisor::new("app").start(&System::new()).await?;
    ///     Ok(app.shutdown_timeout(Duration::from_secs(25)).run_until_signal().await?)
    /// }
    /// ```
    #[must_use]
    pub const fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }

    /// Stops the tree and resolves once no part of it runs. If the tree has already ended, this
    /// resolves at once.
    ///
    /// Children stop in reverse start order, each by the policy of its spec.
    ///
    /// Children and pools with [`Shutdown::Drain`](crate::Shutdown::Drain) handle their queued
    /// messages and jobs before they stop. The messages and jobs of all other children and pools
    /// are dropped, and the report counts them. Stopping the root through its
    /// [`handle`](Self::handle) drains nothing.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree stops all the same. A
    /// [timeout](Self::shutdown_timeout) has no effect then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # use perennial_supervision::{Child, Shutdown, Supervisor};
    /// # struct Writer;
    /// # impl Actor for Writer {
    /// #     type Msg = u32;
    /// #     type Args = ();
    /// #     async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// #     async fn handle(
    /// #         &mut self, _: u32, _: &mut Context<Self>,
    /// #     ) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let drain = Shutdown::Drain(Duration::from_secs(10));
    /// let writer = Child::new::<Writer>("writer", ()).shutdown(drain);
    /// let cache = Child::new::<Writer>("cache", ());
    /// let (to_writer, to_cache) = (writer.address(), cache.address());
    /// let app = Supervisor::new("app").child(cache).child(writer).start(&System::new()).await?;
    /// for entry in 0..100 {
    ///     to_writer.cast(entry)?;
    ///     to_cache.cast(entry)?;
    /// }
    /// let report = app.shutdown().await;
    /// assert_eq!(to_writer.handle().counters().handled, 100);
    /// let lost = to_cache.handle().counters().dead_lettered;
    /// assert_eq!(report.dropped_messages, lost);
    /// assert_eq!(report.is_clean(), lost == 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) -> ShutdownReport {
        let deadline = self.root.stop(self.shutdown_timeout);
        let late = self.kill_after(deadline).await;
        let reason = self.join().await;
        let Dropped { messages, jobs } = self.root.dropped();
        let mut unstopped = nesting::unstopped(&self.root.node);
        for child in late {
            if unstopped.iter().all(|known| known.path != child.path) {
                unstopped.push(child);
            }
        }
        ShutdownReport { reason, unstopped, dropped_messages: messages, dropped_jobs: jobs }
    }

    /// Waits until the tree has ended, or kills it at `deadline`. Returns the children that had not
    /// stopped by then.
    async fn kill_after(&self, deadline: Option<Instant>) -> Vec<UnstoppedChild> {
        let Some(deadline) = deadline else { return Vec::new() };
        tokio::select! {
            biased;
            _ = self.join() => Vec::new(),
            () = sleep_until(deadline) => {
                let tree = self.tree();
                let runs = |node: &&Tree| node.kind == ChildKind::Worker && node.pid.is_some();
                let paths = tree.walk().filter(runs).filter_map(|node| node.handle.label());
                let late = paths.map(|path| UnstoppedChild { path, abandoned: false }).collect();
                self.kill().await;
                late
            }
        }
    }

    /// Returns the system in which the tree runs.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.root.system
    }

    /// Returns `true` if the root exceeded its restart intensity.
    pub(super) fn gave_up(&self) -> bool {
        self.root.node.state().gave_up
    }

    /// Waits until the tree has ended, for any reason, and returns the exit reason of the root.
    /// From then on every request to the tree fails.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree continues.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
app.handle().kill()?;
assert!(matches!(app.join().await, ExitReason::Killed));"#
    )]
    pub async fn join(&self) -> ExitReason {
        self.root.ended().await
    }
}

impl<H> fmt::Debug for App<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("tree", &self.tree()).finish_non_exhaustive()
    }
}

/// The result of a shutdown.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[must_use = "it lists the children that did not stop in time"]
pub struct ShutdownReport {
    /// The exit reason of the root.
    pub reason: ExitReason,
    /// The children that did not stop within their shutdown timeout or that of the
    /// [tree](App::shutdown_timeout), and the children that were
    /// abandoned earlier, because these may still run.
    pub unstopped: Vec<UnstoppedChild>,
    /// The number of messages that were not handled because of the stop: they were queued in a
    /// mailbox that was closed, or in flight in an actor that was killed. Messages of abandoned
    /// actors are not counted; these actors are in [`unstopped`](Self::unstopped).
    pub dropped_messages: u64,
    /// The number of jobs that pools of the tree dropped because of the stop.
    pub dropped_jobs: u64,
}

impl ShutdownReport {
    /// Returns `true` if every child stopped in time, and no message and no job was dropped.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unstopped.is_empty() && self.dropped_messages == 0 && self.dropped_jobs == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, unstopped, dropped_messages, dropped_jobs } = self;
        write!(f, "stopped ({reason})")?;
        if self.is_clean() {
            return f.write_str(": all children in time, nothing dropped");
        }
        if !unstopped.is_empty() {
            f.write_str("; not in time:")?;
            for (n, UnstoppedChild { path, abandoned }) in unstopped.iter().enumerate() {
                let how = if *abandoned { "abandoned" } else { "killed" };
                write!(f, "{} {path} ({how})", if n == 0 { "" } else { "," })?;
            }
        }
        for (count, what) in [(*dropped_messages, "message"), (*dropped_jobs, "job")] {
            match count {
                0 => {}
                1 => write!(f, "; 1 {what} dropped")?,
                _ => write!(f, "; {count} {what}s dropped")?,
            }
        }
        Ok(())
    }
}
