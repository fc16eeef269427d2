//! What a supervisor knows: its driver writes it, and whoever looks at the tree reads it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use perennial_actors::Pid;

use crate::chunk_map::ChunkMap;
use crate::engine::{ChildKey, Engine, Policy, StartId};
use crate::node::{ChildNode, GivenNode, Nest, OwnedNode};
use crate::policy::{ChildPolicy, Restart, SupervisorKind};
use crate::spec::{ChildSpec, SpecError, SupervisorSpec};
use crate::tree::UnstoppedChild;

/// What a supervisor knows, whichever incarnation of it lives.
pub(crate) struct SupervisorState {
    /// What every incarnation begins with.
    pub(crate) plan: SupervisorSpec,
    /// The children of the plan that were given away, by their place among all of it.
    given: BTreeMap<usize, Given>,
    /// None before the first incarnation, and when one was killed.
    pub(crate) engine: Option<Engine>,
    /// The children of the incarnation that lives or lived last.
    residents: ChunkMap<ChildRecord>,
    /// The children of a dynamic supervisor, by the number of their identity.
    numbers: HashMap<u64, ChildKey>,
    /// Where the runs of the next engine begin, so that news of one before is never taken for news of its own.
    next_run: StartId,
    /// Who did not stop in time, of those that are still children when the supervisor stops.
    unstopped: BTreeMap<ChildKey, UnstoppedChild>,
    /// Whether it ends, or has ended, because one restart too many was needed.
    pub(crate) gave_up: bool,
}

/// A child of the plan that belongs to another owner now.
struct Given {
    id: Arc<str>,
    policy: ChildPolicy,
    restart_if_dynamic: Restart,
    error: Option<Box<SpecError>>,
    node: GivenNode,
}

/// What is left of an incarnation: kept only to be dropped when the book is closed again.
#[must_use = "specs and reasons are users' values, to be dropped under no lock"]
pub(super) struct Past {
    _engine: Option<Engine>,
    _residents: ChunkMap<ChildRecord>,
}

/// What another plan has displaced: kept only to be dropped when the book is closed again.
#[must_use = "specs are users' values, to be dropped under no lock"]
pub(super) struct Displaced {
    _plan: SupervisorSpec,
    _nodes: Vec<OwnedNode>,
    _given: BTreeMap<usize, Given>,
}

/// A child of an incarnation.
struct ChildRecord {
    spec: ChildSpec,
    /// Its newest incarnation.
    pid: Option<Pid>,
}

impl Default for SupervisorState {
    fn default() -> Self {
        Self {
            plan: SupervisorSpec::ordered(),
            given: BTreeMap::new(),
            engine: None,
            residents: ChunkMap::default(),
            numbers: HashMap::new(),
            next_run: StartId(0),
            unstopped: BTreeMap::new(),
            gave_up: false,
        }
    }
}

impl SupervisorState {
    /// Lets the children of the incarnation before go, also those that it had taken in. Returns what
    /// is left of it, to be dropped under no lock before the next incarnation [begins](Self::begin).
    pub(super) fn clear(&mut self) -> Past {
        let engine = self.end_incarnation();
        self.numbers.clear();
        Past { _engine: engine, _residents: std::mem::take(&mut self.residents) }
    }

    /// Begins anew, for a new incarnation. What was said of the one before is gone.
    pub(super) fn begin(&mut self) {
        self.unstopped.clear();
        self.gave_up = false;
        self.reclaim();
        let children = self.plan.children.iter().map(ChildSpec::share);
        self.residents = (0..).zip(children.map(|spec| ChildRecord { spec, pid: None })).collect();
        let children = self.plan.children.iter().map(|child| (child.id.clone(), child.policy.clone()));
        let seed = RandomState::new().hash_one(self.next_run.0);
        self.engine = Some(Engine::new(policy(&self.plan, seed), children, self.next_run));
    }

    /// The incarnation is over. Returns its engine, which keeps reasons, to be dropped under no lock.
    pub(super) fn end_incarnation(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        self.next_run = engine.next_run();
        Some(engine)
    }

    /// Takes another plan over, all of whose children are there. They keep what they are, and with
    /// it all that runs. What it displaces is to be dropped when the book is closed again.
    pub(super) fn adopt_plan(&mut self, mut plan: SupervisorSpec) -> Displaced {
        let mut nodes = Vec::new();
        let specs = self.residents.values().map(|resident| &resident.spec);
        let specs: HashMap<&Arc<str>, &ChildSpec> = specs.map(|spec| (&spec.id, spec)).collect();
        for child in &mut plan.children {
            if let Some(spec) = specs.get(&child.id) {
                nodes.push(std::mem::replace(&mut child.node, spec.node.share()));
                let policy = std::mem::take(&mut child.policy);
                child.policy = policy.of_existing(&spec.policy);
            }
        }
        let plan = std::mem::replace(&mut self.plan, plan);
        Displaced { _plan: plan, _nodes: nodes, _given: std::mem::take(&mut self.given) }
    }

