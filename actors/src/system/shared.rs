//! The system itself.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::broadcast::{Broadcast, Subscription};
use super::call_waits::CallWaits;
use super::dead_letter_log::DeadLetterLog;
use super::dead_letters::DeadLetter;
use super::events::LifecycleEvent;
use super::extensions::Extensions;
use super::process_table::ProcessTable;
use super::samples::{CallTimedOut, HandlerSample};
use super::timer_wheel::TimerWheel;
use crate::counters::MessageStats;
use crate::log::{self, Level, LogQueue};
use crate::mailbox::Capacity;
use crate::panics::PanicLocations;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// A set of actors, supervisors and names that belong together. A cheap handle; clones are the same
/// system.
#[derive(Clone)]
pub struct System(Arc<Inner>);

struct Inner {
    began: Instant,
    next_number: AtomicU64,
    events: Broadcast<LifecycleEvent>,
    dead_letters: Broadcast<DeadLetter>,
    samples: Broadcast<HandlerSample>,
    timed_out: Broadcast<CallTimedOut>,
    processes: ProcessTable,
    extensions: Extensions,
    log: LogQueue,
    dead_letter_log: DeadLetterLog,
    runtime_gone: AtomicBool,
    timeouts: Arc<TimerWheel>,
    call_waits: CallWaits,
    settings: SystemBuilder,
}

/// The default timeout of a call, as in OTP.
pub(crate) const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl System {
    /// Returns an empty system with the default settings.
    #[doc = actor_example!(r"let system = System::new();
let counter = system.spawn::<Counter>(40).await?;
assert_eq!(counter.call(Msg::Get).await?, 40);")]
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder for a system with other settings.
    #[doc = actor_example!(
        r"let system = System::builder().call_timeout(Duration::from_secs(1)).capacity(64).build();
assert_ne!(system, System::new());"
    )]
    pub fn builder() -> SystemBuilder {
        SystemBuilder::default()
    }

    /// Subscribes to all events of one type that happen in the system from now on.
    ///
    /// The types implement [`SystemEvent`]: [`LifecycleEvent`], [`DeadLetter`], [`HandlerSample`]
    /// and [`CallTimedOut`] here, and those of the registry and of supervision.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{DeadLetter, LifecycleEvent, System};
    /// # use perennial_actors::{Actor, Context, ExitReason};
    /// # struct Sink;
    /// # impl Actor for Sink {
    /// #     type Msg = u64;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// # async fn handle(&mut self, _: u64, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let system = System::new();
    /// let mut events = system.subscribe::<LifecycleEvent>();
    /// let mut dead_letters = system.subscribe::<DeadLetter>();
    /// let sink = system.spawn::<Sink>(()).await?;
    /// assert!(matches!(events.next().await, Some(LifecycleEvent::Started { .. })));
    /// assert!(dead_letters.try_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subscribe<E: SystemEvent>(&self) -> Subscription<E> {
        E::subscribe(self)
    }

    /// Returns the message counts of all mailboxes together, including freed actors. An actor whose
    /// last address is being dropped at this very moment may be missing.
    #[doc = actor_example!(r"counter.call(Msg::Get).await?;
assert_eq!(system.counters().accepted, 1);")]
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.processes.counters()
    }

    /// Returns the extension of type `T`. Calls `make` if there is none yet.
    ///
    /// If several callers make one at once, the first that is inserted is that of all, and the
    /// others are dropped. `make` may use extensions itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// struct Motto(&'static str);
    ///
    /// let system = System::new();
    /// assert_eq!(system.extension(|| Motto("let it crash")).0, "let it crash");
    /// assert_eq!(system.extension(|| Motto("never made")).0, "let it crash");
    /// ```
    #[inline]
    pub fn extension<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        self.0.extensions.get_or_insert(make)
    }

    /// Publishes an event to its subscribers. For supervisors and other hosts of actors.
    pub fn publish(&self, event: impl FnOnce() -> LifecycleEvent) {
        self.0.events.send(event);
    }

    pub(crate) fn publish_dead_letter(&self, letter: impl FnOnce() -> DeadLetter) {
        if !self.0.log.wants(Level::WARN) {
            return self.0.dead_letters.send(letter);
        }
        let letter = letter();
        self.0.dead_letter_log.write(&letter, self.is_runtime_gone(), self.0.began);
        self.0.dead_letters.send(|| letter);
    }

    pub(crate) fn samples(&self) -> &Broadcast<HandlerSample> {
        &self.0.samples
    }

    pub(crate) fn timed_out(&self) -> &Broadcast<CallTimedOut> {
        &self.0.timed_out
    }

    /// Logs, once for a system, that a runtime was shut down while actors ran.
    pub(crate) fn runtime_gone(&self) {
        if !self.0.runtime_gone.swap(true, Ordering::Relaxed) {
            log::runtime_gone(&self.0.log);
        }
    }

    fn is_runtime_gone(&self) -> bool {
        self.0.runtime_gone.load(Ordering::Relaxed)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.0.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn issued_numbers(&self) -> u64 {
        self.0.next_number.load(Ordering::Relaxed)
    }

    pub(crate) fn table(&self) -> &ProcessTable {
        &self.0.processes
    }

    /// Returns a key that differs from the keys of all other existing systems.
    pub(crate) fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn age(&self) -> Duration {
        self.0.began.elapsed()
    }

    pub(crate) fn timeouts(&self) -> &Arc<TimerWheel> {
        &self.0.timeouts
    }

    pub(crate) fn call_waits(&self) -> &CallWaits {
        &self.0.call_waits
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        self.0.settings.call_timeout
    }

    pub(crate) fn capacity(&self) -> Capacity {
        self.0.settings.capacity
    }

    pub(crate) fn log(&self) -> &LogQueue {
        &self.0.log
    }

    /// Queues a log line, which is written in order, in a task of its own, under a guard. For
    /// supervisors and other hosts of actors, which never wait for a subscriber.
    pub fn log_later(&self, level: Level, line: impl FnOnce() + Send + 'static) {
        self.0.log.push(level, line);
    }

    /// Returns `true` if exit reasons of panics contain the location.
    pub(crate) fn has_panic_locations(&self) -> bool {
        self.0.settings.panic_locations.is_some()
    }
}

