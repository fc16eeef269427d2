//! Information about an actor that is read from outside, without its help.

use std::time::Duration;

use super::handle::ActorHandle;
use crate::pid::Pid;
use crate::system::{ProcessInfo, Suspensions};

impl ActorHandle {
    /// Returns the number of the actor's identity, as in [`Pid::identity`]; 0 before it is first
    /// opened.
    #[doc = actor_example!(
        r"let handle = counter.handle();
assert_eq!(Some(handle.identity()), handle.pid().map(|pid| pid.identity()));"
    )]
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.process().identity()
    }

    /// Returns the suspensions of the running incarnation. The cost is a few atomic loads.
    #[doc = actor_example!(r"counter.handle().suspend()?;
tokio::task::yield_now().await;
assert!(counter.handle().suspensions().is_suspended);")]
    #[must_use]
    pub fn suspensions(&self) -> Suspensions {
        self.process().suspensions()
    }

    /// Returns the running incarnation and how long its current handler has been observed running.
    ///
    /// Returns `None` if the actor is idle or not running, and while it is suspended, unless it
    /// acts on a signal. A handler here is a message, a signal, `init` or `terminate`.
    ///
    /// This is the time of one handler, not of the actor. Observation starts at the handler's first
    /// await, or at the first call here if it never awaits, because reading the clock for each
    /// message would cost as much as the message. The result never exceeds the true running time.
    /// The call is cheap and needs no help of the actor. Before ending an actor because of it,
    /// check that the [incarnation](ActorHandle::pid) is still the same.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # use std::time::Duration;
    /// struct Stuck;
    ///
    /// impl Actor for Stuck {
    ///     type Msg = ();
    ///     type Args = ();
    /// #   async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    ///
    ///     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         std::future::pending().await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::time::pause();
    /// let stuck = System::new().spawn::<Stuck>(()).await?;
    /// let handle = stuck.handle();
    /// tokio::time::sleep(Duration::from_secs(60)).await;
    /// assert_eq!(handle.busy_for(), None, "there is nothing to do");
    /// stuck.cast(())?;
    /// tokio::time::sleep(Duration::from_secs(5)).await;
    /// let (pid, time) = handle.busy_for().ok_or("it hangs")?;
    /// assert_eq!((Some(pid), time.as_secs()), (handle.pid(), 5));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn busy_for(&self) -> Option<(Pid, Duration)> {
        self.process().busy_for()
    }

    /// Pings the watchdog for this incarnation: see
    /// [`Context::ping_watchdog`](crate::Context::ping_watchdog). For tasks and threads that work
    /// for it. Does nothing if the incarnation has ended or was abandoned.
    #[doc = actor_example!(r#"let (handle, pid) = (counter.handle(), counter.pid().ok_or("it has ended")?);
handle.ping_watchdog(pid);
assert!(handle.last_ping().is_some());"#)]
    pub fn ping_watchdog(&self, incarnation: Pid) {
        if self.process().identity() == incarnation.identity() {
            self.process().ping(incarnation.incarnation());
        }
    }

    /// Returns the time since the running incarnation last pinged its watchdog, or `None` if it has
    /// not.
    #[doc = actor_example!(r#"assert_eq!(counter.handle().last_ping(), None);"#)]
    #[must_use]
    pub fn last_ping(&self) -> Option<Duration> {
        self.process().last_ping()
    }

    /// Returns a snapshot of the actor at this moment.
    #[doc = actor_example!(r"let info = counter.handle().info();
assert_eq!((info.incarnation, info.suspended, info.monitored_by), (1, false, 0));")]
    #[must_use]
    pub fn info(&self) -> ProcessInfo {
        self.process().info()
    }
}
