//! What sends to one peer: a thread for what may have to wait, and the threads of callers for what
//! does not.

use std::io;
use std::sync::Arc;
use std::thread;

use perennial_actors::host::sync::Mutex;
use perennial_actors::host::{ignore_panic, unlogged};
use zenoh::key_expr::KeyExpr;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority as Class};
use zenoh::sample::Locality;
use zenoh::{Session, Wait};

use super::queue::{Pushed, SendQueue};
use crate::engine::Priority;

/// The stack of a thread that sends.
const STACK: usize = 512 * 1024;

/// What sends to one peer, until it is closed.
pub(super) struct Sender {
    queue: SendQueue,
    /// Sends for callers: zenoh drops what it has no room for, instead of waiting. None before the
    /// thread has declared it, and after it has ended.
    direct: Mutex<Option<Arc<Publishers>>>,
}

/// The keys of the packets between two boots.
pub(super) struct PacketKeys {
    /// Those that this boot sends.
    pub(super) to_peer: String,
    /// Those that it receives.
    pub(super) from_peer: String,
}

impl Sender {
    /// Starts a thread that sends to a peer. At most so many bytes of each priority wait for it.
    pub(super) fn start(
        session: Session,
        keys: PacketKeys,
        name: &str,
        max_queued: usize,
    ) -> io::Result<Arc<Self>> {
        let sender = Arc::new(Self { queue: SendQueue::new(max_queued), direct: Mutex::new(None) });
        let thread = thread::Builder::new().name(format!("to {name}")).stack_size(STACK);
        let own = sender.clone();
        thread.spawn(move || ignore_panic(|| own.run(&session, keys)))?;
        Ok(sender)
    }

    /// Sends a packet without waiting: on this thread if it is urgent or prompt and nothing is
    /// before it, which spares the time until another one runs.
    pub(super) fn send(&self, priority: Priority, packet: Vec<u8>) {
        if let Pushed::Direct(packet) = self.queue.push(priority, packet) {
            let publishers = self.direct.lock().clone();
            if let Some(publishers) = publishers {
                // zenoh logs under its locks, and a subscriber may send. The publishers are dropped
                // before the report, after which the thread may drop the last one.
                unlogged(|| publishers.put(priority, packet));
                drop(publishers);
            }
            self.queue.sent();
        }
    }

    /// Drops what waits, and lets the thread end.
    pub(super) fn close(&self) {
        self.queue.close();
    }

    /// Sends what is queued until the queue is closed. Only the peer itself makes this thread wait.
    fn run(&self, session: &Session, keys: PacketKeys) {
        // The route of a key that is declared is computed once, on the side that declares it.
        let declare = |key: String| session.declare_keyexpr(key).wait();
        let Ok(to_peer) = declare(keys.to_peer) else { return };
        let from_peer = declare(keys.from_peer);
        let publishers = |control| Publishers::declare(session, &to_peer, control);
        if let (Some(waiting), Some(direct)) =
            (publishers(CongestionControl::Block), publishers(CongestionControl::Drop))
        {
            *self.direct.lock() = Some(Arc::new(direct));
            self.queue.allow_direct();
            while let Some((priority, piece)) = self.queue.next() {
                waiting.put(priority, piece);
                self.queue.sent();
            }
            // Nothing is being sent, so this thread drops it.
            let direct = self.direct.lock().take();
            drop(direct);
        }
        // A session that is closed has forgotten them.
        for key in [Ok(to_peer), from_peer].into_iter().flatten() {
            drop(session.undeclare(key).wait());
        }
    }
}

/// The two priorities of what is sent to a peer.
struct Publishers {
    urgent: Publisher<'static>,
    stream: Publisher<'static>,
}

impl Publishers {
    fn declare(session: &Session, key: &KeyExpr<'static>, control: CongestionControl) -> Option<Self> {
        let declare = |class: Class| {
            let publisher = session.declare_publisher(key.clone()).priority(class);
            publisher.congestion_control(control).allowed_destination(Locality::Remote).wait().ok()
        };
        Some(Self { urgent: declare(Class::InteractiveHigh)?, stream: declare(Class::Data)? })
    }

    /// What is not sent is lost: the node notices the gap.
    fn put(&self, priority: Priority, packet: Vec<u8>) {
        let publisher = match priority {
            Priority::Urgent => &self.urgent,
            Priority::Prompt | Priority::Stream => &self.stream,
        };
        ignore_panic(|| drop(publisher.put(packet).wait()));
    }
}
