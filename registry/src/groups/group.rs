//! The name of a group, with the type of the messages that its members take.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Names a group of actors that take messages `M`. Two groups of one name whose messages differ are two groups.
pub struct Group<M> {
    text: Cow<'static, str>,
    messages: PhantomData<fn(M)>,
}

impl<M> Group<M> {
    /// A group that is known when the program is written. Make it a constant, next to the messages.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), messages: PhantomData }
    }

    /// Its name.
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
