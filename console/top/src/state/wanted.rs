//! What the console can be asked for.

use std::collections::BTreeSet;

/// The views, in the order of their keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    Tree,
    /// The longest queue first.
    Queue,
    /// The longest handler first.
    Busy,
    /// The most restarts first.
    Restarts,
    Events,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
}

/// A question to the console.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// The rows of the tree. Nodes with few children are expanded unless they are named.
    Tree {
        expanded: BTreeSet<u64>,
        collapsed: BTreeSet<u64>,
        text: String,
        window: Window,
    },
    Actors {
        view: View,
        text: String,
        window: Window,
    },
    /// The last events.
    Events {
        text: String,
        limit: usize,
    },
}

impl View {
    pub const ALL: [Self; 5] = [Self::Tree, Self::Queue, Self::Busy, Self::Restarts, Self::Events];

    /// Returns the name. That of a list of actors is the one that the API has for its order.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Queue => "queue",
            Self::Busy => "busy",
            Self::Restarts => "restarts",
            Self::Events => "events",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Returns the view that is `steps` to the right, and begins anew after the last one.
    pub fn step(self, steps: usize) -> Self {
        let place = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL[(place + steps) % Self::ALL.len()]
    }
}
