//! Nodes on sockets of this machine.

mod caller;
mod load;
mod process;
mod roles;

use std::env;
use std::io::{ErrorKind, Read, Write, stderr};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use perennial_cluster::{Node, NodeBuilder, Tls};

use crate::certificates::Authority;
use crate::support::{Msg, Shop, name, shop_of};

pub(crate) use process::Process;
pub(crate) use roles::do_role;

/// How long a test waits for what has to happen. Nothing depends on how fast it does.
const LIMIT: Duration = Duration::from_secs(60);

/// The lease of nodes that are not stopped: machines that are busy pause for long.
pub(crate) const LEASE: Duration = Duration::from_secs(4);

/// The lease of nodes that have to be missed.
pub(crate) const SHORT_LEASE: Duration = Duration::from_secs(1);

/// Runs a test that waits for events.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    within_limit(LIMIT, test).await
}

/// Runs a test that waits for many events, or for slow ones.
pub(crate) async fn within_limit<T>(limit: Duration, test: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, test).await.expect("what is waited for happens")
}

/// Returns `true` if the long form of the tests is to be run.
pub(crate) fn is_long() -> bool {
    env::var_os("PERENNIAL_LONG").is_some()
}

/// Writes a line that is shown although the test passes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// Returns a port that is free.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it has an address").port()
}

/// Returns a node that is not encrypted.
pub(crate) fn builder(text: &str, port: u16, peers: &[u16]) -> NodeBuilder {
    let node = Node::builder(text).listen(format!("tcp/127.0.0.1:{port}")).lease(LEASE);
    node.peers(peers.iter().map(|port| format!("tcp/127.0.0.1:{port}")))
}

/// Returns a node with an identity, whose certificate is there.
pub(crate) fn encrypted(certificates: &Path, text: &str, port: u16, peers: &[u16]) -> NodeBuilder {
    let node = Node::builder(text).listen(format!("quic/127.0.0.1:{port}")).lease(LEASE);
    node.peers(peers.iter().map(|port| format!("quic/127.0.0.1:{port}"))).identity(Tls::dir(certificates))
}

/// Returns a node with a certificate, and these members.
pub(crate) fn member(
    authority: &Authority,
    text: &str,
    port: u16,
    peers: &[u16],
    members: &[&str],
) -> NodeBuilder {
    authority.sign(text);
    encrypted(authority.dir(), text, port, peers).members(members.iter().copied().map(name))
}

pub(crate) async fn start(builder: NodeBuilder) -> Shop {
    shop_of(builder.build().expect("it can be built"), 1_024).await
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns two nodes that are connected.
pub(crate) async fn pair() -> (Shop, Shop) {
    let port = free_port();
    let a = start(builder("a", port, &[])).await;
    let b = start(builder("b", free_port(), &[port])).await;
    a.knows("b").await;
    b.knows("a").await;
    (a, b)
}

/// Calls the cart of another node until it answers: the connection may be made again just now.
pub(crate) async fn reaches(shop: &Shop, text: &str) {
    while shop.cart_of(text).call(Msg::Items).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends bytes to a port, and waits until the connection is closed.
pub(crate) fn attack(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    // It may be closed before all is written.
    drop(stream.write_all(bytes));
    drop(stream.set_read_timeout(Some(Duration::from_secs(30))));
    let mut answer = [0; 1_024];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let is_open = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!is_open, "the connection stays open");
                return;
            }
        }
    }
}
