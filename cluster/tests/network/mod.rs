//! Nodes on sockets of this machine.

mod process;

use std::net::TcpListener;
use std::time::Duration;

use perennial_cluster::{Node, NodeBuilder};

use crate::support::{Msg, Shop, shop_of};

pub(crate) use process::{Process, do_role};

/// How long a test waits for what has to happen. Nothing depends on how fast it does.
const LIMIT: Duration = Duration::from_secs(60);

/// The lease of nodes that are not stopped: machines that are busy pause for long.
pub(crate) const LEASE: Duration = Duration::from_secs(4);

/// The lease of nodes that have to be missed.
pub(crate) const SHORT_LEASE: Duration = Duration::from_secs(1);

/// Runs a test that waits for events.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, test).await.expect("what is waited for happens")
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
