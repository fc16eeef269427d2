//! The messages and monitors of a peer for the actors of this node.

use std::ops::ControlFlow;
use std::sync::Arc;

use perennial_actors::host::catch_panic;
use perennial_actors::{ActorHandle, ExitReason, System};
use perennial_durable::Payload;
use tokio::sync::mpsc;

use super::gateway::Gateway;
use super::served::Served;
use crate::event::NodeEvent;
use crate::expose::{Answers, Delivery};
use crate::names::key;
use crate::peer::{MAX_REPLIES, Peer, Unsent, WaitingAnswer};
use crate::reason::cut;
use crate::wire::{Header, Outcome};

/// A message of a peer, without its payload.
pub(super) struct Request {
    pub(super) to: String,
    pub(super) tag: String,
    pub(super) version: u32,
    pub(super) codec: String,
    pub(super) id: u64,
    pub(super) confirm: bool,
    pub(super) replies: u32,
}

impl Gateway {
    /// Delivers a message, and tells the sender what it wants to know of it.
    pub(super) fn deliver(&mut self, peer: &Arc<Peer>, request: Request, payload: &[u8]) {
        let Request { to, tag, version, codec, id, confirm, replies } = request;
        let payload = Payload { tag, version, codec, bytes: payload.to_vec() };
        let delivery = Delivery { payload, replies: (id != 0).then_some(replies) };
        match self.accept(peer, &to, delivery) {
            Ok(answers) => {
                if confirm {
                    peer.with(|link| link.queue(Header::Accepted { id }));
                }
                if let Some(answers) = answers {
                    self.served(peer).spawn(id, answer(peer.clone(), id, answers));
                }
            }
            Err(outcome) => {
                let (node, reason) = (peer.id.name.clone(), outcome.clone().into());
                self.node.publish(NodeEvent::Refused { node, name: cut(&key::readable(&to)), reason });
                if id != 0 {
                    peer.with(|link| link.queue(Header::Refused { id, outcome }));
                }
            }
        }
    }

    fn accept(&mut self, peer: &Peer, to: &str, delivery: Delivery) -> Result<Option<Answers>, Outcome> {
        let max = self.node.config.max_served;
        if delivery.replies.is_some() && self.served(peer).len() >= max {
            return Err(Outcome::Busy);
        }
        if delivery.replies.is_some_and(|replies| replies as usize > MAX_REPLIES) {
            return Err(Outcome::undecodable("it has too many replies"));
        }
        let exposed = self.node.exposed.lock().get(to).cloned();
        let (Some(exposed), Some(system)) = (exposed, self.node.system.get()) else {
            return Err(Outcome::NoProcess);
        };
        // A waker that the cast wakes may panic.
        let accepted = catch_panic(Some(system), || exposed.deliver(system, delivery));
        accepted.unwrap_or_else(|reason| Err(Outcome::Ended((&reason).into())))
    }

    /// Tells the peer when the actor with a name ends.
    pub(super) fn monitor(&mut self, peer: &Arc<Peer>, id: u64, name: &str) {
        let max = self.node.config.max_served;
        let handle = self.exposed_handle(name).map(|(handle, _)| handle);
        let down = move |reason: &ExitReason| Header::Down { id, reason: reason.into() };
        match handle {
            Some(handle) if self.served(peer).len() < max => {
                let (to, monitor) = (peer.clone(), handle.monitor());
                let task = async move { send(&to, down(&monitor.await.reason)).await };
                self.served(peer).spawn(id, task);
            }
            Some(_) => peer.with(|link| link.queue(Header::Refused { id, outcome: Outcome::Busy })),
            None => peer.with(|link| link.queue(down(&ExitReason::NoProcess))),
        }
    }

    /// Returns the actor that is exposed with a name.
    pub(super) fn exposed_handle(&self, name: &str) -> Option<(ActorHandle, System)> {
        let exposed = self.node.exposed.lock().get(name).cloned()?;
        let system = self.node.system.get()?;
        Some((exposed.handle(system)?, system.clone()))
    }

    /// Returns what is done for a peer.
    pub(super) fn served(&mut self, peer: &Peer) -> &mut Served {
        self.served.entry(peer.id.clone()).or_default()
    }
}

/// Sends the answers to the replies of a message, each when the window has room for it. All that
/// have come are counted, so those that wait for another one of the message are too.
async fn answer(peer: Arc<Peer>, id: u64, mut answers: Answers) {
    let (waiting, mut queue) = mpsc::unbounded_channel();
    let receive = async {
        // Dropped after the last answer, which ends the queue.
        let waiting = waiting;
        while let Some((index, answer)) = answers.next().await {
            match answer.and_then(|bytes| WaitingAnswer::new(&peer, bytes)) {
                Ok(answer) => drop(waiting.send((index, answer))),
                Err(outcome) => peer.with(|link| link.queue(Header::Dropped { id, index, outcome })),
            }
        }
    };
    let send = async {
        while let Some((index, answer)) = queue.recv().await {
            answer.send(id, index).await;
        }
    };
    tokio::join!(receive, send);
}

/// Sends a header when the window has room.
pub(super) async fn send(peer: &Peer, header: Header) {
    let sent = peer.when_room(header, |link, header| match link.send(&header, &[]) {
        Err(Unsent::Full) => ControlFlow::Continue(header),
        _ => ControlFlow::Break(()),
    });
    sent.await;
}
