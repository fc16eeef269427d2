//! The name of a topic and the type of its messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The name of a topic with messages of type `T`. Topics with the same name and different message
/// types are different topics.
pub struct Topic<T> {
    text: Cow<'static, str>,
    message: PhantomData<fn() -> T>,
}

impl<T> Topic<T> {
    /// Creates a topic name from a text known at compile time. Make it a constant, next to the
    /// message type.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), message: PhantomData }
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

impl<T> From<String> for Topic<T> {
    fn from(text: String) -> Self {
        Self { text: Cow::Owned(text), message: PhantomData }
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), message: PhantomData }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Topic").field(&self.text).finish()
    }
}
