//! The task of a node: it opens the engine, connects to the nodes that it sees, and processes what
//! they send.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::{Guarded, Requeue};
use perennial_supervision::TaskContext;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::registry_changes::{RegistryChange, RegistryChanges};
use super::served::Served;
use super::state::{NodeState, RunGuard};
use crate::engine::EngineSession;
use crate::error::NodeError;
use crate::event::NodeEvent;
use crate::identity::NodeId;
use crate::inbox::{Arrived, Inbox};
use crate::membership::{Change, Membership};
#[cfg(feature = "metrics")]
use crate::metrics::PeerMetrics;
use crate::peer::{Link, Lost};

/// The most packets that are processed before the clock, and others, have their turn.
const BATCH: usize = 256;

/// For how long credit waits for more of it.
const CREDIT_DELAY: Duration = Duration::from_millis(5);

/// For how many leases a node waits for an older boot with its name to go.
const NAME_LEASES: u32 = 2;

/// One incarnation of the gateway.
pub(super) struct Gateway {
    pub(super) node: Arc<NodeState>,
    /// Dropped under a guard: its code is foreign.
    session: Guarded<Arc<dyn EngineSession>>,
    membership: Membership,
    /// What is done for each connection.
    pub(super) served: HashMap<NodeId, Served>,
    next_tick: Instant,
    /// The boots whose credit waits, and until when.
    creditors: BTreeSet<NodeId>,
    credit_due: Option<Instant>,
    #[cfg(feature = "metrics")]
    metrics: PeerMetrics,
    /// Until when an older boot may have the name of this node.
    name_taken_until: Option<Instant>,
}

/// Runs the gateway of a node until it is stopped.
pub(super) async fn run(node: Arc<NodeState>, context: TaskContext) -> Result<(), ExitReason> {
    let _guard = RunGuard::new(&node)?;
    let system = node.system.get_or_init(|| context.system().clone()).clone();
    let mut changes = RegistryChanges::of(&system);
    let inbox = Inbox::bounded(node.config.max_inbox);
    let session = node.engine.open(node.own.clone(), inbox.clone()).await?;
    let mut gateway = Gateway::new(node.clone(), Arc::from(session));
    gateway.refresh();
    let mut alarm = pin!(sleep_until(gateway.next_tick));
    loop {
        let wake = gateway.credit_due.map_or(gateway.next_tick, |due| due.min(gateway.next_tick));
        if alarm.deadline() != wake {
            alarm.as_mut().reset(wake);
        }
        tokio::select! {
            biased;
            arrived = inbox.next(BATCH) => gateway.process(arrived),
            change = changes.next() => match change {
                Some(change) => gateway.look_up(&change),
                None => return Ok(()),
            },
            () = node.exposed_more.notified() => gateway.refresh(),
            () = alarm.as_mut() => {}
        }
        // Peers that send without a pause do not keep the names of this node, and the clock,
        // waiting.
        for change in std::iter::from_fn(|| changes.try_next()).take(BATCH) {
            gateway.look_up(&change);
        }
        if pin!(node.exposed_more.notified()).enable() {
            gateway.refresh();
        }
        gateway.return_late_credit();
        if Instant::now() >= gateway.next_tick {
            gateway.tick()?;
        }
        // Others have their turn if there is no pause.
        if inbox.has_more() {
            let_others_run().await;
        }
    }
}

impl Gateway {
    fn new(node: Arc<NodeState>, session: Arc<dyn EngineSession>) -> Self {
        let membership = Membership::new(node.own.clone());
        let next_tick = Instant::now() + period(&node);
        let session = Guarded::new(session);
        Self {
            node,
            session,
            membership,
            served: HashMap::new(),
            next_tick,
            creditors: BTreeSet::new(),
            credit_due: None,
            #[cfg(feature = "metrics")]
            metrics: PeerMetrics::new(),
            name_taken_until: None,
        }
    }

    /// Looks up all that is exposed.
    fn refresh(&self) {
        self.refresh_names();
        self.refresh_groups();
    }

    fn look_up(&self, change: &RegistryChange) {
        match change {
            RegistryChange::Name(name) => self.refresh_name(name),
            RegistryChange::AllNames => self.refresh_names(),
            RegistryChange::Group(change) => self.on_group_change(change),
            RegistryChange::AllGroups => self.refresh_groups(),
        }
    }

