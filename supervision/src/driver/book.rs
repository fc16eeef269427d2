//! What a supervisor knows: its driver writes it, and whoever looks at the tree reads it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use perennial_actors::Pid;

use crate::engine::{Engine, Key, Policy, Run};
use crate::node::{GivenNode, Nest, Node, OwnedNode};
use crate::policy::{ChildPolicy, Kind, Restart};
use crate::roster::Roster;
use crate::spec::{ChildSpec, Plan, SpecError};
use crate::tree::Straggler;

/// What a supervisor knows, whichever incarnation of it lives.
pub(crate) struct Book {
    /// What every incarnation begins with.
    pub(crate) plan: Plan,
    /// The children of the plan that were given away, by their place among all of it.
    given: BTreeMap<usize, Given>,
    /// None before the first incarnation, and when one was killed.
    pub(crate) engine: Option<Engine>,
    /// The children of the incarnation that lives or lived last.
    residents: Roster<Resident>,
    /// The children of a dynamic supervisor, by the number of their identity.
    numbers: HashMap<u64, Key>,
    /// Where the runs of the next engine begin, so that news of one before is never taken for news of its own.
    next_run: Run,
    /// Who did not stop in time, of those that are still children when the supervisor stops.
    stragglers: BTreeMap<Key, Straggler>,
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
    _residents: Roster<Resident>,
}

/// What another plan has displaced: kept only to be dropped when the book is closed again.
#[must_use = "specs are users' values, to be dropped under no lock"]
pub(super) struct Displaced {
    _plan: Plan,
    _nodes: Vec<OwnedNode>,
    _given: BTreeMap<usize, Given>,
}

/// A child of an incarnation.
struct Resident {
    spec: ChildSpec,
    /// Its newest incarnation.
    pid: Option<Pid>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            plan: Plan::of_order(),
            given: BTreeMap::new(),
            engine: None,
            residents: Roster::default(),
            numbers: HashMap::new(),
            next_run: Run(0),
            stragglers: BTreeMap::new(),
            gave_up: false,
        }
    }
}

impl Book {
    /// Lets the children of the incarnation before go, also those that it had taken in. Returns what
    /// is left of it, to be dropped under no lock before the next incarnation [begins](Self::begin).
    pub(super) fn clear(&mut self) -> Past {
        let engine = self.retire();
        self.numbers.clear();
        Past { _engine: engine, _residents: std::mem::take(&mut self.residents) }
    }

    /// Begins anew, for a new incarnation. What was said of the one before is gone.
    pub(super) fn begin(&mut self) {
        self.stragglers.clear();
        self.gave_up = false;
        self.reclaim();
        let children = self.plan.children.iter().map(ChildSpec::twin);
        self.residents = (0..).zip(children.map(|spec| Resident { spec, pid: None })).collect();
        let children = self.plan.children.iter().map(|child| (child.id.clone(), child.policy.clone()));
        let seed = RandomState::new().hash_one(self.next_run.0);
        self.engine = Some(Engine::new(policy(&self.plan, seed), children, self.next_run));
    }

    /// The incarnation is over. Returns its engine, which keeps reasons, to be dropped under no lock.
    pub(super) fn retire(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        self.next_run = engine.next_run();
        Some(engine)
    }

    /// Takes another plan over, all of whose children are there. They keep what they are, and with
    /// it all that runs. What it displaces is to be dropped when the book is closed again.
    pub(super) fn take_over(&mut self, mut plan: Plan) -> Displaced {
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
    pub(super) fn give_away(&mut self, key: Key) -> Option<ChildSpec> {
        let child = self.dismiss(key)?;
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
    pub(super) fn admit(&mut self, key: Key, spec: ChildSpec) -> Option<ChildSpec> {
        let before = self.residents.insert(key.0, Resident { spec, pid: None })?;
        Some(before.spec)
    }

    /// Lets a child go.
    pub(super) fn dismiss(&mut self, key: Key) -> Option<ChildSpec> {
        let resident = self.residents.remove(key.0)?;
        if let Some(pid) = resident.pid {
            self.numbers.remove(&pid.identity());
        }
        Some(resident.spec)
    }

    /// A child did not stop in time. That is for the report of a shutdown if this is one, or if the child still runs somewhere;
    /// whoever was replaced meanwhile is of no concern to it.
    pub(super) fn is_late(&mut self, key: Key, path: Arc<str>, abandoned: bool) {
        if abandoned || self.engine.as_ref().is_none_or(Engine::is_leaving) {
            let straggler = self.stragglers.entry(key).or_insert(Straggler { path, abandoned });
            straggler.abandoned |= abandoned;
        }
    }

    /// Who did not stop in time, in start order.
    pub(super) fn stragglers(&self) -> impl Iterator<Item = &Straggler> {
        self.stragglers.values()
    }

    /// An incarnation of a child has begun.
    pub(super) fn began(&mut self, key: Key, pid: Pid) {
        let Some(resident) = self.residents.get_mut(key.0) else { return };
        if resident.pid.replace(pid).is_none() && matches!(self.plan.kind, Kind::Dynamic { .. }) {
            self.numbers.insert(pid.identity(), key);
        }
    }

    /// The child of a dynamic supervisor of which this is an incarnation, living or not.
    pub(super) fn key_of(&self, pid: Pid) -> Option<Key> {
        self.numbers.get(&pid.identity()).copied()
    }

    pub(super) fn pid_of(&self, key: Key) -> Option<Pid> {
        self.residents.get(key.0)?.pid
    }

    pub(super) fn spec(&self, key: Key) -> Option<&ChildSpec> {
        self.residents.get(key.0).map(|resident| &resident.spec)
    }

    pub(super) fn node_of(&self, key: Key) -> Option<Arc<dyn Node>> {
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
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (Key, &Arc<dyn Node>)> {
        self.residents.iter().map(|(key, resident)| (Key(key), resident.spec.node.node()))
    }

    /// Those that will not come back with the next incarnation. An id may belong to another child
    /// than in the plan.
    pub(super) fn passing(&self) -> Vec<Arc<dyn Node>> {
        let address = |node: &OwnedNode| Arc::as_ptr(node.node()).cast::<()>();
        let planned: HashSet<*const ()> =
            self.plan.children.iter().map(|child| address(&child.node)).collect();
        let passing = self.residents.values().filter(|of| !planned.contains(&address(&of.spec.node)));
        passing.map(|resident| resident.spec.node.node().clone()).collect()
    }
}

/// What an engine is told of a supervisor with this plan.
pub(super) fn policy(plan: &Plan, seed: u64) -> Policy {
    Policy { kind: plan.kind, intensity: plan.intensity, patience: plan.patience, seed }
}
