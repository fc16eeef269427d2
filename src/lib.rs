#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use perennial_actors::{
    Actor, ActorOnce, Address, Call, CallError, Capacity, CloseHook, Closed, Context, Counters, DeadLetter,
    DeadReason, Down, Event, ExitReason, Failure, Handle, InspectError, IntoExitReason, Mailbox, Monitor,
    MonitorId, NoProcess, NoTimers, OnRestart, Outage, Overflow, OwnedArgs, Panic, PanicLocations, Permit,
    Pid, Piped, ProcessInfo, ProcessState, Recipient, RecipientCall, Reply, Reserving, SendError, Sending,
    SendingUntil, Signal, Spawn, SpawnOnceError, StreamHandle, Subscription, System, SystemBuilder,
    SystemEvent, SystemShutdown, Target, TimerId, Unsent, WeakAddress, WeakHandle,
};
pub use perennial_registry::{
    BindError, BroadcastReport, Change, DuplicateKeys, Group, GroupChange, GroupMonitor, HandOverError,
    JoinError, KeyChange, KeyEntry, LookupError, Members, Name, NameInfo, NamedCall, NamedCallError,
    NamedCastError, NotJoined, Published, RegisterError, Registry, Slow, Topic, TopicHandle, UniqueKeys,
    WaitError, Whereis,
};
pub use perennial_supervision::{
    App, AutoShutdown, Backoff, ChangeError, Child, ChildCounts, ChildError, ChildFailed, ChildInfo,
    ChildKind, ChildNotStarted, ChildOnce, ChildPolicy, ChildSpec, ChildStart, ChildState, DynamicHandle,
    DynamicSupervisor, Finish, Intensity, IntoChildren, Liveness, NotStarted, OpenError, PartitionKey,
    PartitionSupervisor, Partitions, Probe, ProbePolicy, Report, ResizeError, Restart, Shutdown,
    ShutdownReport, Sign, SpecError, StartChildError, StartOnceError, StopSignal, StopSignals, Straggler,
    Strategy, Supervisor, SupervisorHandle, TaskContext, TaskScope, Template, Totals, Tree, What,
};

/// What can go wrong when something is started, by what is started.
pub mod start {
    pub use perennial_actors::StartError as ActorError;
    pub use perennial_supervision::StartError as TreeError;
}

pub use perennial_supervision::pool;
/// Ractor actors in a tree, and a tree below a ractor actor.
pub use perennial_supervision::ractor;

/// For those who own identities and host incarnations in something of their own.
pub use perennial_actors::host;

/// The names that almost every program with actors in it uses.
pub mod prelude {
    pub use perennial_actors::{Actor, Address, Context, ExitReason, Mailbox, Reply, System};
    pub use perennial_registry::{Name, Whereis};
    pub use perennial_supervision::{Child, Restart, Shutdown, Strategy, Supervisor};
}