    fn process(&mut self, arrived: Arrived) {
        for (node, presence) in arrived.presence {
            if presence.was_gone {
                let changes = self.membership.remove(&node);
                self.change(changes);
            }
            if presence.is_up {
                let changes = self.membership.add(&node);
                self.change(changes);
            }
        }
        if arrived.refused > 0 {
            self.node.publish(NodeEvent::InboxFull { packets: arrived.refused });
        }
        let mut senders = BTreeSet::new();
        for (from, packet) in arrived.packets {
            self.receive_all(&from, &packet);
            senders.insert(from);
        }
        self.return_credit(senders, false);
    }

    fn change(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Connect(id) => self.node.add_peer(&id, &self.session).with(Link::greet),
                Change::Disconnect(id) => {
                    let peer = self.node.remove_peer(&id.name);
                    #[cfg(feature = "metrics")]
                    peer.iter().for_each(|peer| self.metrics.count(peer));
                    self.lose(peer.and_then(|peer| peer.with(Link::end)), &id);
                }
                // It may be the boot before this one, which the network has not missed yet.
                Change::NameTaken(_) => {
                    self.name_taken_until = Some(Instant::now() + self.node.config.lease() * NAME_LEASES);
                }
                Change::NameFree => self.name_taken_until = None,
            }
        }
    }

    /// Tells all that a connection is lost, if it was up.
    pub(super) fn lose(&mut self, lost: Option<Lost>, id: &NodeId) {
        let Some(lost) = lost else { return };
        self.served.remove(id);
        self.publish_names(&id.name, lost.tell());
        self.node.publish(NodeEvent::Down(id.clone()));
    }

    /// Returns credit for what was processed of these boots. A little of it waits for more: each
    /// packet costs both sides about as much as a message.
    fn return_credit(&mut self, senders: BTreeSet<NodeId>, has_waited: bool) {
        for id in senders {
            let peer = self.node.peer(&id.name).filter(|peer| peer.id == id);
            if peer.is_some_and(|peer| peer.with(|link| link.return_credit(has_waited))) {
                self.creditors.insert(id);
                self.credit_due.get_or_insert_with(|| Instant::now() + CREDIT_DELAY);
            }
        }
    }

    /// Returns the credit that has waited for long enough.
    fn return_late_credit(&mut self) {
        if self.credit_due.is_some_and(|due| Instant::now() >= due) {
            self.credit_due = None;
            let creditors = std::mem::take(&mut self.creditors);
            self.return_credit(creditors, true);
        }
    }

    /// Asks the peers whether they are there, and for the hellos that are missing. Gives up those
    /// that were silent for the lease, or give no credit for what they ask for.
    fn tick(&mut self) -> Result<(), NodeError> {
        let now = Instant::now();
        self.next_tick = now + period(&self.node);
        if self.name_taken_until.is_some_and(|until| now >= until) {
            return Err(NodeError::NameTaken(self.node.own.name.clone()));
        }
        for peer in self.node.peers() {
            let lease = self.node.config.lease();
            let lost = peer.with(|link| {
                let is_silent = now.saturating_duration_since(link.heard) >= lease;
                let is_over = link.session.is_up() && (is_silent || link.is_overrun());
                let lost = if is_over { link.end() } else { None };
                if link.session.is_up() {
                    link.ask(now);
                }
                if link.session.wants_hello() {
                    link.greet();
                }
                lost
            });
            self.lose(lost, &peer.id);
        }
        #[cfg(feature = "metrics")]
        self.metrics.publish(&self.node.peers());
        Ok(())
    }
}

/// Lets other tasks run.
///
/// On several threads, a handler that has just got a message may block this thread, and another
/// thread goes on with this task. On one thread, `yield_now` also polls the network and the clock,
/// which a task that is always queued would starve.
async fn let_others_run() {
    let runtime = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if runtime.is_ok_and(|flavor| flavor == RuntimeFlavor::CurrentThread) {
        yield_now().await;
    } else {
        Requeue::default().await;
    }
}

/// How often a silent peer is asked whether it is there.
fn period(node: &NodeState) -> Duration {
    node.config.lease() / 4
}

/// The connections end with the gateway: what waits for an answer of them is told so.
impl Drop for Gateway {
    fn drop(&mut self) {
        for peer in self.node.peers() {
            self.node.remove_peer(&peer.id.name);
            self.lose(peer.with(Link::end), &peer.id);
        }
    }
}
