//! One session of zenoh: the boots that it sees, and what is sent to them and comes from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::Mutex;
use zenoh::Wait;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority as Class};
use zenoh::sample::{Sample, SampleKind};

use super::error::NetworkError;
use super::keys::{Keys, last_node};
use super::queue::{Pushed, SendQueue};
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
    /// The way to the boot, once something was sent to it.
    way: Option<Arc<Way>>,
    silence: Silence,
}

/// The way to one boot.
struct Way {
    queue: SendQueue,
    /// Sends the stream. None before the thread runs, and after it has ended.
    stream: Mutex<Option<Arc<Publisher<'static>>>>,
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
        let way = match &link.way {
            Some(way) => way.clone(),
            None => {
                let queue = SendQueue::new(self.max_queued);
                let way = Arc::new(Way { queue, stream: Mutex::new(None) });
                if self.begin_to_send(to, way.clone()).is_err() {
                    return;
                }
                link.way.insert(way).clone()
            }
        };
        drop(present);
        way.send(priority, packet);
    }

    fn begin_to_send(&self, to: &NodeId, way: Arc<Way>) -> std::io::Result<()> {
        let (session, key) = (self.session.clone(), self.keys.packets(to, &self.links.own));
        let thread = thread::Builder::new().name(format!("to {}", to.name)).stack_size(STACK);
        thread.spawn(move || ignore_panic(|| way.send_all(&session, &key)))?;
        Ok(())
    }

    /// Counts time. Returns for how long each boot that is sent to has been silent.
    pub(super) fn tick(&self) -> Vec<Silence> {
        let mut present = self.links.present.lock();
        let links = present.iter_mut().flat_map(BTreeMap::values_mut);
        let spoken_to = links.filter(|link| link.way.is_some());
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
        if let Some(way) = link.and_then(|link| link.way) {
            way.queue.close();
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

impl Way {
    /// Sends a packet: on this thread if it is prompt and nothing is before it, which spares the
    /// time until another one runs. zenoh has room for it, and does not wait.
    fn send(&self, priority: Priority, packet: Vec<u8>) {
        let stream = self.stream.lock().clone();
        // Before there is a publisher, the thread has to send it.
        let priority = if stream.is_some() { priority } else { priority.without_haste() };
        if let Pushed::Now(packet) = self.queue.push(priority, packet) {
            put(stream.as_deref(), packet);
            self.queue.sent();
        }
    }

    /// Sends what is queued until the queue is closed. Only the peer itself makes this thread wait.
    fn send_all(&self, session: &zenoh::Session, key: &str) {
        // A key that is declared has its route computed once, on both sides.
        let Ok(key) = session.declare_keyexpr(key.to_owned()).wait() else { return };
        let publisher = |class: Class| {
            let publisher = session.declare_publisher(key.clone().into_owned()).priority(class);
            publisher.congestion_control(CongestionControl::Block).wait().ok()
        };
        let (urgent, stream) = (publisher(Class::InteractiveHigh), publisher(Class::Data).map(Arc::new));
        self.stream.lock().clone_from(&stream);
        while let Some((priority, piece)) = self.queue.next() {
            match priority {
                Priority::Urgent => put(urgent.as_ref(), piece),
                _ => put(stream.as_deref(), piece),
            }
            self.queue.sent();
        }
        let stream = self.stream.lock().take();
        drop(stream);
    }
}

/// What is not sent is lost: the node notices the gap.
fn put(publisher: Option<&Publisher<'static>>, piece: Vec<u8>) {
    if let Some(publisher) = publisher {
        ignore_panic(|| drop(publisher.put(piece).wait()));
    }
}

fn refused(error: &zenoh::Error) -> NetworkError {
    NetworkError::Zenoh(error.to_string())
}
