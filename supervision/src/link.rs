//! The link between a ractor actor and the supervisor whose child it is.
//!
//! When a ractor actor stops, ractor reports the text of the stop to its ractor supervisor only.
//! That report also contains the boxed state of the actor, so the channel for the text is stored as
//! that state.

use perennial_actors::host::dispose;
use ractor::{ActorCell, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

/// A reference to the ractor actor that runs a supervisor.
#[derive(Clone)]
pub(crate) struct RactorLink(ActorCell);

impl RactorLink {
    pub(crate) fn to(supervisor: &ActorRef<()>) -> Self {
        Self(supervisor.get_cell())
    }

    /// Links it to a parent, as ractor does after a successful start. Returns `false` if one of the
    /// two has stopped.
    pub(crate) fn link_to(self, parent: &ActorCell) -> bool {
        self.0.link(parent.clone());
        let linked = self.0.try_get_supervisor().as_ref() == Some(parent);
        if linked {
            self.0.notify_supervisor(SupervisionEvent::ActorStarted(self.0.clone()));
        }
        linked
    }

    pub(crate) fn into_cell(self) -> ActorCell {
        self.0
    }
}

/// The state that ractor stores for a ractor child: a channel for the text of its stop. Dropping it
/// anywhere ends the wait for that text.
pub(crate) struct StopReasonSender(oneshot::Sender<Option<String>>);

impl StopReasonSender {
    /// Returns both ends of the channel.
    pub(crate) fn new() -> (Self, oneshot::Receiver<Option<String>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }
}

/// Handles a ractor supervision event.
pub(crate) fn on_event(event: SupervisionEvent) {
    match event {
        SupervisionEvent::ActorTerminated(_, Some(state), text) => {
            match state.msg.map(|state| state.downcast::<StopReasonSender>()) {
                // The receiver is gone if the exit reason is known.
                Some(Ok(sender)) => drop(sender.0.send(text)),
                // Any other actor that is linked to a supervisor has a state of a user's type.
                Some(Err(state)) => dispose(state),
                None => {}
            }
        }
        // The error is of a user's type too.
        SupervisionEvent::ActorFailed(_, error) => dispose(error),
        _ => {}
    }
}
