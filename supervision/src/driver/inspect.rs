//! Looking at a supervisor: without its help for a picture of the tree, and with it for what OTP's management API tells.

use perennial_actors::{ActorHandle, Pid, ProcessState};

use super::node::SupervisorNode;
use super::state::SupervisorState;
use crate::engine::ChildView;
use crate::node::{Group, Seen};
use crate::policy::{ChildKind, ChildPolicy};
use crate::spec::ChildSpec;
use crate::tree::{ChildCounts, ChildInfo, ChildState, Tree};

impl SupervisorNode {
    /// Returns the child with this id, running or not.
    pub(crate) fn child(&self, id: &str) -> Option<ActorHandle> {
        let seen = self.book().seen();
        seen.into_iter().find(|child| *child.id == *id).map(|child| child.node.handle())
    }

    /// The supervisor and everything below it. Each supervisor is looked at once, parents before
    /// children.
    pub(crate) fn tree(&self) -> Tree {
        let handle = self.address().handle();
        let top = Tree {
            id: self.id().clone(),
            kind: ChildKind::Supervisor,
            state: state_of(&handle),
            pid: handle.pid(),
            restarts: 0,
            handle,
            children: Vec::new(),
        };
        let mut below = Vec::new();
        let mut due: Vec<(Option<usize>, Seen)> = with_parent(None, self.book().seen()).collect();
        while let Some((parent, Seen { id, kind, node, shown, restarts })) = due.pop() {
            let handle = node.handle();
            let state = shown.unwrap_or_else(|| state_without_supervisor(&handle));
            let seen = node.group().map(Group::seen).unwrap_or_default();
            due.extend(with_parent(Some(below.len()), seen));
            let pid = handle.pid();
            below.push((parent, Tree { id, kind, state, pid, restarts, handle, children: Vec::new() }));
        }
        Tree::assemble(top, below)
    }
}

/// Pairs children, the first one last, with the place of their parent.
fn with_parent(parent: Option<usize>, children: Vec<Seen>) -> impl Iterator<Item = (Option<usize>, Seen)> {
    children.into_iter().rev().map(move |child| (parent, child))
}

impl Seen {
    fn of(spec: &ChildSpec, shown: Option<ChildState>, restarts: u64) -> Self {
        let node = spec.node.node().clone();
        Self { id: spec.id.clone(), kind: spec.policy.kind, node, shown, restarts }
    }
}

impl SupervisorState {
    /// Returns the children, to be looked at when the book is closed again.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let Some(engine) = &self.engine else {
            return self.plan.children.iter().map(|spec| Seen::of(spec, None, 0)).collect();
        };
        let lives = !engine.has_ended();
        let seen = |sight: ChildView<'_>| {
            Some(Seen::of(self.spec(sight.key)?, lives.then_some(sight.shown), sight.restarts))
        };
        engine.sights().filter_map(seen).collect()
    }

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

    fn sight_of(&self, id: &str) -> Option<ChildView<'_>> {
        let engine = self.engine.as_ref()?;
        engine.sight(engine.find(id)?)
    }

    fn info(&self, sight: ChildView<'_>) -> ChildInfo {
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
fn state_of(handle: &ActorHandle) -> ChildState {
    match handle.state() {
        ProcessState::Alive(_) => ChildState::Running,
        ProcessState::Pending => ChildState::Restarting,
        _ => ChildState::Stopped,
    }
}

/// Returns what can be told of a child whose supervisor has no incarnation.
fn state_without_supervisor(handle: &ActorHandle) -> ChildState {
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
