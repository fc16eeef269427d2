//! The joins and leaves of a group across nodes.

use std::fmt;
use std::sync::Arc;

use perennial_durable::Wire;

use super::members::RemoteGroup;
use crate::names::{Key, MemberOf};
use crate::remote::RemoteAddress;
use crate::watch::SetWatch;

/// The join or leave of one member.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteGroupChange<M> {
    /// The member.
    pub member: RemoteAddress<M>,
    /// `true` if it has joined, `false` if it has left or its node is lost.
    pub joined: bool,
}

/// The stream of the joins and leaves of one group.
///
/// Each member joins and leaves in turn. If changes are missed, because they are read too slowly,
/// those follow that lead to the members of now.
pub struct RemoteGroupMonitor<M> {
    group: RemoteGroup<M>,
    members: Vec<MemberOf>,
    watch: SetWatch<MemberOf>,
}

impl<M: Wire + Send + 'static> RemoteGroup<M> {
    /// Follows the joins and leaves of the group.
    #[must_use]
    pub fn monitor(&self) -> RemoteGroupMonitor<M> {
        RemoteGroupMonitor::new(self.clone())
    }
}

impl<M: Wire + Send + 'static> RemoteGroupMonitor<M> {
    fn new(group: RemoteGroup<M>) -> Self {
        let state = group.node.state();
        let (changes, text) = (state.member_changes.subscribe(), group.group.as_str().to_owned());
        let (of, weak) = (text.clone(), Arc::downgrade(state));
        let read = move || weak.upgrade().map(|state| state.members(&of)).unwrap_or_default();
        let concerns =
            move |member: &MemberOf| matches!(Key::parse(&member.key), Key::Member(of, _) if of == text);
        let watch = SetWatch::new(changes, read, concerns);
        let members = watch.known().cloned().collect();
        Self { group, members, watch }
    }

    /// Returns the members at the moment when the monitor was made.
    #[must_use]
    pub fn members(&self) -> Vec<RemoteAddress<M>> {
        self.members.iter().map(|member| self.group.address(member.clone())).collect()
    }

    /// Waits for the next join or leave.
    ///
    /// # Cancel safety
    ///
    /// No change is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<RemoteGroupChange<M>> {
        let (member, joined) = self.watch.next().await?;
        Some(RemoteGroupChange { member: self.group.address(member), joined })
    }

    /// Returns the next join or leave if it has happened already, without waiting.
    pub fn try_next(&mut self) -> Option<RemoteGroupChange<M>> {
        let (member, joined) = self.watch.try_next()?;
        Some(RemoteGroupChange { member: self.group.address(member), joined })
    }
}

impl<M> fmt::Debug for RemoteGroupMonitor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteGroupMonitor").field(&self.group).finish()
    }
}
