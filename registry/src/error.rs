//! What can go wrong with a name.

use std::borrow::Cow;

/// Why a name was not bound.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// It leads to another actor.
    #[error("the name {0:?} is taken")]
    Taken(Cow<'static, str>),
    /// The actor has ended for good, so that nothing would give the name back.
    #[error("the actor that was to be named {0:?} has ended")]
    Ended(Cow<'static, str>),
}

/// Why a name leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No actor has it.
    #[error("no actor is named {0:?}")]
    NotFound(Cow<'static, str>),
    /// The actor that has it takes messages of another type.
    #[error("the actor named {name:?} takes messages of type {found}, not {wanted}")]
    WrongType {
        /// The name.
        name: Cow<'static, str>,
        /// The messages of the lookup.
        wanted: &'static str,
        /// The messages of the actor.
        found: &'static str,
    },
}
