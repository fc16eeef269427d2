//! The names of another node, as far as they are known here.

use super::kept::KeptNames;
use crate::wire::{Delta, Snapshot};

/// The table of a peer, or what has arrived of it.
#[derive(Debug)]
pub(crate) struct NameView {
    /// The most names that are kept.
    max: usize,
    /// The peer has more names than that: none is kept until it connects again.
    is_closed: bool,
    /// The version that `names` is of; none if they are not known.
    version: Option<u64>,
    names: KeptNames,
    /// The parts of a snapshot that have arrived.
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    version: u64,
    names: KeptNames,
}

/// A name that has come or gone at a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ViewChange {
    /// The peer has bound the name.
    Added(String),
    /// The peer does not have it any more.
    Removed(String),
}

impl ViewChange {
    /// Returns the name, if it was added.
    pub(crate) const fn added(&self) -> Option<&String> {
        match self {
            Self::Added(name) => Some(name),
            Self::Removed(_) => None,
        }
    }
}

/// What a packet with names did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Applied {
    /// The names are those of the peer at some moment. These have changed.
    Changed(Vec<ViewChange>),
    /// It was old, or a part of more to come.
    Nothing,
    /// A change is missing, which no stream does: the connection has to end.
    Gap,
    /// The peer has too many names. These, which were known, are not kept any more.
    TooMany(Vec<ViewChange>),
}

impl NameView {
    pub(crate) const fn new(max: usize) -> Self {
        Self { max, is_closed: false, version: None, names: KeptNames::new(), partial: None }
    }

    /// Applies a change of the peer.
    pub(crate) fn apply(&mut self, delta: Delta) -> Applied {
        if self.is_closed {
            return Applied::Nothing;
        }
        if self.partial.is_some() {
            // It comes after the snapshot that is arriving, which is thus too old.
            return Applied::Gap;
        }
        match self.version {
            Some(version) if delta.version <= version => Applied::Nothing,
            Some(version) if delta.version == version + 1 => {
                self.version = Some(delta.version);
                if delta.bound_at.is_some() && !self.names.has_room(&delta.name, self.max) {
                    return self.close();
                }
                Applied::Changed(self.change(delta).into_iter().collect())
            }
            _ => Applied::Gap,
        }
    }

    fn change(&mut self, delta: Delta) -> Option<ViewChange> {
        match delta.bound_at {
            Some(bound_at) => {
                let is_new = self.names.insert(delta.name.clone(), bound_at);
                is_new.then_some(ViewChange::Added(delta.name))
            }
            None => self.names.remove(&delta.name).then_some(ViewChange::Removed(delta.name)),
        }
    }

    /// Adds a part of a snapshot. The last one replaces all names.
    pub(crate) fn replace(&mut self, snapshot: Snapshot) -> Applied {
        if self.is_closed {
            return Applied::Nothing;
        }
        if snapshot.is_first {
            self.partial = Some(Partial { version: snapshot.version, names: KeptNames::new() });
        }
        let Some(partial) = &mut self.partial else { return Applied::Gap };
        if partial.version != snapshot.version {
            self.partial = None;
            return Applied::Gap;
        }
        for (name, bound_at) in snapshot.names {
            if !partial.names.has_room(&name, self.max) {
                return self.close();
            }
            partial.names.insert(name, bound_at);
        }
        if !snapshot.is_last {
            return Applied::Nothing;
        }
        let Some(partial) = self.partial.take() else { return Applied::Gap };
        if self.version.is_some_and(|version| partial.version < version) {
            return Applied::Nothing;
        }
        self.version = Some(partial.version);
        let before = std::mem::replace(&mut self.names, partial.names);
        let gone = before.iter().filter(|(name, _)| self.names.get(name).is_none());
        let gone = gone.map(|(name, _)| ViewChange::Removed(name.clone()));
        let come = self.names.iter().filter(|(name, _)| before.get(name).is_none());
        let come = come.map(|(name, _)| ViewChange::Added(name.clone()));
        Applied::Changed(gone.chain(come).collect())
    }

    fn close(&mut self) -> Applied {
        let known = self.clear();
        self.is_closed = true;
        Applied::TooMany(known)
    }

    /// Forgets all names: the node is lost. Returns those that were known.
    pub(crate) fn clear(&mut self) -> Vec<ViewChange> {
        let names = std::mem::replace(self, Self::new(self.max)).names;
        names.into_names().map(ViewChange::Removed).collect()
    }

    /// Returns when a name was bound.
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.names.get(name)
    }

    /// Returns the names that begin with a text.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &String> {
        self.names.with_prefix(prefix)
    }

    /// Returns the names, and when each was bound.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.names.iter()
    }
}
