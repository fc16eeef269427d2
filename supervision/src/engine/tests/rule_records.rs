//! What a [simulation](super::random_sim) of random events knows of the restart rules of children.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{ChildKey, Target};
use crate::policy::ChildPolicy;

/// The policies and the starts of the current children.
pub(super) struct RuleRecords {
    children: BTreeMap<ChildKey, (Arc<str>, ChildPolicy)>,
    /// The children that have started.
    started: BTreeSet<ChildKey>,
    /// The starts of each child since its last reset.
    starts: BTreeMap<ChildKey, Vec<Duration>>,
}

impl RuleRecords {
    pub(super) fn of(children: &[(Arc<str>, ChildPolicy)]) -> Self {
        let children = (0..).map(ChildKey).zip(children.iter().cloned()).collect();
        Self { children, started: BTreeSet::new(), starts: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, key: ChildKey, id: &Arc<str>, policy: &ChildPolicy) {
        self.children.insert(key, (id.clone(), policy.clone()));
    }

    pub(super) fn remove(&mut self, key: ChildKey) {
        self.children.remove(&key);
    }

    /// Applies a changed spec.
    pub(super) fn change(&mut self, changed: &[(Arc<str>, ChildPolicy)]) {
        for (id, policy) in changed {
            let with_id = self.children.values_mut().filter(|(of, _)| of == id);
            with_id.for_each(|(_, current)| *current = policy.clone());
        }
    }

    /// Forgets the starts of a child.
    pub(super) fn reset(&mut self, target: &Target) {
        let is_target = |key: &ChildKey| match target {
            Target::Id(id) => self.children.get(key).is_some_and(|(of, _)| of == id),
            Target::Key(of) => of == key,
            Target::Pid(_) => false,
        };
        let reset: Vec<ChildKey> = self.starts.keys().copied().filter(is_target).collect();
        reset.iter().for_each(|key| drop(self.starts.remove(key)));
    }

    /// Records a start, and checks that the limit of the child allows it.
    pub(super) fn on_start(&mut self, key: ChildKey, now: Duration) {
        let Some(limit) = self.children[&key].1.start_limit.as_deref() else {
            self.starts.remove(&key);
            return;
        };
        let starts = self.starts.entry(key).or_default();
        starts.push(now);
        let counting = starts.iter().filter(|at| now - **at <= limit.interval).count();
        assert!(counting <= limit.burst as usize, "{key:?} is started {counting} times with {limit:?}");
    }

    pub(super) fn on_started(&mut self, key: ChildKey) {
        self.started.insert(key);
    }

    /// Returns `true` if a restart of the child counts for the intensity.
    pub(super) fn counts_restart(&self, key: ChildKey) -> bool {
        let policy = &self.children[&key].1;
        let is_first = policy.retry_start.is_some() && !self.started.contains(&key);
        policy.start_limit.is_none() && !is_first
    }
}
