//! The words that the engine and its driver speak.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::Suspensions;

use super::liveness_timers::LivenessTimers;
use crate::policy::{ChildPolicy, RestartLimit, SupervisorKind};

/// Time since the supervisor began.
pub(crate) type Time = Duration;

/// A child, by its place in the start order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ChildKey(pub(crate) u64);

/// One start of a child and what came of it. Numbers come round after 65,536 starts, by when no news of the first is left.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct StartId(pub(crate) u16);

/// Whom to answer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RequestId(pub(crate) u64);

/// What a supervisor was told about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) kind: SupervisorKind,
    pub(crate) intensity: RestartLimit,
    /// How long after a kill a worker is abandoned. A supervisor always dies.
    pub(crate) kill_grace: Duration,
    /// What jitter is drawn from.
    pub(crate) seed: u64,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The supervisor starts.
    Begin,
    /// The start of a child is complete.
    Started { key: ChildKey, run: StartId },
    /// A child did not start.
    StartFailed { key: ChildKey, run: StartId, reason: ExitReason },
    /// A child that had started ended.
    Ended { key: ChildKey, run: StartId, reason: ExitReason },
    /// The try that was put off in this generation.
    Retry { key: ChildKey, generation: u32 },
    /// Others have had their turn.
    ContinueShutdown,
    /// A deadline may have passed.
    Tick,
    /// A child was looked at: for how long it has been in a handler, and whether it is or was suspended.
    BusyChecked { key: ChildKey, run: StartId, busy: Option<Duration>, suspensions: Suspensions },
    /// A child answered this question, or never will.
    Probed { key: ChildKey, run: StartId, question: u32, answered: bool },
    /// Somebody wants something.
    Request { ticket: RequestId, request: Request },
    /// Somebody wants the supervisor stopped: its parent, its owner, or its system.
    Shutdown { reason: ExitReason, drains: bool },
}

/// What may be asked of a supervisor.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Take in a child and start it. OTP's `start_child`.
    Start { id: Arc<str>, policy: ChildPolicy },
    /// Stop a child, and leave it down. OTP's `terminate_child`.
    Terminate(Target),
    /// Start a child that is down. OTP's `restart_child`.
    Restart(Target),
    /// Forget a child that is down. OTP's `delete_child`.
    Delete(Target),
    /// Take over what is said of the supervisor and of its children. OTP's `code_change`.
    Change { policy: Policy, children: Vec<(Arc<str>, ChildPolicy)> },
}

/// Which child.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Id(Arc<str>),
    Key(ChildKey),
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The child that the request brought has this key from now on. With several, in their order.
    Admit { key: ChildKey, ticket: RequestId },
    /// Open the child's mailbox and start an incarnation. Answered by `Started`, or else `StartFailed`.
    Start { key: ChildKey, run: StartId },
    /// Tell the child to stop, for this reason. If it `drains`, nothing is to come back to what is queued for it, nor for what
    /// is below it, and children that are set so handle it before.
    Stop { key: ChildKey, reason: ExitReason, drains: bool },
    /// Kill the child.
    Kill { key: ChildKey },
    /// Take the mailbox away from a child that does not die.
    Abandon { key: ChildKey },
    /// See for how long the child has been in a handler, and whether it is suspended. Answered by `BusyChecked`.
    CheckBusy { key: ChildKey, run: StartId },
    /// Ask the child. Answered by `Probed`; if it is not, in time, that is an answer too.
    Probe { key: ChildKey, run: StartId, question: u32 },
    /// Send `Retry` through the inbox.
    Retry { key: ChildKey, generation: u32 },
    /// Let others have their turn, the children above all, and send `ContinueShutdown` then.
    ContinueShutdown,
    /// Nobody is due to serve the child any more: its mailbox is closed.
    Close { key: ChildKey, reason: ExitReason },
    /// The same, and the child is no child any more.
    Forget { key: ChildKey, reason: ExitReason },
    /// The first start is complete.
    Started,
    /// The end of the supervisor begins. Nothing suspends it any more.
    GoDown,
    /// Answer a request.
    Answer { ticket: RequestId, result: Result<RequestOk, RequestError> },
    /// Say what happens to whoever wants to know.
    Report(EngineReport),
    /// End the supervisor.
    Exit { ending: SupervisorExit },
}

