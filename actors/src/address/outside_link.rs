//! Links whose other end is not in this system: on another node.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use super::handle::ActorHandle;
use crate::exit::ExitReason;
use crate::foreign::ignore_panic;
use crate::mailbox::MailboxConfig;
use crate::pid::Pid;
use crate::process::Process;
use crate::system::{AnyProcess, System};

/// The end, in this system, of a link to something outside of it.
///
/// The incarnation finds the other end under a pid of its own, which no actor has. Its own end is
/// not reported here: a [monitor](ActorHandle::monitor) does that.
pub struct OutsideLink {
    process: Arc<dyn AnyProcess>,
    incarnation: u32,
    pid: Pid,
}

impl OutsideLink {
    /// Links an incarnation. Returns `None` if it is not running.
    #[must_use]
    pub fn new(system: &System, actor: &ActorHandle, incarnation: Pid) -> Option<Self> {
        let process = actor.process().clone();
        // It is never attached, so the signal that the incarnation sends it at its end is dropped.
        let outside: Arc<dyn AnyProcess> = Process::<Infallible>::new(MailboxConfig::default());
        let pid = Pid::new(system.next_number(), 1);
        let mut relations = process.relations().lock();
        // An incarnation that ends after this check must wait for the lock, and then finds the
        // link.
        if process.state().pid() != Some(incarnation) {
            return None;
        }
        relations.get_or_insert_default().add_link(pid, outside);
        drop(relations);
        Some(Self { process, incarnation: incarnation.incarnation(), pid })
    }

    /// Returns the pid by which the incarnation knows the other end.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends the exit signal of the other end, unless the link is there no more. It is removed.
    pub fn exit(&self, reason: &ExitReason) {
        ignore_panic(|| self.process.link_ended(self.incarnation, self.pid, reason));
    }

    /// Removes the link. When this returns, no exit signal will come from it any more. Returns
    /// `true` if it was there.
    pub fn unlink(&self) -> bool {
        let mut relations = self.process.relations().lock();
        let link = relations.as_mut().and_then(|relations| relations.take_link(self.pid));
        drop(relations);
        link.is_some()
    }
}

impl fmt::Debug for OutsideLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideLink").field("pid", &self.pid).finish_non_exhaustive()
    }
}
