#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use perennial_actors::{
    Actor, ActorOnce, Address, Call, CallError, Capacity, CloseHook, ClosedError, Context, MessageStats, DeadLetter,
    DeadLetterReason, Down, LifecycleEvent, ExitReason, ErrorReason, ActorHandle, InspectError, IntoExitReason, MailboxConfig, Monitor,
    MonitorId, NoProcessError, NoTimers, MailboxOnRestart, PendingRestart, OverflowPolicy, OwnedArgs, Panic, PanicLocations, Permit,
    Pid, PipeHandle, ProcessInfo, ProcessState, Recipient, RecipientCall, Reply, ReserveFuture, SendError, SendFuture,
    SendTimeoutFuture, Signal, Spawn, SpawnOnceError, StreamHandle, Subscription, System, SystemBuilder,
    SystemEvent, SystemShutdown, Target, TimerId, Unsent, WeakAddress, WeakActorHandle,
};
pub use perennial_registry::{
    BindError, BroadcastReport, NameChange, DuplicateKeys, Group, GroupChange, GroupMonitor, HandOverError,
    GroupJoinError, KeyChange, KeyEntry, LookupError, GroupHandle, Name, NameInfo, NamedCall, NamedCallError,
    NamedCastError, NotJoinedError, PublishReport, RegisterError, Registry, SlowSubscriberPolicy, Topic, TopicHandle, UniqueKeys,
    WaitError, Whereis,
};
pub use perennial_supervision::{
    App, AutoShutdown, Backoff, ChangeError, Child, ChildCounts, ChildError, ChildFailedError, ChildInfo,
    ChildKind, ChildNotStarted, ChildOnce, ChildPolicy, ChildSpec, ChildStart, ChildState, DynamicHandle,
    DynamicSupervisor, RunOutcome, Intensity, IntoChildren, Liveness, StartChildErrorKind, OpenError, PartitionKey,
    PartitionSupervisor, Partitions, Probe, ProbePolicy, SupervisorReport, ResizeError, Restart, Shutdown,
    ShutdownReport, LivenessFailure, SpecError, StartChildError, StartOnceError, StopSignal, StopSignals, UnstoppedChild,
    Strategy, Supervisor, SupervisorHandle, TaskContext, TaskScope, ChildFactory, SupervisionStats, Tree, ReportKind,
};

#[cfg(doctest)]
mod guide;

/// What can go wrong when something is started, by what is started.
pub mod start {
    pub use perennial_actors::SpawnError as ActorError;
    pub use perennial_supervision::StartError as TreeError;
}

pub use perennial_supervision::pool;
/// Ractor actors in a tree, and a tree below a ractor actor.
pub use perennial_supervision::ractor;

/// For those who own identities and host incarnations in something of their own.
pub use perennial_actors::host;

/// The names that almost every program with actors in it uses.
pub mod prelude {
    pub use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};
    pub use perennial_registry::{Name, Whereis};
    pub use perennial_supervision::{Child, Restart, Shutdown, Strategy, Supervisor};
}
