//! The specification of entities.

use std::fmt;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Foreign;
use perennial_actors::{Actor, Capacity, MailboxConfig};

use super::driver::drive;
use super::engine::Limits;
use super::entity::MakeArgs;
use super::handle::EntitiesHandle;
use super::shared::Shared;
use crate::policy::{Backoff, Restart, Shutdown};
use crate::spec::{Child, ChildSpec, SpecError};

/// The specification of an actor for every key, which is a child of a tree. See the
/// [module](self).
#[must_use = "entities are not there until they are a child of a tree"]
pub struct Entities<K: Send + Sync + 'static, A: Actor> {
    id: Arc<str>,
    limits: Limits,
    mailbox: MailboxConfig,
    shared: Arc<Shared<K, A>>,
}

impl<K: Clone + Display + Send + Sync + 'static, A: Actor> Entities<K, A> {
    /// Makes entities whose incarnations start with the arguments that `args` makes of their key.
    /// The function is called in the task of each incarnation.
    pub fn new(id: impl Into<Arc<str>>, args: impl Fn(&K) -> A::Args + Send + Sync + 'static) -> Self {
        let limits = Limits {
            max_live: 10_000,
            max_keys: usize::MAX,
            idle_after: Some(Duration::from_secs(300)),
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(30)).jitter(0.2),
            give_up_after: None,
            start_timeout: None,
            stop_timeout: Duration::from_secs(5),
        };
        let make: MakeArgs<K, A::Args> = Arc::new(Foreign::new(Box::new(args)));
        let shared = Arc::new(Shared::new(limits.clone(), make));
        Self { id: id.into(), limits, mailbox: MailboxConfig::default(), shared }
    }

    /// Sets how many incarnations may exist at once: 10,000 by default.
    pub fn max_live(mut self, incarnations: usize) -> Self {
        self.limits.max_live = incarnations;
        self
    }

    /// Sets how many [keys](super::EntitiesStats::known) may be known at once. There is no limit by
    /// default. Beyond it, [`address`](EntitiesHandle::address) fails for new keys.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.limits.max_keys = keys;
        self
    }

    /// Sets how long an entity is idle before it is passivated: five minutes by default. With
    /// `None` it is not. Zero is an error at the start.
    pub fn idle_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.limits.idle_after = time.into();
        self
    }

    /// Sets the delays after the failures of a key. A failed start, an error and a panic are
    /// failures. The default is 0.1 s to 30 s, with a jitter of 20 %.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.limits.backoff = backoff;
        self
    }

    /// Sets the number of failures in a row after which an entity is given up: its messages become
    /// dead letters, and its address is closed. The next call of
    /// [`address`](EntitiesHandle::address) begins with a new identity. There is no limit by
    /// default.
    pub fn give_up_after(mut self, failures: u32) -> Self {
        self.limits.give_up_after = Some(failures);
        self
    }

    /// Sets how long a start may take. A longer one is killed, which is a failure. There is no
    /// limit by default.
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.limits.start_timeout = Some(time);
        self
    }

    /// Sets how long the stop of an entity may take when the tree stops: 5 s by default. After that
    /// it is killed, and after that time again it is abandoned, because it never awaits. An entity
    /// that makes room for another one has no limit: it finishes what it does.
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.limits.stop_timeout = time;
        self
    }

    /// Sets the mailbox of each entity. One that
    /// [discards on a restart](MailboxConfig::discard_on_restart) does so at each passivation.
    pub fn mailbox(mut self, mailbox: MailboxConfig) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// Returns the handle. It has addresses once the tree has started.
    #[must_use]
    pub fn handle(&self) -> EntitiesHandle<K, A> {
        EntitiesHandle { shared: self.shared.clone() }
    }
}

impl<K: Clone + Display + Send + Sync + 'static, A: Actor> From<Entities<K, A>> for ChildSpec {
    fn from(entities: Entities<K, A>) -> Self {
        let Entities { id, limits, mailbox, shared } = entities;
        let is_never_idle = limits.idle_after.is_some_and(|time| time.is_zero());
        let is_empty =
            limits.max_live == 0 || limits.max_keys == 0 || mailbox.capacity().is_some_and(Capacity::is_zero);
        // A stop, a kill, and what the driver needs besides.
        let time = limits.stop_timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
        shared.configure(limits, mailbox);
        let child = Child::task(id.clone(), move |ctx| drive(shared.clone(), ctx));
        let mut child = Self::from(child.restart(Restart::Permanent).shutdown(Shutdown::Timeout(time)));
        if is_empty {
            child.error = Some(Box::new(SpecError::ZeroCapacity { id }));
        } else if is_never_idle {
            child.error = Some(Box::new(SpecError::ZeroLifetime { id }));
        }
        child
    }
}

impl<K: Send + Sync + 'static, A: Actor> fmt::Debug for Entities<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities").field("id", &self.id).finish_non_exhaustive()
    }
}
