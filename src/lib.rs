#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use perennial_actors::{
    Actor, ActorHandle, ActorOnce, Address, Call, CallError, CallTimedOut, CallWait, CallWatch, Capacity,
    CloseHook, ClosedError, Context, DeadLetter, DeadLetterReason, Down, ErrorReason, ExitReason,
    HandlerSample, InspectError, IntoExitReason, LifecycleEvent, LifecycleState, MailboxConfig,
    MailboxOnRestart, MessageStats, Monitor, MonitorId, NoProcessError, NoTimers, OverflowPolicy, OwnedArgs,
    Panic, PanicLocations, PendingRestart, Permit, Pid, PipeHandle, ProcessInfo, ProcessState, Recipient,
    RecipientCall, Reply, ReserveFuture, SendError, SendFuture, SendTimeoutFuture, Signal, Spawn, SpawnError,
    SpawnOnceError, Starting, StreamHandle, Subscription, System, SystemBuilder, SystemEvent, SystemShutdown,
    Target, TimerId, Unsent, WeakActorHandle, WeakAddress,
};
pub use perennial_registry::{
    BindError, BroadcastReport, Duplicate, DuplicateKeys, Group, GroupChange, GroupHandle, GroupInfo,
    GroupJoinError, GroupMonitor, HandOverError, KeyChange, KeyEntry, KeyInfo, KeyTableInfo, Keys,
    LookupError, Name, NameChange, NameInfo, NamedCall, NamedCallError, NamedCastError, NotJoinedError,
    PublishReport, RegisterError, Registry, SlowSubscriberPolicy, Topic, TopicHandle, Unique, UniqueKeys,
    WaitError, Whereis,
};
pub use perennial_supervision::{
    App, AutoShutdown, Backoff, ChangeError, CheckResult, Child, ChildCounts, ChildError, ChildFactory,
    ChildFailedError, ChildGroup, ChildInfo, ChildKind, ChildNotStarted, ChildOnce, ChildPolicy, ChildSpec,
    ChildStart, ChildState, Dynamic, DynamicHandle, DynamicSupervisor, Intensity, IntoChildren, Liveness,
    LivenessFailure, OpenError, PartitionKey, PartitionSupervisor, Partitioned, Partitions, Probe,
    ProbePolicy, ReportKind, ResizeError, Restart, RunOutcome, Shutdown, ShutdownReport, SpecError,
    StartChildError, StartChildErrorKind, StartError, StartOnceError, Static, StopProgress, StopSignal,
    StopSignals, Strategy, Supervised, SupervisionStats, Supervisor, SupervisorBuilder, SupervisorHandle,
    SupervisorReport, SupervisorStatus, TaskContext, TaskScope, Tree, UnstoppedChild, WeakDynamicHandle,
    WeakPartitions, WeakSupervisorHandle,
};

#[cfg(doctest)]
mod guide;

/// Beyond one machine: nodes, and addresses, calls, monitors and names across them. It needs
/// Rust 1.89.
#[cfg(feature = "cluster")]
#[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
pub use perennial_cluster as cluster;
/// The console in the browser: the live tree, crashes, pools and actions, and a JSON API.
#[cfg(feature = "console")]
#[cfg_attr(docsrs, doc(cfg(feature = "console")))]
pub use perennial_console as console;
/// What outlives the process: durable pools and their stores. They need Rust 1.89.
#[cfg(feature = "durable")]
#[cfg_attr(docsrs, doc(cfg(feature = "durable")))]
pub use perennial_durable as durable;
pub use perennial_supervision::entities;
pub use perennial_supervision::pool;
/// Ractor actors in a tree, and a tree below a ractor actor.
pub use perennial_supervision::ractor;

/// What operators see of a system: snapshots, events, crash reports and deadlocks as plain data.
#[cfg(feature = "operations")]
#[cfg_attr(docsrs, doc(cfg(feature = "operations")))]
pub use perennial_operations as operations;

/// The interface for crates that own identities and host incarnations.
pub use perennial_actors::host;

/// The items that almost every program with actors uses.
pub mod prelude {
    pub use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};
    pub use perennial_registry::{Name, Whereis};
    pub use perennial_supervision::{Child, Restart, Shutdown, Strategy, Supervisor};
}
