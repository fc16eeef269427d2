//! What ties a ractor actor to the supervisor whose child it is: ractor's own link, and the one thing that only ractor knows.
//!
//! When a ractor actor has stopped, ractor tells its supervisor with which text, and nobody else. It gives it what it takes for the
//! state of the actor, too; so that is where the way back is kept.

use perennial_actors::host::dispose;
use ractor::{ActorCell, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

/// The ractor actor that a supervisor is.
#[derive(Clone)]
pub(crate) struct RactorLink(ActorCell);

impl RactorLink {
    pub(crate) fn to(supervisor: &ActorRef<()>) -> Self {
        Self(supervisor.get_cell())
    }

    /// Links it to a parent, as ractor does when a start has succeeded; false if one of them has ended.
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

/// What ractor takes for the state of a ractor child: the way on which the text comes back with which it stopped. If it is dropped,
/// wherever it is by then, nobody waits any longer.
pub(crate) struct StopReasonSender(oneshot::Sender<Option<String>>);

impl StopReasonSender {
    /// The way and its end.
    pub(crate) fn new() -> (Self, oneshot::Receiver<Option<String>>) {
        let (way, end) = oneshot::channel();
        (Self(way), end)
    }
}

/// What a supervisor makes of what ractor tells it.
pub(crate) fn on_event(event: SupervisionEvent) {
    match event {
        SupervisionEvent::ActorTerminated(_, Some(state), text) => {
            match state.msg.map(|state| state.downcast::<StopReasonSender>()) {
                // Nothing waits for it if the reason is known.
                Some(Ok(farewell)) => drop(farewell.0.send(text)),
                // What else may be linked to a supervisor has another state, which is a user's.
                Some(Err(state)) => dispose(state),
                None => {}
            }
        }
        // So is an error.
        SupervisionEvent::ActorFailed(_, error) => dispose(error),
        _ => {}
    }
}
