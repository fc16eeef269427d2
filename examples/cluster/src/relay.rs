//! A network that can be cut: it carries packets between a port and another one, or drops them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UdpSocket;

/// More than a packet has.
const PACKET: usize = 65_536;

/// A relay between a port of its own and another one.
pub(crate) struct Relay {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Relay {
    /// Begins to relay to a port.
    pub(crate) async fn start(to: u16) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let port = socket.local_addr()?.port();
        let is_cut = Arc::new(AtomicBool::new(false));
        tokio::spawn(carry(socket, to, is_cut.clone()));
        Ok(Self { port, is_cut })
    }

    /// Returns the port to send to.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Sets whether packets are dropped.
    pub(crate) fn set_cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }
}

/// Carries packets to a port. What comes back for each sender has a socket of its own.
async fn carry(socket: Arc<UdpSocket>, port: u16, is_cut: Arc<AtomicBool>) -> io::Result<()> {
    let mut senders: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut packet = vec![0; PACKET];
    loop {
        // On Linux, a packet to a port that was closed is an error of the next one.
        let Ok((bytes, from)) = socket.recv_from(&mut packet).await else { continue };
        let onward = match senders.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let onward = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
                onward.connect(("127.0.0.1", port)).await?;
                tokio::spawn(carry_back(onward.clone(), socket.clone(), from, is_cut.clone()));
                place.insert(onward)
            }
        };
        if !is_cut.load(Ordering::Relaxed) {
            drop(onward.send(&packet[..bytes]).await);
        }
    }
}

async fn carry_back(onward: Arc<UdpSocket>, socket: Arc<UdpSocket>, to: SocketAddr, is_cut: Arc<AtomicBool>) {
    let mut packet = vec![0; PACKET];
    loop {
        let Ok(bytes) = onward.recv(&mut packet).await else { continue };
        if !is_cut.load(Ordering::Relaxed) {
            drop(socket.send_to(&packet[..bytes], to).await);
        }
    }
}
