//! Where an actor stands in its tree, or its type.

use std::sync::Arc;

/// Where an actor stands in its tree, or else its type. Most actors outside trees are never spoken of, so a type is not copied
/// before it is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Label {
    Given(Arc<str>),
    Type(fn() -> &'static str),
}

impl Label {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Given(label) => label,
            Self::Type(name) => name(),
        }
    }

    pub(crate) fn to_shared(&self) -> Arc<str> {
        match self {
            Self::Given(label) => label.clone(),
            Self::Type(name) => name().into(),
        }
    }
}
