//! A transition: some children to stop and then some to start, one after the other.

use std::collections::VecDeque;

use super::types::{ChildKey, SupervisorExit};

/// Some children to stop, and then some to start.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) kind: TransitionKind,
    /// In start order. The last one is stopped next.
    pub(super) stop: Vec<ChildKey>,
    /// In start order. The first one is started next.
    pub(super) start: VecDeque<ChildKey>,
    /// The child that is being stopped or started. Events of other children do not advance the
    /// transition.
    pub(super) current: Option<ChildKey>,
}

/// The purpose of a transition.
#[derive(Debug)]
pub(super) enum TransitionKind {
    /// The initial start of all children.
    InitialStart,
    /// The restart of several children.
    GroupRestart,
    /// The start of one child by request, among siblings that depend on it.
    ManualStart,
    /// The shutdown of the supervisor.
    Shutdown(SupervisorExit),
}

impl Transition {
    pub(super) fn initial_start(keys: Vec<ChildKey>) -> Self {
        Self { kind: TransitionKind::InitialStart, stop: Vec::new(), start: keys.into(), current: None }
    }

    pub(super) fn group_restart(keys: Vec<ChildKey>) -> Self {
        Self { kind: TransitionKind::GroupRestart, start: keys.clone().into(), stop: keys, current: None }
    }

    pub(super) const fn manual_start(key: ChildKey) -> Self {
        Self {
            kind: TransitionKind::ManualStart,
            stop: Vec::new(),
            start: VecDeque::new(),
            current: Some(key),
        }
    }

    pub(super) fn shutdown(keys: Vec<ChildKey>, ending: SupervisorExit) -> Self {
        Self { kind: TransitionKind::Shutdown(ending), stop: keys, start: VecDeque::new(), current: None }
    }

    pub(super) const fn is_initial_start(&self) -> bool {
        matches!(self.kind, TransitionKind::InitialStart)
    }

    pub(super) const fn is_shutdown(&self) -> bool {
        matches!(self.kind, TransitionKind::Shutdown(_))
    }
}
