//! The spec of a child that is a ractor actor.

use std::sync::Arc;

use perennial_actors::host::Foreign;
use ractor::{Actor, Message};

use super::host;
use crate::spec::Child;

impl<M: Message> Child<M> {
    /// A child that is a ractor actor: `make` gives the actor and its arguments for every incarnation. Its address leads to the
    /// incarnation that lives, or to the next one, as that of any child.
    ///
    /// A call of `make` that panics is a start that fails, as is a `pre_start` that does.
    pub fn ractor<A: Actor<Msg = M>>(
        id: impl Into<Arc<str>>,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        let make = Foreign::new(make);
        let make: Arc<dyn Fn() -> (A, A::Arguments) + Send + Sync> = Arc::new(move || (*make)());
        Self::started_by(id, move |identity, birth| {
            let (make, link) = (make.clone(), birth.link.clone());
            birth.begin(identity, |attachment| host::live(attachment, make, link))
        })
    }
}
