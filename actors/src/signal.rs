//! Signals: what an incarnation receives besides messages, such as the exit of a linked actor.

use crate::exit::ExitReason;
use crate::pid::Pid;

/// The argument of [`Actor::signal`](crate::Actor::signal), delivered ahead of all queued messages.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// An exit signal reached an actor that [traps](crate::Context::trap_exits) them.
    Exit {
        /// The incarnation that ended or sent the signal; `None` if the sender was not an actor.
        from: Option<Pid>,
        /// The exit reason of that incarnation, or the reason that was sent.
        reason: ExitReason,
    },
    /// An incarnation that this one [monitors](crate::Context::monitor) has ended.
    Down {
        /// The monitor that fired.
        monitor: MonitorId,
        /// The incarnation that ended, and the reason.
        down: Down,
    },
}

/// The end of a monitored incarnation.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Down {
    /// The incarnation that ended, or `None` if none was running.
    pub pid: Option<Pid>,
    /// Why it ended; [`ExitReason::NoProcess`] if none was running.
    pub reason: ExitReason,
}

/// The id of one monitor that an actor has set. Two monitors of one target have different ids.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MonitorId(pub(crate) u64);
