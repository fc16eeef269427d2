//! The nodes that come and go, and a node that comes to one with many names.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{CART, Msg, builder, name, pair, pass, shop};
use perennial_actors::System;
use perennial_cluster::{
    Bincode, Engine, EngineSession, Inbox, MemoryEngine, MemoryNetwork, Node, NodeEvent, NodeId, OpenFuture,
    Priority,
};
use perennial_registry::{Name, Registry, Whereis};

#[tokio::test(start_paused = true)]
async fn watch_tells_of_each_boot_that_comes_and_goes_in_turn() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let mut watch = a.node.watch_nodes();
    assert_eq!(watch.up(), [b.node.id().clone()]);
    assert_eq!(watch.try_next(), None);
    network.kill(&name("b"));
    assert_eq!(watch.next().await, Some(NodeEvent::Down(b.node.id().clone())));
    drop(b);
    let again = shop(&network, "b", 20).await;
    assert_eq!(watch.next().await, Some(NodeEvent::Up(again.node.id().clone())));
    assert_eq!(watch.up(), [again.node.id().clone()]);
    for cut in [true, false] {
        for (from, to) in [("a", "b"), ("b", "a")] {
            if cut { network.cut(&name(from), &name(to)) } else { network.heal(&name(from), &name(to)) }
        }
        pass(Duration::from_secs(5)).await;
    }
    assert_eq!(watch.try_next(), Some(NodeEvent::Down(again.node.id().clone())));
    assert_eq!(watch.try_next(), Some(NodeEvent::Up(again.node.id().clone())));
    assert_eq!(watch.try_next(), None);
}

#[tokio::test(start_paused = true)]
async fn watch_ends_with_its_node() {
    let node = builder(&MemoryNetwork::new(1), "a", 1).build().unwrap();
    let mut watch = node.watch_nodes();
    drop(node);
    assert_eq!(watch.next().await, None);
}

/// A network in memory that counts the packets of a node, and knows the largest.
#[derive(Clone)]
struct Counting(MemoryEngine, Arc<(AtomicUsize, AtomicUsize)>);

impl Engine for Counting {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            let inner = self.0.open(own, inbox).await?;
            let session: Box<dyn EngineSession> = Box::new(CountingSession(inner, self.1.clone()));
            Ok(session)
        })
    }
}

struct CountingSession(Box<dyn EngineSession>, Arc<(AtomicUsize, AtomicUsize)>);

impl EngineSession for CountingSession {
    fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>) {
        self.1.0.fetch_add(1, Ordering::Relaxed);
        self.1.1.fetch_max(packet.len(), Ordering::Relaxed);
        self.0.send(to, priority, packet);
    }
}

/// Returns a node with so many names, all of one actor.
async fn node_with_names(engine: Counting, names: usize, system: &System) -> Node {
    let node = Node::builder("a").engine(engine).build().expect("it is new");
    let registry = Registry::of(system);
    let cart = system.spawn::<crate::support::Cart>(()).await.expect("it is new");
    registry.bind(CART, &cart).expect("it is new");
    for number in 0..names {
        let text: Name<Msg> = Name::from(format!("name-{number}"));
        registry.bind(&text, &cart).expect("it is new");
        node.expose::<Bincode, _>(text).expect("it is new");
    }
    node
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_names_reach_a_new_node_in_few_small_packets() {
    const NAMES: usize = 100_000;
    let (network, counts, system) = (MemoryNetwork::new(1), Arc::default(), System::new());
    let counting = Counting(network.engine(), Arc::clone(&counts));
    let node = node_with_names(counting, NAMES, &system).await;
    let app = node.start(&system).await.unwrap();
    pass(Duration::from_secs(1)).await;
    let other = shop(&network, "b", 2).await;
    let began = tokio::time::Instant::now();
    while other.node.names_of(&name("a")).len() < NAMES {
        pass(Duration::from_millis(10)).await;
        assert!(began.elapsed() < Duration::from_secs(1), "they are known within a second");
    }
    let (packets, largest) = (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed));
    assert!((100..400).contains(&packets), "{packets} packets");
    assert!(largest < 20 * 1024, "{largest} bytes");
    // A change is one packet, however many names there are.
    let cart = system.whereis(CART).unwrap();
    assert!(Registry::of(&system).unbind(Name::<Msg>::new("name-7"), &cart));
    pass(Duration::from_millis(100)).await;
    assert_eq!(other.node.names_of(&name("a")).len(), NAMES - 1);
    assert!(counts.0.load(Ordering::Relaxed) - packets < 10);
    assert!(app.shutdown().await.is_clean());
}
