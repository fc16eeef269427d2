//! The name of a topic, with the type of what is said there.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Names a topic on which `T`s are said. Two topics of one name on which different things are said are two topics.
pub struct Topic<T> {
    text: Cow<'static, str>,
    message: PhantomData<fn() -> T>,
}

impl<T> Topic<T> {
    /// A topic that is known when the program is written. Make it a constant.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), message: PhantomData }
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
