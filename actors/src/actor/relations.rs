//! Links, monitors and exit signals, from inside an actor.

use super::traits::{Actor, Context};
use crate::address::{ActorHandle, NoProcessError};
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::signal::MonitorId;
use crate::system::AnyProcess;

/// # Links, monitors and exit signals
///
/// They connect this incarnation and the current incarnation of the other actor. No restart carries
/// them over.
impl<A: Actor> Context<A> {
    /// Links this incarnation and the running incarnation of `other`: when either ends, the other
    /// receives an exit signal.
    ///
    /// An exit signal ends its receiver with the same reason, unless the reason is
    /// [`Normal`](ExitReason::Normal) or the receiver [traps exits](Self::trap_exits). It takes
    /// effect at the next await, also inside a handler. A link is mutual, and a second link between
    /// the same incarnations has no effect.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation of `other` is running in this system. An actor that
    /// traps exits receives an exit signal with [`ExitReason::NoProcess`] instead, from the latest
    /// incarnation.
    #[doc = context_example!(r"ctx.trap_exits(true);
ctx.link(&other)?;
other.kill()?; // The signal handler receives the exit.")]
    pub fn link(&mut self, other: &ActorHandle) -> Result<(), NoProcessError> {
        let own = self.attachment();
        if own.process().link(own.incarnation(), other.process(), false) {
            return Ok(());
        }
        if !own.process().activity.is_trapping() {
            return Err(NoProcessError);
        }
        // The signal names the latest incarnation, because the receiver has to know which link it
        // is about.
        let exit = Exit {
            from: other.process().latest_pid(),
            reason: ExitReason::NoProcess,
            source: ExitSource::Other,
        };
        own.process().send_control(Some(own.incarnation()), ControlSignal::Exit(Box::new(exit)));
        Ok(())
    }

    /// Removes the link. After this returns it causes no exit signal. An exit signal that has
    /// already arrived stays.
    #[doc = context_example!(r"ctx.link(&other)?;
ctx.unlink(&other);
other.kill()?;
ctx.stop(ExitReason::Normal);")]
    pub fn unlink(&mut self, other: &ActorHandle) {
        let own = self.attachment();
        own.process().unlink(own.incarnation(), other.process());
    }

    /// Delivers exit signals to [`Actor::signal`] instead of ending the actor, whatever their
    /// reason. Returns the previous setting.
    ///
    /// The setting at the time when the signal takes effect counts. Three signals are not trapped:
    /// a kill, a [`stop`](ActorHandle::stop), and any exit signal of the parent that started this
    /// actor [linked](crate::Spawn::linked_to).
    #[doc = context_example!(r#"assert!(!ctx.trap_exits(true), "the default");
ctx.link(&other)?;
other.kill()?; // The signal handler receives the exit."#)]
    pub fn trap_exits(&mut self, trap: bool) -> bool {
        let own = self.attachment();
        // An abandoned incarnation must not change the setting of the next one.
        if own.is_attached() { own.process().activity.trap(trap) } else { trap }
    }

    /// Sends an exit signal to any actor, this actor included; no link is needed. See
    /// [`ActorHandle::send_exit`].
    ///
    /// Sent to itself, also [`Normal`](ExitReason::Normal) ends the actor, as in OTP.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = context_example!(r"ctx.send_exit(&other, ExitReason::shutdown())?;
ctx.stop(ExitReason::Normal);")]
    pub fn send_exit(&mut self, to: &ActorHandle, reason: ExitReason) -> Result<(), NoProcessError> {
        let from = self.pid();
        let is_self = to.pid() == Some(from);
        let by = if is_self { ExitSource::SelfSent } else { ExitSource::Other };
        let order = ControlSignal::Exit(Box::new(Exit { from: Some(from), reason, source: by }));
        to.process().send_control(None, order).then_some(()).ok_or(NoProcessError)
    }

    /// Monitors the running or pending incarnation of `other`: when it ends, [`Actor::signal`]
    /// receives a [`Down`](crate::Signal::Down), once.
    ///
    /// The signal always comes: at once, with [`ExitReason::NoProcess`], if no incarnation is
    /// running or pending. Each monitor is separate, also several on one target. It does not follow
    /// the target across a restart; set another one then. A monitor on itself is allowed and never
    /// fires.
    #[doc = context_example!(r"ctx.monitor(&other);
other.kill()?; // The signal handler receives the exit.")]
    pub fn monitor(&mut self, other: &ActorHandle) -> MonitorId {
        let own = self.attachment();
        let monitor = MonitorId(self.system().next_number());
        own.process().set_monitor(own.incarnation(), monitor, other.process());
        monitor
    }

    /// Removes a monitor. Returns `true` if it had not fired; then no signal comes from it.
    ///
    /// If this returns `false`, its signal may still be waiting to be handled.
    #[doc = context_example!(r"let monitor = ctx.monitor(&other);
assert!(ctx.demonitor(monitor));
ctx.stop(ExitReason::Normal);")]
    pub fn demonitor(&mut self, monitor: MonitorId) -> bool {
        let own = self.attachment();
        own.process().take_monitor(own.incarnation(), monitor)
    }

    /// Removes a monitor, and its signal if that was not handled yet. Returns `true` if it had not
    /// fired.
    #[doc = context_example!(r"let monitor = ctx.monitor(&other);
other.kill()?;
ctx.demonitor_and_flush(monitor);
ctx.stop(ExitReason::Normal);")]
    pub fn demonitor_and_flush(&mut self, monitor: MonitorId) -> bool {
        let removed = self.demonitor(monitor);
        if !removed {
            let own = self.attachment();
            let is_its_signal = |order: &ControlSignal| matches!(order, ControlSignal::Down { monitor: id, .. } if *id == monitor);
            drop(own.process().queue.retract_signals(own.incarnation(), is_its_signal));
        }
        removed
    }
}
