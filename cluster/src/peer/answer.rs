//! Answers that wait for room in the window, within a limit of their bytes.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::link::Unsent;
use super::record::Peer;
use crate::wire::{Header, Outcome};

/// An answer in bytes. They count until it is sent or dropped.
pub(crate) struct WaitingAnswer {
    peer: Arc<Peer>,
    bytes: Vec<u8>,
}

impl WaitingAnswer {
    /// Counts an answer.
    ///
    /// # Errors
    ///
    /// The answers that wait have as many bytes as may. What becomes of the reply is returned.
    pub(crate) fn new(peer: &Arc<Peer>, bytes: Vec<u8>) -> Result<Self, Outcome> {
        peer.with(|link| {
            let waiting = link.answer_bytes.saturating_add(bytes.len());
            if waiting > link.max_waiting {
                return Err(Outcome::answer_failed("too many answers wait for room"));
            }
            link.answer_bytes = waiting;
            Ok(())
        })?;
        Ok(Self { peer: peer.clone(), bytes })
    }

    /// Sends the answer when the window has room. One that is too large becomes the news of that.
    pub(crate) async fn send(self, id: u64, index: u32) {
        let bytes = &self.bytes;
        let sent =
            self.peer.when_room((), |link, ()| match link.send(&Header::Answer { id, index }, bytes) {
                Err(Unsent::Full) => ControlFlow::Continue(()),
                Err(Unsent::TooLong) => {
                    let text = format!("it has {} bytes, more than {}", bytes.len(), link.max_payload());
                    link.queue(Header::Dropped { id, index, outcome: Outcome::answer_failed(text) });
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Break(()),
            });
        sent.await;
    }
}

impl Drop for WaitingAnswer {
    fn drop(&mut self) {
        self.peer.with(|link| link.answer_bytes -= self.bytes.len());
    }
}
