//! The network between two nodes: it carries packets to a port and back, drops them, or is late.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// More bytes than a packet has.
const PACKET: usize = 65_536;

/// How many packets may be late at a time. The others are dropped.
const QUEUE: usize = 8_192;

/// Of so many packets that are late, one is lost.
const LOSS: u64 = 100;

/// What happens to the packets in one direction.
#[derive(Debug, Default)]
pub struct Way {
    is_cut: AtomicBool,
    delay: AtomicU64,
    /// The packets that were late.
    late: AtomicU64,
}

impl Way {
    /// Sets whether packets are dropped.
    pub fn set_cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Sets by how much packets are late. One of a hundred that are late is lost.
    pub fn set_delay(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn pass(&self, packet: &[u8], queue: &mpsc::Sender<Late>) {
        if self.is_cut.load(Ordering::Relaxed) {
            return;
        }
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 && self.late.fetch_add(1, Ordering::Relaxed) % LOSS == LOSS - 1 {
            return;
        }
        let due = Instant::now() + Duration::from_micros(delay);
        // What does not fit is lost, as in any network.
        drop(queue.try_send((due, packet.to_owned())));
    }
}

/// A packet, and when it is due.
pub(super) type Late = (Instant, Vec<u8>);

/// A relay between a port of its own and another one.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    /// The way to the other port.
    pub there: Arc<Way>,
    /// The way back.
    pub back: Arc<Way>,
}

impl Relay {
    /// Begins to relay to a port.
    pub async fn start(to: u16) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let port = socket.local_addr()?.port();
        let relay = Self { port, there: Arc::default(), back: Arc::default() };
        tokio::spawn(carry(socket, to, relay.there.clone(), relay.back.clone()));
        Ok(relay)
    }

    /// Returns the port to send to.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Carries packets to a port. What comes back for each sender has a socket of its own.
async fn carry(socket: Arc<UdpSocket>, to: u16, there: Arc<Way>, back: Arc<Way>) -> io::Result<()> {
    let mut senders: BTreeMap<SocketAddr, mpsc::Sender<Late>> = BTreeMap::new();
    let mut packet = vec![0; PACKET];
    loop {
        // On Linux, a packet to a port that was closed is an error of the next one.
        let Ok((bytes, from)) = socket.recv_from(&mut packet).await else { continue };
        let onward = match senders.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let onward = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
                onward.connect(("127.0.0.1", to)).await?;
                tokio::spawn(carry_back(onward.clone(), socket.clone(), from, back.clone()));
                let (queue, late) = mpsc::channel(QUEUE);
                tokio::spawn(deliver(late, onward, None));
                place.insert(queue)
            }
        };
        there.pass(&packet[..bytes], onward);
    }
}

async fn carry_back(onward: Arc<UdpSocket>, socket: Arc<UdpSocket>, to: SocketAddr, back: Arc<Way>) {
    let (queue, late) = mpsc::channel(QUEUE);
    tokio::spawn(deliver(late, socket, Some(to)));
    let mut packet = vec![0; PACKET];
    loop {
        let Ok(bytes) = onward.recv(&mut packet).await else { continue };
        back.pass(&packet[..bytes], &queue);
    }
}

/// Sends packets when they are due, in their order.
async fn deliver(mut late: mpsc::Receiver<Late>, socket: Arc<UdpSocket>, to: Option<SocketAddr>) {
    while let Some((due, packet)) = late.recv().await {
        sleep_until(due).await;
        // A port that is closed takes nothing.
        match to {
            Some(to) => drop(socket.send_to(&packet, to).await),
            None => drop(socket.send(&packet).await),
        }
    }
}
