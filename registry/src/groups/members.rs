//! The members of groups: joining, leaving and selection.

use std::any::TypeId;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::host::Broadcast;
use perennial_actors::host::sync::IdGen;
use perennial_actors::{ActorHandle, Address, Pid};

use super::entry::{Entry, Member};
use super::monitor::{GroupChange, GroupInfo, GroupMonitor};
use crate::error::{GroupJoinError, NotJoinedError};
use crate::label::{Group, LabelKey};
use crate::owners::{OwnedTable, Owners, Place, ensure_owner};
use crate::table::Table;

/// The groups of a system.
#[derive(Default)]
pub(crate) struct Groups {
    groups: Table<LabelKey, Entry>,
    owners: Owners<LabelKey>,
    pub(crate) changes: Broadcast<GroupChange>,
    /// The versions of changes, for all groups. A version is taken while its group is locked. The
    /// number of a membership is the version of its join, and the number of a group is that of its
    /// first membership.
    versions: IdGen,
}

impl OwnedTable for Groups {
    type Key = LabelKey;

    fn owners(&self) -> &Owners<LabelKey> {
        &self.owners
    }

    fn remove_entries(&self, memberships: impl Iterator<Item = (u64, Place<LabelKey>)>) {
        for (number, place) in memberships {
            self.remove(&place.key, number);
        }
    }
}

impl Groups {
    /// Returns the names of the groups that have members, sorted.
    pub(crate) fn which(&self) -> Vec<String> {
        let mut names = self.groups.collect(|(name, _), _| Some(name.to_string()));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the groups that have members, sorted by name.
    pub(crate) fn list(&self) -> Vec<GroupInfo> {
        let info = |(name, _): &LabelKey, entry: &Entry| {
            let members = entry.members().map(|member| member.pid).collect();
            Some(GroupInfo { group: name.clone(), members })
        };
        let mut groups = self.groups.collect(info);
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        groups
    }

    /// Returns the number of incarnations that have a list.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }

    /// Returns the number of memberships on the list of an incarnation.
    #[cfg(all(test, not(model)))]
    pub(crate) fn memberships(&self, pid: Pid) -> usize {
        self.owners.all(pid).len()
    }

    /// Records a change of a locked group. Returns the version of the change.
    fn record(&self, key: &LabelKey, actor: &ActorHandle, joined: bool) -> u64 {
        let version = self.versions.next();
        self.changes.record(|| {
            let (group, messages) = key.clone();
            GroupChange { group, messages, version, actor: actor.clone(), joined }
        });
        version
    }

    /// Adds a membership. Returns its number and the number of the group.
    fn add(&self, key: &LabelKey, member: Member) -> (u64, u64) {
        let added = self.groups.update_or_insert(key.clone(), |entry| {
            let number = self.record(key, &member.handle, true);
            (number, entry.join(number, member))
        });
        self.changes.publish();
        added
    }

    /// Removes a membership. Returns `true` if it was there.
    fn remove(&self, key: &LabelKey, number: u64) -> bool {
        let leave = |entry: &mut Entry| {
            let member = entry.leave(number)?;
            self.record(key, &member.handle, false);
            Some(member)
        };
        let removed = self.groups.update_or_remove(key, leave, Entry::is_empty);
        self.changes.publish();
        removed.flatten().is_some()
    }

    /// Returns all members with their incarnations.
    pub(super) fn members<M: Send + 'static>(&self, key: &LabelKey) -> Vec<(Pid, Address<M>)> {
        let members = |entry: &Entry| {
            let members = entry.members();
            members.filter_map(|member| Some((member.pid, member.address()?))).collect()
        };
        self.groups.read(key, members).unwrap_or_default()
    }
}

/// A handle to one group. Its clones refer to the same group.
///
/// The members are incarnations. When an incarnation ends, its memberships end before any link or
/// monitor is notified. The next incarnation joins again in its `init`.
pub struct GroupHandle<M> {
    pub(super) groups: Arc<Groups>,
    pub(super) key: LabelKey,
    messages: PhantomData<fn(M)>,
}

