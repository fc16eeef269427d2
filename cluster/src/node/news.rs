//! What changes in the registry of this node: names, and the members of groups.

use perennial_actors::{Subscription, System};
use perennial_registry::{GroupChange, NameChange};

/// What has to be looked up.
pub(super) enum News {
    Name(String),
    /// Changes of names were missed.
    AllNames,
    Group(String),
    /// Changes of groups were missed.
    AllGroups,
}

/// The news of a registry.
pub(super) struct OwnNews {
    names: Subscription<NameChange>,
    groups: Subscription<GroupChange>,
    missed_names: u64,
    missed_groups: u64,
}

impl OwnNews {
    pub(super) fn of(system: &System) -> Self {
        let (names, groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
        Self { names, groups, missed_names: 0, missed_groups: 0 }
    }

    /// Waits for news. Returns `None` once the system is dropped.
    pub(super) async fn next(&mut self) -> Option<News> {
        tokio::select! {
            biased;
            change = self.names.next() => Some(self.of_name(&change?)),
            change = self.groups.next() => Some(self.of_group(change?)),
        }
    }

    /// Returns the next news if there are any.
    pub(super) fn try_next(&mut self) -> Option<News> {
        if let Some(change) = self.names.try_next() {
            return Some(self.of_name(&change));
        }
        self.groups.try_next().map(|change| self.of_group(change))
    }

    fn of_name(&mut self, change: &NameChange) -> News {
        if self.names.missed() != self.missed_names {
            self.missed_names = self.names.missed();
            return News::AllNames;
        }
        match change {
            NameChange::Registered { name, .. }
            | NameChange::Unregistered { name, .. }
            | NameChange::HandedOver { name, .. } => News::Name(name.to_string()),
            _ => News::AllNames,
        }
    }

    fn of_group(&mut self, change: GroupChange) -> News {
        if self.groups.missed() != self.missed_groups {
            self.missed_groups = self.groups.missed();
            return News::AllGroups;
        }
        News::Group(change.group.into_owned())
    }
}
