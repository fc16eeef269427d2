//! Links, monitors and exit signals, from inside an actor.

use super::traits::{Actor, Context};
use crate::address::{ActorHandle, NoProcessError};
use crate::any_process::AnyProcess;
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::signal::MonitorId;

/// # Links, monitors and exit signals
///
/// They belong to this incarnation and to the incarnation of the other actor that lives now; none is carried over a restart.
impl<A: Actor> Context<A> {
    /// Links this incarnation and the one of `other` that lives: when either ends, the other is sent an exit signal.
    ///
    /// An exit signal ends whoever gets it, with the same reason, unless the reason is [`Normal`](ExitReason::Normal) or the
    /// actor [traps exits](Self::trap_exits). It acts at the next await, inside a handler too. A link is mutual, and there is one at most: to link twice is to link once.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation of `other` lives in this system. An actor that traps exits is sent an exit signal with
    /// [`ExitReason::NoProcess`] instead, from the incarnation that was there last.
    pub fn link(&mut self, other: &ActorHandle) -> Result<(), NoProcessError> {
        let own = self.attachment();
        if own.process().link(own.incarnation(), other.process(), false) {
            return Ok(());
        }
        if !own.process().activity.is_trapping() {
            return Err(NoProcessError);
        }
        // The one that ended, and not nobody: who traps has to know which of its links this is about.
        let exit = Exit {
            from: other.process().latest_pid(),
            reason: ExitReason::NoProcess,
            source: ExitSource::Other,
        };
        own.process().send_control(Some(own.incarnation()), ControlSignal::Exit(Box::new(exit)));
        Ok(())
    }

    /// Takes the link back. Nothing comes of it any more once this returns; an exit signal that had arrived before stays.
    pub fn unlink(&mut self, other: &ActorHandle) {
        let own = self.attachment();
        own.process().unlink(own.incarnation(), other.process());
    }

    /// Has exit signals told to [`Actor::signal`] instead of ending the actor, whatever their reason. Tells what it was before.
    ///
    /// What counts is whether it traps when the signal is acted upon. Three things are not trapped: a kill, a
    /// [`stop`](ActorHandle::stop), and an exit signal of the parent, who started this actor [linked](crate::Spawn::linked_to):
    /// from its end or sent by hand.
    pub fn trap_exits(&mut self, trap: bool) -> bool {
        let own = self.attachment();
        // An incarnation whose mailbox was taken away must not speak for the next one.
        if own.is_attached() { own.process().activity.trap(trap) } else { trap }
    }

    /// Sends an exit signal by hand, to anybody, this actor included; no link is needed. See [`ActorHandle::send_exit`].
    ///
    /// Sent to oneself, [`Normal`](ExitReason::Normal) ends too, as in OTP.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn send_exit(&mut self, to: &ActorHandle, reason: ExitReason) -> Result<(), NoProcessError> {
        let from = self.pid();
        let oneself = to.pid() == Some(from);
        let by = if oneself { ExitSource::SelfSent } else { ExitSource::Other };
        let order = ControlSignal::Exit(Box::new(Exit { from: Some(from), reason, source: by }));
        to.process().send_control(None, order).then_some(()).ok_or(NoProcessError)
    }

    /// Watches the incarnation of `other` that lives now, or the one that is due: when it ends, [`Actor::signal`] is told, once.
    ///
    /// Always tells: at once, with [`ExitReason::NoProcess`], if nobody lives and nobody is due. Each monitor is its own,
    /// also those of one target. It does not follow the target across a restart; set another then. To watch oneself is allowed
    /// and tells nothing.
    pub fn monitor(&mut self, other: &ActorHandle) -> MonitorId {
        let own = self.attachment();
        let monitor = MonitorId(self.system().next_number());
        own.process().set_monitor(own.incarnation(), monitor, other.process());
        monitor
    }

    /// Takes a monitor back. Nothing comes of it any more once this returns, unless it is false: then it had told before, and
    /// what it told may still wait to be acted upon.
    pub fn demonitor(&mut self, monitor: MonitorId) -> bool {
        let own = self.attachment();
        own.process().take_monitor(own.incarnation(), monitor)
    }

    /// Takes a monitor back, and what it has told too, if that was not acted upon yet. False if it had told before.
    pub fn demonitor_and_flush(&mut self, monitor: MonitorId) -> bool {
        let taken = self.demonitor(monitor);
        if !taken {
            let own = self.attachment();
            let told = |order: &ControlSignal| matches!(order, ControlSignal::Down { monitor: id, .. } if *id == monitor);
            drop(own.process().queue.retract_signals(own.incarnation(), told));
        }
        taken
    }
}
