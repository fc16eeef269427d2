//! What the demo does.

use std::str::FromStr;

use super::options::Options;

/// What the demo does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenario {
    /// It indexes a folder.
    Index,
    /// It transfers money between durable accounts.
    Ledger,
}

impl Scenario {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Ledger => "ledger",
        }
    }
}

impl FromStr for Scenario {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Index, Self::Ledger].into_iter().find(|scenario| scenario.name() == text);
        found.ok_or("give one of index, ledger")
    }
}

/// Returns what is wrong with the options of a scenario, and what to do instead.
pub fn check(options: &Options) -> Result<(), &'static str> {
    let Options { scenario, sabotage, durable, input, manifest, .. } = options;
    let is_ledger = *scenario == Scenario::Ledger;
    match sabotage {
        _ if is_ledger && durable.is_none() => Err("--scenario ledger needs --durable STORE"),
        _ if is_ledger && (input.is_some() || manifest.is_some()) => {
            Err("--input and --manifest are for --scenario index: leave them out")
        }
        Some(sabotage) if is_ledger && !sabotage.is_of_ledger() => {
            Err("--sabotage: give one of reply-before-commit, no-epoch with --scenario ledger")
        }
        Some(sabotage) if !is_ledger && sabotage.is_of_ledger() => {
            Err("--sabotage reply-before-commit and no-epoch need --scenario ledger --durable STORE")
        }
        _ => Ok(()),
    }
}
