//! The members of groups: joining, leaving, and choosing among them.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, Pid, Subscription};

use super::entry::{Entry, Member};
use super::group::Group;
use super::monitor::{GroupChange, GroupMonitor};
use crate::changes::{Changes, Told};
use crate::owners::{Owned, OwnedTable, Owners, ensure_owner};
use crate::sync::IdGen;
use crate::table::{Retain, Table};

/// The groups of a system.
#[derive(Default)]
pub(crate) struct Groups {
    groups: Table<Key, Entry>,
    owners: Owners<Key>,
    changes: Changes<GroupChange>,
    /// Of changes of any group, handed out while that is locked. The number of a membership is that of its beginning, and the number
    /// of a group that of its first membership.
    versions: IdGen,
}

/// A group: its name, and the type of the messages that its members take.
type Key = (Cow<'static, str>, TypeId);

impl OwnedTable for Groups {
    type Key = Key;

    fn owners(&self) -> &Owners<Key> {
        &self.owners
    }

    fn remove_entries(&self, memberships: impl Iterator<Item = (u64, Owned<Key>)>) {
        for (number, membership) in memberships {
            self.remove(&membership.key, number);
        }
    }
}

impl Groups {
    pub(crate) fn subscribe(&self) -> Subscription<GroupChange> {
        self.changes.subscribe()
    }

    /// The names of the groups that somebody is in, sorted.
    pub(crate) fn which(&self) -> Vec<String> {
        let mut names = self.groups.collect(|(name, _), _| Some(name.to_string()));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How many incarnations are known.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }

    /// How many memberships are on the list of an incarnation.
    #[cfg(all(test, not(model)))]
    pub(crate) fn memberships(&self, pid: Pid) -> usize {
        self.owners.all(pid).len()
    }

    /// Notes a change of a group that is locked; its version.
    fn note(&self, told: &mut Told<GroupChange>, key: &Key, actor: &ActorHandle, joined: bool) -> u64 {
        let version = self.versions.next();
        let change = || {
            let (group, messages) = key.clone();
            GroupChange { group, messages, version, actor: actor.clone(), joined }
        };
        self.changes.record(told, change);
        version
    }

    /// Adds a membership; its number, and that of the group.
    fn add(&self, key: &Key, member: Member) -> (u64, u64) {
        let mut told = Told::default();
        self.groups.update_or_insert_with(key.clone(), Entry::default, |entry| {
            let number = self.note(&mut told, key, &member.handle, true);
            (number, entry.join(number, member))
        })
    }

    /// Takes a membership away. Tells whether it was there.
    fn remove(&self, key: &Key, number: u64) -> bool {
        let mut told = Told::default();
        let removed = self.groups.update(key, |entry| {
            let removed = entry.leave(number);
            if let Some(member) = &removed {
                self.note(&mut told, key, &member.handle, false);
            }
            (if entry.is_empty() { Retain::Remove } else { Retain::Keep }, removed)
        });
        matches!(removed, Some((Some(_member), _)))
    }

    /// All members, with their incarnations.
    fn members<M: Send + 'static>(&self, key: &Key) -> Vec<(Pid, Address<M>)> {
        let members = |entry: &Entry| {
            let members = entry.members();
            members.filter_map(|member| Some((member.pid, member.address()?))).collect()
        };
        self.groups.read(key, members).unwrap_or_default()
    }
}

/// Why an actor did not become a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no incarnation of the actor is running")]
pub struct GroupJoinError;

/// An actor that was to leave a group is not in it. OTP's `not_joined`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the actor is not in the group")]
pub struct NotJoinedError;

/// The members of one group, as they come and go. Clones are of the same group.
///
/// What is a member is an incarnation: when it ends, its memberships are over before anybody hears of it, and the next one joins again
/// in its init.
pub struct GroupHandle<M> {
    groups: Arc<Groups>,
    key: Key,
    messages: PhantomData<fn(M)>,
}

