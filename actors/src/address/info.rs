//! What there is to know of an actor from outside, without its help.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::handle::ActorHandle;
use crate::any_process::{ProcessState, Suspensions};
use crate::counters::MessageStats;
use crate::pid::Pid;
use crate::signal::MonitorId;

/// What there is to know of an actor at one moment. OTP's `process_info`.
///
/// Nothing in it needs the help of the actor: it can be had of one that hangs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Where it stands in its tree, or its type; none before it is first opened.
    pub label: Option<Arc<str>>,
    /// The names that it bears.
    pub names: Vec<Cow<'static, str>>,
    /// Whether it lives, and which incarnation does.
    pub state: ProcessState,
    /// The number of the newest incarnation, living or not; 0 if there was none.
    pub incarnation: u32,
    /// The accounts of its mailbox: how many messages wait, and how many were handled.
    pub counters: MessageStats,
    /// For how long the live incarnation has been seen at what it does now; none if it waits for something to do.
    ///
    /// A handler is seen when it first awaits, and by the first look at it that comes while it runs. So this is never longer than
    /// the handler has really been running; of one that blocks its thread, it is as long as somebody has been looking. The same as
    /// [`ActorHandle::busy_for`].
    pub busy_for: Option<Duration>,
    /// Whether it was [suspended](ActorHandle::suspend).
    pub suspended: bool,
    /// Whether it [traps exits](crate::Context::trap_exits).
    pub trap_exits: bool,
    /// The incarnations that the live one is linked to.
    pub links: Vec<Pid>,
    /// The monitors that the live incarnation has set.
    pub monitors: Vec<MonitorId>,
    /// How many monitors watch it.
    pub monitored_by: usize,
}

impl ActorHandle {
    /// Returns the suspensions of the live incarnation. Costs a few loads.
    #[must_use]
    pub fn suspensions(&self) -> Suspensions {
        self.process().suspensions()
    }

    /// Which incarnation is at something now, and for how long it has been seen at it: a message, a signal, its init, its terminate.
    /// None if it waits for something to do, or nobody lives; and so when it is suspended, unless it acts on a signal.
    ///
    /// It is the time of this one handler, not of the actor: after a thousand short messages it is as little as the last one took.
    /// It begins with the first await of the handler, or with the first look at one that never awaits, and is never longer than the
    /// handler has been running. Cheap, and needs no help of the actor. Whoever ends an actor for this must see that it is still
    /// [that](ActorHandle::pid) incarnation which lives.
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

    /// What there is to know of the actor at this moment.
    #[must_use]
    pub fn info(&self) -> ProcessInfo {
        let process = self.process();
        let conduct = process.flags();
        ProcessInfo {
            label: self.label(),
            names: process.names(),
            state: self.state(),
            incarnation: process.latest_incarnation(),
            counters: self.counters(),
            busy_for: conduct.busy_for,
            suspended: conduct.suspended,
            trap_exits: conduct.trap_exits,
            links: conduct.links,
            monitors: conduct.monitors,
            monitored_by: process.watchers(),
        }
    }
}
