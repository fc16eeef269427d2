//! The words that the engine and its driver speak.

use std::time::Duration;

use perennial_actors::ExitReason;

use crate::spec::{Intensity, Restart, Shutdown, Strategy};

/// Time since the supervisor began.
pub(crate) type Time = Duration;

/// A child, by its place in the start order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key(pub(crate) u32);

/// One start of a child and what came of it. Never the same twice within a supervisor's incarnation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Run(pub(crate) u32);

/// Whom to answer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Ticket(pub(crate) u64);

/// What a supervisor was told about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
}

/// What it was told about a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildPolicy {
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) start_timeout: Option<Duration>,
    /// How long after a kill it is abandoned; never, if it is a supervisor, which always dies.
    pub(crate) patience: Option<Duration>,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The supervisor starts.
    Begin,
    /// The init of a child returned.
    Started {
        key: Key,
        run: Run,
    },
    /// A child did not start.
    StartFailed {
        key: Key,
        run: Run,
        reason: ExitReason,
    },
    /// A child that had started ended.
    Ended {
        key: Key,
        run: Run,
        reason: ExitReason,
    },
    /// The try that was put off in this generation.
    Retry {
        key: Key,
        generation: u32,
    },
    /// A deadline may have passed.
    Tick,
    /// Somebody wants a child stopped, or started again.
    Terminate {
        key: Key,
        ticket: Ticket,
    },
    Restart {
        key: Key,
        ticket: Ticket,
    },
    /// Somebody wants the supervisor stopped: its parent, its owner, or its system.
    Shutdown {
        reason: ExitReason,
    },
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Open the child's mailbox and start an incarnation. Answered by `Started`, or else `StartFailed`.
    Start { key: Key, run: Run },
    /// Tell the child to stop.
    Stop { key: Key },
    /// Kill the child.
    Kill { key: Key },
    /// Take the mailbox away from a child that does not die.
    Abandon { key: Key },
    /// Send `Retry` through the inbox.
    Retry { key: Key, generation: u32 },
    /// Nobody is due to serve the child any more: its mailbox is closed.
    Close { key: Key, reason: ExitReason },
    /// The first start is complete.
    Up,
    /// Answer a request.
    Answer { ticket: Ticket, result: Result<(), Refusal> },
    /// Say what happens to whoever wants to know.
    Report(Report),
    /// End the supervisor.
    Exit { ending: Ending },
}

/// How a supervisor ends.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// For this reason.
    Because(ExitReason),
    /// It never was up, because this child did not start.
    StartFailed { key: Key, reason: ExitReason },
}

/// Why a request was not granted.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The child runs.
    Running,
    /// The child is being restarted.
    Restarting,
    /// The child did not start.
    StartFailed(ExitReason),
    /// The supervisor is on its way out.
    ShuttingDown,
    /// There is no such child.
    NotFound,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// A child is to be restarted, with those that its strategy names.
    Restarting { key: Key, reason: ExitReason },
    /// One restart too many was needed.
    GaveUp { key: Key },
    /// A child did not stop in time and was killed, or did not even die.
    Late { key: Key, abandoned: bool },
}

/// What a child is doing.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It is down and nobody is due to start it.
    Stopped,
    /// Its init runs. The timeout has struck if it is `late`.
    Starting { run: Run, cause: Cause, late: bool },
    /// It is up.
    Running { run: Run },
    /// It ended while a round was going on (rule 4).
    Ended { reason: ExitReason },
    /// It ended, or a try to start it failed, for this reason; it is due to be started (rule 5).
    Restarting { reason: ExitReason },
    /// It is to stop, for those who asked.
    Stopping { run: Run, killed: bool, late: bool, tickets: Vec<Ticket> },
}

/// Why a child is being started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// The round has come to it.
    Round,
    /// It alone is restarted.
    Restart,
    /// Somebody asked.
    Request(Ticket),
}
