//! The state of a supervisor. Its driver writes it, and snapshots of the tree read it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Pid;
use perennial_actors::host::SeqMap;
use tokio::time::Instant;

use crate::engine::{ChildKey, Engine, Policy, StartId};
use crate::node::{ChildNode, DropQueue, OwnedNode};
use crate::policy::SupervisorKind;
use crate::spec::{ChildSpec, SupervisorSpec};
use crate::status::SupervisorStatus;
use crate::tree::UnstoppedChild;

/// The state of a supervisor across its incarnations.
pub(crate) struct SupervisorState {
    /// The spec with which every incarnation starts.
    pub(crate) plan: SupervisorSpec,
    /// The children of the spec that were transferred, by their index in the original spec.
    transferred: BTreeMap<usize, ChildSpec>,
    /// `None` before the first incarnation and after a kill.
    pub(crate) engine: Option<Engine>,
    /// The children of the current or last incarnation.
    children: SeqMap<ChildRecord>,
    /// The keys of a dynamic supervisor's children, by the number of their identity.
    keys_by_identity: SeqMap<ChildKey>,
    /// The first start id of the next engine, so that events of an earlier engine are never taken
    /// for its own.
    next_run: StartId,
    /// The children that did not stop in time, among those that are still children when the
    /// supervisor stops.
    unstopped: BTreeMap<ChildKey, UnstoppedChild>,
    /// `true` if it shuts down or has ended because it exceeded its intensity.
    pub(crate) gave_up: bool,
    /// The current or last incarnation, and when it began.
    incarnation: Option<(Pid, Instant)>,
    /// The restarts in that incarnation.
    restarts: u64,
    /// The number of further restarts that were tolerated after the last one.
    restarts_left: Option<u32>,
}

/// A child of an incarnation.
struct ChildRecord {
    spec: ChildSpec,
    /// Its latest incarnation.
    pid: Option<Pid>,
}

impl Default for SupervisorState {
    fn default() -> Self {
        Self {
            plan: SupervisorSpec::ordered(),
            transferred: BTreeMap::new(),
            engine: None,
            children: SeqMap::default(),
            keys_by_identity: SeqMap::new(),
            next_run: StartId(0),
            unstopped: BTreeMap::new(),
            gave_up: false,
            incarnation: None,
            restarts: 0,
            restarts_left: None,
        }
    }
}

impl SupervisorState {
    /// Removes the children of the previous incarnation, including those added at runtime. Returns
    /// its values, to be dropped under no lock before the next incarnation [begins](Self::begin).
    #[must_use = "specs and reasons are users' values, to be dropped under no lock"]
    pub(super) fn clear(&mut self) -> impl Sized + use<> {
        self.keys_by_identity = SeqMap::new();
        (self.end_incarnation(), std::mem::take(&mut self.children))
    }

    /// Initializes the state for a new incarnation. Returns `true` if a child has liveness checks.
    pub(super) fn begin(&mut self, pid: Pid) -> bool {
        self.unstopped.clear();
        self.gave_up = false;
        self.incarnation = Some((pid, Instant::now()));
        (self.restarts, self.restarts_left) = (0, None);
        self.reclaim();
        let children = self.plan.children.iter().map(ChildSpec::share);
        self.children = (0..).zip(children.map(|spec| ChildRecord { spec, pid: None })).collect();
        let children = self.plan.children.iter().map(|child| (child.id.clone(), child.policy.clone()));
        let seed = RandomState::new().hash_one(self.next_run.0);
        self.engine = Some(Engine::new(policy(&self.plan, seed), children, self.next_run));
        self.plan.children.iter().any(|child| child.policy.liveness.is_some())
    }

    /// Counts a restart, after which this number is tolerated.
    pub(super) fn record_restart(&mut self, restarts_left: u32) {
        self.restarts += 1;
        self.restarts_left = Some(restarts_left);
    }

    /// Returns the status of the current or last incarnation at this path.
    pub(super) fn status(&self, path: Arc<str>) -> Option<SupervisorStatus> {
        let strategy = match self.plan.kind {
            SupervisorKind::Static { strategy, .. } => Some(strategy),
            SupervisorKind::Dynamic { .. } => None,
        };
        let (pid, _) = self.incarnation?;
        let (restarts, restarts_left, gave_up) = (self.restarts, self.restarts_left, self.gave_up);
        Some(SupervisorStatus { pid, path, strategy, restarts, restarts_left, gave_up })
    }

