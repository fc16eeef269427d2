//! A supervisor as a node of a tree: its plan, its identity, and the engine of the incarnation that lives or lived last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{Address, Handle, Mailbox, ProcessState};

use super::inbox::News;
use crate::engine::{ChildPolicy, Engine, Policy, State};
use crate::spec::{ChildSpec, Plan};
use crate::tree::{ChildState, Straggler, Tree};

/// A supervisor, whichever incarnation of it lives. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SupervisorNode(Arc<Inner>);

struct Inner {
    plan: Plan,
    identity: Identity<News>,
    book: Mutex<Book>,
}

/// What the driver writes and a snapshot reads.
#[derive(Default)]
pub(super) struct Book {
    /// None before the first incarnation, and when one was killed.
    pub(super) engine: Option<Engine>,
    /// Where the runs of the next engine begin, so that no run is ever the same as one before.
    pub(super) next_run: u32,
    /// Who did not stop in time.
    pub(super) stragglers: Vec<Straggler>,
}

impl SupervisorNode {
    pub(crate) fn new(plan: Plan) -> Self {
        // A supervisor hears of its children through this: it must never be full, and what comes in between two
        // incarnations is for the next.
        let identity = Identity::new(Mailbox::unbounded());
        Self(Arc::new(Inner { plan, identity, book: Mutex::default() }))
    }

    pub(crate) fn address(&self) -> Address<News> {
        self.0.identity.address()
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.0.plan.id
    }

    pub(super) fn identity(&self) -> &Identity<News> {
        &self.0.identity
    }

    pub(super) fn patience(&self) -> Duration {
        self.0.plan.patience
    }

    pub(super) fn children(&self) -> &[ChildSpec] {
        &self.0.plan.children
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the book of a new incarnation.
    pub(super) fn new_engine(&self) {
        let plan = &self.0.plan;
        let policy = Policy { strategy: plan.strategy, intensity: plan.intensity };
        let children = plan.children.iter().map(|child| ChildPolicy {
            restart: child.restart,
            shutdown: child.shutdown,
            start_timeout: child.start_timeout,
            patience: child.node.branches().is_none().then_some(plan.patience),
        });
        let mut book = self.book();
        let first_run = book.engine.as_ref().map_or(book.next_run, Engine::next_run);
        book.engine = Some(Engine::new(policy, children, first_run));
        book.stragglers.clear();
    }

    /// The supervisor and everything below it.
    pub(crate) fn tree(&self) -> Tree {
        let handle = self.address().handle();
        Tree {
            id: self.id().clone(),
            state: state_of(&handle),
            pid: handle.pid(),
            restarts: 0,
            handle,
            children: Some(self.branches()),
        }
    }

    /// What is below it.
    pub(super) fn branches(&self) -> Vec<Tree> {
        let states: Option<Vec<_>> = self.book().engine.as_ref().map(|engine| {
            engine
                .states()
                .map(|(key, state, restarts)| (key.0 as usize, child_state(state), restarts))
                .collect()
        });
        let states = states.unwrap_or_else(|| {
            let unknown = self.children().iter().map(|child| (state_of(&child.node.handle()), 0));
            unknown.enumerate().map(|(index, (state, restarts))| (index, state, restarts)).collect()
        });
        let branch = |(index, state, restarts): (usize, ChildState, u64)| {
            let child = self.children().get(index)?;
            let handle = child.node.handle();
            let children = child.node.branches();
            // Its mailbox tells whether a child that is down is to come up again.
            let due = state == ChildState::Stopped && handle.state() == ProcessState::Due;
            let state = if due { ChildState::Waiting } else { state };
            Some(Tree { id: child.id.clone(), state, pid: handle.pid(), restarts, handle, children })
        };
        states.into_iter().filter_map(branch).collect()
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

const fn child_state(state: &State) -> ChildState {
    match state {
        State::Stopped => ChildState::Stopped,
        State::Starting { .. } => ChildState::Starting,
        State::Running { .. } => ChildState::Running,
        State::Ended { .. } | State::Restarting { .. } => ChildState::Restarting,
        State::Stopping { .. } => ChildState::Stopping,
    }
}
