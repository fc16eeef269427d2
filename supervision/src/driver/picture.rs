//! Looking at a supervisor: without its help for a picture of the tree, and with it for what OTP's management API tells.

use perennial_actors::{Handle, Pid, ProcessState};

use super::book::Book;
use super::node::SupervisorNode;
use crate::engine::Sight;
use crate::policy::{ChildKind, ChildPolicy};
use crate::spec::ChildSpec;
use crate::tree::{ChildCounts, ChildInfo, ChildState, Tree};

impl SupervisorNode {
    /// The supervisor and everything below it.
    pub(crate) fn tree(&self) -> Tree {
        let handle = self.address().handle();
        Tree {
            id: self.id().clone(),
            kind: ChildKind::Supervisor,
            state: state_of(&handle),
            pid: handle.pid(),
            restarts: 0,
            handle,
            children: branches(self),
        }
    }
}

/// What is below a supervisor.
pub(super) fn branches(supervisor: &SupervisorNode) -> Vec<Tree> {
    let below: Vec<(ChildSpec, Option<ChildState>, u64)> = {
        let book = supervisor.book();
        match &book.engine {
            Some(engine) => {
                let lives = !engine.has_ended();
                let seen = |sight: Sight<'_>| {
                    let spec = book.spec(sight.key)?.twin();
                    Some((spec, lives.then_some(sight.shown), sight.restarts))
                };
                engine.sights().filter_map(seen).collect()
            }
            None => book.plan.children.iter().map(|spec| (spec.twin(), None, 0)).collect(),
        }
    };
    let branch = |(spec, shown, restarts): (ChildSpec, Option<ChildState>, u64)| {
        let handle = spec.node.handle();
        let state = shown.unwrap_or_else(|| state_without_supervisor(&handle));
        let children = spec.node.branches().unwrap_or_default();
        Tree { id: spec.id, kind: spec.policy.kind, state, pid: handle.pid(), restarts, handle, children }
    };
    below.into_iter().map(branch).collect()
}

impl Book {
    /// OTP's `which_children`: the newest first.
    pub(crate) fn which_children(&self) -> Vec<ChildInfo> {
        self.engine.iter().flat_map(|engine| engine.sights().rev().map(|sight| self.info(sight))).collect()
    }

    /// OTP's `which_child`.
    pub(crate) fn which_child(&self, id: &str) -> Option<ChildInfo> {
        Some(self.info(self.sight_of(id)?))
    }

    /// OTP's `get_childspec`.
    pub(crate) fn policy_of(&self, id: &str) -> Option<ChildPolicy> {
        Some(self.sight_of(id)?.policy.clone())
    }

    /// OTP's `get_childspec`, of a child of a dynamic supervisor.
    pub(crate) fn policy_at(&self, pid: Pid) -> Option<ChildPolicy> {
        Some(self.engine.as_ref()?.sight(self.key_of(pid)?)?.policy.clone())
    }

    /// OTP's `count_children`.
    pub(crate) fn count_children(&self) -> ChildCounts {
        let mut counts = ChildCounts::default();
        for sight in self.engine.iter().flat_map(|engine| engine.sights()) {
            counts.specs += 1;
            counts.active += usize::from(has_incarnation(sight.shown));
            match sight.policy.kind {
                ChildKind::Worker => counts.workers += 1,
                ChildKind::Supervisor => counts.supervisors += 1,
            }
        }
        counts
    }

    fn sight_of(&self, id: &str) -> Option<Sight<'_>> {
        let engine = self.engine.as_ref()?;
        engine.sight(engine.find(id)?)
    }

    fn info(&self, sight: Sight<'_>) -> ChildInfo {
        ChildInfo {
            id: sight.id.clone(),
            kind: sight.policy.kind,
            state: sight.shown,
            pid: self.pid_of(sight.key).filter(|_| !is_down(sight.shown)),
            restarts: sight.restarts,
        }
    }
}

/// What can be told of a child without its supervisor.
fn state_of(handle: &Handle) -> ChildState {
    match handle.state() {
        ProcessState::Alive(_) => ChildState::Running,
        ProcessState::Due => ChildState::Restarting,
        _ => ChildState::Stopped,
    }
}

/// Returns what can be told of a child whose supervisor has no incarnation.
fn state_without_supervisor(handle: &Handle) -> ChildState {
    match state_of(handle) {
        ChildState::Restarting => ChildState::Waiting,
        state => state,
    }
}

const fn has_incarnation(state: ChildState) -> bool {
    matches!(state, ChildState::Starting | ChildState::Running | ChildState::Stopping)
}

const fn is_down(state: ChildState) -> bool {
    matches!(state, ChildState::Stopped | ChildState::Waiting)
}
