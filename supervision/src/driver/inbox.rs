//! What a supervisor is told, through its mailbox.

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

/// Something for a supervisor to deal with.
pub(crate) enum DriverMsg {
    /// The start of a child is complete.
    Started(ChildKey, StartId),
    /// A child is gone.
    Ended(ChildKey, StartId, IncarnationExit),
    /// The try that was put off is due.
    Retry { key: ChildKey, generation: u32 },
    /// Others have had their turn.
    ContinueShutdown,
    /// A child answered this question, or did not.
    Probed(ChildKey, StartId, u32, bool),
    /// A deadline has passed.
    Tick,
    /// Somebody wants something.
    Request(Box<ManagementRequest>),
}

/// What may be asked of a supervisor, and whom to answer.
pub(crate) enum ManagementRequest {
    /// Take in a child and start it.
    Start(ChildSpec, Reply<Result<ChildStart, StartChildErrorKind>>),
    /// Stop a child, and leave it down.
    Terminate(ChildRef, Reply<Result<(), ChildError>>),
    /// Start a child that is down.
    Restart(Arc<str>, Reply<Result<ChildStart, ChildError>>),
    /// Give a child back that is down.
    Delete(Arc<str>, Reply<Result<ChildSpec, ChildError>>),
    /// Take over another plan.
    Change(SupervisorSpec, Reply<Result<(), ChangeError>>),
    /// Look something up, and answer when the book is closed again.
    Query(Box<Query>),
}

/// What is looked up, and the answer that it makes.
pub(crate) type Query = dyn FnOnce(&SupervisorState) -> Box<dyn FnOnce()> + Send;

/// Which child.
pub(crate) enum ChildRef {
    /// The one of this id.
    Id(Arc<str>),
    /// The one of which this is an incarnation.
    Pid(Pid),
}

/// How children report to their supervisor: through its address, whichever incarnation of it lives.
pub(super) struct Inbox {
    address: Address<DriverMsg>,
    /// What children may know of their parent.
    supervisor: Box<dyn Any + Send + Sync>,
}

impl Inbox {
    /// An inbox at this address. Children find `supervisor` in it, which must not keep what keeps them.
    pub(super) fn new(address: Address<DriverMsg>, supervisor: impl Any + Send + Sync) -> Self {
        Self { address, supervisor: Box::new(supervisor) }
    }

    /// Puts in that others have had their turn, when they have. What is in the inbox already would be seen to in this one.
    pub(super) fn put_go_on(self: &Arc<Self>) {
        let inbox = self.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            inbox.put(DriverMsg::ContinueShutdown);
        });
    }

    /// Puts news in. The mailbox is unbounded; if it is closed, the tree is gone and nobody has to know any more.
    pub(super) fn put(&self, news: DriverMsg) {
        let _ = self.address.cast(news);
    }
}

/// A start of a child as one number: 48 bits for its key, which are enough for a million starts a second for eight years, and 16
/// for its run.
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

/// The inbox, for the children of a supervisor that watches any of them.
///
/// Tokio keeps the task that a thread has woken last for that thread, and lets no other have it (tokio issue 4941). A child wakes
/// its supervisor when it says that it has started. If it goes on with what waited in its mailbox, and that never awaits, its
/// supervisor would wait for the very thread that it is to find out about. To wake another task frees the one before.
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
    /// The event that it is for the engine, or what is asked.
    pub(super) fn into_event(self) -> Result<Event, Box<ManagementRequest>> {
        Ok(match self {
            Self::Started(key, run) => Event::Started { key, run },
            Self::Ended(key, run, IncarnationExit { reason, started: true, .. }) => {
                Event::Ended { key, run, reason }
            }
            Self::Ended(key, run, IncarnationExit { reason, .. }) => Event::StartFailed { key, run, reason },
            Self::Retry { key, generation } => Event::Retry { key, generation },
            Self::ContinueShutdown => Event::ContinueShutdown,
            Self::Probed(key, run, question, answered) => Event::Probed { key, run, question, answered },
            Self::Tick => Event::Tick,
            Self::Request(ask) => return Err(ask),
        })
    }
}
