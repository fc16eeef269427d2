//! The texts under which actors are found, each with the type of the messages: [`Name`], [`Group`]
//! and [`Topic`].

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The key of a group or a topic in its table: its text and the type of the messages.
pub(crate) type LabelKey = (Cow<'static, str>, TypeId);

/// Defines one kind of label: a text, and the type of the messages of what it leads to.
macro_rules! label {
    ($(#[$docs:meta])* $Label:ident) => {
        $(#[$docs])*
        pub struct $Label<M> {
            text: Cow<'static, str>,
            messages: PhantomData<fn(M)>,
        }

        impl<M> $Label<M> {
            /// Creates it from a text known at compile time. Make it a constant, next to the
            /// message type.
            #[must_use]
            pub const fn new(text: &'static str) -> Self {
                Self { text: Cow::Borrowed(text), messages: PhantomData }
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.text
            }

            pub(crate) fn text(&self) -> Cow<'static, str> {
                self.text.clone()
            }
        }

        impl<M> From<String> for $Label<M> {
            fn from(text: String) -> Self {
                Self { text: Cow::Owned(text), messages: PhantomData }
            }
        }

        impl<M> Clone for $Label<M> {
            fn clone(&self) -> Self {
                Self { text: self.text.clone(), messages: PhantomData }
            }
        }

        impl<M> PartialEq for $Label<M> {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl<M> Eq for $Label<M> {}

        impl<M> Hash for $Label<M> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.text.hash(state);
            }
        }

        impl<M> fmt::Debug for $Label<M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Label)).field(&self.text).finish()
            }
        }

        impl<M> fmt::Display for $Label<M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    };
}

label! {
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
    Name
}

label! {
    /// The name of a group of actors with messages of type `M`. Groups with the same name and
    /// different message types are different groups.
    Group
}

label! {
    /// The name of a topic with messages of type `M`. Topics with the same name and different
    /// message types are different topics.
    Topic
}
