//! An address without the message type, for code that starts, stops and monitors actors.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::errors::NoProcessError;
use super::monitor::Monitor;
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::log::Level;
use crate::mailbox::ExitHook;
use crate::pid::Pid;
use crate::process::{poke_awaited, set_awaited, set_supervisor};
use crate::system::System;
use crate::system::{AnyProcess, ProcessState};

/// Controls one actor, whichever incarnation of it runs, without its message type.
#[derive(Clone)]
pub struct ActorHandle(Arc<dyn AnyProcess>);

impl ActorHandle {
    pub(super) fn new(process: Arc<dyn AnyProcess>) -> Self {
        Self(process)
    }

    pub(crate) const fn process(&self) -> &Arc<dyn AnyProcess> {
        &self.0
    }

    /// Returns the name of the actor's message type, for logs.
    #[doc = actor_example!(r#"assert!(counter.handle().message_type().ends_with("Msg"));"#)]
    #[must_use]
    pub fn message_type(&self) -> &'static str {
        self.0.message_type()
    }

    /// Queues a log line about the actor in its system; see [`System::log_later`]. Does nothing
    /// before the first start of the actor. For code that has no [`System`] at hand.
    pub fn log_later(&self, level: Level, line: impl FnOnce() + Send + 'static) {
        if let Some(log) = self.0.log() {
            log.push(level, line);
        }
    }

    /// Stops the running incarnation; see [`Address::stop`](crate::Address::stop).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.handle().stop(ExitReason::Normal)?;
assert_eq!(exit.await.reason, ExitReason::Normal);")]
    pub fn stop(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        self.0.send_control(None, ControlSignal::Stop(reason)).then_some(()).ok_or(NoProcessError)
    }

    /// Lets the running incarnation handle all queued messages in order, and then ends it with this
    /// reason.
    ///
    /// From now on the mailbox refuses messages as if it was closed, and each goes back to its
    /// sender. So do the messages of senders that wait for room, and messages sent with a
    /// [`Permit`](crate::Permit). The actor cannot send itself a message either, but it still
    /// handles what it [continues with](crate::Context::continue_with). Timers and piped futures
    /// that are not due by the last message end with the incarnation.
    ///
    /// A later [`stop`](Self::stop), exit signal or [`kill`](Self::kill) does not wait for the
    /// messages. A suspended actor is resumed. There is no time limit. Messages that no incarnation
    /// has handled when the mailbox is closed become dead letters.
    ///
    /// If a supervisor restarts the actor, its mailbox accepts messages again.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running, or if it is draining already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # struct Writer;
    /// # impl Actor for Writer {
    /// #     type Msg = u32;
    /// #     type Args = ();
    /// #     async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// # async fn handle(&mut self, _: u32, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let writer = system.spawn::<Writer>(()).await?;
    /// for entry in 0..100 {
    ///     writer.cast(entry)?;
    /// }
    /// let down = writer.monitor();
    /// writer.handle().drain(ExitReason::shutdown())?;
    /// assert!(writer.cast(100).is_err(), "it refuses new messages");
    /// assert!(!down.await.reason.is_abnormal());
    /// assert_eq!(writer.handle().counters().handled, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        self.0.drain(reason).then_some(()).ok_or(NoProcessError)
    }

    /// Kills the running incarnation at its next await; see
    /// [`Address::kill`](crate::Address::kill).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.handle().kill()?;
assert_eq!(exit.await.reason, ExitReason::Killed);")]
    pub fn kill(&self) -> Result<(), NoProcessError> {
        self.0.mailbox().kill().then_some(()).ok_or(NoProcessError)
    }

    /// Sends an exit signal without a sender, like the signal of a link whose other end has exited.
    ///
    /// It ends the running incarnation with this reason, with two exceptions:
    /// [`Normal`](ExitReason::Normal) does nothing, and an actor that [traps
    /// exits](crate::Context::trap_exits) receives the signal instead. To end an actor in every
    /// case, [`stop`](Self::stop) it.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"let exit = counter.monitor();
counter.handle().send_exit(ExitReason::shutdown())?;
assert_eq!(exit.await.reason, ExitReason::shutdown());")]
    pub fn send_exit(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        let exit = Exit { from: None, reason, source: ExitSource::Other };
        self.0.send_control(None, ControlSignal::Exit(Box::new(exit))).then_some(()).ok_or(NoProcessError)
    }

    /// Returns a future that resolves when the current incarnation has ended; see [`Monitor`].
    #[doc = actor_example!(r"let exit = counter.handle().monitor();
