//! A supervisor as a child, of another supervisor or of the root. A ractor actor with a doorbell
//! runs each incarnation.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, Mutex, Ordering};
use perennial_actors::host::{Guarded, Label, MailboxConsumer, Requeue};
use perennial_actors::{ActorHandle, ExitReason, Pid, SpawnError, System};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::inbox::DriverMsg;
use super::node::SupervisorNode;
use super::run::{Driver, Tie};
use crate::dropped::DropCounters;
use crate::error::TreeEndedError;
use crate::link::{self, RactorLink};
use crate::log;
use crate::nesting;
use crate::node::{ChildNode, Claims, DropQueue, Group, ListedChild, OpenError, StartParams};
use crate::status::SupervisorStatus;
use crate::tree::UnstoppedChild;

impl SupervisorNode {
    /// Starts the next incarnation. `tie` runs when all of its children have started. When this
    /// returns, the mailboxes of all children that the incarnation starts are open.
    pub(super) fn begin(&self, params: StartParams, tie: Option<Tie>) -> Result<Pid, SpawnError> {
        params.begin(&self.0.identity, |attachment| {
            self.state().reclaim();
            nesting::reopen_children(self, attachment.system(), &self.label());
            run(self.clone(), attachment, tie)
        })
    }
}

impl ChildNode for SupervisorNode {
    fn open_alone(&self, system: &System, label: &Label) -> Result<(), OpenError> {
        self.0.identity.open(system, || label.clone());
        self.state().reclaim();
        Ok(())
    }

    /// Returns zero: the messages in the mailbox of a supervisor do not belong to the user.
    fn close_alone(&self, reason: &ExitReason) -> Option<u64> {
        self.0.identity.close(reason).map(|_| 0)
    }

    fn drain(&self, reason: ExitReason) {
        self.0.drains.store(true, Ordering::Relaxed);
        // If it has exited by itself, its exit is in the inbox of its parent.
        let _ = self.handle().stop(reason);
    }

    fn counts_dropped(&self) -> bool {
        false
    }

    fn claims(&self) -> &Claims {
        &self.0.claims
    }

    fn start(&self, params: StartParams) -> Result<Pid, SpawnError> {
        self.0.drains.store(false, Ordering::Relaxed);
        self.begin(params, None)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.0.identity.abandon(pid)
    }

    fn set_pending_restart(&self, reason: ExitReason, retry_in: Duration) {
        self.0.identity.set_pending_restart(reason, retry_in);
    }

    fn handle(&self) -> ActorHandle {
        self.address().handle()
    }

    /// Its own children are stopped in order, and it exits as killed after that. As in OTP.
    fn kill_orphan(&self) {
        // An error says that there is no incarnation to stop.
        let _ = self.handle().stop(ExitReason::Killed);
    }

    fn group(&self) -> Option<&dyn Group> {
        Some(self)
    }

    fn dismantle(self: Arc<Self>, queue: &mut DropQueue) {
        if let Some(mut inner) = Arc::into_inner(self).and_then(|node| Arc::into_inner(node.0)) {
            inner.clear_into(queue);
        }
    }
}

impl Group for SupervisorNode {
    fn planned(&self) -> Vec<(Arc<str>, Arc<dyn ChildNode>)> {
        let state = self.state();
        state.plan.children.iter().map(|child| (child.id.clone(), child.node.node().clone())).collect()
    }

    fn drop_counters(&self) -> Arc<DropCounters> {
        self.drop_counters()
    }

    fn set_drop_counters(&self, counters: Arc<DropCounters>) {
        let mut current = self.0.drop_counters.lock();
        let before = std::mem::replace(&mut *current, counters);
        drop(current);
        drop(before);
    }

    fn list_children(&self) -> Vec<ListedChild> {
        self.state().list_children()
    }

    fn status(&self, path: Arc<str>) -> (Option<SupervisorStatus>, Option<u32>) {
        let state = self.state();
        (state.status(path), state.restarts_left())
    }

    fn unstopped(&self, into: &mut Vec<UnstoppedChild>) -> Vec<Arc<dyn ChildNode>> {
        let state = self.state();
        into.extend(state.unstopped().cloned());
        state.nodes().map(|(_, node)| node.clone()).collect()
    }
}

/// Runs a supervisor until it has ended. Its attachment reports every kind of exit.
async fn run(node: SupervisorNode, attachment: MailboxConsumer<DriverMsg>, tie: Option<Tie>) {
    let (slot, system) = (DriverSlot::default(), attachment.system().clone());
    let host = Host { slot: slot.clone(), is_muted: Arc::default() };
    match Host::spawn(None, host, (node, attachment, tie)).await {
        // The outcome is the same for every kind of exit here.
        Ok((_, ended)) => drop(Guarded::new(ended.await)),
        Err(error) => log::supervisor_did_not_start(&system, error.to_string()),
    }
    // If the supervisor was killed, this drop starts the cleanup. The driver is not ractor's state:
    // ractor would pass that state on to the parent, which may drop it at any time.
    drop(slot.take());
}

/// The driver while it does not run, boxed because it is moved for each turn. Empty once it has
/// ended.
#[derive(Clone, Default)]
struct DriverSlot(Arc<Mutex<Option<Box<Driver>>>>);

impl DriverSlot {
    fn take(&self) -> Option<Box<Driver>> {
        self.0.lock().take()
    }

    fn put(&self, driver: Box<Driver>) {
        *self.0.lock() = Some(driver);
    }
}

/// The ractor actor of a supervisor. It has no name, because ractor frees a name before its actor
/// has ended.
struct Host {
    slot: DriverSlot,
    is_muted: Arc<AtomicBool>,
}

/// The number of turns that one doorbell message allows. Between two such messages, ractor looks at
/// its own requests.
const MAX_TURNS: u32 = 32;

impl Host {
    /// Lets the tasks run that are ready, without a doorbell for what they put into the inbox. The
    /// next turn of the driver finds that.
    async fn yield_muted(&self) {
        self.is_muted.store(true, Ordering::Relaxed);
        Requeue::default().await;
        self.is_muted.store(false, Ordering::Relaxed);
    }
}

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
        let doorbell = Arc::new(Doorbell { actor: myself, is_muted: self.is_muted.clone() });
        doorbell.wake_by_ref();
        self.slot.put(Box::new(Driver::new(node, attachment, Waker::from(doorbell), link, tie)));
        Ok(())
    }

    async fn handle(&self, myself: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        let mut turns = 1..MAX_TURNS;
        let driver = loop {
            let Some(mut driver) = self.slot.take() else { return Ok(()) };
            if driver.run_pending().is_break() {
                break driver;
            }
            let expects_report = driver.take_expects_report();
            self.slot.put(driver);
            if !expects_report || turns.next().is_none() {
                return Ok(());
            }
            self.yield_muted().await;
        };
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
        let Some(mut driver) = self.slot.take() else { return Ok(()) };
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
///
/// While it is muted, it sends none: the actor is about to look at the inbox anyway. The flag needs
/// no order of its own. It is reset before that look, which takes the lock of the inbox. What comes
/// into the inbox after the look takes the lock later, so its sender sees that the flag is reset.
struct Doorbell {
    actor: ActorRef<()>,
    is_muted: Arc<AtomicBool>,
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_muted.load(Ordering::Relaxed) {
            // If the actor has ended, so has the driver, and its cleanup has begun.
            let _ = self.actor.cast(());
        }
    }
}
