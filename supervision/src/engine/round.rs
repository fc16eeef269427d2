//! A round: some children to bring down, and then some to bring up, one after the other.

use std::collections::VecDeque;

use super::types::{Ending, Key};

/// Some children to bring down, and then some to bring up.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) kind: Kind,
    /// In start order; the last is the next to stop.
    pub(super) stop: Vec<Key>,
    /// In start order; the first is the next to start.
    pub(super) start: VecDeque<Key>,
    /// Who is being stopped or started. News of anybody else does not move the round on.
    pub(super) current: Option<Key>,
}

/// What a round is for.
#[derive(Debug)]
pub(super) enum Kind {
    /// The first start of all.
    First,
    /// A restart of several.
    Group,
    /// A start by hand, of one whose siblings have to do with it.
    ByHand,
    /// The end.
    Last(Ending),
}

impl Round {
    pub(super) fn first(keys: Vec<Key>) -> Self {
        Self { kind: Kind::First, stop: Vec::new(), start: keys.into(), current: None }
    }

    pub(super) fn group(keys: Vec<Key>) -> Self {
        Self { kind: Kind::Group, start: keys.clone().into(), stop: keys, current: None }
    }

    pub(super) const fn by_hand(key: Key) -> Self {
        Self { kind: Kind::ByHand, stop: Vec::new(), start: VecDeque::new(), current: Some(key) }
    }

    pub(super) fn last(keys: Vec<Key>, ending: Ending) -> Self {
        Self { kind: Kind::Last(ending), stop: keys, start: VecDeque::new(), current: None }
    }

    pub(super) const fn is_first(&self) -> bool {
        matches!(self.kind, Kind::First)
    }

    pub(super) const fn is_last(&self) -> bool {
        matches!(self.kind, Kind::Last(_))
    }
}
