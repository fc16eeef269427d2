//! A supervisor as a node of a tree: its plan, its identity, and the engine of the incarnation that lives or lived last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial_actors::host::{Identity, Parent};
use perennial_actors::{Address, ExitReason, Handle, Mailbox, Pid, ProcessState, StartError, System};
use tokio::runtime;

use super::host;
use super::inbox::News;
use crate::engine::{ChildPolicy, Engine, Policy, State};
use crate::node::{Node, OpenError};
use crate::spec::{ChildSpec, Plan, Shutdown, Supervisor};
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
        let handle = self.handle();
        Tree {
            id: self.id().clone(),
            state: state_of(&handle),
            pid: handle.pid(),
            restarts: 0,
            handle,
            children: self.branches(),
        }
    }
}

impl Node for SupervisorNode {
    fn open(&self, system: &System, label: &str) -> Result<(), OpenError> {
        self.0.identity.open(system, || label.into());
        self.children().iter().try_for_each(|child| child.node.open(system, &format!("{label}/{}", child.id)))
    }

    fn close(&self, reason: &ExitReason) {
        self.0.identity.close(reason);
        for child in self.children().iter().rev() {
            child.node.close(reason);
        }
    }

    fn start(&self, parent: Arc<dyn Parent>, run: u64) -> Result<Pid, StartError> {
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let attachment = self.0.identity.attach(parent, run)?;
        let pid = attachment.pid();
        runtime.spawn(host::run(self.clone(), attachment));
        Ok(pid)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.0.identity.abandon(pid)
    }

    fn handle(&self) -> Handle {
        self.address().handle()
    }

    /// Its own children are still to be stopped in good order; it ends as killed after that. As OTP has it.
    fn orphan(&self) {
        // If it is gone already, there is nobody to tell.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn branches(&self) -> Option<Vec<Tree>> {
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
            Some(Tree { id: child.id.clone(), state, pid: handle.pid(), restarts, handle, children })
        };
        Some(states.into_iter().filter_map(branch).collect())
    }

    fn stragglers(&self, into: &mut Vec<Straggler>) {
        into.extend(self.book().stragglers.iter().cloned());
        self.children().iter().for_each(|child| child.node.stragglers(into));
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

impl From<Supervisor> for ChildSpec {
    fn from(supervisor: Supervisor) -> Self {
        let error = supervisor.check().err();
        let (id, restart) = (supervisor.plan.id.clone(), supervisor.restart);
        Self {
            id,
            restart,
            shutdown: Shutdown::Infinity,
            start_timeout: None,
            node: Arc::new(SupervisorNode::new(supervisor.plan)),
            error,
        }
    }
}
