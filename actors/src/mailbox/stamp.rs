//! The time at which a message was accepted, for the few messages of which it is wanted.
//!
//! A time in each message would cost each message. So the incarnation asks for the time of one: of
//! the next message that is accepted. The mailbox lets no sender take the shortest way in until
//! one has left the time and the number of its message.

use std::time::Duration;

use tokio::time::Instant;

use super::observed::Stamp;
use super::shared::Mailbox;
use super::state::MailboxState;

/// The message of which the time is known next.
pub(super) enum NextStamp {
    /// The message in flight, which waited this long.
    Here(Duration),
    /// A message behind this many, or behind more.
    Behind(u64),
}

impl<M> MailboxState<M> {
    /// Leaves the time of the message with this sequence number, if it is wanted.
    pub(super) fn stamp(&mut self, sequence: u64) {
        if let Some(stamp @ Stamp::Wanted) = self.observed_mut().and_then(|observed| observed.stamp.as_mut())
        {
            *stamp = Stamp::Accepted { sequence, at: Instant::now() };
        }
    }

    /// Returns `true` if the next message is to leave its time.
    pub(super) fn wants_stamp(&self) -> bool {
        self.observed().is_some_and(|observed| matches!(observed.stamp, Some(Stamp::Wanted)))
    }
}

impl<M> Mailbox<M> {
    /// Finds the message of which the time is known, and asks for one if there is none. Returns
    /// `None` during a message of the incarnation to itself.
    pub(super) fn next_stamp(&self, incarnation: u32) -> Option<NextStamp> {
        let mut state = self.lock_attached(incarnation)?;
        let (in_flight, current) = self.current(&state);
        if in_flight == 0 {
            return None;
        }
        let accepted = state.accepted;
        let stamp = &mut state.observed_or_init().stamp;
        let (sequence, at) = match stamp {
            Some(Stamp::Accepted { sequence, at }) if *sequence >= current => (*sequence, Some(*at)),
            _ => (accepted + 1, None),
        };
        match at {
            Some(at) if sequence == current => {
                *stamp = None;
                return Some(NextStamp::Here(at.elapsed()));
            }
            Some(_) => {}
            None => {
                *stamp = Some(Stamp::Wanted);
                state.admits = 0;
            }
        }
        Some(NextStamp::Behind(sequence - current))
    }
}