/// How a supervisor ends.
#[derive(Clone, Debug)]
pub(crate) enum SupervisorExit {
    /// For this reason.
    Reason(ExitReason),
    /// It never was up, because this child did not start.
    StartFailed { key: ChildKey, reason: ExitReason },
}

/// What came of a request that was granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RequestOk {
    /// The child has started.
    Started(ChildKey),
    /// The child declined to start: it stays down, or is gone if it is not kept.
    Ignored,
    /// What was asked is done.
    Done,
    /// The child is no child any more: whoever asked may have it.
    Deleted(ChildKey),
}

/// Why a request was not granted.
#[derive(Clone, Debug)]
pub(crate) enum RequestError {
    /// The child runs.
    Running(ChildKey),
    /// The child is being restarted.
    Restarting,
    /// There is a child of this id, and it runs.
    AlreadyStarted(ChildKey),
    /// There is a child of this id, and it does not run.
    AlreadyPresent,
    /// There are as many children as there may be.
    MaxChildren,
    /// The child did not start. If it was taken in for that, whoever asked may have it back.
    StartFailed(ExitReason),
    /// The supervisor is on its way out.
    ShuttingDown,
    /// There is no such child.
    NotFound,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub(crate) enum EngineReport {
    /// A child has started.
    Started { key: ChildKey },
    /// A child ended by itself, abnormally or though it is permanent.
    Terminated { key: ChildKey, reason: ExitReason },
    /// A child is restarted; how many restarts more are tolerated now, and how long it waits.
    Restarting { key: ChildKey, reason: ExitReason, restarts_left: u32, delay: Duration },
    /// A child did not start.
    StartFailed { key: ChildKey, reason: ExitReason },
    /// A child was stopped, and ended for a reason that is not that.
    ShutdownError { key: ChildKey, reason: ExitReason },
    /// A child does not get on, and is ended for it.
    Unresponsive { key: ChildKey, sign: UnresponsiveCause },
    /// A child did not stop in time and is killed, or did not even die and is abandoned.
    Late { key: ChildKey, abandoned: bool },
    /// One restart too many was needed.
    GaveUp { key: ChildKey },
}

/// By what a child was found to hang.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UnresponsiveCause {
    /// A handler has been running for so long.
    Handler(Duration),
    /// It missed so many answers in a row.
    Probe(u32),
}

/// What a child is doing.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It is down and nobody is due to start it.
    Stopped,
    /// Its start goes on. The timeout has struck if it is `late`.
    Starting { run: StartId, cause: StartCause, late: bool },
    /// It is up, since then.
    Running { run: StartId, since: Time, watch: Option<Box<LivenessTimers>> },
    /// It ended while a round was going on (rule 4).
    Ended { reason: ExitReason },
    /// It ended, or a try to start it failed, for this reason; it is due to be started (rule 5). It was `counted` if it waits
    /// for its delay to pass.
    Restarting { reason: ExitReason, counted: bool },
    /// It is on its way out.
    Stopping(Box<Stopping>),
}

impl State {
    /// Returns `true` if there is an incarnation that would have to be stopped.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running { .. } | Self::Stopping(_))
    }

    /// Returns `true` while a start or a stop of the child goes on.
    pub(crate) const fn is_in_transition(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Stopping(_))
    }
}

/// A child on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Stopping {
    pub(crate) run: StartId,
    pub(crate) killed: bool,
    /// Who asked to have it stopped.
    pub(crate) stop_waiters: Vec<RequestId>,
    /// Who asked to have it started, and taken in for that.
    pub(crate) start_waiter: Option<RequestId>,
    /// It does not get on, and is to come back.
    pub(crate) unresponsive: bool,
    /// An attempt to restart it was cut short.
    pub(crate) restarting: bool,
}

impl Stopping {
    pub(crate) const fn new(run: StartId) -> Self {
        Self {
            run,
            killed: false,
            stop_waiters: Vec::new(),
            start_waiter: None,
            unresponsive: false,
            restarting: false,
        }
    }
}

/// Why a child is being started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StartCause {
    /// The round has come to it.
    Transition,
    /// It alone is restarted.
    Restart,
    /// Somebody asked for a child that was down.
    RestartChild(RequestId),
    /// Somebody brought it.
    StartChild(RequestId),
}
