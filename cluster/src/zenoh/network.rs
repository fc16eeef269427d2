//! One session of zenoh: the boots that it sees, and what is sent to them and comes from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::Mutex;
use zenoh::Wait;
use zenoh::liveliness::LivelinessToken;
use zenoh::sample::{Sample, SampleKind};

use super::error::NetworkError;
use super::keys::{Keys, last_node};
use super::sender::{PacketKeys, Sender};
use super::watchdog::Silence;
use crate::engine::Priority;
use crate::identity::NodeId;
use crate::inbox::Inbox;

/// A session that is open. Once it is closed, nothing more comes of it.
pub(super) struct Network {
    session: zenoh::Session,
    keys: Keys,
    links: Arc<Links>,
    max_queued: usize,
    _token: LivelinessToken,
}

/// The boots that are seen.
struct Links {
    own: NodeId,
    inbox: Inbox,
    /// None once the session is closed.
    present: Mutex<Option<BTreeMap<NodeId, Link>>>,
    /// Held while the inbox is told of a change, so that it hears of all in their order. What
    /// the inbox wakes may send.
    order: Mutex<()>,
}

#[derive(Default)]
struct Link {
    /// What sends to the boot, once something was sent to it.
    sender: Option<Arc<Sender>>,
    silence: Silence,
}

impl Network {
    /// Opens a session, and announces a boot.
    pub(super) fn open(
        config: zenoh::Config,
        keys: Keys,
        own: NodeId,
        inbox: Inbox,
        max_queued: usize,
    ) -> Result<Self, NetworkError> {
        let session = zenoh::open(config).wait().map_err(|error| refused(&error))?;
        let (packets, presence, announced) =
            (keys.packets_to(&own), keys.all_presence(), keys.presence(&own));
        let present = Mutex::new(Some(BTreeMap::new()));
        let links = Arc::new(Links { own, inbox, present, order: Mutex::new(()) });
        let (receiver, watcher) = (links.clone(), links.clone());
        let receive = move |sample: Sample| ignore_panic(|| receiver.receive(&sample));
        let watch = move |sample: Sample| ignore_panic(|| watcher.see(&sample));
        session
            .declare_subscriber(packets)
            .callback(receive)
            .background()
            .wait()
            .map_err(|error| refused(&error))?;
        let liveliness = session.liveliness();
        let seen = liveliness.declare_subscriber(presence).history(true).callback(watch);
        seen.background().wait().map_err(|error| refused(&error))?;
        // The others can send from now on.
        let _token = liveliness.declare_token(announced).wait().map_err(|error| {
            links.close();
            refused(&error)
        })?;
        Ok(Self { session, keys, links, max_queued, _token })
    }

    /// Sends a packet to a boot that is seen, without waiting.
    pub(super) fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>) {
        let mut present = self.links.present.lock();
        let Some(link) = present.as_mut().and_then(|present| present.get_mut(to)) else { return };
        let sender = match &link.sender {
            Some(sender) => sender.clone(),
            None => {
                let keys = PacketKeys {
                    to_peer: self.keys.packets(to, &self.links.own),
                    from_peer: self.keys.packets(&self.links.own, to),
                };
                let name = to.name.as_str();
                let Ok(sender) = Sender::start(self.session.clone(), keys, name, self.max_queued) else {
                    return;
                };
                link.sender.insert(sender).clone()
            }
        };
        drop(present);
        sender.send(priority, packet);
    }

    /// Counts time. Returns for how long each boot that is sent to has been silent.
    pub(super) fn tick(&self) -> Vec<Silence> {
        let mut present = self.links.present.lock();
        let links = present.iter_mut().flat_map(BTreeMap::values_mut);
        let spoken_to = links.filter(|link| link.sender.is_some());
        let ticked = spoken_to.map(|link| {
            link.silence.tick();
            link.silence
        });
        ticked.collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Says of all boots that they are gone, and closes the session. zenoh takes at most 10 seconds
    /// for that.
    pub(super) fn close(&self) {
        self.links.close();
        ignore_panic(|| drop(self.session.close().wait()));
    }
}

impl Links {
    fn receive(&self, sample: &Sample) {
        let Some(from) = last_node(sample.key_expr().as_str()) else { return };
        let mut present = self.present.lock();
        // A boot that is not seen is not heard: no member fills the inbox under made-up boots.
        let Some(link) = present.as_mut().and_then(|present| present.get_mut(&from)) else { return };
        link.silence.end();
        drop(present);
        self.inbox.packet(from, sample.payload().to_bytes().into_owned());
    }

    fn see(&self, sample: &Sample) {
        let node = last_node(sample.key_expr().as_str()).filter(|node| *node != self.own);
        let Some(node) = node else { return };
        let _order = self.order.lock();
        let mut present = self.present.lock();
        let Some(links) = present.as_mut() else { return };
        if sample.kind() == SampleKind::Put {
            links.entry(node.clone()).or_default();
            drop(present);
            self.inbox.node_up(node);
        } else {
            let link = links.remove(&node);
            drop(present);
            self.lose(node, link);
        }
    }

    fn lose(&self, node: NodeId, link: Option<Link>) {
        if let Some(sender) = link.and_then(|link| link.sender) {
            sender.close();
        }
        self.inbox.node_down(node);
    }

    fn close(&self) {
        let _order = self.order.lock();
        let present = self.present.lock().take();
        for (node, link) in present.into_iter().flatten() {
            self.lose(node, Some(link));
        }
    }
}

fn refused(error: &zenoh::Error) -> NetworkError {
    NetworkError::Zenoh(error.to_string())
}
