//! One message for each member of a group.

use perennial_actors::host::catch_panic;
use perennial_durable::Wire;

use super::members::RemoteGroup;
use crate::error::RemoteError;

/// The outcome of a [broadcast](RemoteGroup::broadcast).
#[derive(Debug)]
#[non_exhaustive]
pub struct RemoteBroadcastReport<M> {
    /// The members that the message was sent to.
    pub sent: usize,
    /// Why it was not sent to others. Each error holds the message.
    pub refused: Vec<RemoteError<M>>,
    /// The number of members for which the `Clone` of the message panicked.
    pub failed: usize,
}

impl<M: Wire + Clone + Send + 'static> RemoteGroup<M> {
    /// Casts a copy of a message to each member, without waiting. Members of other nodes get it at
    /// most once; a mailbox that is full there is reported there.
    ///
    /// The message is cloned in this call, under no lock. If the clone for one member panics, the
    /// other members still get theirs.
    pub fn broadcast(&self, message: &M) -> RemoteBroadcastReport<M> {
        let mut report = RemoteBroadcastReport { sent: 0, refused: Vec::new(), failed: 0 };
        for member in self.members() {
            match catch_panic(None, || message.clone()).map(|copy| member.cast(copy)) {
                Ok(Ok(())) => report.sent += 1,
                Ok(Err(error)) => report.refused.push(error),
                Err(_) => report.failed += 1,
            }
        }
        report
    }
}
