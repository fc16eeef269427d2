//! The messages of a supervisor's mailbox: of its children, its timer and its handles.

use std::any::Any;
use std::sync::Arc;

use perennial_actors::host::sync::{AtomicBool, Ordering};
use perennial_actors::host::{IncarnationExit, Parent, Requeue, cast_unlinked};
use perennial_actors::{Address, Pid, Reply};
use tokio::runtime;

use super::state::policy;
use crate::engine::{ChildKey, Request, RequestError, RequestOk, StartId, Target};
use crate::policy::ChildPolicy;
use crate::spec::{ChildSpec, SupervisorSpec};
use crate::tree::{ChildCounts, ChildInfo};

/// A message for the driver of a supervisor.
pub(crate) enum DriverMsg {
    /// The start of a child is complete.
    Started(ChildKey, StartId),
    /// A child exited or failed to start.
    Ended(ChildKey, StartId, IncarnationExit),
    /// The retry of a child is due.
    Retry { key: ChildKey, generation: u32 },
    /// The condition of a child was evaluated.
    ConditionChecked { key: ChildKey, generation: u32, restarts: bool },
    /// Other tasks have run since the last batch was stopped.
    ContinueShutdown,
    /// A child answered this probe in time or did not.
    Probed(ChildKey, StartId, u32, bool),
    /// A deadline has passed.
    Tick,
    /// A management request.
    Request(Box<ManagementRequest>),
    /// A query of the management API.
    Query(Query),
}

/// A management request, as a handle sends it.
pub(crate) struct ManagementRequest {
    pub(crate) request: Request,
    pub(crate) specs: Specs,
    pub(crate) reply: Reply<Answer>,
}

/// The specs that a request brings. They have been checked.
#[derive(Default)]
pub(crate) enum Specs {
    #[default]
    None,
    /// The child to start.
    Child(ChildSpec),
    /// That child, which the supervisor has added.
    Added(ChildKey),
    /// The new spec of the supervisor.
    Supervisor(SupervisorSpec),
}

/// The answer to a request: the decision of the engine, and the values that only the driver has.
pub(crate) struct Answer {
    pub(crate) result: Result<RequestOk, RequestError>,
    /// The latest incarnation of the child that the result names.
    pub(crate) pid: Option<Pid>,
    /// The spec of a deleted child.
    pub(crate) deleted: Option<ChildSpec>,
}

impl Specs {
    /// Returns the request to add and start a child.
    pub(crate) fn of_child(child: ChildSpec) -> (Request, Self) {
        let request = Request::Start { id: child.id.clone(), policy: child.policy.clone() };
        (request, Self::Child(child))
    }

    /// Returns the request to replace the spec of a supervisor.
    pub(crate) fn of_supervisor(plan: SupervisorSpec) -> (Request, Self) {
        let children =
            plan.children.iter().map(|child| (child.id.clone(), (*child.policy).clone())).collect();
        (Request::Change { policy: policy(&plan, 0), children }, Self::Supervisor(plan))
    }
}

impl Answer {
    pub(crate) const fn refused(error: RequestError) -> Self {
        Self { result: Err(error), pid: None, deleted: None }
    }
}

/// A query of OTP's management API, and the channel for its answer.
pub(crate) enum Query {
    /// `which_children`.
    WhichChildren(Reply<Vec<ChildInfo>>),
    /// `which_child`.
    WhichChild(Arc<str>, Reply<Option<ChildInfo>>),
    /// `count_children`.
    CountChildren(Reply<ChildCounts>),
    /// `get_childspec`.
    Policy(Target, Reply<Option<ChildPolicy>>),
    /// Nothing: any answer says that the supervisor handles its messages.
    Ping(Reply<()>),
}

/// The channel on which children report to their supervisor. It is the supervisor's address, which
/// is valid across its restarts.
pub(super) struct Inbox {
    address: Address<DriverMsg>,
    /// The supervisor, for its children.
    supervisor: Box<dyn Any + Send + Sync>,
    /// `true` if any child has or had liveness checks.
    has_watched: AtomicBool,
}

impl Inbox {
    /// Creates an inbox at this address. Children get `supervisor` from it, which must not hold a
    /// strong reference to their owner.
    pub(super) fn new(
        address: Address<DriverMsg>,
        supervisor: impl Any + Send + Sync,
        has_watched: bool,
    ) -> Self {
        Self { address, supervisor: Box::new(supervisor), has_watched: AtomicBool::new(has_watched) }
    }

    /// Records that a child has liveness checks.
    pub(super) fn set_watched(&self) {
        self.has_watched.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if any child has or had liveness checks.
    pub(super) fn has_watched(&self) -> bool {
        self.has_watched.load(Ordering::Relaxed)
    }

    /// Sends `ContinueShutdown` after other tasks have run. The driver handles all messages that
    /// are already in the inbox first.
    pub(super) fn put_continue_shutdown(self: &Arc<Self>) {
        let inbox = self.clone();
        tokio::spawn(async move {
            // A handler may begin to block this thread, and another one goes on with this.
            Requeue::default().await;
            inbox.put(DriverMsg::ContinueShutdown);
        });
    }

    /// Sends a message. The mailbox is unbounded. If it is closed, the tree has ended and the
    /// message is not needed. No subscriber is asked for spans, because a supervisor sends too.
    pub(super) fn put(&self, msg: DriverMsg) {
        let _ = cast_unlinked(&self.address, msg);
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
    /// Tokio reserves the task that a thread woke last for that thread, and no other thread may run
    /// it (tokio issue 4941). A child wakes its supervisor when its start is complete. If the child
    /// then handles a queued message in the same poll and never awaits, a supervisor with liveness
    /// checks would wait for the very thread whose block it has to detect. Waking another task
    /// releases the supervisor's task.
    fn started(&self, number: u64) {
        let (key, run) = unpack(number);
        self.put(DriverMsg::Started(key, run));
        if self.has_watched() {
            if let Ok(runtime) = runtime::Handle::try_current() {
                drop(runtime.spawn(async {}));
            }
        }
    }

    fn ended(&self, number: u64, end: IncarnationExit) {
        let (key, run) = unpack(number);
        self.put(DriverMsg::Ended(key, run, end));
    }

    fn as_any(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&*self.supervisor)
    }
}
