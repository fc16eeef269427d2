//! The messages of a supervisor's mailbox.

use std::any::Any;
use std::sync::Arc;

use perennial_actors::host::{IncarnationExit, Parent};
use perennial_actors::{Address, Pid, Reply};
use tokio::runtime;

use super::state::SupervisorState;
use crate::engine::{ChildKey, Event, StartId};
use crate::error::{ChangeError, ChildError, StartChildErrorKind};
use crate::spec::{ChildSpec, SupervisorSpec};
use crate::tree::ChildStart;

/// A message for the driver of a supervisor.
pub(crate) enum DriverMsg {
    /// The start of a child is complete.
    Started(ChildKey, StartId),
    /// A child exited or failed to start.
    Ended(ChildKey, StartId, IncarnationExit),
    /// The retry of a child is due.
    Retry { key: ChildKey, generation: u32 },
    /// Other tasks have run since the last batch was stopped.
    ContinueShutdown,
    /// A child answered this probe in time or did not.
    Probed(ChildKey, StartId, u32, bool),
    /// A deadline has passed.
    Tick,
    /// A management request.
    Request(Box<ManagementRequest>),
}

/// A management request and the channel for its answer.
pub(crate) enum ManagementRequest {
    /// Add a child and start it.
    Start(ChildSpec, Reply<Result<ChildStart, StartChildErrorKind>>),
    /// Stop a child, and keep it stopped.
    Terminate(ChildRef, Reply<Result<(), ChildError>>),
    /// Start a stopped child.
    Restart(Arc<str>, Reply<Result<ChildStart, ChildError>>),
    /// Remove a stopped child and return its spec.
    Delete(Arc<str>, Reply<Result<ChildSpec, ChildError>>),
    /// Apply a changed spec.
    Change(SupervisorSpec, Reply<Result<(), ChangeError>>),
    /// Read the supervisor's state, and answer after its lock is released.
    Query(Box<Query>),
}

/// Reads the state of a supervisor. Returns the closure that sends the answer.
pub(crate) type Query = dyn FnOnce(&SupervisorState) -> Box<dyn FnOnce()> + Send;

/// The child that a request concerns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChildRef {
    /// The child with this id.
    Id(Arc<str>),
    /// The child with this incarnation.
    Pid(Pid),
}

impl From<Arc<str>> for ChildRef {
    fn from(id: Arc<str>) -> Self {
        Self::Id(id)
    }
}

impl From<Pid> for ChildRef {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

/// The channel on which children report to their supervisor. It is the supervisor's address, which
/// is valid across its restarts.
pub(super) struct Inbox {
    address: Address<DriverMsg>,
    /// The supervisor, for its children.
    supervisor: Box<dyn Any + Send + Sync>,
}

impl Inbox {
    /// Creates an inbox at this address. Children get `supervisor` from it, which must not hold a
    /// strong reference to their owner.
    pub(super) fn new(address: Address<DriverMsg>, supervisor: impl Any + Send + Sync) -> Self {
        Self { address, supervisor: Box::new(supervisor) }
    }

    /// Sends `ContinueShutdown` after other tasks have run. The driver handles all messages that
    /// are already in the inbox first.
    pub(super) fn put_continue_shutdown(self: &Arc<Self>) {
        let inbox = self.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            inbox.put(DriverMsg::ContinueShutdown);
        });
    }

    /// Sends a message. The mailbox is unbounded. If it is closed, the tree has ended and the
    /// message is not needed.
    pub(super) fn put(&self, msg: DriverMsg) {
        let _ = self.address.cast(msg);
    }
}

/// Packs a start of a child into one number: 48 bits for the key, which suffice for a million
/// starts per second for eight years, and 16 bits for the start id.
pub(super) const fn pack(key: ChildKey, run: StartId) -> u64 {
    key.0 << 16 | run.0 as u64
}

const fn unpack(number: u64) -> (ChildKey, StartId) {
    (ChildKey(number >> 16), StartId(number as u16))
}

impl Parent for Inbox {
    fn started(&self, number: u64) {
        let (key, run) = unpack(number);
        self.put(DriverMsg::Started(key, run));
    }

    fn ended(&self, number: u64, end: IncarnationExit) {
        let (key, run) = unpack(number);
        self.put(DriverMsg::Ended(key, run, end));
    }

    fn as_any(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&*self.supervisor)
    }
}

/// The inbox for the children of a supervisor with liveness checks.
///
/// Tokio reserves the task that a thread woke last for that thread, and no other thread may run it
/// (tokio issue 4941). A child wakes its supervisor when its start is complete. If the child then
/// handles a queued message in the same poll and never awaits, the supervisor would wait for the
/// very thread whose block it has to detect. Waking another task releases the supervisor's task.
pub(super) struct LivenessInbox(pub(super) Arc<Inbox>);

impl Parent for LivenessInbox {
    fn started(&self, number: u64) {
        self.0.started(number);
        if let Ok(runtime) = runtime::Handle::try_current() {
            drop(runtime.spawn(async {}));
        }
    }

    fn ended(&self, number: u64, end: IncarnationExit) {
        self.0.ended(number, end);
    }

    fn as_any(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.as_any()
    }
}

impl DriverMsg {
    /// Converts the message to an event for the engine, or returns its management request.
    pub(super) fn into_event(self) -> Result<Event, Box<ManagementRequest>> {
        Ok(match self {
            Self::Started(key, run) => Event::Started { key, run },
            Self::Ended(key, run, IncarnationExit { reason, started: true, .. }) => {
                Event::Ended { key, run, reason }
            }
            Self::Ended(key, run, IncarnationExit { reason, .. }) => Event::StartFailed { key, run, reason },
            Self::Retry { key, generation } => Event::Retry { key, generation },
            Self::ContinueShutdown => Event::ContinueShutdown,
            Self::Probed(key, run, probe_id, answered) => Event::Probed { key, run, probe_id, answered },
            Self::Tick => Event::Tick,
            Self::Request(request) => return Err(request),
        })
    }
}