counter.stop(ExitReason::Normal)?;
assert_eq!(exit.await.reason, ExitReason::Normal);")]
    #[must_use = "the monitor is a future, and is removed when it is dropped"]
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.0.clone())
    }

    /// Registers `hook` to run when the actor is closed, before any monitor is notified. Returns
    /// `false`, and drops the hook, if the actor is closed already.
    #[doc = actor_example!(r#"let (sender, closed) = tokio::sync::oneshot::channel();
assert!(counter.handle().on_close(|| drop(sender.send("closed"))));
counter.stop(ExitReason::Normal)?;
assert_eq!(closed.await?, "closed");"#)]
    pub fn on_close(&self, hook: impl FnOnce() + Send + 'static) -> bool {
        self.add_close_hook(hook).is_some()
    }

    /// Registers `hook` to run with the exit reason when this incarnation has ended or was
    /// abandoned, before any link or monitor is notified. Returns `false`, and drops the hook, if
    /// that incarnation is not running.
    #[doc = actor_example!(r#"let (sender, ended) = tokio::sync::oneshot::channel();
let pid = counter.pid().ok_or("it has ended")?;
assert!(counter.handle().on_end(pid, |reason| drop(sender.send(reason.clone()))));
counter.kill()?;
assert_eq!(ended.await?, ExitReason::Killed);"#)]
    pub fn on_end(&self, incarnation: Pid, hook: impl FnOnce(&ExitReason) + Send + 'static) -> bool {
        let number = Some(incarnation.incarnation());
        self.0.identity() == incarnation.identity()
            && self
                .0
                .mailbox()
                .hook(ExitHook { name: None, incarnation: number, run: Box::new(hook) })
                .is_ok()
    }

    /// Registers `hook` to run when the actor is closed, before any link or monitor is notified.
    /// Returns the key that removes it, or `None`, and drops the hook, if the actor is closed
    /// already.
    #[doc = actor_example!(r#"let handle = counter.handle();
let hook = handle.add_close_hook(|| {}).ok_or("it has ended")?;
assert!(handle.has_close_hook(hook));
assert!(handle.remove_close_hook(hook));"#)]
    pub fn add_close_hook(&self, hook: impl FnOnce() + Send + 'static) -> Option<CloseHook> {
        self.on_close_of(None, hook)
    }

    /// Registers a name of the actor and the `hook` that frees it; see
    /// [`add_close_hook`](Self::add_close_hook).
    ///
    /// For registries: [`ProcessInfo::names`](crate::ProcessInfo::names) lists the name while the
    /// hook is registered.
    #[doc = actor_example!(r#"let hook = counter.handle().add_name("counter", || {});
