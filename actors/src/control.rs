//! The control signals, and what each does to the incarnation that receives it. Plain functions
//! decide the effect here. The consumer of the mailbox applies it.

use std::any::Any;
use std::fmt;

use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::signal::{Down, MonitorId, Signal};

/// An event other than a message. An incarnation acts on it between two messages, before all queued
/// messages. An exit signal that is not trapped acts inside a handler too.
///
/// It is small, because it shares an enum with messages, whose path must be fast.
#[derive(Debug)]
pub(crate) enum ControlSignal {
    /// Stop, for this reason. The owner sent it, or another caller that may stop the incarnation.
    /// The incarnation cannot refuse it.
    Stop(ExitReason),
    /// The exit of a linked process, or an exit signal that was sent explicitly.
    Exit(Box<Exit>),
    /// The notification of a monitor.
    Down { monitor: MonitorId, down: Box<Down> },
    /// Handle nothing but signals, until resumed.
    Suspend,
    /// Handle messages again.
    Resume,
    /// Run a closure on the state.
    Inspect(InspectState),
}

/// A closure that gets the state that an actor exposes, if it exposes any.
pub(crate) struct InspectState(pub(crate) Box<InspectFn>);

type InspectFn = dyn FnOnce(Option<&mut State>) + Send;

/// The state that an actor exposes.
type State = dyn Any + Send;

impl fmt::Debug for InspectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InspectState(..)")
    }
}

/// An exit signal.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) from: Option<Pid>,
    pub(crate) reason: ExitReason,
    pub(crate) source: ExitSource,
}

/// The source of an exit signal, as far as its effect depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitSource {
    /// The parent: the process that started the incarnation, linked.
    Parent,
    /// The incarnation itself.
    SelfSent,
    /// Any other process: a linked one, or one that sent the signal explicitly.
    Other,
}

/// The effect of an exit signal.
#[derive(Debug)]
pub(crate) enum ExitEffect {
    /// Nothing happens: a normal exit matters only to an incarnation that traps exits.
    Ignore,
    /// The incarnation ends, for this reason.
    Terminate(ExitReason),
    /// The incarnation receives this signal.
    Deliver(Signal),
}

impl Exit {
    /// Returns the effect on an incarnation that traps exits, or does not. The rules are OTP's.
    pub(crate) fn effect(self, trapping: bool) -> ExitEffect {
        if self.terminates(trapping) {
            ExitEffect::Terminate(self.reason)
        } else if trapping {
            ExitEffect::Deliver(Signal::Exit { from: self.from, reason: self.reason })
        } else {
            ExitEffect::Ignore
        }
    }

    fn terminates(&self, trapping: bool) -> bool {
        match self.source {
            ExitSource::Parent if trapping => true,
            ExitSource::SelfSent if !trapping => true,
            // OTP reports the exit of an init that ignores as a normal exit.
            _ => !trapping && !matches!(self.reason, ExitReason::Normal | ExitReason::Ignore),
        }
    }
}

impl ControlSignal {
    /// Returns `true` if the signal ends the incarnation.
    pub(crate) fn terminates(&self, trapping: bool) -> bool {
        match self {
            Self::Stop(_) => true,
            Self::Exit(exit) => exit.terminates(trapping),
            Self::Down { .. } | Self::Suspend | Self::Resume | Self::Inspect(_) => false,
        }
    }

    /// Returns `true` if the signal ends the incarnation inside a handler too. Only an exit signal
    /// that is not trapped does.
    ///
    /// A stop lets the handler finish. So does the exit of a parent that a trapping child cannot
    /// trap, as in OTP.
    pub(crate) fn interrupts(&self, trapping: bool) -> bool {
        !trapping && matches!(self, Self::Exit(exit) if exit.terminates(trapping))
    }

    /// Returns the reason of a stop or an exit.
    pub(crate) fn into_reason(self) -> Option<ExitReason> {
        match self {
            Self::Stop(reason) => Some(reason),
            Self::Exit(exit) => Some(exit.reason),
            Self::Down { .. } | Self::Suspend | Self::Resume | Self::Inspect(_) => None,
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    fn effect(by: ExitSource, reason: ExitReason, trapping: bool) -> &'static str {
        match (Exit { from: None, reason, source: by }).effect(trapping) {
            ExitEffect::Ignore => "ignored",
            ExitEffect::Terminate(_) => "terminates",
            ExitEffect::Deliver(_) => "delivered",
        }
    }

    /// OTP cases 101, 102, 105 and 133, as one table.
    #[test]
    fn exit_signal_has_the_effect_of_otps_table() {
        let table = [
            (ExitSource::Other, ExitReason::Normal, "ignored", "delivered"),
            (ExitSource::Other, ExitReason::Ignore, "ignored", "delivered"),
            (ExitSource::Other, ExitReason::shutdown(), "terminates", "delivered"),
            (ExitSource::Other, ExitReason::Unresponsive, "terminates", "delivered"),
            (ExitSource::Other, ExitReason::Killed, "terminates", "delivered"),
            (ExitSource::SelfSent, ExitReason::Normal, "terminates", "delivered"),
            (ExitSource::SelfSent, ExitReason::failed("bad"), "terminates", "delivered"),
            (ExitSource::Parent, ExitReason::Normal, "ignored", "terminates"),
            (ExitSource::Parent, ExitReason::shutdown(), "terminates", "terminates"),
        ];
        for (by, reason, untrapped, trapped) in table {
            assert_eq!(effect(by, reason.clone(), false), untrapped, "{by:?} {reason}, not trapping");
            assert_eq!(effect(by, reason.clone(), true), trapped, "{by:?} {reason}, trapping");
        }
    }
}
