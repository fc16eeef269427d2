//! The settings of a child that detect that it is unresponsive.

use std::sync::Arc;
use std::time::Duration;

use super::child::Child;
use super::probe::Probe;
use crate::policy::Liveness;

impl<M: Send + 'static, K> Child<M, K> {
    /// Restarts the child when a handler runs longer than `deadline`: see [`Liveness`]. The handler
    /// may await, block its thread or spin.
    ///
    /// The supervisor detects it within 1.5 deadlines, or within 2.5 deadlines if the handler never
    /// awaits. It can do so only while a thread is free to run it. On a runtime with one thread, a
    /// handler that never awaits blocks every task. On any other runtime it occupies one thread
    /// until it returns.
    ///
    /// Tokio reserves the task that a thread woke last for that thread (tokio issue 4941). The
    /// supervisor of a watched child is never reserved in this way by its children. Another task
    /// may be: the task that a handler wakes last before it blocks, for example a caller that it
    /// replied to, waits until the handler returns. If that task is an actor it is in no handler,
    /// so only a [`probe`](Self::probe) detects it.
    ///
    /// A [task](Child::task) has no handlers. Such a spec fails its check with
    /// [`SpecError::HandlerDeadlineOfTask`](crate::SpecError::HandlerDeadlineOfTask). A
    /// [watchdog](Self::watchdog) is for tasks too.
    pub fn handler_deadline(self, deadline: Duration) -> Self {
        self.liveness(|liveness| liveness.handler_deadline = Some(deadline))
    }

    /// Restarts the child when it works and does not ping its watchdog for this time: see
    /// [`Liveness`]. It is systemd's `WatchdogSec=`, and a ping is `WATCHDOG=1`.
    ///
    /// - **An actor** pings with [`Context::ping_watchdog`](perennial_actors::Context) in handlers
    ///   that take long. It is silent since the start of the current handler or since its last
    ///   ping. So an actor that is idle, or that handles many short messages, needs no ping.
    /// - **A [task](Child::task)** pings with
    ///   [`TaskContext::ping_watchdog`](crate::TaskContext::ping_watchdog). It is silent since its
    ///   start, its resumption or its last ping.
    /// - **A [ractor actor](Child::ractor)** has no such context. Without pings, which are possible
    ///   with [`ActorHandle::ping_watchdog`](perennial_actors::ActorHandle::ping_watchdog), this is
    ///   a handler deadline for it.
    ///
    /// The supervisor acts on a silent task when the time is over, and on a silent actor as soon as
    /// on one that exceeds its [`handler_deadline`](Self::handler_deadline). The child then has its
    /// [shutdown time](Self::shutdown) to stop. A time of zero
    /// [fails the check](crate::SpecError::ZeroLiveness) of the spec.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_actors::System;
    /// use perennial_supervision::{Child, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::time::pause();
    /// let poller = Child::task("poller", |ctx| async move {
    ///     loop {
    ///         poll().await;
    ///         ctx.ping_watchdog();
    ///     }
    /// });
    /// # async fn poll() { tokio::time::sleep(Duration::from_secs(10)).await }
    /// let poller = poller.watchdog(Duration::from_secs(30));
    /// let address = poller.address();
    /// let app = Supervisor::new("app").child(poller).start(&System::new()).await?;
    /// tokio::time::sleep(Duration::from_secs(3600)).await;
    /// assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(1));
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn watchdog(self, time: Duration) -> Self {
        self.liveness(|liveness| liveness.watchdog = Some(time))
    }

    /// Restarts the child when it does not answer a probe: see [`Probe`] and [`Liveness`].
    pub fn probe(self, probe: Probe<M>) -> Self {
        let policy = probe.policy;
        let mut child = self.liveness(|liveness| liveness.probe = Some(policy));
        child.probe = Some(probe);
        child
    }

    fn liveness(mut self, set: impl FnOnce(&mut Liveness)) -> Self {
        let mut liveness = self.policy.liveness.as_deref().cloned().unwrap_or_default();
        set(&mut liveness);
        self.policy.liveness = Some(Arc::new(liveness));
        self
    }
}
