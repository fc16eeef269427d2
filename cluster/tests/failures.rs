//! What a node that is lost, cut off, stopped or started again does to messages, calls, monitors
//! and names.

use std::time::Duration;

use crate::support::{Msg, builder, drain, name, pair, shop};
use perennial_actors::{ExitReason, System};
use perennial_cluster::{MemoryNetwork, NodeEvent, RemoteErrorKind};
use perennial_supervision::Supervisor;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(2);

fn cut(network: &MemoryNetwork, is_cut: bool) {
    let (a, b) = (name("a"), name("b"));
    for (from, to) in [(&a, &b), (&b, &a)] {
        if is_cut { network.cut(from, to) } else { network.heal(from, to) }
    }
}

#[tokio::test(start_paused = true)]
async fn cut_link_fails_calls_and_monitors_at_the_lease_and_heals_by_itself() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
    let (monitor, call) = (cart.monitor(), tokio::spawn(cart.call(Msg::Keep).no_timeout().into_future()));
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    cut(&network, true);
    assert_eq!(monitor.await.reason, ExitReason::NoConnection);
    assert_eq!(call.await.unwrap().unwrap_err().kind, RemoteErrorKind::NoConnection);
    assert!(began.elapsed() <= LEASE + LEASE / 4, "{:?}", began.elapsed());
    assert_eq!(cart.cast(Msg::Add(1)).unwrap_err().kind, RemoteErrorKind::NoConnection);
    assert_eq!(a.node.nodes_with("cart"), [name("a")]);
    cut(&network, false);
    a.knows("b").await;
    cart.send(Msg::Add(2)).await.unwrap();
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [2]);
    let (down, up) = (NodeEvent::Down(b.node.id().clone()), NodeEvent::Up(b.node.id().clone()));
    let events: Vec<NodeEvent> = drain(&mut events);
    let (is_down, is_up) = (|event: &&NodeEvent| **event == down, |event: &&NodeEvent| **event == up);
    assert_eq!((events.iter().filter(is_down).count(), events.iter().filter(is_up).count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn way_that_is_cut_in_one_direction_ends_the_connection_on_both_sides() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    network.cut(&name("a"), &name("b"));
    a.is_down("b").await;
    b.is_down("a").await;
    network.heal(&name("a"), &name("b"));
    a.knows("b").await;
    b.knows("a").await;
    assert_eq!(a.cart_of("b").call(Msg::Items).await.unwrap(), [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn pause_that_is_shorter_than_the_lease_loses_nothing() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
    network.freeze(&name("b"));
    for item in 0..10 {
        cart.cast(Msg::Add(item)).unwrap();
    }
    sleep(LEASE / 2).await;
    network.thaw(&name("b"));
    assert_eq!(cart.call(Msg::Items).await.unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(drain(&mut events), []);
    assert_eq!(b.node.peers()[0].received, a.node.peers()[0].sent);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_the_way_when_a_node_was_stopped_is_counted_as_lost() {
    let network = MemoryNetwork::new(3);
    let (a, b) = pair(&network).await;
    let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
    network.freeze(&name("b"));
    for item in 0..10 {
        cart.cast(Msg::Add(item)).unwrap();
    }
    a.is_down("b").await;
    network.thaw(&name("b"));
    a.knows("b").await;
    let items = cart.call(Msg::Items).await.unwrap();
    sleep(LEASE).await;
    let (sender, receiver) = (&a.node.peers()[0], &b.node.peers()[0]);
    assert_eq!(sender.sent, receiver.received + sender.lost, "{sender:?} {receiver:?}");
    assert_eq!(10 - items.len() as u64, sender.lost);
    let lost = drain(&mut events).into_iter().filter_map(|event| match event {
        NodeEvent::Lost { packets, .. } => Some(packets),
        _ => None,
    });
    assert_eq!(lost.sum::<u64>(), sender.lost);
}

#[tokio::test(start_paused = true)]
async fn killed_node_is_noticed_at_once_and_its_next_boot_is_reached_by_the_same_address() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(1)).await.unwrap();
    let (monitor, began) = (cart.monitor(), Instant::now());
    network.kill(&name("b"));
    assert_eq!(monitor.await.reason, ExitReason::NoConnection);
    assert!(began.elapsed() < Duration::from_millis(100));
    drop(b);
    let again = shop(&network, "b", 20).await;
    a.knows("b").await;
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [0_u64; 0], "another process");
    assert_eq!(a.node.peers()[0].node, *again.node.id());
}

#[tokio::test(start_paused = true)]
async fn stopped_node_is_seen_to_go() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let monitor = a.cart_of("b").monitor();
    assert!(b.app.shutdown().await.is_clean());
    assert!(matches!(monitor.await.reason, ExitReason::NoConnection | ExitReason::Shutdown(_)));
    a.is_down("b").await;
}

#[tokio::test(start_paused = true)]
async fn younger_node_with_the_same_name_stops_and_the_older_stays() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let younger = builder(&network, "b", 30).build().unwrap();
    let child = younger.child();
    let address = child.address();
    let tree = Supervisor::new("younger").child(child).start(&System::new()).await.unwrap();
    let (reason, began) = (address.monitor().await.reason, Instant::now());
    assert_eq!(reason.to_string(), "failed: an older node has the name b");
    assert!(began.elapsed() <= LEASE * 3, "it waits for two leases");
    sleep(LEASE).await;
    assert_eq!(address.pid(), None, "it is not started again");
    drop(tree);
    a.cart_of("b").send(Msg::Add(1)).await.unwrap();
    assert_eq!(a.node.peers()[0].node, *b.node.id());
    let older = shop(&network, "b", 1).await;
    sleep(LEASE).await;
    a.knows("b").await;
    assert_eq!(a.node.peers()[0].node, *older.node.id(), "the older one is the node now");
    assert_eq!(a.cart_of("b").call(Msg::Items).await.unwrap(), [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn names_follow_what_is_bound() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let mut events = a.node.subscribe();
    assert!(b.app.supervisor().terminate_child("cart").await.is_ok());
    while !a.node.names_of(&name("b")).is_empty() {
        events.next().await.unwrap();
    }
    assert_eq!(a.cart_of("b").send(Msg::Add(1)).await.unwrap_err().kind, RemoteErrorKind::NoProcess);
    assert!(b.app.supervisor().restart_child("cart").await.is_ok());
    a.knows("b").await;
    a.cart_of("b").send(Msg::Add(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn node_that_is_restarted_in_its_tree_connects_again_with_its_account() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(1)).await.unwrap();
    let sent = a.node.peers()[0].sent;
    let monitor = cart.monitor();
    a.app.supervisor().terminate_child("node a").await.unwrap();
    assert_eq!(monitor.await.reason, ExitReason::NoConnection);
    assert!(a.node.peers().is_empty());
    assert_eq!(cart.cast(Msg::Add(2)).unwrap_err().kind, RemoteErrorKind::NoConnection);
    a.app.supervisor().restart_child("node a").await.unwrap();
    a.knows("b").await;
    b.knows("a").await;
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [1]);
    assert!(a.node.peers()[0].sent > sent, "the account goes on");
}

#[tokio::test(start_paused = true)]
async fn new_boot_waits_until_the_network_has_missed_the_one_that_crashed() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(1)).await.unwrap();
    network.crash(&name("b"));
    assert!(b.app.shutdown().await.is_clean());
    sleep(LEASE / 4).await;
    let began = Instant::now();
    let again = shop(&network, "b", 20).await;
    let is_new = |peer: &perennial_cluster::PeerInfo| peer.is_up && peer.node == *again.node.id();
    while !a.node.peers().iter().any(is_new) {
        sleep(LEASE / 20).await;
        assert!(began.elapsed() < LEASE * 2, "it is reached once the old boot is missed");
    }
    sleep(LEASE * 4).await;
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [0_u64; 0], "the new boot goes on");
}

