//! An address without the type of the messages, for those who only start, stop and watch.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::errors::NoProcess;
use super::monitor::Monitor;
use crate::counters::Counters;
use crate::exit::ExitReason;
use crate::mailbox::Hook;
use crate::order::{Exit, Order, Sender};
use crate::pid::Pid;
use crate::process::{poke_awaited, set_awaited, set_supervisor};
use crate::system::System;
use crate::untyped::{AnyProcess, ProcessState};

/// Controls one actor, whichever incarnation of it lives, without knowing its messages.
#[derive(Clone)]
pub struct Handle(Arc<dyn AnyProcess>);

impl Handle {
    pub(super) fn new(process: Arc<dyn AnyProcess>) -> Self {
        Self(process)
    }

    pub(crate) const fn process(&self) -> &Arc<dyn AnyProcess> {
        &self.0
    }

    /// The name of the type of the messages that the actor takes, for people to read.
    #[must_use]
    pub fn messages(&self) -> &'static str {
        self.0.messages()
    }

    /// Tells the live incarnation to end; see [`Address::stop`](crate::Address::stop).
    ///
    /// # Errors
    ///
    /// [`NoProcess`] if no incarnation lives.
    pub fn stop(&self, reason: ExitReason) -> Result<(), NoProcess> {
        self.0.order(None, Order::Stop(reason)).then_some(()).ok_or(NoProcess)
    }

    /// Tells the live incarnation to die at its next await; see [`Address::kill`](crate::Address::kill).
    ///
    /// # Errors
    ///
    /// [`NoProcess`] if no incarnation lives.
    pub fn kill(&self) -> Result<(), NoProcess> {
        self.0.kill().then_some(()).ok_or(NoProcess)
    }

    /// Sends an exit signal by hand: what a link sends when its other end has ended, from nobody in particular.
    ///
    /// It ends the live incarnation with this reason, unless the reason is [`Normal`](ExitReason::Normal), which does nothing, or
    /// the actor [traps exits](crate::Context::trap_exits): then it is told. To end an actor for certain,
    /// [`stop`](Self::stop) it.
    ///
    /// # Errors
    ///
    /// [`NoProcess`] if no incarnation lives.
    pub fn send_exit(&self, reason: ExitReason) -> Result<(), NoProcess> {
        let exit = Exit { from: None, reason, by: Sender::Other };
        self.0.order(None, Order::Exit(Box::new(exit))).then_some(()).ok_or(NoProcess)
    }

    /// Resolves when the incarnation that lives now has ended; see [`Monitor`].
    #[must_use = "the monitor is a future, and is taken back when it is dropped"]
    pub fn monitor(&self) -> Monitor {
        Monitor::of(self.0.clone())
    }

    /// Runs `hook` when nobody serves the actor any more and nobody is due to, before any monitor hears of it. False, and the
    /// hook is dropped, if that is so now.
    pub fn on_close(&self, hook: impl FnOnce() + Send + 'static) -> bool {
        self.0.hook(Hook { name: None, incarnation: None, run: Box::new(|_| hook()) }).is_ok()
    }

    /// Runs `hook` with the reason when this incarnation of the actor has ended, or was abandoned, before any link or monitor hears of
    /// it. False, and the hook is dropped, if it does not live now.
    pub fn on_end(&self, incarnation: Pid, hook: impl FnOnce(&ExitReason) + Send + 'static) -> bool {
        let number = Some(incarnation.incarnation());
        self.0.identity() == incarnation.identity()
            && self.0.hook(Hook { name: None, incarnation: number, run: Box::new(hook) }).is_ok()
    }

    /// Says that the actor bears a name, which `give_up` frees when nobody serves the actor any more, before any link or monitor
    /// hears of it. False if that is so now: then the name was not taken. For registries.
    pub fn bear_name(
        &self,
        name: impl Into<Cow<'static, str>>,
        give_up: impl FnOnce() + Send + 'static,
    ) -> bool {
        self.0.hook(Hook { name: Some(name.into()), incarnation: None, run: Box::new(|_| give_up()) }).is_ok()
    }

    /// Says that the actor does not bear a name any more, which was given up. False if it did not. For registries.
    pub fn lay_down_name(&self, name: &str) -> bool {
        self.0.unname(name)
    }

    /// Whether the actor bears a name, which it gives up when nobody serves it any more. For registries.
    #[must_use]
    pub fn bears_name(&self, name: &str) -> bool {
        self.0.names().iter().any(|borne| borne == name)
    }

    /// Why there is no incarnation at this moment, and in how long its supervisor begins the next one; none if one lives, if none is due,
    /// or if the supervisor has not got to it yet.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.0.outage().map(|(reason, retry_in)| Outage { reason, retry_in })
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
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }
}

/// The time between two incarnations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outage {
    /// Why the one before has ended, or why the last try to start the next has failed.
    pub reason: ExitReason,
    /// In how long the next one is begun, counted from now: at once if zero.
    pub retry_in: Duration,
}

impl System {
    /// Every actor of the system: those that live, those that are due, and those that have ended and are still known to somebody.
    #[must_use]
    pub fn processes(&self) -> Vec<Handle> {
        self.living().into_iter().map(Handle::new).collect()
    }
}

impl PartialEq for Handle {
    /// Whether both control the same actor.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("label", &self.0.label()).field("state", &self.state()).finish()
    }
}
