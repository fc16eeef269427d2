//! What an incarnation is told apart from its messages: that somebody it is linked to, or watches, has ended.

use crate::exit::ExitReason;
use crate::pid::Pid;

/// What [`Actor::signal`](crate::Actor::signal) is told: between two messages, and ahead of all that wait.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// An exit signal reached an actor that [traps](crate::Context::trap_exits) them.
    Exit {
        /// The incarnation that ended, or that sent the signal by hand; none if it was sent from outside all actors.
        from: Option<Pid>,
        /// Why it ended, or what was sent.
        reason: ExitReason,
    },
    /// An incarnation that this one [monitors](crate::Context::monitor) has ended.
    Down {
        /// Which monitor tells.
        monitor: MonitorId,
        /// Who ended, and why.
        down: Down,
    },
}

/// The end of a monitored incarnation.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Down {
    /// The incarnation that ended; none if there was none.
    pub pid: Option<Pid>,
    /// Why it ended; [`ExitReason::NoProcess`] if there was none.
    pub reason: ExitReason,
}

/// One monitor that an actor has set. Every monitor has its own, also those of one target.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MonitorId(pub(crate) u64);
