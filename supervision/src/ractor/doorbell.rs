//! What rings when a message waits for a ractor actor.
//!
//! The actor has to be told inside its own loop, where it is told of everything else, so that ractor's rules hold: one thing at a
//! time, a kill and a stop first. Its lane of messages takes nothing but its own messages. Its lane of supervision takes what
//! its children have to say; so the bell is one of them.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

/// A ractor actor that does nothing but be there, linked to the one that it rings for.
struct Doorbell;

impl Actor for Doorbell {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Hangs a bell up at an actor; none if that is on its way out.
pub(super) async fn hang(owner: ActorCell) -> Option<ActorCell> {
    let (bell, _) = Doorbell::spawn_linked(None, Doorbell, (), owner).await.ok()?;
    Some(bell.get_cell())
}

/// Rings it. If its owner is gone, nobody hears it.
pub(super) fn ring(bell: &ActorCell) {
    bell.notify_supervisor(SupervisionEvent::ActorStarted(bell.clone()));
}

/// What an event means that comes of a bell.
pub(super) enum DoorbellEvent {
    /// It rings.
    Ring,
    /// It is gone: somebody has stopped all children of its owner.
    Gone,
}

/// What an event means if it comes of this bell.
pub(super) fn sound(bell: Option<&ActorCell>, event: &SupervisionEvent) -> Option<DoorbellEvent> {
    if event.actor_id()? != bell?.get_id() {
        return None;
    }
    Some(if matches!(event, SupervisionEvent::ActorStarted(_)) {
        DoorbellEvent::Ring
    } else {
        DoorbellEvent::Gone
    })
}
