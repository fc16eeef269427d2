//! What a faulty peer and a faulty network do to a node, and what they do not.

use std::time::Duration;

use crate::support::{
    Brittle, CART, Faults, Faulty, Msg, Rates, Shop, builder, drain, name, pair, pass, shop, shop_of,
};
use perennial_actors::System;
use perennial_cluster::{
    Bincode, Boot, Engine, EngineSession, Inbox, MemoryNetwork, Node, NodeEvent, NodeId, OpenFuture, Priority,
};
use perennial_registry::{Name, Registry, Whereis};
use perennial_supervision::Supervisor;
use tokio::task::JoinSet;

const LEASE: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn garbage_changes_nothing() {
    let network = MemoryNetwork::new(1);
    let (a, _b): (Shop, Shop) = pair(&network).await;
    let own = NodeId { name: name("x"), boot: Boot { started: 9, random: 0 } };
    let other = a.node.id().clone();
    let session = network.engine().open(own, Inbox::bounded(1_000)).await.unwrap();
    pass(LEASE).await;
    for length in 0..200_u8 {
        let packet = (0..length).map(|at| at.wrapping_mul(31) ^ length).collect::<Vec<u8>>();
        session.send(&other, Priority::Stream, packet.clone());
        session.send(&other, Priority::Urgent, [vec![2], packet].concat());
    }
    pass(LEASE).await;
    assert_eq!(a.cart_of("b").call(Msg::Items).await.unwrap(), [0_u64; 0]);
    assert!(a.node.peers().iter().all(|peer| peer.is_up == (peer.node.name.as_str() == "b")));
}

/// The packets of version 1 are kept as its last build has written them. A node of today neither
/// takes them for its own nor is silent about them.
#[tokio::test(start_paused = true)]
async fn node_of_another_version_is_reported_once_and_not_connected() {
    let network = MemoryNetwork::new(1);
    let (a, _b): (Shop, Shop) = pair(&network).await;
    let mut events = a.node.subscribe();
    let own = NodeId { name: name("x"), boot: Boot { started: 9, random: 0 } };
    let other = a.node.id().clone();
    let session = network.engine().open(own.clone(), Inbox::bounded(1_000)).await.unwrap();
    pass(LEASE).await;
    let older = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/version_1");
    let hello = std::fs::read(format!("{older}/hello.bin")).unwrap();
    session.send(&other, Priority::Stream, hello);
    for file in std::fs::read_dir(older).unwrap() {
        session.send(&other, Priority::Stream, std::fs::read(file.unwrap().path()).unwrap());
    }
    pass(LEASE).await;
    let reported: Vec<_> = drain(&mut events);
    assert_eq!(reported, [NodeEvent::OtherProtocol { node: own, version: 1 }]);
    assert!(a.node.peers().iter().all(|peer| peer.is_up == (peer.node.name.as_str() == "b")));
}

/// Returns a node whose packets may have faults.
async fn faulty_shop(network: &MemoryNetwork, text: &str, started: u64, seed: u64) -> (Shop, Faults) {
    let faults = Faults::new(seed);
    let engine = Faulty { engine: network.engine(), faults: faults.clone() };
    let node = builder(network, text, started).engine(engine).build().expect("it can be built");
    (shop_of(node, 100_000).await, faults)
}

