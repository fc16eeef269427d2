//! The name of a group and the type of its members' messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The name of a group of actors with messages of type `M`. Groups with the same name and different
/// message types are different groups.
pub struct Group<M> {
    text: Cow<'static, str>,
    messages: PhantomData<fn(M)>,
}

impl<M> Group<M> {
    /// Creates a group name from a text known at compile time. Make it a constant, next to the
    /// message type.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), messages: PhantomData }
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn text(&self) -> Cow<'static, str> {
        self.text.clone()
    }
}

impl<M> From<String> for Group<M> {
    fn from(text: String) -> Self {
        Self { text: Cow::Owned(text), messages: PhantomData }
    }
}

impl<M> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), messages: PhantomData }
    }
}

impl<M> fmt::Debug for Group<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.text).finish()
    }
}
