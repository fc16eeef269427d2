//! Sending one message to every member of a group.

use std::collections::HashSet;
use std::fmt;

use perennial_actors::host::catch_panic;
use perennial_actors::{Address, SendError};

use super::members::GroupHandle;
use crate::log;

/// The outcome of a [broadcast](GroupHandle::broadcast).
#[non_exhaustive]
pub struct BroadcastReport<M: Send + 'static> {
    /// The number of members whose mailbox accepted the message.
    pub delivered: usize,
    /// The members whose mailbox rejected the message. Each error holds the message.
    pub refused: Vec<(Address<M>, SendError<M>)>,
    /// The number of members for which the `Clone` of the message panicked.
    pub failed: usize,
}

impl<M: Clone + Send + 'static> GroupHandle<M> {
    /// Sends a copy of a message to each member, without waiting. An actor that joined more than
    /// once gets one copy.
    ///
    /// The message is cloned in this call, under no lock. If the clone for one member panics, the
    /// other members still get theirs. A member that is being restarted is not in the group until
    /// it joins again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, System};
    /// # use perennial_registry::{Group, Registry};
    /// # #[derive(Clone)]
    /// # struct Reload;
    /// # struct Cache;
    /// # impl Actor for Cache {
    /// #     type Msg = Reload;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Cache) }
    /// #     async fn handle(&mut self, _: Reload, _: &mut Context<Self>)
    /// #         -> Result<(), ExitReason> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let caches = Registry::of(&system).group(Group::<Reload>::new("caches"));
    /// caches.join(&system.spawn::<Cache>(()).await?)?;
    /// caches.join(&system.spawn::<Cache>(()).await?)?;
    ///
    /// let report = caches.broadcast(&Reload);
    /// assert_eq!((report.delivered, report.refused.len()), (2, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, message: &M) -> BroadcastReport<M> {
        let mut report = BroadcastReport { delivered: 0, refused: Vec::new(), failed: 0 };
        let mut seen = HashSet::new();
        for (pid, member) in self.groups.members(&self.key) {
            if !seen.insert(pid) {
                continue;
            }
            match catch_panic(None, || message.clone()).map(|copy| member.cast(copy)) {
                Ok(Ok(())) => report.delivered += 1,
                Ok(Err(error)) => report.refused.push((member, error)),
                Err(reason) => {
                    report.failed += 1;
                    log::clone_panicked(&self.key.0, &member.handle(), reason);
                }
            }
        }
        report
    }
}

impl<M: Send + 'static> fmt::Debug for BroadcastReport<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastReport")
            .field("delivered", &self.delivered)
            .field("refused", &self.refused.len())
            .field("failed", &self.failed)
            .finish()
    }
}
