//! What is known of a name: its actor, and the changes of its binding.

use std::borrow::Cow;

use perennial_actors::ActorHandle;

/// A bound name and its actor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NameInfo {
    /// The name.
    pub name: Cow<'static, str>,
    /// The actor to which it leads.
    pub actor: ActorHandle,
    /// The actor's message type.
    pub messages: &'static str,
}

/// A change of a name's binding.
///
/// # Ordering
///
/// Subscribers receive the changes of one name in the order in which they happened. A change has
/// been delivered when the call that made it returns. When an actor ends, the changes of its names
/// are delivered before any link or monitor is notified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NameChange {
    /// A name was bound to an actor.
    Registered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor.
        actor: ActorHandle,
    },
    /// A binding was removed.
    Unregistered {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        actor: ActorHandle,
    },
    /// A name was rebound from one actor to another. It was unbound at no moment.
    HandedOver {
        /// The name.
        name: Cow<'static, str>,
        /// The actor to which it led.
        from: ActorHandle,
        /// The actor to which it leads.
        to: ActorHandle,
    },
}