impl<M: Send + 'static> GroupHandle<M> {
    pub(crate) fn new(groups: Arc<Groups>, group: &Group<M>) -> Self {
        Self { groups, key: (group.text(), TypeId::of::<M>()), messages: PhantomData }
    }

    /// Makes the incarnation of an actor that lives now a member; once more, if it is one already.
    ///
    /// # Errors
    ///
    /// If none lives.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.members(), [greeter]);")]
    pub fn join(&self, actor: &Address<M>) -> Result<(), GroupJoinError> {
        let (handle, Some(pid)) = (actor.handle(), actor.pid()) else { return Err(GroupJoinError) };
        if !ensure_owner(&self.groups, &handle, pid) {
            return Err(GroupJoinError);
        }
        let (number, place) = self.groups.add(&self.key, Member::new(pid, handle, actor.clone()));
        if self.groups.owners.record(pid, number, Owned { place, key: self.key.clone() }) {
            return Ok(());
        }
        self.groups.remove(&self.key, number);
        Err(GroupJoinError)
    }

    /// Takes one membership of an actor back.
    ///
    /// # Errors
    ///
    /// If its incarnation that lives now is no member.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.leave(&greeter)?;
assert!(greeters.leave(&greeter).is_err());")]
    pub fn leave(&self, actor: &Address<M>) -> Result<(), NotJoinedError> {
        let pid = actor.pid().ok_or(NotJoinedError)?;
        let place = self.groups.groups.read(&self.key, Entry::place).ok_or(NotJoinedError)?;
        // Another call may take the oldest back first; then there may be one more.
        while let Some(&number) = self.groups.owners.at(pid, place, 1).first() {
            let left = self.groups.remove(&self.key, number);
            self.groups.owners.forget(pid, number);
            if left {
                return Ok(());
            }
        }
        Err(NotJoinedError)
    }

    /// All members, in the order in which they joined, each as often as it did.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.join(&other)?;
assert_eq!(greeters.members(), [greeter, other]);")]
    #[must_use]
    pub fn members(&self) -> Vec<Address<M>> {
        self.groups.members(&self.key).into_iter().map(|(_, address)| address).collect()
    }

    /// Returns the members with their incarnations.
    pub(super) fn incarnations(&self) -> Vec<(Pid, Address<M>)> {
        self.groups.members(&self.key)
    }

    pub(super) fn name(&self) -> &str {
        &self.key.0
    }

    /// Any member.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.any(), Some(greeter));")]
    #[must_use]
    pub fn any(&self) -> Option<Address<M>> {
        self.groups.groups.read(&self.key, |entry| entry.members().next()?.address())?
    }

    /// Returns the member that has waited longest for its turn, whichever handle asks. A member that joins waits behind all
    /// others, so a member gets its turn within as many calls as the group had members when it joined or had its last turn.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
greeters.join(&other)?;
assert_ne!(greeters.round_robin(), greeters.round_robin());")]
    #[must_use]
    pub fn round_robin(&self) -> Option<Address<M>> {
        let (member, _) = self
            .groups
            .groups
            .update(&self.key, |entry| (Retain::Keep, entry.take_turn().and_then(Member::address)))?;
        member
    }

    /// The member that a key leads to. Who leaves takes only its own keys along, and who joins gets some keys of everybody: no key moves
    /// between two that stay. A restart moves those of its actor away until that has joined again.
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

    /// The member in whose mailbox the fewest messages wait.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.least_queued(), Some(greeter));")]
    #[must_use]
    pub fn least_queued(&self) -> Option<Address<M>> {
        self.members().into_iter().min_by_key(|member| member.counters().queued)
    }

    /// The members as they are now, and everybody who joins or leaves from then on: nobody twice, and nobody missed.
    #[doc = registry_example!(r"let mut monitor = greeters.monitor();
greeters.join(&greeter)?;
assert!(monitor.next().await.is_some_and(|change| change.joined));")]
    #[must_use]
    pub fn monitor(&self) -> GroupMonitor<M> {
        // Subscribed first: what is told and was there already is known by its version.
        let changes = self.groups.subscribe();
        let (members, version) = self.groups.groups.read_entry(self.key.clone(), |entry| {
            let members = entry.into_iter().flat_map(Entry::members);
            let members = members.filter_map(Member::address).collect();
            (members, self.groups.versions.newest())
        });
        GroupMonitor::new(members, changes, self.key.clone(), version)
    }
}

impl<M> Clone for GroupHandle<M> {
    fn clone(&self) -> Self {
        Self { groups: self.groups.clone(), key: self.key.clone(), messages: PhantomData }
    }
}

impl<M> fmt::Debug for GroupHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("group", &self.key.0).finish_non_exhaustive()
    }
}
