//! The actor to which a message was sent, as errors name it.

use std::any::type_name;
use std::fmt;

use crate::label::Label;

/// The actor to which a message was sent, and the type of the message. Errors of send and call
/// contain it.
///
/// Boxed, because the result of every cast is as large as the largest error.
#[derive(Clone, Eq, PartialEq)]
pub struct Target(Box<Inner>);

#[derive(Clone)]
struct Inner {
    label: Option<Label>,
    message_type: &'static str,
    is_gone: bool,
}

impl Target {
    pub(crate) fn new(label: Option<Label>, message_type: &'static str, is_gone: bool) -> Self {
        Self(Box::new(Inner { label, message_type, is_gone }))
    }

    /// Returns the path of the actor in its tree, or its type. If it was never started, returns the
    /// id in its spec, or `None` without an id.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_ref().map(Label::as_str)
    }

    /// Returns the name of the type of the message.
    #[must_use]
    pub fn message_type(&self) -> &'static str {
        self.0.message_type
    }

    /// Returns the same target for a message of type `N`.
    pub(crate) fn with_message_type<N>(mut self) -> Self {
        self.0.message_type = type_name::<N>();
        self
    }

    /// Returns `true` if the actor was not running and cannot be started any more, because nothing
    /// owns it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.is_gone
    }
}

impl PartialEq for Inner {
    /// Returns `true` if label, message type and state are the same.
    fn eq(&self, other: &Self) -> bool {
        let labels = (self.label.as_ref().map(Label::as_str), other.label.as_ref().map(Label::as_str));
        labels.0 == labels.1 && (self.message_type, self.is_gone) == (other.message_type, other.is_gone)
    }
}

impl Eq for Inner {}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("label", &self.label())
            .field("message_type", &self.message_type())
            .field("is_gone", &self.is_gone())
            .finish()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label() {
            Some(label) => write!(f, "actor {label:?}"),
            None => f.write_str("the actor"),
        }
    }
}
