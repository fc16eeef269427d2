//! Read access to a supervisor: tree snapshots that do not involve it, and the queries of OTP's
//! management API.

use perennial_actors::{ActorHandle, ProcessState, System};

use super::inbox::Query;
use super::node::SupervisorNode;
use super::root::Roots;
use super::state::SupervisorState;
use crate::engine::{ChildView, Target};
use crate::node::{Group, ListedChild};
use crate::policy::{ChildKind, Restart};
use crate::spec::ChildSpec;
use crate::status::SupervisorStatus;
use crate::tree::{ChildCounts, ChildInfo, ChildState, StopProgress, Tree};

impl SupervisorNode {
    /// Answers a query. The lock is released before the caller is answered.
    pub(super) fn answer_query(&self, query: Query) {
        match query {
            Query::WhichChildren(reply) => {
                let children = self.state().which_children();
                reply.send(children);
            }
            Query::WhichChild(id, reply) => {
                let state = self.state();
                let info = state.view_of(&Target::Id(id)).map(|view| state.info(view));
                drop(state);
                reply.send(info);
            }
            Query::CountChildren(reply) => {
                let counts = self.state().count_children();
                reply.send(counts);
            }
            Query::Policy(child, reply) => {
                let policy = self.state().view_of(&child).map(|view| view.policy.clone());
                reply.send(policy);
            }
            Query::Ping(reply) => reply.send(()),
        }
    }

    /// Returns the progress of its stop, if it shuts down by itself or by a request.
    fn stop_progress(&self) -> Option<StopProgress> {
        let state = self.state();
        let is_stopping = state.engine.as_ref().is_some_and(|engine| engine.is_stopping_or_ended());
        is_stopping.then_some(StopProgress { killed: false, time_left: None })
    }

    /// Returns the child with this id, running or not.
    pub(crate) fn child(&self, id: &str) -> Option<ActorHandle> {
        let children = self.state().list_children();
        children.into_iter().find(|child| *child.id == *id).map(|child| child.node.handle())
    }

    /// Returns a snapshot of the supervisor and everything below it. Each supervisor is read once,
    /// parents before children.
    pub(crate) fn tree(&self) -> Tree {
        let handle = self.address().handle();
        let (status, restarts_left) = status_of(&handle, Some(self));
        let stop = self.stop_progress().filter(|_| handle.pid().is_some());
        let top = Tree {
            id: self.id().clone(),
            kind: ChildKind::Supervisor,
            restart: Restart::default(),
            significant: false,
            state: stop.map_or_else(|| state_of(&handle), |_| ChildState::Stopping),
            pid: handle.pid(),
            stop,
            restarts: 0,
            status,
            restarts_left,
            handle,
            children: Vec::new(),
        };
        let mut below = Vec::new();
        let mut due: Vec<(Option<usize>, ListedChild)> =
            with_parent(None, self.state().list_children()).collect();
        while let Some((parent, child)) = due.pop() {
            let ListedChild { id, policy, node, shown, restarts, stop } = child;
            let handle = node.handle();
            let state = shown.unwrap_or_else(|| state_without_supervisor(&handle));
            let children = node.group().map(Group::list_children).unwrap_or_default();
            due.extend(with_parent(Some(below.len()), children));
            let pid = handle.pid();
            let (status, restarts_left) = status_of(&handle, node.group());
            let tree = Tree {
                id,
                kind: policy.kind,
                restart: policy.restart,
                significant: policy.significant,
                state,
                pid,
                stop,
                restarts,
                status,
                restarts_left,
                handle,
                children: Vec::new(),
            };
            below.push((parent, tree));
        }
        Tree::assemble(top, below)
    }
}

