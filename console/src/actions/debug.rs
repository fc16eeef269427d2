//! Messages that a client may send to an actor, because the user allowed it.

use perennial_actors::host::catch_panic;
use perennial_actors::{Address, WeakAddress};

use crate::api::{ActionOutcome, Problem, ProblemKind};

/// Makes a message of a text and sends it.
type Deliver = Box<dyn Fn(&str) -> Result<(), Problem> + Send + Sync>;

/// Returns the identity of an actor, or `None` if it is gone.
type Identify = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// The actors that take texts as messages.
#[derive(Default)]
pub(crate) struct DebugMessages(Vec<(Identify, Deliver)>);

impl DebugMessages {
    /// Adds an actor. `parse` makes its messages of texts. The address is not kept alive.
    pub(crate) fn add<M: Send + 'static>(
        &mut self,
        address: &Address<M>,
        parse: impl Fn(&str) -> Result<M, String> + Send + Sync + 'static,
    ) {
        let weak: WeakAddress<M> = address.downgrade();
        let known = weak.clone();
        let identity = move || Some(known.upgrade()?.handle().identity());
        let deliver = move |text: &str| {
            let address = weak.upgrade().ok_or_else(|| Problem::conflict("the actor is gone"))?;
            let parsed = catch_panic(None, || parse(text))
                .map_err(|_| Problem::new(ProblemKind::Invalid, "the text makes its parser panic"))?;
            let message = parsed.map_err(|error| Problem::new(ProblemKind::Invalid, error))?;
            address.cast(message).map_err(|error| Problem::conflict(error.to_string()))
        };
        self.0.push((Box::new(identity), Box::new(deliver)));
    }

    /// Returns `true` if the actor with this identity takes texts.
    pub(crate) fn has(&self, identity: u64) -> bool {
        self.find(identity).is_some()
    }

    /// Sends a text as a message to an actor.
    pub(crate) fn send(&self, identity: u64, text: &str) -> Result<ActionOutcome, Problem> {
        let deliver =
            self.find(identity).ok_or_else(|| Problem::conflict("it takes no messages as texts"))?;
        deliver(text).map(|()| ActionOutcome::done())
    }

    fn find(&self, identity: u64) -> Option<&Deliver> {
        self.0.iter().find(|(known, _)| known() == Some(identity)).map(|(_, deliver)| deliver)
    }
}
