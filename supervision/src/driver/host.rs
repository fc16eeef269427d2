//! The ractor actor that a supervisor is, and its doorbell.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};

use perennial_actors::ExitReason;
use perennial_actors::host::{Guarded, MailboxConsumer};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::inbox::DriverMsg;
use super::node::SupervisorNode;
use super::run::{Driver, Tie};
use crate::error::TreeEndedError;
use crate::link::{self, RactorLink};
use crate::log;

/// Runs a supervisor. Its end, whatever it is, is told by its attachment.
pub(super) async fn run(node: SupervisorNode, attachment: MailboxConsumer<DriverMsg>, tie: Option<Tie>) {
    let (seat, system) = (DriverSlot::default(), attachment.system().clone());
    match Host::spawn(None, Host(seat.clone()), (node, attachment, tie)).await {
        // It makes no difference here how it ended.
        Ok((_, ended)) => drop(Guarded::new(ended.await)),
        Err(error) => log::supervisor_did_not_start(&system, error.to_string()),
    }
    // If it was killed, this is where it hears of it, and the remains are seen to. Ractor would hand a state on to its parent, who
    // may drop it when it likes.
    drop(seat.take());
}

/// Where the driver is while no turn of it runs; empty when it is over.
#[derive(Clone, Default)]
struct DriverSlot(Arc<Mutex<Option<Driver>>>);

impl DriverSlot {
    fn take(&self) -> Option<Driver> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, driver: Driver) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
    }
}

/// A supervisor, as ractor sees it. Without a name: ractor frees names before their owner is gone.
struct Host(DriverSlot);

impl Actor for Host {
    type Msg = ();
    type State = ();
    type Arguments = (SupervisorNode, MailboxConsumer<DriverMsg>, Option<Tie>);

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        (node, attachment, tie): Self::Arguments,
    ) -> Result<(), ActorProcessingErr> {
        let link = RactorLink::to(&myself);
        let doorbell = Arc::new(Doorbell(myself));
        doorbell.wake_by_ref();
        self.0.put(Driver::new(node, attachment, Waker::from(doorbell), link, tie));
        Ok(())
    }

    async fn handle(&self, myself: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Some(mut driver) = self.0.take() else { return Ok(()) };
        if driver.run_pending().is_continue() {
            self.0.put(driver);
            return Ok(());
        }
        let reason = driver.exited().await;
        clean(reason.clone())?;
        // A clean reason is displayed by no code of users'.
        myself.stop(Some(reason.to_string()));
        Ok(())
    }

    /// Not ractor's default, which stops an actor when anything linked to it ends.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        link::on_event(event);
        Ok(())
    }

    /// Stopped by ractor's means: the tree goes down in good order first. Nobody hears the doorbell any more.
    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Some(mut driver) = self.0.take() else { return Ok(()) };
        driver.stop();
        poll_fn(|cx| {
            driver.wake_by(cx.waker());
            if driver.run_pending().is_break() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        clean(driver.exited().await)
    }
}

/// What ractor is told of an end: only what is clean is none of a failure.
fn clean(reason: ExitReason) -> Result<(), ActorProcessingErr> {
    if reason.is_abnormal() { Err(TreeEndedError { reason }.into()) } else { Ok(()) }
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
