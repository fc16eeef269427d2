//! The spec of a child that is a ractor actor.

use std::sync::Arc;

use perennial_actors::host::Foreign;
use ractor::{Actor, Message};

use super::host;
use crate::spec::Child;

impl<M: Message> Child<M> {
    /// Creates a child that is a ractor actor: `make` returns the actor and its arguments for every
    /// incarnation. As with any child, its address reaches the current incarnation, or the next
    /// one.
    ///
    /// If `make` or `pre_start` panics, the start fails.
    ///
    /// # Examples
    ///
    /// See the [module](crate::ractor).
    pub fn ractor<A: Actor<Msg = M>>(
        id: impl Into<Arc<str>>,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        let make = Foreign::new(make);
        let make: Arc<dyn Fn() -> (A, A::Arguments) + Send + Sync> = Arc::new(move || (*make)());
        Self::started_by(id, move |identity, params| {
            let (make, link) = (make.clone(), params.link.clone());
            params.begin(identity, |attachment| host::run(attachment, make, link))
        })
    }
}
