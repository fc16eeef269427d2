//! A name and the type of its actor's messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use perennial_actors::ActorHandle;

/// The name of an actor with messages of type `M`.
///
/// ```
/// use perennial_registry::Name;
///
/// const LEDGER: Name<u64> = Name::new("ledger");
/// let shard: Name<u64> = Name::from(format!("ledger/{}", 7));
/// assert_eq!(shard.as_str(), "ledger/7");
/// assert_ne!(LEDGER, shard);
/// ```
pub struct Name<M> {
    text: Cow<'static, str>,
    messages: PhantomData<fn(M)>,
}

impl<M> Name<M> {
    /// Creates a name from a text known at compile time. Make it a constant, next to the message
    /// type.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), messages: PhantomData }
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn text(&self) -> Cow<'static, str> {
        self.text.clone()
    }
}

impl<M> From<String> for Name<M> {
    fn from(text: String) -> Self {
        Self { text: Cow::Owned(text), messages: PhantomData }
    }
}

impl<M> Clone for Name<M> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), messages: PhantomData }
    }
}

impl<M> PartialEq for Name<M> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<M> Eq for Name<M> {}

impl<M> fmt::Debug for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Name").field(&self.text).finish()
    }
}

impl<M> fmt::Display for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

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
