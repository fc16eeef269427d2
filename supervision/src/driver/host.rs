//! The ractor actor that a supervisor is, and its doorbell.

use std::sync::Arc;
use std::task::{Wake, Waker};

use perennial_actors::host::Attachment;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::inbox::News;
use super::node::SupervisorNode;
use super::turn::Driver;
use crate::link::{self, Link};

/// Brings a supervisor up. Its end, whatever it is, is told by its attachment.
pub(super) async fn run(node: SupervisorNode, attachment: Attachment<News>) {
    if let Err(error) = Host::spawn(None, Host, (node, attachment)).await {
        tracing::error!(%error, "ractor did not start a supervisor");
    }
}

/// A supervisor, as ractor sees it. Without a name: ractor frees names before their owner is gone.
struct Host;

impl Actor for Host {
    type Msg = ();
    type State = Driver;
    type Arguments = (SupervisorNode, Attachment<News>);

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        (node, attachment): Self::Arguments,
    ) -> Result<Driver, ActorProcessingErr> {
        let link = Link::to(&myself);
        let doorbell = Arc::new(Doorbell(myself));
        doorbell.wake_by_ref();
        Ok(Driver::new(node, attachment, Waker::from(doorbell), link))
    }

    async fn handle(
        &self,
        myself: ActorRef<()>,
        (): (),
        driver: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        if driver.turn().is_break() {
            myself.stop(None);
        }
        Ok(())
    }

    /// Not ractor's default, which stops an actor when anything linked to it ends.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        _: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        link::hear(event);
        Ok(())
    }
}

/// Rings when there is something in the inbox. The mailbox drops its waker when it wakes it, so that no more than one ring
/// is on its way.
struct Doorbell(ActorRef<()>);

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the actor is gone, so is the driver, and what it left has been seen to.
        let _ = self.0.cast(());
    }
}