    /// Returns how many restarts are tolerated now, if an incarnation runs.
    pub(super) fn restarts_left(&self) -> Option<u32> {
        Some(self.engine.as_ref()?.restarts_left_at(self.age()))
    }

    /// Returns the time since the current or last incarnation began, which is the time of its
    /// engine.
    pub(super) fn age(&self) -> Duration {
        self.incarnation.map(|(_, began)| began.elapsed()).unwrap_or_default()
    }

    /// Ends the incarnation. Returns its engine, which holds exit reasons, to be dropped under no
    /// lock.
    pub(super) fn end_incarnation(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        self.next_run = engine.next_run();
        Some(engine)
    }

    /// Replaces the spec. All children of the new spec have been added. They keep their nodes, and
    /// so everything that runs. Returns the replaced values, to be dropped under no lock.
    #[must_use = "specs are users' values, to be dropped under no lock"]
    pub(super) fn adopt_plan(&mut self, mut plan: SupervisorSpec) -> impl Sized + use<> {
        let mut nodes = Vec::new();
        let specs = self.children.values().map(|record| &record.spec);
        let specs: HashMap<&Arc<str>, &ChildSpec> = specs.map(|spec| (&spec.id, spec)).collect();
        for child in &mut plan.children {
            if let Some(spec) = specs.get(&child.id) {
                nodes.push(std::mem::replace(&mut child.node, spec.node.share()));
                let policy = (*child.policy).clone();
                child.policy = policy.of_existing(&spec.policy).into();
            }
        }
        (std::mem::replace(&mut self.plan, plan), nodes, std::mem::take(&mut self.transferred))
    }

    /// Takes back the transferred children of the spec to which no other owner has a claim any
    /// more.
    pub(super) fn reclaim(&mut self) {
        for (index, mut child) in std::mem::take(&mut self.transferred) {
            if child.node.reclaim() {
                let missing = self.transferred.len();
                self.plan.children.insert(index - missing, child);
            } else {
                self.transferred.insert(index, child);
            }
        }
    }

    /// Removes a child and returns its spec, for another owner. Later incarnations do not start the
    /// child, unless it is [reclaimed](Self::reclaim).
    pub(super) fn transfer(&mut self, key: ChildKey) -> Option<ChildSpec> {
        let child = self.remove(key)?;
        if let Some(at) = self.plan.children.iter().position(|planned| planned.node.is(&child.node)) {
            let mut planned = self.plan.children.remove(at);
            planned.node.transfer();
            // The index in the original spec: each child that was transferred before it adds one.
            let transferred = self.transferred.keys();
            let index = transferred.fold(at, |index, before| index + usize::from(*before <= index));
            self.transferred.insert(index, planned);
        }
        Some(child)
    }

    /// Makes a child that was added at runtime a part of the spec, if its policy says so.
    pub(super) fn join_spec(&mut self, key: ChildKey) {
        let added = self.children.get(key.0).map(|record| &record.spec);
        if let Some(spec) = added.filter(|spec| spec.policy.joins_spec) {
            // It may have been a part of the spec before.
            self.transferred.retain(|_, child| !child.node.is(&spec.node));
            self.plan.children.push(spec.share());
        }
    }

    /// Has a child that is to be added share what is equal with the child that was added last:
    /// children of one template have the same settings, and often the same id. Returns the values
    /// that are not needed, to be dropped under no lock.
    #[must_use = "a condition is a user's value, to be dropped under no lock"]
    pub(super) fn share_with_last(&self, spec: &mut ChildSpec) -> impl Sized + use<> {
        let last = self.children.last().map(|record| &record.spec);
        let id = last.filter(|last| last.id == spec.id).map(|last| last.id.clone());
        let policy = last.filter(|last| last.policy == spec.policy).map(|last| last.policy.clone());
        let id = id.map(|id| std::mem::replace(&mut spec.id, id));
        (id, policy.map(|policy| std::mem::replace(&mut spec.policy, policy)))
    }

    /// Adds a child. Returns the previous child of this key, to be dropped under no lock.
    pub(super) fn insert(&mut self, key: ChildKey, spec: ChildSpec) -> Option<ChildSpec> {
        let before = self.children.insert(key.0, ChildRecord { spec, pid: None })?;
        Some(before.spec)
    }

