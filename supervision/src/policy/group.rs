//! The settings of a supervisor that concern its children as a group.

use std::time::Duration;

/// Which siblings restart together with a child.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Strategy {
    /// No sibling. The default, as in OTP.
    #[default]
    OneForOne,
    /// All siblings.
    OneForAll,
    /// The siblings that were started after the child.
    RestForOne,
}

/// The number of restarts within a period that a supervisor tolerates.
///
/// The default is OTP's: 1 restart within 5 seconds. A supervisor tolerates a burst of `restarts`,
/// and in the long run `restarts` in every `period`. One restart more exceeds the intensity: the
/// supervisor stops its children and exits, and its own supervisor decides how to continue. The
/// restarts of all children of a supervisor are counted together. A group restart counts once.
///
/// A [`DynamicSupervisor`](crate::DynamicSupervisor) and a
/// [`PartitionSupervisor`](crate::PartitionSupervisor) have another default, which grows with the
/// number of their children: see
/// [there](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Intensity {
    /// The number of restarts tolerated within the period. `u32::MAX` tolerates any number, and
    /// counts none: see [`UNLIMITED`](Self::UNLIMITED).
    pub restarts: u32,
    /// The time for which a restart counts.
    pub period: Duration,
}

impl Intensity {
    /// Tolerates any number of restarts: the supervisor never gives up. See
    /// [`never_give_up`](crate::SupervisorBuilder::never_give_up) for its danger.
    pub const UNLIMITED: Self = Self { restarts: u32::MAX, period: Duration::from_secs(5) };

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

/// How the [`Intensity`] of a supervisor is determined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RestartLimit {
    /// A set intensity, or the default of a supervisor whose spec lists its children.
    Fixed(Intensity),
    /// Grows with the number of children: the default of dynamic and partition supervisors.
    PerChildren,
}

impl RestartLimit {
    /// The restarts tolerated within the period with few children.
    const FEWEST: u32 = 3;
    /// One more restart is tolerated for each group of this many children.
    const CHILDREN_PER_RESTART: usize = 10;

    /// Returns the intensity of a supervisor with `children` children.
    pub(crate) fn with(self, children: usize) -> Intensity {
        match self {
            Self::Fixed(intensity) => intensity,
            Self::PerChildren => {
                let share = u32::try_from(children / Self::CHILDREN_PER_RESTART).unwrap_or(u32::MAX);
                // `u32::MAX` would be no limit at all.
                let restarts = share.clamp(Self::FEWEST, u32::MAX - 1);
                Intensity { restarts, ..Intensity::default() }
            }
        }
    }
}

impl From<Intensity> for RestartLimit {
    fn from(intensity: Intensity) -> Self {
        Self::Fixed(intensity)
    }
}

/// Which exits of significant children shut their supervisor down. OTP's `auto_shutdown`.
///
/// Only the exit of a significant child that was *not requested* and causes no restart counts. A
/// child that was stopped by request, or together with its siblings, does not. The supervisor then
/// stops all children in reverse start order, and exits with a clean
/// [`Shutdown`](perennial_actors::ExitReason::Shutdown).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum AutoShutdown {
    /// Never. The default.
    #[default]
    Never,
    /// The exit of one significant child shuts the supervisor down.
    AnySignificant,
    /// The supervisor shuts down when no significant child is left: none runs, and none is
    /// restarting.
    AllSignificant,
}

/// How the children of a supervisor depend on each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SupervisorKind {
    /// The children have unique ids and a start order.
    Static {
        /// Which siblings restart together with a child.
        strategy: Strategy,
        /// Which exits of significant children shut the supervisor down.
        auto_shutdown: AutoShutdown,
    },
    /// The children are independent: each starts and stops alone, and a shutdown stops all at once.
    Dynamic {
        /// The maximum number of children.
        max_children: usize,
    },
}