#[tokio::test(start_paused = true)]
async fn damaged_packets_of_a_connection_harm_that_connection_only() {
    for seed in 0..20 {
        let network = MemoryNetwork::new(seed);
        let (a, faults) = faulty_shop(&network, "a", 1, seed).await;
        let (b, c) = (shop(&network, "b", 2).await, shop(&network, "c", 3).await);
        for (from, to) in [(&a, "b"), (&a, "c"), (&b, "a"), (&b, "c"), (&c, "b")] {
            from.knows(to).await;
        }
        let mut events = c.node.subscribe();
        faults.set(Rates { damage: 30, ..Rates::default() });
        let mut calls = JoinSet::new();
        for item in 0..300 {
            let cart = a.cart_of("b");
            let _ = cart.cast(Msg::Add(item));
            let call = cart.call(|reply| Msg::Echo(vec![1; 50], reply)).timeout(LEASE).into_future();
            calls.spawn(call);
            let _monitor = cart.monitor();
            pass(Duration::from_millis(20)).await;
        }
        assert_eq!(calls.join_all().await.len(), 300);
        faults.set(Rates::default());
        pass(LEASE * 3).await;
        let answer = a.cart_of("b").call(|reply| Msg::Echo(vec![7], reply)).await;
        assert_eq!(answer.unwrap(), [7], "seed {seed}: it heals");
        let down = NodeEvent::Down(b.node.id().clone());
        assert!(!drain(&mut events).contains(&down), "seed {seed}: the others go on");
        for shop in [a, b, c] {
            assert!(shop.app.shutdown().await.is_clean(), "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hello_that_is_lost_is_asked_for_and_the_account_is_settled() {
    let network = MemoryNetwork::new(1);
    let mut lost_in_all = 0;
    for seed in 0..30 {
        let (a, faults) = faulty_shop(&network, "a", 2 * seed + 1, seed).await;
        let (b, others) = faulty_shop(&network, "b", 2 * seed + 2, seed + 100).await;
        a.knows("b").await;
        for rates in [Rates { lose: 40, ..Rates::default() }, Rates::default()] {
            faults.set(rates);
            others.set(rates);
            for item in 0..50 {
                let _ = a.cart_of("b").cast(Msg::Add(item));
                pass(Duration::from_millis(50)).await;
            }
        }
        pass(LEASE * 2).await;
        let (sender, receiver) = (&a.node.peers()[0], &b.node.peers()[0]);
        assert_eq!(sender.sent, receiver.received + sender.lost, "seed {seed}: {sender:?} {receiver:?}");
        lost_in_all += sender.lost;
        for shop in [a, b] {
            assert!(shop.app.shutdown().await.is_clean());
        }
        pass(LEASE).await;
    }
    assert!(lost_in_all > 0);
}

#[tokio::test(start_paused = true)]
async fn session_whose_end_panics_changes_no_reason() {
    let network = MemoryNetwork::new(1);
    let _older = shop(&network, "b", 1).await;
    let younger = builder(&network, "b", 2).engine(Brittle(network.engine())).build().unwrap();
    let child = younger.child();
    let address = child.address();
    let _tree = Supervisor::new("younger").child(child).start(&System::new()).await.unwrap();
    assert_eq!(address.monitor().await.reason.to_string(), "failed: an older node has the name b");
    pass(LEASE).await;
    assert_eq!(address.pid(), None, "it is not started again");
}

/// An engine whose inbox is never empty.
struct Flood;

impl Engine for Flood {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            let task = tokio::spawn(async move {
                loop {
                    for _ in 0..1_000 {
                        inbox.packet(own.clone(), vec![0; 8]);
                    }
                    tokio::task::yield_now().await;
                }
            });
            let session: Box<dyn EngineSession> = Box::new(FloodSession(task.abort_handle()));
            Ok(session)
        })
    }
}

struct FloodSession(tokio::task::AbortHandle);

impl EngineSession for FloodSession {
    fn send(&self, _: &NodeId, _: Priority, _: Vec<u8>) {}
}

impl Drop for FloodSession {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn packets_without_a_pause_do_not_keep_the_names_of_a_node_waiting() {
    let node = Node::builder("a").engine(Flood).build().unwrap();
    let shop = shop_of(node, 8).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let cart = shop.system.whereis(CART).unwrap();
    for is_bound in [false, true] {
        let registry = Registry::of(&shop.system);
        if is_bound {
            registry.bind(CART, &cart).unwrap();
        } else {
            assert!(registry.unbind(CART, &cart));
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(shop.node.nodes_with("cart").len(), usize::from(is_bound));
    }
    let late: Name<Msg> = Name::new("late");
    Registry::of(&shop.system).bind(&late, &cart).unwrap();
    shop.node.expose::<Bincode, _>(late).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.node.names_of(&name("a")), ["cart", "late"]);
    assert!(shop.app.shutdown().await.is_clean());
}
