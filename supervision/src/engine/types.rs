//! The types of the interface between the engine and its driver.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Suspensions;
use perennial_actors::{ExitReason, Pid};

use crate::policy::{ChildPolicy, RestartCondition, RestartLimit, SupervisorKind};
use crate::report::ReportKind;

/// The time since the start of the supervisor.
pub(crate) type Time = Duration;

/// The key of a child. Keys are assigned in start order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ChildKey(pub(crate) u64);

/// The id of one start of a child and of its outcome. Ids repeat after 65,536 starts, when no event
/// of the first one can be left.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct StartId(pub(crate) u16);

/// The id of a request, which its answer carries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RequestId(pub(crate) u64);

/// The settings of a supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) kind: SupervisorKind,
    pub(crate) intensity: RestartLimit,
    /// The time after a kill until a worker is abandoned. A killed supervisor always exits.
    pub(crate) kill_grace: Duration,
    /// The seed of the jitter.
    pub(crate) seed: u64,
}

/// An input of the engine.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The supervisor starts.
    Begin,
    /// The start of a child is complete.
    Started { key: ChildKey, run: StartId },
    /// The start of a child failed.
    StartFailed { key: ChildKey, run: StartId, reason: ExitReason },
    /// A child that had started exited.
    Ended { key: ChildKey, run: StartId, reason: ExitReason },
    /// The retry that was scheduled in this generation of the child.
    Retry { key: ChildKey, generation: u32 },
    /// The condition of the child in this generation was evaluated: whether the child restarts.
    ConditionChecked { key: ChildKey, generation: u32, restarts: bool },
    /// Other tasks have run since the last batch was stopped.
    ContinueShutdown,
    /// A deadline may have passed.
    Tick,
    /// The outcome of a check: how long the current handler of the child has been running, the time
    /// since its last ping, and its suspensions.
    BusyChecked {
        key: ChildKey,
        run: StartId,
        busy: Option<Duration>,
        last_ping: Option<Duration>,
        suspensions: Suspensions,
    },
    /// A child answered this probe in time or did not.
    Probed { key: ChildKey, run: StartId, probe_id: u32, answered: bool },
    /// A management request.
    Request { ticket: RequestId, request: Request },
    /// The parent, the owner or the system of the supervisor shuts it down. If it `drains`, the
    /// shutdown is for good.
    Shutdown { reason: ExitReason, drains: bool },
}

/// A management request.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Add a child and start it. OTP's `start_child`.
    Start { id: Arc<str>, policy: Arc<ChildPolicy> },
    /// Stop a child, and keep it stopped. OTP's `terminate_child`.
    Terminate(Target),
    /// Start a stopped child. OTP's `restart_child`.
    Restart(Target),
    /// Remove a stopped child. OTP's `delete_child`.
    Delete(Target),
    /// Forget the starts of a child, and make a failed child a stopped one. systemd's
    /// `reset-failed`.
    ResetFailed(Target),
    /// Apply a changed spec of the supervisor and its children. OTP's `code_change`.
    Change { policy: Policy, children: Vec<(Arc<str>, ChildPolicy)> },
}

/// The child that a request concerns.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Id(Arc<str>),
    Key(ChildKey),
    /// The child of a dynamic supervisor with this incarnation. Only the driver knows it, and
    /// replaces it by the key.
    Pid(Pid),
}

/// An output of the engine, for the driver to perform.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Add the child of the request under this key. A request with several children adds them in
    /// their order.
    AddChild { key: ChildKey, ticket: RequestId },
    /// Open the child's mailbox and start an incarnation. The outcome is `Started` or
    /// `StartFailed`.
    Start { key: ChildKey, run: StartId },
    /// Ask the child to stop, for this reason. If it `drains`, no later incarnation will handle the
    /// messages queued at the child or below it: the children set to drain handle them first.
    Stop { key: ChildKey, reason: ExitReason, drains: bool },
    /// Kill the child.
    Kill { key: ChildKey },
    /// Detach the mailbox from a child that does not exit after a kill.
    Abandon { key: ChildKey },
    /// Check how long the current handler of the child has been running, when the child pinged, and
    /// whether it is suspended. The outcome is `BusyChecked`.
    CheckBusy { key: ChildKey, run: StartId },
    /// Probe the child. The outcome is `Probed`. The engine also treats a missing outcome as a
    /// missed answer.
    Probe { key: ChildKey, run: StartId, probe_id: u32 },
    /// Send `Retry` through the inbox.
    Retry { key: ChildKey, generation: u32 },
    /// Evaluate the condition of the child for this reason, in a task of its own. The outcome is
    /// `ConditionChecked`.
    CheckCondition { key: ChildKey, generation: u32, condition: RestartCondition, reason: ExitReason },
    /// Let other tasks run, above all the children, and then send `ContinueShutdown`.
    ContinueShutdown,
    /// Close the child's mailbox: no incarnation will serve it.
    Close { key: ChildKey, reason: ExitReason },
    /// Close the child's mailbox and remove the child.
    Forget { key: ChildKey, reason: ExitReason },
    /// The initial start is complete.
    Started,
    /// The shutdown begins. The supervisor cannot be suspended from now on.
    BeginShutdown,
    /// Answer a request.
    Answer { ticket: RequestId, result: Result<RequestOk, RequestError> },
    /// Publish a report about a child, or about the supervisor if it gives up because of the child.
    Report { key: ChildKey, kind: ReportKind },
    /// End the supervisor.
    Exit { ending: SupervisorExit },
}

/// How a supervisor ended.
#[derive(Clone, Debug)]
pub(crate) enum SupervisorExit {
    /// For this reason.
    Reason(ExitReason),
    /// Its initial start failed, because this child did not start.
    StartFailed { key: ChildKey, reason: ExitReason },
}

/// The outcome of a successful request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RequestOk {
    /// The child has started.
    Started(ChildKey),
    /// The child declined to start. It is kept as a stopped child, or was removed if its kind is
    /// not kept.
    Ignored,
    /// The request is done.
    Done,
    /// The child was removed, and belongs to the caller of the request.
    Deleted(ChildKey),
}

/// Why a request failed.
#[derive(Clone, Debug)]
pub(crate) enum RequestError {
    /// The child runs.
    Running(ChildKey),
    /// The child is being restarted.
    Restarting,
    /// A child with this id exists, and runs.
    AlreadyStarted(ChildKey),
    /// A child with this id exists, and does not run.
    AlreadyPresent,
    /// The number of children is at its limit.
    MaxChildren,
    /// The child was started as often as its start limit allows.
    StartLimitHit,
    /// The child did not start. A child that was added for this request belongs to the caller
    /// again.
    StartFailed(ExitReason),
    /// The supervisor shuts down.
    ShuttingDown,
    /// There is no such child.
    NotFound,
    /// The new spec has a handler deadline for this child, which is a task.
    HandlerDeadlineOfTask(Arc<str>),
}
