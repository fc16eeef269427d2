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
pub(crate) enum Order {
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
    Look(Look),
}

/// Runs on the state that an actor offers, if it offers any.
pub(crate) struct Look(pub(crate) Box<LookAt>);

type LookAt = dyn FnOnce(Option<&mut State>) + Send;

/// The state that an actor offers.
type State = dyn Any + Send;

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look(..)")
    }
}

/// An exit signal.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) from: Option<Pid>,
    pub(crate) reason: ExitReason,
    pub(crate) by: Sender,
}

/// Who an exit signal comes from, as far as that makes a difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    /// Who started it, linked.
    Parent,
    /// The incarnation itself.
    Oneself,
    /// Anybody else: who it is linked to, or who sent the signal by hand.
    Other,
}

/// What an exit signal does.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Nothing: a normal end disturbs nobody who does not want to know.
    Nothing,
    /// The incarnation ends, for this reason.
    End(ExitReason),
    /// The incarnation is told.
    Tell(Signal),
}

impl Exit {
    /// What it does to an incarnation that traps exits, or does not. The table is OTP's.
    pub(crate) fn effect(self, trapping: bool) -> Effect {
        if self.ends(trapping) {
            Effect::End(self.reason)
        } else if trapping {
            Effect::Tell(Signal::Exit { from: self.from, reason: self.reason })
        } else {
            Effect::Nothing
        }
    }

    fn ends(&self, trapping: bool) -> bool {
        match self.by {
            Sender::Parent if trapping => true,
            Sender::Oneself if !trapping => true,
            // OTP tells of an init that ignores as of a normal end.
            _ => !trapping && !matches!(self.reason, ExitReason::Normal | ExitReason::Ignore),
        }
    }
}

impl Order {
    /// Whether the incarnation does not survive it.
    pub(crate) fn ends(&self, trapping: bool) -> bool {
        match self {
            Self::Stop(_) => true,
            Self::Exit(exit) => exit.ends(trapping),
            Self::Down { .. } | Self::Suspend | Self::Resume | Self::Look(_) => false,
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
            Self::Down { .. } | Self::Suspend | Self::Resume | Self::Look(_) => None,
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    fn effect(by: Sender, reason: ExitReason, trapping: bool) -> &'static str {
        match (Exit { from: None, reason, by }).effect(trapping) {
            Effect::Nothing => "nothing",
            Effect::End(_) => "ends",
            Effect::Tell(_) => "told",
        }
    }

    /// OTP cases 101, 102, 105 and 133, as one table.
    #[test]
    fn an_exit_signal_does_what_otps_table_says() {
        let table = [
            (Sender::Other, ExitReason::Normal, "nothing", "told"),
            (Sender::Other, ExitReason::Ignore, "nothing", "told"),
            (Sender::Other, ExitReason::shutdown(), "ends", "told"),
            (Sender::Other, ExitReason::Unresponsive, "ends", "told"),
            (Sender::Other, ExitReason::Killed, "ends", "told"),
            (Sender::Oneself, ExitReason::Normal, "ends", "told"),
            (Sender::Oneself, ExitReason::failed("bad"), "ends", "told"),
            (Sender::Parent, ExitReason::Normal, "nothing", "ends"),
            (Sender::Parent, ExitReason::shutdown(), "ends", "ends"),
        ];
        for (by, reason, untrapped, trapped) in table {
            assert_eq!(effect(by, reason.clone(), false), untrapped, "{by:?} {reason}, not trapping");
            assert_eq!(effect(by, reason.clone(), true), trapped, "{by:?} {reason}, trapping");
        }
    }
}
