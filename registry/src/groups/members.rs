//! The members of groups: joining, leaving, and choosing among them.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial_actors::{Address, Handle, Pid, Subscription};

use super::group::Group;
use super::monitor::{GroupChange, GroupMonitor};
use crate::changes::Changes;
use crate::owners::{Estate, Owners, list};
use crate::table::{Fate, Table};

/// The groups of a system.
#[derive(Default)]
pub(crate) struct Groups {
    groups: Table<Key, Entry>,
    owners: Owners<Key>,
    changes: Changes<GroupChange>,
    /// Grows with every change of any group, while that is locked.
    version: AtomicU64,
}

/// A group: its name, and the type of the messages that its members take.
type Key = (Cow<'static, str>, TypeId);

/// Who is in a group.
#[derive(Default)]
struct Entry {
    /// In the order in which they joined.
    members: Vec<Member>,
    /// Whose turn it is.
    next: usize,
}

/// One membership.
struct Member {
    pid: Pid,
    handle: Handle,
    /// An `Address<M>`.
    address: Box<dyn Any + Send + Sync>,
}

impl Estate for Groups {
    type Thing = Key;

    fn owners(&self) -> &Owners<Key> {
        &self.owners
    }

    fn disown(&self, pid: Pid, key: &Key) {
        self.remove(key, pid);
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

    /// Notes a change of a group that is locked.
    fn note(&self, key: &Key, actor: &Handle, joined: bool) {
        let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
        let (group, messages) = key.clone();
        self.changes.note(|| GroupChange { group, messages, version, actor: actor.clone(), joined });
    }

    /// Takes one membership of an incarnation away. Tells whether there was one.
    fn remove(&self, key: &Key, pid: Pid) -> bool {
        let removed = self.groups.change(key, |entry| {
            let Some(place) = entry.members.iter().position(|member| member.pid == pid) else {
                return (Fate::Keep, None);
            };
            let member = entry.members.remove(place);
            self.note(key, &member.handle, false);
            (if entry.members.is_empty() { Fate::Remove } else { Fate::Keep }, Some(member))
        });
        self.changes.tell();
        matches!(removed, Some((Some(_member), _)))
    }

    fn pick<M: Send + 'static>(
        &self,
        key: &Key,
        choose: impl FnOnce(&mut Entry) -> Option<usize>,
    ) -> Option<Address<M>> {
        let (address, _) = self.groups.change(key, |entry| {
            let place = choose(entry);
            (Fate::Keep, place.and_then(|place| address_of(entry.members.get(place)?)))
        })?;
        address
    }
}

fn address_of<M: Send + 'static>(member: &Member) -> Option<Address<M>> {
    member.address.downcast_ref::<Address<M>>().cloned()
}

/// Why an actor did not become a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no incarnation of the actor lives")]
pub struct JoinError;

/// An actor that was to leave a group is not in it. OTP's `not_joined`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the actor is not in the group")]
pub struct NotJoined;

/// The members of one group, as they come and go. Clones are of the same group.
///
/// What is a member is an incarnation: when it ends, its memberships are over before anybody hears of it, and the next one joins again
/// in its init.
pub struct Members<M> {
    groups: Arc<Groups>,
    key: Key,
    messages: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Members<M> {
    pub(crate) fn new(groups: Arc<Groups>, group: &Group<M>) -> Self {
        Self { groups, key: (group.text(), TypeId::of::<M>()), messages: PhantomData }
    }

    /// Makes the incarnation of an actor that lives now a member; once more, if it is one already.
    ///
    /// # Errors
    ///
    /// If none lives.
    pub fn join(&self, actor: &Address<M>) -> Result<(), JoinError> {
        let (handle, Some(pid)) = (actor.handle(), actor.pid()) else { return Err(JoinError) };
        if !list(&self.groups, &handle, pid, &self.key) {
            return Err(JoinError);
        }
        let member = Member { pid, handle: handle.clone(), address: Box::new(actor.clone()) };
        self.groups.groups.enter_default(self.key.clone(), |entry| {
            entry.members.push(member);
            self.groups.note(&self.key, &handle, true);
        });
        self.groups.changes.tell();
        if !self.groups.owners.is_listed(pid) && self.groups.remove(&self.key, pid) {
            return Err(JoinError);
        }
        Ok(())
    }

    /// Takes one membership of an actor back.
    ///
    /// # Errors
    ///
    /// If its incarnation that lives now is no member.
    pub fn leave(&self, actor: &Address<M>) -> Result<(), NotJoined> {
        let pid = actor.pid().ok_or(NotJoined)?;
        if !self.groups.remove(&self.key, pid) {
            return Err(NotJoined);
        }
        self.groups.owners.unlist(pid, &self.key);
        Ok(())
    }

    /// All members, in the order in which they joined, each as often as it did.
    #[must_use]
    pub fn members(&self) -> Vec<Address<M>> {
        self.snapshot().0
    }

    /// Any member.
    #[must_use]
    pub fn any(&self) -> Option<Address<M>> {
        self.groups.pick(&self.key, |entry| (!entry.members.is_empty()).then_some(0))
    }

    /// One member after the other, whoever asks.
    #[must_use]
    pub fn round_robin(&self) -> Option<Address<M>> {
        self.groups.pick(&self.key, |entry| {
            let place = entry.next.checked_rem(entry.members.len())?;
            entry.next = place + 1;
            Some(place)
        })
    }

    /// The member that a key leads to: always the same as long as that is a member, however others come and go.
    #[must_use]
    pub fn by_key(&self, key: &impl Hash) -> Option<Address<M>> {
        let weight = |member: &Address<M>| {
            let mut hasher = DefaultHasher::new();
            member.pid().map(Pid::identity).hash(&mut hasher);
            key.hash(&mut hasher);
            hasher.finish()
        };
        self.members().into_iter().max_by_key(weight)
    }

    /// The member in whose mailbox the fewest messages wait.
    #[must_use]
    pub fn least_queued(&self) -> Option<Address<M>> {
        self.members().into_iter().min_by_key(|member| member.counters().queued)
    }

    /// The members as they are now, and everybody who joins or leaves from then on: nobody twice, and nobody missed.
    #[must_use]
    pub fn monitor(&self) -> GroupMonitor<M> {
        // Subscribed first: what is told and was there already is known by its version.
        let changes = self.groups.subscribe();
        let (members, version) = self.snapshot();
        GroupMonitor::new(members, changes, self.key.clone(), version)
    }

    fn snapshot(&self) -> (Vec<Address<M>>, u64) {
        let now = |entry: &Entry| {
            let members = entry.members.iter().filter_map(address_of).collect();
            (members, self.groups.version.load(Ordering::Acquire))
        };
        let before = self.groups.version.load(Ordering::Acquire);
        self.groups.groups.read(&self.key, now).unwrap_or_else(|| (Vec::new(), before))
    }
}

impl<M> Clone for Members<M> {
    fn clone(&self) -> Self {
        Self { groups: self.groups.clone(), key: self.key.clone(), messages: PhantomData }
    }
}

impl<M> fmt::Debug for Members<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("group", &self.key.0).finish_non_exhaustive()
    }
}
