//! What a supervisor is told of its children as a group.

use std::time::Duration;

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
///
/// A [`DynamicSupervisor`](crate::DynamicSupervisor) and a
/// [`PartitionSupervisor`](crate::PartitionSupervisor) have another default, which grows with the
/// number of their children: see
/// [there](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Intensity {
    /// Restarts that are tolerated within the period. `u32::MAX` tolerates any number, and none is counted.
    pub restarts: u32,
    /// How long a restart counts.
    pub period: Duration,
}

impl Intensity {
    /// Returns `true` if any number of restarts is tolerated.
    pub(crate) const fn is_unlimited(&self) -> bool {
        self.restarts == u32::MAX
    }
}

impl Default for Intensity {
    fn default() -> Self {
        Self { restarts: 1, period: Duration::from_secs(5) }
    }
}

/// How a supervisor comes to its [`Intensity`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RestartLimit {
    /// It was set, or is the default of a supervisor whose children are known beforehand.
    Fixed(Intensity),
    /// It grows with the number of children: the default of dynamic and partition supervisors.
    PerChildren,
}

impl RestartLimit {
    /// The number of restarts that any number of children may need within the period.
    const FEWEST: u32 = 3;
    /// The number of children for each of which one more restart is tolerated.
    const CHILDREN_PER_RESTART: usize = 10;

    /// Returns the intensity of a supervisor with this number of children.
    pub(crate) fn with(self, children: usize) -> Intensity {
        match self {
            Self::Fixed(intensity) => intensity,
            Self::PerChildren => {
                // `u32::MAX` would be no limit at all.
                let share = (children / Self::CHILDREN_PER_RESTART).min(u32::MAX as usize - 1) as u32;
                Intensity { restarts: share.max(Self::FEWEST), ..Intensity::default() }
            }
        }
    }
}

impl From<Intensity> for RestartLimit {
    fn from(intensity: Intensity) -> Self {
        Self::Fixed(intensity)
    }
}

/// Whether a supervisor ends with its significant children. OTP's `auto_shutdown`.
///
/// It is looked at when a significant child ends *by itself* and is not to be restarted; never when it was stopped by hand, or
/// with its siblings. The supervisor then takes all children down in reverse order, and ends with a clean
/// [`Shutdown`](perennial_actors::ExitReason::Shutdown).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum AutoShutdown {
    /// It does not. The default.
    #[default]
    Never,
    /// It ends with the first of them.
    AnySignificant,
    /// It ends when none of them is left: none that runs, and none that is being restarted.
    AllSignificant,
}

/// What the children of a supervisor have to do with each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SupervisorKind {
    /// They have ids and an order.
    Static {
        /// Who is restarted with whom.
        strategy: Strategy,
        /// Whether it ends with the significant ones.
        auto_shutdown: AutoShutdown,
    },
    /// Nothing: each comes and goes by itself, and they stop all at once.
    Dynamic {
        /// How many there may be.
        max_children: usize,
    },
}
