//! The notification of a ractor actor that a message waits for it.
//!
//! The notification has to arrive in the actor's own loop, so that ractor's rules hold: one
//! callback at a time, a kill and a stop first. The actor's message channel accepts only its own
//! message type. Its supervision channel accepts events of its children. The doorbell is therefore
//! a child of the actor, and a notification is a supervision event of that child.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

/// A ractor actor without behaviour, linked to the actor that it notifies.
struct Doorbell;

impl Actor for Doorbell {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Spawns a doorbell for an actor. Returns `None` if the actor is ending.
pub(super) async fn spawn(owner: ActorCell) -> Option<ActorCell> {
    let (doorbell, _) = Doorbell::spawn_linked(None, Doorbell, (), owner).await.ok()?;
    Some(doorbell.get_cell())
}

/// Notifies the owner. Has no effect if the owner has ended.
pub(super) fn ring(doorbell: &ActorCell) {
    doorbell.notify_supervisor(SupervisionEvent::ActorStarted(doorbell.clone()));
}

/// The meaning of a supervision event of a doorbell.
pub(super) enum DoorbellEvent {
    /// A message waits.
    Ring,
    /// The doorbell has ended: all children of its owner were stopped.
    Gone,
}

/// Returns the meaning of an event, or `None` if it is not an event of this doorbell.
pub(super) fn classify(doorbell: Option<&ActorCell>, event: &SupervisionEvent) -> Option<DoorbellEvent> {
    if event.actor_id()? != doorbell?.get_id() {
        return None;
    }
    Some(if matches!(event, SupervisionEvent::ActorStarted(_)) {
        DoorbellEvent::Ring
    } else {
        DoorbellEvent::Gone
    })
}
