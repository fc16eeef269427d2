//! The words of OTP's supervisor: when a child is restarted, with whom, how often, and how it is stopped.

use std::time::Duration;

use perennial_actors::ExitReason;

/// Which ends of a child call for a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Restart {
    /// Every end. The default, as in OTP.
    #[default]
    Permanent,
    /// An abnormal end only. After any other it stays down, and can be started again by hand.
    Transient,
    /// None. When it ends, it is gone.
    Temporary,
}

impl Restart {
    /// Whether a child that ended for `reason` is to be restarted. Asked before any strategy: a child that is not restarted
    /// never disturbs its siblings.
    #[must_use]
    pub const fn wants(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// Who is restarted with a child that is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Strategy {
    /// Nobody else. The default, as in OTP.
    #[default]
    OneForOne,
    /// All of its siblings.
    OneForAll,
    /// The siblings that were started after it.
    RestForOne,
}

/// How many restarts, within how long, a supervisor takes before it gives up.
///
/// The default is OTP's: 1 restart within 5 seconds. It tolerates a burst of `restarts` and, in the long run, `restarts`
/// in every `period`; one more and the supervisor takes its children down and ends, for its own supervisor to decide.
/// Restarts are counted for the supervisor as a whole, and a group that is restarted together counts once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Intensity {
    /// Restarts that are tolerated within the period.
    pub restarts: u32,
    /// How long a restart counts.
    pub period: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self { restarts: 1, period: Duration::from_secs(5) }
    }
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shutdown {
    /// It is killed.
    BrutalKill,
    /// It is told to stop, and killed if it has not done so in time. Five seconds is the default, as in OTP.
    Timeout(Duration),
    /// It is told to stop, and waited for as long as it takes.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timeout(Duration::from_secs(5))
    }
}