/// An event type that can be [subscribed](System::subscribe) to.
pub trait SystemEvent: Clone + Send + 'static {
    /// Subscribes to the events that happen from now on.
    fn subscribe(system: &System) -> Subscription<Self>;
}

impl SystemEvent for LifecycleEvent {
    fn subscribe(system: &System) -> Subscription<Self> {
        system.0.events.subscribe()
    }
}

impl SystemEvent for DeadLetter {
    fn subscribe(system: &System) -> Subscription<Self> {
        system.0.dead_letters.subscribe()
    }
}

impl SystemEvent for HandlerSample {
    fn subscribe(system: &System) -> Subscription<Self> {
        system.0.samples.subscribe()
    }
}

impl SystemEvent for CallTimedOut {
    fn subscribe(system: &System) -> Subscription<Self> {
        system.0.timed_out.subscribe()
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for System {
    /// Returns `true` if both are the same system.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for System {}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// The builder of a [`System`].
#[derive(Debug)]
#[must_use]
pub struct SystemBuilder {
    call_timeout: Duration,
    capacity: Capacity,
    panic_locations: Option<PanicLocations>,
}

impl Default for SystemBuilder {
    fn default() -> Self {
        Self { call_timeout: DEFAULT_CALL_TIMEOUT, capacity: Capacity::default(), panic_locations: None }
    }
}

impl SystemBuilder {
    /// Sets the timeout of calls that set no [timeout](crate::Call::timeout) themselves. The
    /// default is 5 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{CallError, MailboxConfig, Reply, System};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let system = System::builder().call_timeout(Duration::from_millis(10)).build();
    /// # let identity = Identity::<Reply<u8>>::new(MailboxConfig::default());
    /// # identity.open(&system, || "never started".into());
    /// # let address = identity.address();
    /// assert!(matches!(address.call(|reply| reply).await, Err(CallError::TimedOut(_))));
    /// # }
    /// ```
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets the capacity of every mailbox that sets none itself. The default is 1,024 messages. 0
    /// counts as 1.
    ///
    /// It applies to spawned actors and to children of supervisors. The mailboxes of supervisors
    /// are unbounded.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{Capacity, MailboxConfig, SendError, System};
    /// let system = System::builder().capacity(Capacity::Bounded(1)).build();
    /// # let identity = Identity::new(MailboxConfig::default());
    /// # identity.open(&system, || "never started".into());
    /// # let address = identity.address();
    /// assert!(address.cast("first").is_ok());
    /// assert!(matches!(address.cast("second"), Err(SendError::Full(_))));
    /// ```
    pub fn capacity(mut self, capacity: impl Into<Capacity>) -> Self {
        self.capacity = match capacity.into() {
            Capacity::Bounded(0) => Capacity::Bounded(1),
            capacity => capacity,
        };
        self
    }

    /// Adds the location of each panic to exit reasons and log lines.
    pub fn panic_locations(mut self, locations: PanicLocations) -> Self {
        self.panic_locations = Some(locations);
        self
    }

    /// Builds the system.
    #[must_use]
    pub fn build(self) -> System {
        let log = LogQueue::new();
        if cfg!(panic = "abort") {
            log::panics_abort(&log);
        }
        System(Arc::new(Inner {
            began: Instant::now(),
            next_number: AtomicU64::new(1),
            events: Broadcast::new(),
            dead_letters: Broadcast::new(),
            samples: Broadcast::new(),
            timed_out: Broadcast::new(),
            processes: ProcessTable::new(),
            extensions: Extensions::default(),
            dead_letter_log: DeadLetterLog::new(&log),
            runtime_gone: AtomicBool::new(false),
            log,
            timeouts: Arc::new(TimerWheel::new()),
            call_waits: CallWaits::default(),
            settings: self,
        }))
    }
}
