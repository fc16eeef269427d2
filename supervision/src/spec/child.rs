//! One child: an actor, how it is started, restarted and stopped.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial_actors::host::{Identity, Parent};
use perennial_actors::{Actor, Address, ExitReason, Mailbox, Pid, StartError, System};
use perennial_registry::{Name, Registry};

use super::error::SpecError;
use super::policy::{Restart, Shutdown};
use crate::node::{Node, OpenError};

/// The spec of a child that is an actor with messages `M`.
///
/// Unless set otherwise it is permanent, has 5 seconds to stop and as long as it likes to start, and holds
/// 1,024 messages.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct Child<M: Send + 'static> {
    id: Arc<str>,
    restart: Restart,
    shutdown: Shutdown,
    start_timeout: Option<Duration>,
    mailbox: Mailbox,
    mailbox_too_late: bool,
    name: Option<Name<M>>,
    identity: OnceLock<Arc<Identity<M>>>,
    start: Arc<StartFn<M>>,
}

type StartFn<M> = dyn Fn(&Identity<M>, Arc<dyn Parent>, u64) -> Result<Pid, StartError> + Send + Sync;

impl<M: Send + 'static> Child<M> {
    /// A child that is an actor `A`, each of whose incarnations starts from the same `args`.
    pub fn new<A: Actor<Msg = M>>(id: impl Into<Arc<str>>, args: A::Args) -> Self {
        let args = Arc::new(args);
        Self {
            id: id.into(),
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            start_timeout: None,
            mailbox: Mailbox::default(),
            mailbox_too_late: false,
            name: None,
            identity: OnceLock::new(),
            start: Arc::new(move |identity, parent, run| identity.start::<A>(args.clone(), parent, run)),
        }
    }

    /// Binds a name to it, from the start of the tree to its end: through every restart it leads to the same mailbox.
    pub fn named(mut self, name: Name<M>) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets which of its ends call for a restart.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how it is stopped.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets how long its init may take. After that it is killed, and its start has failed.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = Some(timeout);
        self
    }

    /// Sets its mailbox. To be done before [`address`](Self::address) is asked for.
    pub fn mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox_too_late |= self.identity.get().is_some();
        self.mailbox = mailbox;
        self
    }

    /// Its address, good from now on and through every restart. Messages are accepted from the start of the tree on.
    #[must_use]
    pub fn address(&self) -> Address<M> {
        self.identity().address()
    }

    fn identity(&self) -> &Arc<Identity<M>> {
        self.identity.get_or_init(|| Arc::new(Identity::new(self.mailbox)))
    }
}

impl<M: Send + 'static> From<Child<M>> for ChildSpec {
    fn from(child: Child<M>) -> Self {
        let identity = child.identity().clone();
        Self {
            error: child.mailbox_too_late.then(|| SpecError::MailboxTooLate { id: child.id.clone() }),
            id: child.id,
            restart: child.restart,
            shutdown: child.shutdown,
            start_timeout: child.start_timeout,
            node: Arc::new(ActorNode { identity, name: child.name, start: child.start }),
        }
    }
}

impl<M: Send + 'static> fmt::Debug for Child<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id).field("restart", &self.restart).finish_non_exhaustive()
    }
}

/// Any child, whatever its messages: what a supervisor takes.
#[must_use = "a child does nothing until it is given to a supervisor that is started"]
pub struct ChildSpec {
    pub(crate) id: Arc<str>,
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) error: Option<SpecError>,
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

/// A child that is an actor, as its supervisor handles it.
struct ActorNode<M: Send + 'static> {
    identity: Arc<Identity<M>>,
    name: Option<Name<M>>,
    start: Arc<StartFn<M>>,
}

impl<M: Send + 'static> Node for ActorNode<M> {
    fn open(&self, system: &System, label: &str) -> Result<(), OpenError> {
        self.identity.open(system, || label.into());
        match &self.name {
            Some(name) => Ok(Registry::of(system).bind(name, &self.identity.address())?),
            None => Ok(()),
        }
    }

    fn close(&self, reason: &ExitReason) {
        self.identity.close(reason);
    }

    fn start(&self, parent: Arc<dyn Parent>, run: u64) -> Result<Pid, StartError> {
        (self.start)(&self.identity, parent, run)
    }

    fn abandon(&self, pid: Pid) -> bool {
        self.identity.abandon(pid)
    }

    fn handle(&self) -> perennial_actors::Handle {
        self.identity.address().handle()
    }
}
