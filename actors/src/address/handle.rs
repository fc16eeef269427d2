//! An address without the type of the messages, for those who only start, stop and watch.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::errors::NoProcessError;
use super::monitor::Monitor;
use crate::any_process::{AnyProcess, ProcessState};
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::log::Level;
use crate::mailbox::ExitHook;
use crate::pid::Pid;
use crate::process::{poke_awaited, set_awaited, set_supervisor};
use crate::system::System;

/// Controls one actor, whichever incarnation of it lives, without knowing its messages.
#[derive(Clone)]
pub struct ActorHandle(Arc<dyn AnyProcess>);

impl ActorHandle {
    pub(super) fn new(process: Arc<dyn AnyProcess>) -> Self {
        Self(process)
    }

    pub(crate) const fn process(&self) -> &Arc<dyn AnyProcess> {
        &self.0
    }

    /// The name of the type of the messages that the actor takes, for people to read.
    #[must_use]
    pub fn message_type(&self) -> &'static str {
        self.0.message_type()
    }

    /// Queues a log line about the actor in its system: see [`System::log_later`]. Does nothing before
    /// the first start of the actor. For code that knows no system, as what runs in a publisher.
    pub fn log_later(&self, level: Level, line: impl FnOnce() + Send + 'static) {
        if let Some(log) = self.0.log() {
            log.push(level, line);
        }
    }

    /// Tells the live incarnation to end; see [`Address::stop`](crate::Address::stop).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn stop(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        self.0.send_control(None, ControlSignal::Stop(reason)).then_some(()).ok_or(NoProcessError)
    }

    /// Tells the live incarnation to handle the messages that are queued, in their order, and then to end for this reason.
    ///
    /// From now on the mailbox refuses messages as if it was closed, and each comes back to its sender. So do those of senders
    /// that wait for room, and those that are sent with a [`Permit`](crate::Permit). An actor cannot send itself a message then;
    /// what it [continues with](crate::Context::continue_with) it still does. Timers and piped futures that are not due by the
    /// last message end with the incarnation.
    ///
    /// A [`stop`](Self::stop), an exit signal or a [`kill`](Self::kill) that comes later does not wait for the messages. An actor
    /// that is suspended is resumed. Nothing bounds the time that this takes. What no incarnation has handled when the mailbox is
    /// closed becomes dead letters.
    ///
    /// If a supervisor starts the actor again, its mailbox accepts messages again.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives, or if it is draining already.
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
    /// #     async fn handle(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
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

    /// Tells the live incarnation to die at its next await; see [`Address::kill`](crate::Address::kill).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn kill(&self) -> Result<(), NoProcessError> {
        self.0.kill().then_some(()).ok_or(NoProcessError)
    }

    /// Sends an exit signal by hand: what a link sends when its other end has ended, from nobody in particular.
    ///
    /// It ends the live incarnation with this reason, unless the reason is [`Normal`](ExitReason::Normal), which does nothing, or
    /// the actor [traps exits](crate::Context::trap_exits): then it is told. To end an actor for certain,
    /// [`stop`](Self::stop) it.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn send_exit(&self, reason: ExitReason) -> Result<(), NoProcessError> {
        let exit = Exit { from: None, reason, source: ExitSource::Other };
        self.0.send_control(None, ControlSignal::Exit(Box::new(exit))).then_some(()).ok_or(NoProcessError)
    }

    /// Resolves when the incarnation that lives now has ended; see [`Monitor`].
    #[must_use = "the monitor is a future, and is taken back when it is dropped"]
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.0.clone())
    }

    /// Runs `hook` when nobody serves the actor any more and nobody is due to, before any monitor hears of it. False, and the
    /// hook is dropped, if that is so now.
    pub fn on_close(&self, hook: impl FnOnce() + Send + 'static) -> bool {
        self.0.hook(ExitHook { name: None, incarnation: None, run: Box::new(|_| hook()) }).is_ok()
    }

    /// Runs `hook` with the reason when this incarnation of the actor has ended, or was abandoned, before any link or monitor hears of
    /// it. False, and the hook is dropped, if it does not live now.
    pub fn on_end(&self, incarnation: Pid, hook: impl FnOnce(&ExitReason) + Send + 'static) -> bool {
        let number = Some(incarnation.incarnation());
        self.0.identity() == incarnation.identity()
            && self.0.hook(ExitHook { name: None, incarnation: number, run: Box::new(hook) }).is_ok()
    }

    /// Registers `hook` to run when the actor is closed, before any link or monitor is told. Returns the key to remove it with,
    /// or `None`, having dropped the hook, if the actor is closed now.
    pub fn add_close_hook(&self, hook: impl FnOnce() + Send + 'static) -> Option<CloseHook> {
        self.0.hook(ExitHook { name: None, incarnation: None, run: Box::new(|_| hook()) }).ok().map(CloseHook)
    }

    /// Registers a name of the actor and the `hook` that frees it, as [`add_close_hook`](Self::add_close_hook) does. For
    /// registries: [`ProcessInfo::names`](crate::ProcessInfo::names) lists the name while the hook is registered.
    pub fn add_name(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: impl FnOnce() + Send + 'static,
    ) -> Option<CloseHook> {
        let hook = ExitHook { name: Some(name.into()), incarnation: None, run: Box::new(|_| hook()) };
        self.0.hook(hook).ok().map(CloseHook)
    }

    /// Removes a hook that was registered with this actor and has not run, with its name. Returns `true` if it was there.
    ///
    /// The hook is dropped here.
    pub fn remove_close_hook(&self, hook: CloseHook) -> bool {
        self.0.remove_close_hook(hook.0)
    }

    /// Returns `true` if a hook is registered with this actor: it was not removed, and the actor was not closed since.
    #[must_use]
    pub fn has_close_hook(&self, hook: CloseHook) -> bool {
        self.0.has_close_hook(hook.0)
    }

    /// Why there is no incarnation at this moment, and in how long its supervisor begins the next one; none if one lives, if none is due,
    /// or if the supervisor has not got to it yet.
    #[must_use]
    pub fn pending_restart(&self) -> Option<PendingRestart> {
        self.0.pending_restart().map(|(reason, retry_in)| PendingRestart { reason, retry_in })
    }

    /// Sets the actor that starts this one. For supervisors: an init of another child that waits for this one while it is down,
    /// and is started only after that init, gets an error.
    pub fn set_supervisor(&self, supervisor: &Self) {
        set_supervisor(&*self.0, Arc::downgrade(&supervisor.0));
    }

    /// Sets the child whose start this actor waits for before it starts any other, if there is one. For supervisors.
    pub fn set_awaited_child(&self, child: Option<&Self>) {
        set_awaited(&*self.0, child.map(|child| Arc::downgrade(&child.0)));
    }

    /// Has the child whose start this actor waits for look again at what it waits for itself. For supervisors: another child has
    /// ended.
    pub fn wake_awaited_child(&self) {
        poke_awaited(&*self.0);
    }

    /// Returns `true` if both actors belong to the same system. An actor that was never started belongs to none.
    #[must_use]
    pub fn is_in_system_of(&self, other: &Self) -> bool {
        self.0.system_key().is_some_and(|key| other.0.system_key() == Some(key))
    }

    /// The live incarnation, if there is one.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.state().pid()
    }

    /// Whether somebody serves the actor, or is due to.
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.0.state()
    }

    /// Where it stands in its tree, or its type; none before it is first opened.
    #[must_use]
    pub fn label(&self) -> Option<Arc<str>> {
        self.0.label()
    }

    /// The accounts of its mailbox.
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.counters()
    }
}

