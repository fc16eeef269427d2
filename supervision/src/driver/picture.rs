//! Looking at a supervisor: without its help for a picture of the tree, and with it for what OTP's management API tells.

use std::sync::Arc;

use perennial_actors::{Handle, Pid, ProcessState};

use super::book::Book;
use super::node::SupervisorNode;
use crate::engine::Sight;
use crate::node::Node;
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

/// A child to look at, when the book is closed again.
struct Seen {
    id: Arc<str>,
    kind: ChildKind,
    node: Arc<dyn Node>,
}

impl Seen {
    fn of(spec: &ChildSpec) -> Self {
        Self { id: spec.id.clone(), kind: spec.policy.kind, node: spec.node.node().clone() }
    }
}

/// What is below a supervisor.
pub(super) fn branches(supervisor: &SupervisorNode) -> Vec<Tree> {
    let below: Vec<(Seen, Option<ChildState>, u64)> = {
        let book = supervisor.book();
        match &book.engine {
            Some(engine) => {
                let lives = !engine.has_ended();
                let seen = |sight: Sight<'_>| {
                    Some((Seen::of(book.spec(sight.key)?), lives.then_some(sight.shown), sight.restarts))
                };
                engine.sights().filter_map(seen).collect()
            }
            None => book.plan.children.iter().map(|spec| (Seen::of(spec), None, 0)).collect(),
        }
    };
    let branch = |(Seen { id, kind, node }, shown, restarts): (Seen, Option<ChildState>, u64)| {
        let handle = node.handle();
        let state = shown.unwrap_or_else(|| state_without_supervisor(&handle));
        let children = node.branches().unwrap_or_default();
        Tree { id, kind, state, pid: handle.pid(), restarts, handle, children }
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
