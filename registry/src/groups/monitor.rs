//! Monitoring the joins and leaves of a group.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;

use perennial_actors::{ActorHandle, Address, Pid, Subscription};

use crate::label::LabelKey;

/// The join or leave of one actor.
///
/// # Ordering
///
/// Subscribers receive the changes of one group in the order in which they happened, before the
/// call that made the change returns. When a member ends, its leave is delivered before any link or
/// monitor is notified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupChange {
    /// The name of the group.
    pub group: Cow<'static, str>,
    /// The actor that has joined or left.
    pub actor: ActorHandle,
    /// `true` if the actor has joined, `false` if it has left.
    pub joined: bool,
    pub(super) messages: TypeId,
    pub(super) version: u64,
}

/// A group and its members.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GroupInfo {
    /// The name of the group. Groups of several message types may have the same name.
    pub group: Cow<'static, str>,
    /// The incarnations that are members, in the order in which they joined.
    pub members: Vec<Pid>,
}

/// The stream of the joins and leaves of one group. OTP's `pg:monitor`.
pub struct GroupMonitor<M: Send + 'static> {
    pub(super) members: Vec<Address<M>>,
    pub(super) changes: Subscription<GroupChange>,
    pub(super) key: LabelKey,
    /// The version of the snapshot. Changes up to it are in `members` already.
    pub(super) version: u64,
}

impl<M: Send + 'static> GroupMonitor<M> {
    /// Returns the members at the moment when the monitor was made.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.monitor().members(), [greeter]);")]
    #[must_use]
    pub fn members(&self) -> &[Address<M>] {
        &self.members
    }

    /// Waits for the next join or leave and returns it, or returns `None` once the system is
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// No change is lost if the future is dropped.
    #[doc = registry_example!(r"let mut monitor = greeters.monitor();
greeters.join(&greeter)?;
assert!(monitor.next().await.is_some_and(|change| change.joined));")]
    pub async fn next(&mut self) -> Option<GroupChange> {
        loop {
            let change = self.changes.next().await?;
            if self.concerns(&change) {
                return Some(change);
            }
        }
    }

    /// Returns the next join or leave if it has happened already, without waiting.
    #[doc = registry_example!(r"let mut monitor = greeters.monitor();
assert!(monitor.try_next().is_none());")]
    pub fn try_next(&mut self) -> Option<GroupChange> {
        loop {
            let change = self.changes.try_next()?;
            if self.concerns(&change) {
                return Some(change);
            }
        }
    }

    /// Returns the number of changes, of any group, that were missed because this monitor read too
    /// slowly: see [`Subscription`]. If it is not zero, make a new monitor.
    #[doc = registry_example!("assert_eq!(greeters.monitor().missed(), 0);")]
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.changes.missed()
    }

    fn concerns(&self, change: &GroupChange) -> bool {
        (&change.group, change.messages) == (&self.key.0, self.key.1) && change.version > self.version
    }
}

impl<M: Send + 'static> fmt::Debug for GroupMonitor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupMonitor").field("group", &self.key.0).finish_non_exhaustive()
    }
}