    /// Takes back the children of the plan that were given away, if nothing else has a claim to
    /// them now.
    pub(super) fn reclaim(&mut self) {
        let take_back = |(place, given): (&usize, &Given)| {
            let Given { id, policy, restart_if_dynamic, error, node } = given;
            let (id, policy, error) = (id.clone(), policy.clone(), error.clone());
            let restart_if_dynamic = *restart_if_dynamic;
            Some((*place, ChildSpec { id, policy, restart_if_dynamic, node: node.reclaim()?, error }))
        };
        let back: Vec<(usize, ChildSpec)> = self.given.iter().filter_map(take_back).collect();
        for (place, child) in back {
            self.given.remove(&place);
            let missing = self.given.range(..place).count();
            self.plan.children.insert(place - missing, child);
        }
    }

    /// Removes a child and returns its spec, for another owner. The next incarnations do not start
    /// the child either, unless it is [reclaimed](Self::reclaim).
    pub(super) fn give_away(&mut self, key: ChildKey) -> Option<ChildSpec> {
        let child = self.remove(key)?;
        if let Some(at) = self.plan.children.iter().position(|planned| planned.node.is(&child.node)) {
            let ChildSpec { id, policy, restart_if_dynamic, node, error } = self.plan.children.remove(at);
            // Its place among all of the plan: each one that was given away before it moves it on
            // by one.
            let place = self.given.keys().fold(at, |place, given| place + usize::from(*given <= place));
            self.given.insert(place, Given { id, policy, restart_if_dynamic, error, node: node.give_away() });
        }
        Some(child)
    }

    /// Takes a child in. Returns the one that had its key, to be dropped under no lock.
    pub(super) fn insert(&mut self, key: ChildKey, spec: ChildSpec) -> Option<ChildSpec> {
        let before = self.residents.insert(key.0, ChildRecord { spec, pid: None })?;
        Some(before.spec)
    }

    /// Lets a child go.
    pub(super) fn remove(&mut self, key: ChildKey) -> Option<ChildSpec> {
        let resident = self.residents.remove(key.0)?;
        if let Some(pid) = resident.pid {
            self.numbers.remove(&pid.identity());
        }
        Some(resident.spec)
    }

    /// A child did not stop in time. That is for the report of a shutdown if this is one, or if the child still runs somewhere;
    /// whoever was replaced meanwhile is of no concern to it.
    pub(super) fn record_unstopped(&mut self, key: ChildKey, path: Arc<str>, abandoned: bool) {
        if abandoned || self.engine.as_ref().is_none_or(Engine::is_leaving) {
            let straggler = self.unstopped.entry(key).or_insert(UnstoppedChild { path, abandoned });
            straggler.abandoned |= abandoned;
        }
    }

    /// Who did not stop in time, in start order.
    pub(super) fn unstopped(&self) -> impl Iterator<Item = &UnstoppedChild> {
        self.unstopped.values()
    }

    /// An incarnation of a child has begun.
    pub(super) fn began(&mut self, key: ChildKey, pid: Pid) {
        let Some(resident) = self.residents.get_mut(key.0) else { return };
        if resident.pid.replace(pid).is_none() && matches!(self.plan.kind, SupervisorKind::Dynamic { .. }) {
            self.numbers.insert(pid.identity(), key);
        }
    }

    /// The child of a dynamic supervisor of which this is an incarnation, living or not.
    pub(super) fn key_of(&self, pid: Pid) -> Option<ChildKey> {
        self.numbers.get(&pid.identity()).copied()
    }

    pub(super) fn pid_of(&self, key: ChildKey) -> Option<Pid> {
        self.residents.get(key.0)?.pid
    }

    pub(super) fn spec(&self, key: ChildKey) -> Option<&ChildSpec> {
        self.residents.get(key.0).map(|resident| &resident.spec)
    }

    pub(super) fn node_of(&self, key: ChildKey) -> Option<Arc<dyn ChildNode>> {
        self.spec(key).map(|spec| spec.node.node().clone())
    }

    /// Moves all nodes to `nest`, and drops the rest.
    pub(super) fn dismantle(self, nest: &mut Nest) {
        let Self { plan, given, engine, residents, .. } = self;
        nest.add(given.into_values().map(|given| given.node.into_node()));
        nest.add(plan.children.into_iter().map(|child| child.node.into_node()));
        nest.add(residents.into_values().map(|resident| resident.spec.node.into_node()));
        drop(engine);
    }

    /// The children as they are now, in start order.
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (ChildKey, &Arc<dyn ChildNode>)> {
        self.residents.iter().map(|(key, resident)| (ChildKey(key), resident.spec.node.node()))
    }

    /// Those that will not come back with the next incarnation. An id may belong to another child
    /// than in the plan.
    pub(super) fn runtime_children(&self) -> Vec<Arc<dyn ChildNode>> {
        let address = |node: &OwnedNode| Arc::as_ptr(node.node()).cast::<()>();
        let planned: HashSet<*const ()> =
            self.plan.children.iter().map(|child| address(&child.node)).collect();
        let passing = self.residents.values().filter(|of| !planned.contains(&address(&of.spec.node)));
        passing.map(|resident| resident.spec.node.node().clone()).collect()
    }
}

/// What an engine is told of a supervisor with this plan.
pub(super) fn policy(plan: &SupervisorSpec, seed: u64) -> Policy {
    Policy { kind: plan.kind, intensity: plan.intensity, kill_grace: plan.kill_grace, seed }
}