impl<M: Send + 'static> GroupHandle<M> {
    pub(crate) fn new(groups: Arc<Groups>, group: &Group<M>) -> Self {
        Self { groups, key: (group.text(), TypeId::of::<M>()), messages: PhantomData }
    }

    /// Adds the running incarnation of an actor to the group. If it is a member already, it becomes
    /// one once more.
    ///
    /// # Errors
    ///
    /// If no incarnation of the actor runs.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.members(), [greeter]);")]
    pub fn join(&self, actor: &Address<M>) -> Result<(), GroupJoinError> {
        let (handle, Some(pid)) = (actor.handle(), actor.pid()) else { return Err(GroupJoinError) };
        if !ensure_owner(&self.groups, &handle, pid) {
            return Err(GroupJoinError);
        }
        let (number, group) = self.groups.add(&self.key, Member { pid, handle });
        if self.groups.owners.record(pid, number, Place { number: group, key: self.key.clone() }) {
            return Ok(());
        }
        self.groups.remove(&self.key, number);
        Err(GroupJoinError)
    }

    /// Removes the oldest membership of an actor's running incarnation.
    ///
    /// # Errors
    ///
    /// If no incarnation runs, or the running one is no member.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.leave(&greeter)?;
assert!(greeters.leave(&greeter).is_err());")]
    pub fn leave(&self, actor: &Address<M>) -> Result<(), NotJoinedError> {
        let pid = actor.pid().ok_or(NotJoinedError)?;
        let place = self.groups.groups.read(&self.key, Entry::place).ok_or(NotJoinedError)?;
        // A concurrent call may remove the oldest one first. There may be another one then.
        while let Some(&number) = self.groups.owners.at(pid, place, 1).first() {
            let left = self.groups.remove(&self.key, number);
            self.groups.owners.forget(pid, number);
            if left {
                return Ok(());
            }
        }
        Err(NotJoinedError)
    }

    /// Returns all members in the order in which they joined. A member that joined several times is
    /// returned as often.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.join(&other)?;
assert_eq!(greeters.members(), [greeter, other]);")]
    #[must_use]
    pub fn members(&self) -> Vec<Address<M>> {
        self.groups.members(&self.key).into_iter().map(|(_, address)| address).collect()
    }

    /// Returns any member, or `None` if the group is empty.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.any(), Some(greeter));")]
    #[must_use]
    pub fn any(&self) -> Option<Address<M>> {
        self.groups.groups.read(&self.key, |entry| entry.members().next()?.address())?
    }

    /// Returns the next member in turn. All handles of the group share the turns. A joining member
    /// is put behind all others. A member is therefore returned within as many calls as the group
    /// had members when it joined or had its last turn.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.join(&other)?;
assert_ne!(greeters.round_robin(), greeters.round_robin());")]
    #[must_use]
    pub fn round_robin(&self) -> Option<Address<M>> {
        self.groups.groups.update(&self.key, |entry| entry.take_turn()?.address())?
    }

    /// Returns the member that a key maps to (rendezvous hashing). A member that leaves loses only
    /// its own keys, and a member that joins gets some keys of every other member. No key moves
    /// between two members that stay. During a restart, the actor's keys map to other members until
    /// the actor has joined again.
    #[doc = registry_example!(r#"greeters.join(&greeter)?;
greeters.join(&other)?;
assert_eq!(greeters.by_key(&"Ada"), greeters.by_key(&"Ada"));"#)]
    #[must_use]
    pub fn by_key(&self, key: &impl Hash) -> Option<Address<M>> {
        let weight = |(pid, _): &(Pid, Address<M>)| {
            let mut hasher = DefaultHasher::new();
            pid.identity().hash(&mut hasher);
            key.hash(&mut hasher);
            hasher.finish()
        };
        Some(self.groups.members(&self.key).into_iter().max_by_key(weight)?.1)
    }

    /// Returns the member with the fewest queued messages.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.least_queued(), Some(greeter));")]
    #[must_use]
    pub fn least_queued(&self) -> Option<Address<M>> {
        self.members().into_iter().min_by_key(|member| member.counters().queued)
    }

    /// Subscribes to the joins and leaves of the group, and takes a snapshot of its members. The
    /// snapshot and the changes together contain each member exactly once.
    #[doc = registry_example!(r"let mut monitor = greeters.monitor();
greeters.join(&greeter)?;
assert!(monitor.next().await.is_some_and(|change| change.joined));")]
    #[must_use]
    pub fn monitor(&self) -> GroupMonitor<M> {
        // Subscribed first. A change that is in the snapshot already is recognised by its version.
        let (changes, key) = (self.groups.changes.subscribe(), self.key.clone());
        let (members, version) = self.groups.groups.update_or_try_insert(key.clone(), |entry| {
            let members = entry.iter().flat_map(|entry| entry.members());
            (None, (members.filter_map(Member::address).collect(), self.groups.versions.latest()))
        });
        GroupMonitor { members, changes, key, version }
    }
}

impl<M> Clone for GroupHandle<M> {
    fn clone(&self) -> Self {
        Self { groups: self.groups.clone(), key: self.key.clone(), messages: PhantomData }
    }
}

impl<M> fmt::Debug for GroupHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("group", &self.key.0).finish_non_exhaustive()
    }
}
