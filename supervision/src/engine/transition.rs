//! A round: some children to bring down, and then some to bring up, one after the other.

use std::collections::VecDeque;

use super::types::{ChildKey, SupervisorExit};

/// Some children to bring down, and then some to bring up.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) kind: TransitionKind,
    /// In start order; the last is the next to stop.
    pub(super) stop: Vec<ChildKey>,
    /// In start order; the first is the next to start.
    pub(super) start: VecDeque<ChildKey>,
    /// Who is being stopped or started. News of anybody else does not move the round on.
    pub(super) current: Option<ChildKey>,
}

/// What a round is for.
#[derive(Debug)]
pub(super) enum TransitionKind {
    /// The first start of all.
    InitialStart,
    /// A restart of several.
    GroupRestart,
    /// A start by hand, of one whose siblings have to do with it.
    ManualStart,
    /// The end.
    Shutdown(SupervisorExit),
}

impl Transition {
    pub(super) fn first(keys: Vec<ChildKey>) -> Self {
        Self { kind: TransitionKind::InitialStart, stop: Vec::new(), start: keys.into(), current: None }
    }

    pub(super) fn group(keys: Vec<ChildKey>) -> Self {
        Self { kind: TransitionKind::GroupRestart, start: keys.clone().into(), stop: keys, current: None }
    }

    pub(super) const fn by_hand(key: ChildKey) -> Self {
        Self {
            kind: TransitionKind::ManualStart,
            stop: Vec::new(),
            start: VecDeque::new(),
            current: Some(key),
        }
    }

    pub(super) fn last(keys: Vec<ChildKey>, ending: SupervisorExit) -> Self {
        Self { kind: TransitionKind::Shutdown(ending), stop: keys, start: VecDeque::new(), current: None }
    }

    pub(super) const fn is_first(&self) -> bool {
        matches!(self.kind, TransitionKind::InitialStart)
    }

    pub(super) const fn is_last(&self) -> bool {
        matches!(self.kind, TransitionKind::Shutdown(_))
    }
}
