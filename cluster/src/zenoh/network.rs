//! One session of zenoh: the boots that it sees, and what is sent to them and comes from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::Mutex;
use zenoh::Wait;
use zenoh::liveliness::LivelinessToken;
use zenoh::qos::{CongestionControl, Priority as Class};
use zenoh::sample::{Sample, SampleKind};

use super::error::NetworkError;
use super::keys::{Keys, last_node};
use super::queue::SendQueue;
use super::watchdog::Silence;
use crate::engine::Priority;
use crate::identity::NodeId;
use crate::inbox::Inbox;

/// The stack of a thread that sends.
const STACK: usize = 512 * 1024;

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
    /// What waits for the boot, once something was sent to it.
    queue: Option<Arc<SendQueue>>,
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
        let queue = match &link.queue {
            Some(queue) => queue.clone(),
            None => {
                let queue = Arc::new(SendQueue::new(self.max_queued));
                if self.begin_to_send(to, queue.clone()).is_err() {
                    return;
                }
                link.queue.insert(queue).clone()
            }
        };
        drop(present);
        queue.push(priority, packet);
    }

    fn begin_to_send(&self, to: &NodeId, queue: Arc<SendQueue>) -> std::io::Result<()> {
        let (session, key) = (self.session.clone(), self.keys.packets(to, &self.links.own));
        let thread = thread::Builder::new().name(format!("to {}", to.name)).stack_size(STACK);
        thread.spawn(move || ignore_panic(|| send_all(&session, &key, &queue)))?;
        Ok(())
    }

    /// Counts time. Returns for how long each boot that is sent to has been silent.
    pub(super) fn tick(&self) -> Vec<Silence> {
        let mut present = self.links.present.lock();
        let links = present.iter_mut().flat_map(BTreeMap::values_mut);
        let spoken_to = links.filter(|link| link.queue.is_some());
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
        if let Some(queue) = link.and_then(|link| link.queue) {
            queue.close();
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

/// Sends what is queued until the queue is closed. Only the peer itself makes this thread wait.
fn send_all(session: &zenoh::Session, key: &str, queue: &SendQueue) {
    // A key that is declared has its route computed once, on both sides.
    let Ok(key) = session.declare_keyexpr(key.to_owned()).wait() else { return };
    let publisher = |class: Class| {
        let publisher = session.declare_publisher(key.clone()).priority(class);
        publisher.congestion_control(CongestionControl::Block).wait().ok()
    };
    let (urgent, stream) = (publisher(Class::InteractiveHigh), publisher(Class::Data));
    while let Some((priority, packet)) = queue.next() {
        let publisher = match priority {
            Priority::Urgent => &urgent,
            Priority::Stream => &stream,
        };
        if let Some(publisher) = publisher {
            // What is not sent is lost: the node notices the gap.
            ignore_panic(|| drop(publisher.put(packet).wait()));
        }
    }
}

fn refused(error: &zenoh::Error) -> NetworkError {
    NetworkError::Zenoh(error.to_string())
}
