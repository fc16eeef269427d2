//! A tree that runs, from its root: waiting for its end, and bringing it about.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{ActorHandle, ExitReason, Monitor, System};

use crate::driver::Root;
use crate::dropped::Dropped;
use crate::nesting;
use crate::node::ChildNode;
use crate::tree::{Tree, UnstoppedChild};

/// A tree that was started, with `H` to manage its root by. Clones are the same tree; to drop it changes nothing.
///
/// It is what OTP calls an application: nobody restarts its root, and when that ends the tree is over.
#[derive(Clone)]
pub struct App<H> {
    root: Arc<Root>,
    supervisor: H,
}

impl<H> App<H> {
    pub(crate) const fn new(root: Arc<Root>, supervisor: H) -> Self {
        Self { root, supervisor }
    }

    /// The means to manage the children of the root.
    #[must_use]
    pub const fn supervisor(&self) -> &H {
        &self.supervisor
    }

    /// What the tree looks like at this moment. It is a look, not a request: it takes no time of any supervisor, and
    /// shows also one that is just being restarted.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.root.node.tree()
    }

    /// The means to stop, kill and watch the root alone.
    #[must_use]
    pub fn handle(&self) -> ActorHandle {
        self.root.node.handle()
    }

    /// Returns a future that resolves when the root has ended, to the reason: see [`Monitor`].
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

    /// Stops the tree: every child before those that were started before it, each in the way that its spec says, and waited
    /// for. Ready when nothing of it runs; if it had ended before, at once.
    ///
    /// Children and pools with [`Shutdown::Drain`](crate::Shutdown::Drain) handle what is queued before they stop. What others have
    /// queued is dropped, and counted in the report. To stop the root through its [`handle`](Self::handle) drains nothing.
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
    /// #     async fn handle(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let writer = Child::new::<Writer>("writer", ()).shutdown(Shutdown::Drain(Duration::from_secs(10)));
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
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree stops all the same.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.root.stop();
        let reason = self.join().await;
        let Dropped { messages, jobs } = self.root.dropped();
        let unstopped = nesting::unstopped(&self.root.node);
        ShutdownReport { reason, stragglers: unstopped, dropped_messages: messages, dropped_jobs: jobs }
    }

    /// Returns the system that it lives in.
    pub(super) fn system(&self) -> &System {
        &self.root.system
    }

    /// Whether its root gave up.
    pub(super) fn gave_up(&self) -> bool {
        self.root.node.book().gave_up
    }

    /// Waits for the end of the tree, whatever brings it; the reason. When it is ready, everything in the tree is refused.
    pub async fn join(&self) -> ExitReason {
        self.root.ended().await
    }
}

impl<H> fmt::Debug for App<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("tree", &self.tree()).finish_non_exhaustive()
    }
}

/// How a tree stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[must_use = "it says who did not stop in time"]
pub struct ShutdownReport {
    /// The reason with which the root ended.
    pub reason: ExitReason,
    /// Who did not stop in the time that its spec gives it; and who was abandoned before, because it may run still.
    pub stragglers: Vec<UnstoppedChild>,
    /// The number of messages that no actor has handled because of the stop: they waited in a mailbox that was closed, or were
    /// being handled by an actor that was killed. Not those of abandoned actors, which are among the [stragglers](Self::unstopped).
    pub dropped_messages: u64,
    /// The number of jobs that pools of the tree have dropped because of the stop.
    pub dropped_jobs: u64,
}

impl ShutdownReport {
    /// Returns `true` if every child stopped in time, and no message and no job was dropped.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.stragglers.is_empty() && self.dropped_messages == 0 && self.dropped_jobs == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, stragglers, dropped_messages, dropped_jobs } = self;
        write!(f, "stopped ({reason})")?;
        if self.is_clean() {
            return f.write_str(": all children in time, nothing dropped");
        }
        if !stragglers.is_empty() {
            f.write_str("; not in time:")?;
            for (n, UnstoppedChild { path, abandoned }) in stragglers.iter().enumerate() {
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
