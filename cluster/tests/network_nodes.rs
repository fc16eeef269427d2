//! Nodes that reach each other.

use perennial_cluster::{NodeEvent, RemoteErrorKind};

use crate::network::{builder, free_port, pair, start, within};
use crate::support::{Msg, name};

#[tokio::test]
async fn messages_calls_and_names_cross_the_network_in_order() {
    within(async {
        let (a, b) = pair().await;
        let cart = a.cart_of("b");
        for item in 0..1_000 {
            cart.send(Msg::Add(item)).await.expect("it is in the mailbox");
        }
        cart.cast(Msg::Add(1_000)).expect("it is on the way");
        let items = cart.call(Msg::Items).await.expect("it answers");
        assert_eq!(items, (0..=1_000).collect::<Vec<u64>>());
        assert_eq!(a.node.nodes_with("cart").len(), 2);
        for shop in [a, b] {
            assert!(shop.app.shutdown().await.is_clean());
        }
    })
    .await;
}

#[tokio::test]
async fn large_messages_and_answers_cross_the_network() {
    within(async {
        let ports = [free_port(), free_port()];
        let small = |text, port, peers: &[u16]| builder(text, port, peers).window(32 * 1_024);
        let a = start(small("a", ports[0], &[])).await;
        let b = start(small("b", ports[1], &ports[..1])).await;
        a.knows("b").await;
        // Larger than the window, and than what zenoh sends in one piece.
        let bytes: Vec<u8> = (0..900_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
        let sent = bytes.clone();
        let echo =
            a.cart_of("b").call(|reply| Msg::Echo(sent, reply)).no_timeout().await.expect("it answers");
        assert!(echo == bytes);
        let refused = a.cart_of("b").call(|reply| Msg::Echo(vec![0; 2_000_000], reply)).await;
        assert!(matches!(refused.expect_err("it is too large").kind, RemoteErrorKind::TooLarge { .. }));
        let answer = b.cart_of("a").call(|reply| Msg::Grow(2_000_000, reply)).await;
        assert!(matches!(answer.expect_err("it is too large").kind, RemoteErrorKind::Answer(_)));
        assert_eq!(a.cart_of("b").call(Msg::Items).await.expect("the connection is up"), [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn monitor_reports_the_end_of_an_actor_and_of_its_node() {
    within(async {
        let (a, b) = pair().await;
        let monitor = a.cart_of("b").monitor();
        a.cart_of("b").cast(Msg::Fail("no more".to_owned())).expect("it is on the way");
        let down = monitor.await;
        assert!(down.reason.to_string().contains("no more"), "{down:?}");
        let monitor = a.cart_of("b").monitor();
        let mut events = a.node.subscribe();
        assert!(b.app.shutdown().await.is_clean());
        assert!(monitor.await.reason.to_string().contains("connection"));
        while !matches!(events.next().await, Some(NodeEvent::Down(id)) if id.name == name("b")) {}
    })
    .await;
}

#[tokio::test]
async fn three_nodes_of_which_two_know_one_know_each_other() {
    within(async {
        let port = free_port();
        let a = start(builder("a", port, &[])).await;
        let b = start(builder("b", free_port(), &[port])).await;
        let c = start(builder("c", free_port(), &[port])).await;
        for (shop, others) in [(&a, ["b", "c"]), (&b, ["a", "c"]), (&c, ["a", "b"])] {
            for other in others {
                shop.knows(other).await;
                shop.cart_of(other).call(Msg::Items).await.expect("it answers");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn node_that_is_started_again_at_its_address_is_reached_by_the_same_remote_address() {
    within(async {
        let (port, own) = (free_port(), free_port());
        // Each knows the address of the other, and `b` is not there yet.
        let a = start(builder("a", port, &[own])).await;
        let cart = a.cart_of("b");
        for round in 0..3 {
            let b = start(builder("b", own, &[port])).await;
            a.knows("b").await;
            cart.send(Msg::Add(round)).await.expect("it is in the mailbox");
            assert_eq!(cart.call(Msg::Items).await.expect("it answers"), [round]);
            assert!(b.app.shutdown().await.is_clean());
            a.is_down("b").await;
        }
    })
    .await;
}

#[tokio::test]
async fn clusters_with_other_names_do_not_see_each_other() {
    within(async {
        let port = free_port();
        let a = start(builder("a", port, &[])).await;
        let b = start(builder("b", free_port(), &[port]).cluster("other")).await;
        let c = start(builder("c", free_port(), &[port])).await;
        a.knows("c").await;
        c.knows("a").await;
        assert!(b.node.peers().is_empty());
        assert!(a.node.peers().iter().all(|peer| peer.node.name != name("b")));
    })
    .await;
}

#[cfg(feature = "operations")]
#[tokio::test]
async fn trees_of_a_node_cross_the_network() {
    use perennial_cluster::TreesError;
    use perennial_operations::TreeNode;

    within(async {
        let (a, b) = pair().await;
        assert!(matches!(a.node.trees_of(&name("b")).await, Err(TreesError::NotExposed(_))));
        b.node.expose_trees().expect("there is room");
        let read = a.node.trees_of(&name("b")).await.expect("it is exposed");
        assert_eq!((read.nodes, read.omitted), (TreeNode::all(&b.system), 0));
    })
    .await;
}
