//! Watching who joins a group and who leaves it.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;

use perennial_actors::{ActorHandle, Address, Subscription};

/// Somebody has joined a group, or left it.
///
/// # Ordering
///
/// Of one group, listeners are told of changes in the order in which they happened, before the call that made the change returns. When a
/// member ends, that it has left is told before any link or monitor hears of its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupChange {
    /// The name of the group.
    pub group: Cow<'static, str>,
    /// Who it is.
    pub actor: ActorHandle,
    /// Whether it has joined; it has left otherwise.
    pub joined: bool,
    pub(super) messages: TypeId,
    pub(super) version: u64,
}

/// A group that is watched. OTP's `pg:monitor`.
pub struct GroupMonitor<M: Send + 'static> {
    members: Vec<Address<M>>,
    changes: Subscription<GroupChange>,
    key: (Cow<'static, str>, TypeId),
    /// What is told up to this is in the members already.
    version: u64,
}

impl<M: Send + 'static> GroupMonitor<M> {
    pub(super) fn new(
        members: Vec<Address<M>>,
        changes: Subscription<GroupChange>,
        key: (Cow<'static, str>, TypeId),
        version: u64,
    ) -> Self {
        Self { members, changes, key, version }
    }

    /// Who was a member when the watch began.
    #[doc = registry_example!(r"greeters.join(&greeter)?;
assert_eq!(greeters.monitor().members(), [greeter]);")]
    #[must_use]
    pub fn members(&self) -> &[Address<M>] {
        &self.members
    }

    /// Waits for somebody to join or to leave; `None` once the system is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
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

    /// Somebody who has joined or left already.
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

    /// How many changes, of any group, were missed for being slow: see [`Subscription`]. If it is not zero, watch anew.
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
