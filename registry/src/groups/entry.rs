//! One group: its members, and their order in the round robin.

use std::collections::VecDeque;

use perennial_actors::host::SeqMap;
use perennial_actors::{ActorHandle, Address, Pid};

/// The members of one group.
#[derive(Default)]
pub(super) struct Entry {
    /// The number of the group, which is that of its first membership.
    place: u64,
    /// The members in the order in which they joined.
    members: SeqMap<Member>,
    /// The numbers of the memberships in round-robin order, the next one first. Ended memberships
    /// may still be in it.
    turns: VecDeque<u64>,
}

/// The number of ended memberships that `turns` may hold in addition to one per current membership.
const MAX_ENDED_TURNS: usize = 16;

/// One membership.
pub(super) struct Member {
    pub(super) pid: Pid,
    pub(super) handle: ActorHandle,
}

impl Member {
    pub(super) fn address<M: Send + 'static>(&self) -> Option<Address<M>> {
        self.handle.address()
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
        self.members.values()
    }

    /// Adds a membership at the end of the round robin. Returns the number of the group.
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
        if self.turns.len() > 2 * self.members.len() + MAX_ENDED_TURNS {
            let members = &self.members;
            self.turns.retain(|number| members.get(*number).is_some());
            self.turns.shrink_to(2 * members.len() + MAX_ENDED_TURNS);
        }
        Some(member)
    }

    /// Returns the next member of the round robin and moves it to the end.
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
