//! What stands in the lane of signals, and what each does to the incarnation that it reaches. Decided here, as plain
//! functions; carried out by whoever serves the mailbox.

use std::any::Any;
use std::fmt;

use crate::exit::ExitReason;
use crate::pid::Pid;
use crate::signal::{Down, MonitorId, Signal};

/// Something other than a message that an incarnation acts on: between two messages, and ahead of all that wait. An exit
/// signal that is not trapped acts inside a handler too.
///
/// Small, because what is next of a mailbox is a message or this, and messages are in a hurry.
#[derive(Debug)]
pub(crate) enum ControlSignal {
    /// End, for this reason: from its owner, or whoever else may stop it. Not for the incarnation to decide.
    Stop(ExitReason),
    /// Somebody's end, or an exit sent by hand.
    Exit(Box<Exit>),
    /// A monitor tells.
    Down { monitor: MonitorId, down: Box<Down> },
    /// Handle nothing but signals, until told otherwise.
    Suspend,
    /// Go on.
    Resume,
    /// Let somebody look at the state.
    Inspect(InspectState),
}

/// Runs on the state that an actor offers, if it offers any.
pub(crate) struct InspectState(pub(crate) Box<InspectFn>);

type InspectFn = dyn FnOnce(Option<&mut State>) + Send;

/// The state that an actor offers.
type State = dyn Any + Send;

impl fmt::Debug for InspectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look(..)")
    }
}

/// An exit signal.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) from: Option<Pid>,
    pub(crate) reason: ExitReason,
    pub(crate) by: ExitSource,
}

/// Who an exit signal comes from, as far as that makes a difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitSource {
    /// Who started it, linked.
    Parent,
    /// The incarnation itself.
    SelfSent,
    /// Anybody else: who it is linked to, or who sent the signal by hand.
    Other,
}

/// What an exit signal does.
#[derive(Debug)]
pub(crate) enum ExitEffect {
    /// Nothing: a normal end disturbs nobody who does not want to know.
    Ignore,
    /// The incarnation ends, for this reason.
    Terminate(ExitReason),
    /// The incarnation is told.
    Deliver(Signal),
}

impl Exit {
    /// What it does to an incarnation that traps exits, or does not. The table is OTP's.
    pub(crate) fn effect(self, trapping: bool) -> ExitEffect {
        if self.ends(trapping) {
            ExitEffect::Terminate(self.reason)
        } else if trapping {
            ExitEffect::Deliver(Signal::Exit { from: self.from, reason: self.reason })
        } else {
            ExitEffect::Ignore
        }
    }

    fn ends(&self, trapping: bool) -> bool {
        match self.by {
            ExitSource::Parent if trapping => true,
            ExitSource::SelfSent if !trapping => true,
            // OTP tells of an init that ignores as of a normal end.
            _ => !trapping && !matches!(self.reason, ExitReason::Normal | ExitReason::Ignore),
        }
    }
}

impl ControlSignal {
    /// Whether the incarnation does not survive it.
    pub(crate) fn ends(&self, trapping: bool) -> bool {
        match self {
            Self::Stop(_) => true,
            Self::Exit(exit) => exit.ends(trapping),
            Self::Down { .. } | Self::Suspend | Self::Resume | Self::Inspect(_) => false,
        }
    }

    /// Returns `true` if it ends the incarnation inside a handler too: an exit signal that is not trapped.
    ///
    /// A stop lets the handler finish. So does the exit of a parent that a trapping child cannot trap, as in OTP.
    pub(crate) fn interrupts(&self, trapping: bool) -> bool {
        !trapping && matches!(self, Self::Exit(exit) if exit.ends(trapping))
    }

    /// The reason that it gives, if it gives one.
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
        match (Exit { from: None, reason, by }).effect(trapping) {
            ExitEffect::Ignore => "nothing",
            ExitEffect::Terminate(_) => "ends",
            ExitEffect::Deliver(_) => "told",
        }
    }

    /// OTP cases 101, 102, 105 and 133, as one table.
    #[test]
    fn an_exit_signal_does_what_otps_table_says() {
        let table = [
            (ExitSource::Other, ExitReason::Normal, "nothing", "told"),
            (ExitSource::Other, ExitReason::Ignore, "nothing", "told"),
            (ExitSource::Other, ExitReason::shutdown(), "ends", "told"),
            (ExitSource::Other, ExitReason::Unresponsive, "ends", "told"),
            (ExitSource::Other, ExitReason::Killed, "ends", "told"),
            (ExitSource::SelfSent, ExitReason::Normal, "ends", "told"),
            (ExitSource::SelfSent, ExitReason::failed("bad"), "ends", "told"),
            (ExitSource::Parent, ExitReason::Normal, "nothing", "ends"),
            (ExitSource::Parent, ExitReason::shutdown(), "ends", "ends"),
        ];
        for (by, reason, untrapped, trapped) in table {
            assert_eq!(effect(by, reason.clone(), false), untrapped, "{by:?} {reason}, not trapping");
            assert_eq!(effect(by, reason.clone(), true), trapped, "{by:?} {reason}, trapping");
        }
    }
}