impl Tree {
    /// Returns a snapshot of each tree of a system, in the order of their starts. A tree that has
    /// ended is among them as long as there is an [`App`](crate::App) of it.
    ///
    #[doc = supervision_example!(
        r#"let system = System::new();
let app = Supervisor::new("app").child(clock("clock")).start(&system).await?;
assert_eq!(&*Tree::all(&system)[0].id, "app");
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn all(system: &System) -> Vec<Self> {
        Roots::of(system).all().iter().map(|root| root.tree()).collect()
    }
}

/// Returns the status of a supervisor that was opened, and the restarts that are left to it.
fn status_of(handle: &ActorHandle, group: Option<&dyn Group>) -> (Option<SupervisorStatus>, Option<u32>) {
    match (group, handle.label()) {
        (Some(group), Some(path)) => group.status(path),
        _ => (None, None),
    }
}

/// Pairs children, in reverse order, with the index of their parent.
fn with_parent(
    parent: Option<usize>,
    children: Vec<ListedChild>,
) -> impl Iterator<Item = (Option<usize>, ListedChild)> {
    children.into_iter().rev().map(move |child| (parent, child))
}

impl ListedChild {
    /// Returns a child of a supervisor that has no incarnation.
    fn of(spec: &ChildSpec) -> Self {
        let (id, policy, node) = (spec.id.clone(), spec.policy.clone(), spec.node.node().clone());
        Self { id, policy, node, shown: None, restarts: 0, stop: None }
    }
}

impl SupervisorState {
    /// Returns the children, to be read after the lock is released.
    pub(super) fn list_children(&self) -> Vec<ListedChild> {
        let Some(engine) = &self.engine else {
            return self.plan.children.iter().map(ListedChild::of).collect();
        };
        let (is_running, now) = (!engine.has_ended(), self.age());
        let listed = |view: ChildView<'_>| {
            let child = ListedChild::of(self.spec(view.key)?);
            let shown = is_running.then_some(view.shown);
            let stop = view.stop.map(|(killed, deadline)| StopProgress {
                killed,
                time_left: deadline.map(|deadline| deadline.saturating_sub(now)),
            });
            Some(ListedChild { shown, restarts: view.restarts, stop, ..child })
        };
        engine.views().filter_map(listed).collect()
    }

    /// Returns all children, the latest first. OTP's `which_children`.
    fn which_children(&self) -> Vec<ChildInfo> {
        self.engine.iter().flat_map(|engine| engine.views().rev().map(|view| self.info(view))).collect()
    }

    /// Counts the children. OTP's `count_children`.
    fn count_children(&self) -> ChildCounts {
        let mut counts = ChildCounts::default();
        for view in self.engine.iter().flat_map(|engine| engine.views()) {
            counts.specs += 1;
            counts.active += usize::from(has_incarnation(view.shown));
            match view.policy.kind {
                ChildKind::Worker => counts.workers += 1,
                ChildKind::Supervisor => counts.supervisors += 1,
            }
        }
        counts
    }

    fn view_of(&self, child: &Target) -> Option<ChildView<'_>> {
        let engine = self.engine.as_ref()?;
        engine.view(match child {
            Target::Id(id) => engine.find(id)?,
            Target::Key(key) => *key,
            Target::Pid(pid) => self.key_of(*pid)?,
        })
    }

    fn info(&self, view: ChildView<'_>) -> ChildInfo {
        ChildInfo {
            id: view.id.clone(),
            kind: view.policy.kind,
            state: view.shown,
            pid: self.pid_of(view.key).filter(|_| !is_down(view.shown)),
            restarts: view.restarts,
        }
    }
}

/// Returns the state of a child as its process shows it, without its supervisor.
fn state_of(handle: &ActorHandle) -> ChildState {
    match handle.state() {
        ProcessState::Alive(_) => ChildState::Running,
        ProcessState::Pending => ChildState::Restarting,
        _ => ChildState::Stopped,
    }
}

/// Returns the state of a child whose supervisor has no incarnation.
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
    matches!(state, ChildState::Stopped | ChildState::Waiting | ChildState::Failed)
}