    /// Removes a child.
    pub(super) fn remove(&mut self, key: ChildKey) -> Option<ChildSpec> {
        let record = self.children.remove(key.0)?;
        if let Some(pid) = record.pid {
            self.keys_by_identity.remove(pid.identity());
        }
        Some(record.spec)
    }

    /// Records a child that did not stop in time, for the shutdown report. Outside a shutdown only
    /// an abandoned child is recorded, because it still runs. A child that was killed and replaced
    /// is not.
    pub(super) fn record_unstopped(&mut self, key: ChildKey, path: Arc<str>, abandoned: bool) {
        if abandoned || self.engine.is_none() || self.is_stopping() {
            let unstopped_child = self.unstopped.entry(key).or_insert(UnstoppedChild { path, abandoned });
            unstopped_child.abandoned |= abandoned;
        }
    }

    /// Returns the children that did not stop in time, in start order.
    pub(super) fn unstopped(&self) -> impl Iterator<Item = &UnstoppedChild> {
        self.unstopped.values()
    }

    /// Returns `true` if the supervisor shuts down or has ended.
    pub(super) fn is_stopping(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::is_stopping_or_ended)
    }

    /// Returns `true` if the child is being stopped, unless that is because it is unresponsive.
    pub(super) fn is_stopped_in_order(&self, key: ChildKey) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.is_stopped_in_order(key))
    }

    /// Returns `true` if the child has liveness checks.
    pub(super) fn is_watched(&self, key: ChildKey) -> bool {
        let child = self.engine.as_ref().and_then(|engine| engine.view(key));
        child.is_some_and(|child| child.policy.liveness.is_some())
    }

    /// Records a new incarnation of a child.
    pub(super) fn began(&mut self, key: ChildKey, pid: Pid) {
        let Some(record) = self.children.get_mut(key.0) else { return };
        if record.pid.replace(pid).is_none() && matches!(self.plan.kind, SupervisorKind::Dynamic { .. }) {
            self.keys_by_identity.insert(pid.identity(), key);
        }
    }

    /// Returns the child of a dynamic supervisor with this incarnation, live or not.
    pub(super) fn key_of(&self, pid: Pid) -> Option<ChildKey> {
        self.keys_by_identity.get(pid.identity()).copied()
    }

    pub(super) fn pid_of(&self, key: ChildKey) -> Option<Pid> {
        self.children.get(key.0)?.pid
    }

    pub(super) fn spec(&self, key: ChildKey) -> Option<&ChildSpec> {
        self.children.get(key.0).map(|record| &record.spec)
    }

    pub(super) fn node_of(&self, key: ChildKey) -> Option<Arc<dyn ChildNode>> {
        self.spec(key).map(|spec| spec.node.node().clone())
    }

    /// Moves all nodes to `queue`, and drops the rest.
    pub(super) fn dismantle(self, queue: &mut DropQueue) {
        let Self { plan, transferred, engine, children, .. } = self;
        queue.add(transferred.into_values().map(|child| child.node.into_node()));
        queue.add(plan.children.into_iter().map(|child| child.node.into_node()));
        queue.add(children.into_values().map(|(_, record)| record.spec.node.into_node()));
        drop(engine);
    }

    /// Returns the current children, in start order.
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (ChildKey, &Arc<dyn ChildNode>)> {
        self.children.iter().map(|(key, record)| (ChildKey(key), record.spec.node.node()))
    }

    /// Returns the children that the next incarnation does not start. They are compared by node,
    /// because the spec may use the id for another child.
    pub(super) fn runtime_children(&self) -> Vec<Arc<dyn ChildNode>> {
        let address = |node: &OwnedNode| Arc::as_ptr(node.node()).cast::<()>();
        let planned: HashSet<*const ()> =
            self.plan.children.iter().map(|child| address(&child.node)).collect();
        let at_runtime = self.children.values().filter(|of| !planned.contains(&address(&of.spec.node)));
        at_runtime.map(|record| record.spec.node.node().clone()).collect()
    }
}

/// Returns the engine's settings for a supervisor with this spec.
pub(super) fn policy(plan: &SupervisorSpec, seed: u64) -> Policy {
    Policy { kind: plan.kind, intensity: plan.intensity, kill_grace: plan.kill_grace, seed }
}