#[tokio::test(start_paused = true)]
async fn node_runs_once_at_a_time() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let twice = a.node.child();
    let address = twice.address();
    let tree = Supervisor::new("twice").intensity(0, LEASE).child(twice).start(&a.system).await.unwrap();
    sleep(LEASE).await;
    assert_eq!(address.pid(), None, "it has ended, and the tree with it");
    drop(tree);
    a.cart_of("b").send(Msg::Add(1)).await.unwrap();
    a.app.supervisor().terminate_child("node a").await.unwrap();
    a.app.supervisor().restart_child("node a").await.unwrap();
    a.knows("b").await;
    drop(b);
}

/// The records of boots that are gone have a limit. One that was dropped begins again.
#[tokio::test(start_paused = true)]
async fn boot_that_is_forgotten_connects_again_with_an_account_that_holds() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(1)).await.unwrap();
    cut(&network, true);
    a.is_down("b").await;
    // Only `a` sees the others.
    network.cut(&name("b"), &name("other"));
    network.cut(&name("other"), &name("b"));
    for started in 100..400 {
        let other = shop(&network, "other", started).await;
        a.knows("other").await;
        assert!(other.app.shutdown().await.is_clean());
        a.is_down("other").await;
    }
    cut(&network, false);
    a.knows("b").await;
    cart.send(Msg::Add(2)).await.unwrap();
    sleep(LEASE * 2).await;
    let (sender, receiver) = (&a.node.peers()[0], &b.node.peers()[0]);
    assert!(sender.sent < receiver.received, "another account: {sender:?} {receiver:?}");
    assert_eq!(sender.lost, 0);
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [1, 2]);
}