assert!(hook.is_some());
assert_eq!(counter.handle().info().names, ["counter"]);"#)]
    pub fn add_name(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: impl FnOnce() + Send + 'static,
    ) -> Option<CloseHook> {
        self.on_close_of(Some(name.into()), hook)
    }

    fn on_close_of(
        &self,
        name: Option<Cow<'static, str>>,
        hook: impl FnOnce() + Send + 'static,
    ) -> Option<CloseHook> {
        let hook = ExitHook { name, incarnation: None, run: Box::new(|_| hook()) };
        self.0.mailbox().hook(hook).ok().map(CloseHook)
    }

    /// Removes a hook of this actor that has not run, with its name, and drops it. Returns `true`
    /// if it was registered.
    pub fn remove_close_hook(&self, hook: CloseHook) -> bool {
        self.0.mailbox().remove_close_hook(hook.0).is_some()
    }

    /// Returns `true` if the hook is registered with this actor: it was not removed and has not
    /// run.
    #[must_use]
    pub fn has_close_hook(&self, hook: CloseHook) -> bool {
        self.0.mailbox().has_close_hook(hook.0)
    }

    /// Returns why no incarnation is running and when the supervisor starts the next one.
    ///
    /// Returns `None` if an incarnation is running, if none is pending, or if the supervisor has
    /// not handled the exit yet.
    #[doc = actor_example!(
        r#"assert!(counter.handle().pending_restart().is_none(), "it is running");"#
    )]
    #[must_use]
    pub fn pending_restart(&self) -> Option<PendingRestart> {
        self.0.pending_restart().map(|(reason, retry_in)| PendingRestart { reason, retry_in })
    }

    /// Sets the actor that starts this one. For supervisors.
    ///
    /// If the `init` of another child waits for this actor, and this actor is started only after
    /// that `init`, the waiting call fails instead of deadlocking.
    pub fn set_supervisor(&self, supervisor: &Self) {
        set_supervisor(&*self.0, Arc::downgrade(&supervisor.0));
    }

    /// Sets the child whose start this actor waits for before it starts any other child. For
    /// supervisors.
    pub fn set_awaited_child(&self, child: Option<&Self>) {
        set_awaited(&*self.0, child.map(|child| Arc::downgrade(&child.0)));
    }

    /// Makes the child whose start this actor waits for check again whether it waits for a child
    /// that cannot start. For supervisors, after another child has ended.
    pub fn wake_awaited_child(&self) {
        poke_awaited(&*self.0);
    }

    /// Returns `true` if both actors belong to the same system. An actor that was never started
    /// belongs to none.
    #[doc = actor_example!(r"assert!(counter.handle().is_in_system_of(&counter.handle()));")]
    #[must_use]
    pub fn is_in_system_of(&self, other: &Self) -> bool {
        self.0.system_key().is_some_and(|key| other.0.system_key() == Some(key))
    }

    /// Returns the running incarnation, or `None` if there is none.
    #[doc = actor_example!(r"assert_eq!(counter.handle().pid(), counter.pid());")]
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.state().pid()
    }

    /// Returns whether an incarnation is running, is pending, or will never run again.
    #[doc = actor_example!(r"assert!(matches!(counter.handle().state(), ProcessState::Alive(_)));")]
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.0.state()
    }

    /// Returns the path of the actor in its tree, or its type; `None` before its first start.
    #[doc = actor_example!(
        r#"assert!(counter.handle().label().is_some_and(|label| label.ends_with("Counter")));"#
    )]
    #[must_use]
    pub fn label(&self) -> Option<Arc<str>> {
        self.0.label()
    }

    /// Returns the message counts of its mailbox.
    #[doc = actor_example!(r"counter.call(Msg::Get).await?;
assert_eq!(counter.handle().counters().accepted, 1);")]
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.mailbox().counters()
    }
}

/// The key of a hook that runs when its actor is closed; see [`ActorHandle::add_close_hook`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseHook(u64);

/// The gap between two incarnations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingRestart {
    /// Why the last incarnation ended, or why the last attempt to start the next one failed.
    pub reason: ExitReason,
    /// The time from now until the next start. Zero means at once.
    pub retry_in: Duration,
}

impl System {
    /// Returns every actor of the system: running ones, pending ones, and ended ones that an
    /// address still references.
    #[doc = actor_example!(r"assert_eq!(system.processes(), [counter.handle()]);")]
    #[must_use]
    pub fn processes(&self) -> Vec<ActorHandle> {
        self.table().living().into_iter().map(ActorHandle::new).collect()
    }

    /// Returns the actor with this incarnation, running or not, or `None` if the actor was freed.
    /// `pid` must be of this system: other systems use the same numbers.
    ///
    /// The handle leads to the actor's [address](ActorHandle::address). The search takes time that
    /// grows with the number of actors, so keep the handle if it is needed often.
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
    /// let sink = system.spawn::<Sink>(()).await?;
    /// let pid = sink.pid().ok_or("it has ended")?;
    /// let found = system.actor(pid).and_then(|actor| actor.address::<u64>());
    /// assert_eq!(found, Some(sink));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn actor(&self, pid: Pid) -> Option<ActorHandle> {
        self.actor_with_identity(pid.identity())
    }

    /// Returns the actor whose identity has this number: see [`actor`](Self::actor).
    #[doc = actor_example!(
        r"let identity = counter.handle().identity();
assert_eq!(system.actor_with_identity(identity), Some(counter.handle()));"
    )]
    #[must_use]
    pub fn actor_with_identity(&self, identity: u64) -> Option<ActorHandle> {
        self.table().find(identity).map(ActorHandle::new)
    }
}

impl PartialEq for ActorHandle {
    /// Returns `true` if both control the same actor.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for ActorHandle {}

impl Hash for ActorHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for ActorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorHandle").field("label", &self.0.label()).field("state", &self.state()).finish()
    }
}