/// The key of a hook that runs when its actor is closed; see [`ActorHandle::add_close_hook`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseHook(u64);

/// The time between two incarnations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingRestart {
    /// Why the one before has ended, or why the last try to start the next has failed.
    pub reason: ExitReason,
    /// In how long the next one is begun, counted from now: at once if zero.
    pub retry_in: Duration,
}

impl System {
    /// Every actor of the system: those that live, those that are due, and those that have ended and are still known to somebody.
    #[must_use]
    pub fn processes(&self) -> Vec<ActorHandle> {
        self.living().into_iter().map(ActorHandle::new).collect()
    }

    /// Returns the actor that has or had this incarnation, or `None` if nothing of it is left. `pid` is to be of this system:
    /// other systems use the same numbers.
    ///
    /// The handle leads to the actor's [address](ActorHandle::address). To find it takes time that grows with the number of actors;
    /// keep the handle where it is needed often.
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
    /// let sink = system.spawn::<Sink>(()).await?;
    /// let pid = sink.pid().ok_or("it has ended")?;
    /// let found = system.actor(pid).and_then(|actor| actor.address::<u64>());
    /// assert_eq!(found, Some(sink));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn actor(&self, pid: Pid) -> Option<ActorHandle> {
        self.find(pid.identity()).map(ActorHandle::new)
    }
}

impl PartialEq for ActorHandle {
    /// Whether both control the same actor.
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
        f.debug_struct("Handle").field("label", &self.0.label()).field("state", &self.state()).finish()
    }
}
