//! What the console can be asked for.

use std::collections::BTreeSet;

/// The views, in the order of their keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    Tree,
    Queue,
    Busy,
    Restarts,
    Events,
}

/// The order of a list of actors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The longest queue first.
    Queue,
    /// The longest handler first.
    Busy,
    /// The most restarts first.
    Restarts,
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
        order: Order,
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

    /// Returns the order of the view, if it is a list of actors.
    pub const fn order(self) -> Option<Order> {
        match self {
            Self::Queue => Some(Order::Queue),
            Self::Busy => Some(Order::Busy),
            Self::Restarts => Some(Order::Restarts),
            Self::Tree | Self::Events => None,
        }
    }

    /// Returns the view that is `steps` to the right, and begins anew after the last one.
    pub fn step(self, steps: usize) -> Self {
        let place = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL[(place + steps) % Self::ALL.len()]
    }
}

impl Order {
    /// Returns the name that the API has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Busy => "busy",
            Self::Restarts => "restarts",
        }
    }
}
