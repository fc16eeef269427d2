//! What a supervisor knows: its driver writes it, and whoever looks at the tree reads it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use perennial_actors::Pid;

use crate::engine::{Engine, Key, Policy, Run};
use crate::node::Node;
use crate::policy::Kind;
use crate::roster::Roster;
use crate::spec::{ChildSpec, Plan};
use crate::tree::Straggler;

/// What a supervisor knows, whichever incarnation of it lives.
pub(crate) struct Book {
    /// What every incarnation begins with.
    pub(crate) plan: Plan,
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

/// What is left of an incarnation: kept only to be dropped when the book is closed again.
#[must_use = "specs and reasons are users' values, to be dropped under no lock"]
pub(super) struct Past {
    _engine: Option<Engine>,
    _residents: Roster<Resident>,
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
    /// Begins anew, for a new incarnation. What was said of the one before is gone, also the children that it had taken in:
    /// returns what is left of them, to be dropped under no lock.
    pub(super) fn begin(&mut self) -> Past {
        let engine = self.retire();
        self.stragglers.clear();
        self.gave_up = false;
        self.numbers.clear();
        let children = self.plan.children.iter().map(ChildSpec::twin);
        let residents = (0..).zip(children.map(|spec| Resident { spec, pid: None })).collect();
        let residents = std::mem::replace(&mut self.residents, residents);
        let children = self.plan.children.iter().map(|child| (child.id.clone(), child.policy.clone()));
        let seed = RandomState::new().hash_one(self.next_run.0);
        self.engine = Some(Engine::new(policy(&self.plan, seed), children, self.next_run));
        Past { _engine: engine, _residents: residents }
    }

    /// The incarnation is over. Returns its engine, which keeps reasons, to be dropped under no lock.
    pub(super) fn retire(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        self.next_run = engine.next_run();
        Some(engine)
    }

    /// Takes another plan over, all of whose children are there. They keep what they are, and with it all that runs.
    /// Returns the plan before and the nodes that are not used, to be dropped under no lock.
    pub(super) fn take_over(&mut self, mut plan: Plan) -> (Plan, Vec<Arc<dyn Node>>) {
        let specs = self.residents.values().map(|resident| &resident.spec);
        let specs: HashMap<&Arc<str>, &ChildSpec> = specs.map(|spec| (&spec.id, spec)).collect();
        let mut unused = Vec::new();
        for child in &mut plan.children {
            if let Some(spec) = specs.get(&child.id) {
                unused.push(std::mem::replace(&mut child.node, spec.node.clone()));
                child.policy.kind = spec.policy.kind;
            }
        }
        (std::mem::replace(&mut self.plan, plan), unused)
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
        self.spec(key).map(|spec| spec.node.clone())
    }

    /// The children as they are now, in start order.
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (Key, &Arc<dyn Node>)> {
        self.residents.iter().map(|(key, resident)| (Key(key), &resident.spec.node))
    }

    /// Those that will not come back with the next incarnation.
    pub(super) fn passing(&self) -> Vec<Arc<dyn Node>> {
        let planned: HashSet<&Arc<str>> = self.plan.children.iter().map(|child| &child.id).collect();
        let dynamic = matches!(self.plan.kind, Kind::Dynamic { .. });
        let passing = self.residents.values().filter(|of| dynamic || !planned.contains(&of.spec.id));
        passing.map(|resident| resident.spec.node.clone()).collect()
    }
}

/// What an engine is told of a supervisor with this plan.
pub(super) fn policy(plan: &Plan, seed: u64) -> Policy {
    Policy { kind: plan.kind, intensity: plan.intensity, patience: plan.patience, seed }
}
