//! The restart rules of a child beside its restart type: conditions, start limits, and first starts
//! that are tried again. They are systemd's.

use std::time::Duration;

use perennial_actors::ExitReason;

use super::child::Child;
use crate::policy::Backoff;

impl<M: Send + 'static> Child<M> {
    /// Restarts the child if `condition` returns `true` for its exit reason. systemd's `Restart=`,
    /// whose settings are [functions of `Restart`](crate::Restart::on_success).
    ///
    /// The condition decides in place of the restart type: the last call of this and of
    /// [`restart`](Self::restart) counts. A child that it does not restart stays as a stopped one,
    /// as a [transient](crate::Restart::Transient) child does. The condition also decides about a
    /// start that fails in a restart. It is not asked when the child is stopped.
    ///
    /// The condition runs in a task of its own, never in the supervisor. Until it returns, the
    /// child is [restarting](crate::ChildState::Restarting), and the supervisor goes on. If it
    /// panics, the panic is logged and the child restarts.
    ///
    /// # Examples
    ///
    /// systemd's `Restart=on-failure` with a `RestartPreventExitStatus=`, by the type of the error:
    ///
    /// ```
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::{Child, ChildState, Restart, Supervisor};
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("the config is invalid")]
    /// struct InvalidConfig;
    ///
    /// fn is_final(reason: &ExitReason) -> bool {
    ///     reason.error().is_some_and(|error| error.is::<InvalidConfig>())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = Child::task("service", |_| async { Err(InvalidConfig.into()) })
    ///     .restart_if(|reason| Restart::on_failure(reason) && !is_final(reason));
    /// let app = Supervisor::new("app").child(service).start(&System::new()).await?;
    /// let supervisor = app.supervisor();
    /// while supervisor.which_child("service").await?.state != ChildState::Stopped {
    ///     tokio::task::yield_now().await;
    /// }
    /// assert_eq!(supervisor.which_child("service").await?.restarts, 0);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_if(mut self, condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> Self {
        self.policy.set_condition(condition);
        self
    }

    /// Allows `burst` starts of the child within `interval`. systemd's `StartLimitBurst=` and
    /// `StartLimitIntervalSec=`, whose defaults are 5 and 10 seconds.
    ///
    /// If one more start is needed, the child ends as [failed](crate::ChildState::Failed) at once,
    /// not after its delay: it is not restarted, its mailbox is closed, and its supervisor
    /// [reports](crate::ReportKind::StartLimitHit) it. Its siblings go on. Neither a restart of its
    /// group nor another incarnation of itself brings it back, only a request or the next
    /// incarnation of its supervisor. A temporary child, and a child of a dynamic supervisor, is
    /// removed. If it is [significant](Self::significant), its end counts for the automatic
    /// shutdown.
    ///
    /// Every start counts, as in systemd: the first, each restart, those with its group, and those
    /// by request. While the limit holds, [`restart_child`](crate::SupervisorHandle::restart_child)
    /// is refused. It holds until the interval has passed, or until
    /// [`reset_failed`](crate::SupervisorHandle::reset_failed).
    ///
    /// **No restart of a child with a start limit counts for the intensity** of its supervisor: the
    /// child has a limit of its own, and a child that fails does not end its siblings.
    ///
    /// A limit with a zero is [`SpecError::ZeroStartLimit`](crate::SpecError::ZeroStartLimit).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::{Child, ChildState, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = Child::task("service", |_| async { Err("no disk".into()) })
    ///     .start_limit(5, Duration::from_secs(10));
    /// let clock = Child::task("clock", |_| std::future::pending());
    /// let app = Supervisor::new("app").child(clock).child(service).start(&System::new()).await?;
    /// let supervisor = app.supervisor();
    /// while supervisor.which_child("service").await?.state != ChildState::Failed {
    ///     tokio::task::yield_now().await;
    /// }
    /// assert_eq!(supervisor.which_child("service").await?.restarts, 4);
    /// assert_eq!(supervisor.which_child("clock").await?.state, ChildState::Running);
    /// supervisor.reset_failed("service").await?;
    /// supervisor.restart_child("service").await?;
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_limit(mut self, burst: u32, interval: Duration) -> Self {
        self.policy.set_start_limit(burst, interval);
        self
    }

    /// Tries the first start of the child again while it fails, after these delays. By default, the
    /// start of a supervisor fails if a child of its spec does not start.
    ///
    /// - The start of the supervisor does not wait for such a retry, and neither do later siblings:
    ///   they start in order, right after the first attempt has failed. This is systemd's `Wants=`
    ///   with `After=`. Messages for the child queue meanwhile.
    /// - An attempt has failed when its `init` fails, at its
    ///   [`start_timeout`](Self::start_timeout), or when it ends before it is
    ///   [ready](perennial_actors::Context::ready). A first attempt that succeeds is awaited as any
    ///   first start.
    /// - The retries count for no intensity. A [start limit](Self::start_limit) counts them, and a
    ///   [condition](Self::restart_if) decides about each. Without a start limit the supervisor
    ///   tries forever.
    /// - A late start restarts no sibling. From then on, the child restarts as its other rules say,
    ///   beginning with the first delay of its [backoff](Self::backoff).
    ///
    /// A child that is started by request is not tried again: the request returns the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use perennial_actors::{Actor, Context, ExitReason, System};
    /// use perennial_supervision::{Backoff, Child, ChildState, Supervisor};
    ///
    /// /// A connection to a server that is not up yet.
    /// struct Connection;
    ///
    /// impl Actor for Connection {
    ///     type Msg = ();
    ///     type Args = ();
    ///     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         Err("connection refused".into())
    ///     }
    ///     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let delays = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
    /// let connection = Child::new::<Connection>("connection", ()).retry_start(delays);
    /// let app = Supervisor::new("app").child(connection).start(&System::new()).await?;
    /// let connection = app.supervisor().which_child("connection").await?;
    /// assert_eq!(connection.state, ChildState::Restarting);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_start(mut self, delays: Backoff) -> Self {
        self.policy.set_retry_start(delays);
        self
    }
}
