//! One group: its members, and the order in which they get their turns.

use std::any::Any;
use std::collections::VecDeque;

use perennial_actors::host::SeqMap;
use perennial_actors::{ActorHandle, Address, Pid};

/// The members of one group.
#[derive(Default)]
pub(super) struct Entry {
    /// The number of the group: that of its first membership.
    place: u64,
    /// In the order in which they joined.
    members: SeqMap<Member>,
    /// The numbers of the memberships, the one that has waited longest for its turn first. Some are over.
    turns: VecDeque<u64>,
}

/// So many turns of memberships that are over are kept besides one for each that is not.
const OVER: usize = 16;

/// One membership.
pub(super) struct Member {
    pub(super) pid: Pid,
    pub(super) handle: ActorHandle,
    /// An `Address<M>`.
    address: Box<dyn Any + Send + Sync>,
}

impl Member {
    pub(super) fn new<M: Send + 'static>(pid: Pid, handle: ActorHandle, address: Address<M>) -> Self {
        Self { pid, handle, address: Box::new(address) }
    }

    pub(super) fn address<M: Send + 'static>(&self) -> Option<Address<M>> {
        self.address.downcast_ref::<Address<M>>().cloned()
    }
}

impl Entry {
    pub(super) const fn place(&self) -> u64 {
        self.place
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the members in the order in which they joined.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(_, member)| member)
    }

    /// Adds a membership, whose turn is the last. Returns the number of the group.
    pub(super) fn join(&mut self, number: u64, member: Member) -> u64 {
        if self.members.is_empty() {
            self.place = number;
        }
        self.members.insert(number, member);
        self.turns.push_back(number);
        self.place
    }

    /// Removes a membership.
    pub(super) fn leave(&mut self, number: u64) -> Option<Member> {
        let member = self.members.remove(number)?;
        if self.turns.len() > 2 * self.members.len() + OVER {
            let members = &self.members;
            self.turns.retain(|number| members.get(*number).is_some());
            self.turns.shrink_to(2 * members.len() + OVER);
        }
        Some(member)
    }

    /// Returns the member that has waited longest and puts it behind all others.
    pub(super) fn take_turn(&mut self) -> Option<&Member> {
        while let Some(number) = self.turns.pop_front() {
            if self.members.get(number).is_some() {
                self.turns.push_back(number);
                return self.members.get(number);
            }
        }
        None
    }
}
