//! How the system is broken on purpose, by the options.

use std::str::FromStr;

/// How the system is broken on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    LoseWork,
    DoubleCount,
    NoRestart,
    AckBeforeCommit,
    NoFencing,
    Reorder,
    DoubleDeliver,
    ReplyBeforeCommit,
    NoEpoch,
}

impl Sabotage {
    const ALL: [Self; 9] = [
        Self::LoseWork,
        Self::DoubleCount,
        Self::NoRestart,
        Self::AckBeforeCommit,
        Self::NoFencing,
        Self::Reorder,
        Self::DoubleDeliver,
        Self::ReplyBeforeCommit,
        Self::NoEpoch,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::LoseWork => "lose-work",
            Self::DoubleCount => "double-count",
            Self::NoRestart => "no-restart",
            Self::AckBeforeCommit => "ack-before-commit",
            Self::NoFencing => "no-fencing",
            Self::Reorder => "reorder",
            Self::DoubleDeliver => "double-deliver",
            Self::ReplyBeforeCommit => "reply-before-commit",
            Self::NoEpoch => "no-epoch",
        }
    }

    /// Returns `true` if it breaks what `--durable` needs.
    pub const fn is_durable(self) -> bool {
        matches!(self, Self::AckBeforeCommit | Self::NoFencing) || self.is_of_ledger()
    }

    /// Returns `true` if it breaks what `--scenario ledger` needs.
    pub const fn is_of_ledger(self) -> bool {
        matches!(self, Self::ReplyBeforeCommit | Self::NoEpoch)
    }

    /// Returns `true` if it breaks what `--nodes` needs.
    pub const fn is_of_nodes(self) -> bool {
        matches!(self, Self::Reorder | Self::DoubleDeliver)
    }
}

impl FromStr for Sabotage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|sabotage| sabotage.name() == text);
        found.ok_or(
            "give one of lose-work, double-count, no-restart, with --durable ack-before-commit, no-fencing, \
            with --scenario ledger reply-before-commit, no-epoch, or with --nodes reorder, double-deliver",
        )
    }
}
