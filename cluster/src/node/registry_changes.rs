//! What changes in the registry of this node: names, and the members of groups.

use perennial_actors::{Subscription, System};
use perennial_registry::{GroupChange, NameChange};

/// What has to be looked up.
pub(super) enum RegistryChange {
    Name(String),
    /// Changes of names were missed.
    AllNames,
    Group(GroupChange),
    /// Changes of groups were missed.
    AllGroups,
}

/// The changes of a registry.
pub(super) struct RegistryChanges {
    names: Subscription<NameChange>,
    groups: Subscription<GroupChange>,
    missed_names: u64,
    missed_groups: u64,
}

impl RegistryChanges {
    pub(super) fn of(system: &System) -> Self {
        let (names, groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
        Self { names, groups, missed_names: 0, missed_groups: 0 }
    }

    /// Waits for the next change. Returns `None` once the system is dropped.
    pub(super) async fn next(&mut self) -> Option<RegistryChange> {
        tokio::select! {
            biased;
            change = self.names.next() => Some(self.of_name(&change?)),
            change = self.groups.next() => Some(self.of_group(change?)),
        }
    }

    /// Returns the next change if there is one.
    pub(super) fn try_next(&mut self) -> Option<RegistryChange> {
        if let Some(change) = self.names.try_next() {
            return Some(self.of_name(&change));
        }
        self.groups.try_next().map(|change| self.of_group(change))
    }

    fn of_name(&mut self, change: &NameChange) -> RegistryChange {
        if self.names.missed() != self.missed_names {
            self.missed_names = self.names.missed();
            return RegistryChange::AllNames;
        }
        match change {
            NameChange::Registered { name, .. }
            | NameChange::Unregistered { name, .. }
            | NameChange::HandedOver { name, .. } => RegistryChange::Name(name.to_string()),
            _ => RegistryChange::AllNames,
        }
    }

    fn of_group(&mut self, change: GroupChange) -> RegistryChange {
        if self.groups.missed() != self.missed_groups {
            self.missed_groups = self.groups.missed();
            return RegistryChange::AllGroups;
        }
        RegistryChange::Group(change)
    }
}
