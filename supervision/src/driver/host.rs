//! The ractor actor that runs a supervisor, and its doorbell.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use perennial_actors::ExitReason;
use perennial_actors::host::sync::Mutex;
use perennial_actors::host::{Guarded, MailboxConsumer};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::inbox::DriverMsg;
use super::node::SupervisorNode;
use super::run::{Driver, Tie};
use crate::error::TreeEndedError;
use crate::link::{self, RactorLink};
use crate::log;

/// Runs a supervisor until it has ended. Its attachment reports every kind of exit.
pub(super) async fn run(node: SupervisorNode, attachment: MailboxConsumer<DriverMsg>, tie: Option<Tie>) {
    let (slot, system) = (DriverSlot::default(), attachment.system().clone());
    match Host::spawn(None, Host(slot.clone()), (node, attachment, tie)).await {
        // The outcome is the same for every kind of exit here.
        Ok((_, ended)) => drop(Guarded::new(ended.await)),
        Err(error) => log::supervisor_did_not_start(&system, error.to_string()),
    }
    // If the supervisor was killed, this drop starts the cleanup. The driver is not ractor's state:
    // ractor would pass that state on to the parent, which may drop it at any time.
    drop(slot.take());
}

/// The driver while it does not run. Empty once it has ended.
#[derive(Clone, Default)]
struct DriverSlot(Arc<Mutex<Option<Driver>>>);

impl DriverSlot {
    fn take(&self) -> Option<Driver> {
        self.0.lock().take()
    }

    fn put(&self, driver: Driver) {
        *self.0.lock() = Some(driver);
    }
}

/// The ractor actor of a supervisor. It has no name, because ractor frees a name before its actor
/// has ended.
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
        // Displaying a clean reason runs no user code.
        myself.stop(Some(reason.to_string()));
        Ok(())
    }

    /// Replaces ractor's default, which stops an actor when any linked actor ends.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        link::on_event(event);
        Ok(())
    }

    /// Shuts the tree down in order when the actor is stopped through ractor. The doorbell has no
    /// effect any more, so the driver is polled here.
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

/// Converts an exit reason for ractor: an abnormal reason is an error.
fn clean(reason: ExitReason) -> Result<(), ActorProcessingErr> {
    if reason.is_abnormal() { Err(TreeEndedError { reason }.into()) } else { Ok(()) }
}

/// A waker that sends the doorbell message when the inbox has something. The mailbox takes its
/// waker when it wakes it, so at most one doorbell message is queued.
struct Doorbell(ActorRef<()>);

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the actor has ended, so has the driver, and its cleanup has begun.
        let _ = self.0.cast(());
    }
}
