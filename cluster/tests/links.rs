//! Links between actors of different nodes: each end hears of the other's end once.

use std::time::Duration;

use crate::support::linker::{LINKER, LinkMsg, exits, linked_shop, linked_shop_of};
use crate::support::{Shop, builder, name, pass};
use perennial_actors::{Address, ExitReason};
use perennial_cluster::MemoryNetwork;
use perennial_registry::Whereis;
use tokio::time::{Instant, timeout};

const LEASE: Duration = Duration::from_secs(2);

async fn shops(network: &MemoryNetwork, traps: bool) -> (Shop, Shop) {
    let (a, b) = (linked_shop(network, "a", 1, traps).await, linked_shop(network, "b", 2, traps).await);
    a.knows_linker("b").await;
    (a, b)
}

fn linker(shop: &Shop) -> Address<LinkMsg> {
    shop.system.whereis(LINKER).expect("it has the name")
}

/// Waits until what was sent has arrived, and what follows from it.
async fn settle() {
    pass(Duration::from_millis(50)).await;
}

fn failed(text: &str) -> LinkMsg {
    LinkMsg::Fail(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn exit_of_either_end_is_trapped_at_the_other_with_its_reason_once() {
    let network = MemoryNetwork::new(1);
    let (a, b) = shops(&network, true).await;
    for there in [true, false] {
        let (near, far) = (a.link_to("b", true).await, linker(&b));
        settle().await;
        let from = near.call(LinkMsg::LinkedTo).await.unwrap().expect("it is linked");
        if there {
            far.cast(failed("sold out")).unwrap();
            settle().await;
            assert_eq!(exits(&near).await, [(from, "failed: sold out".to_owned())]);
            near.cast(LinkMsg::Stop).unwrap();
            settle().await;
            assert_eq!(exits(&far).await, [], "the next incarnation is not linked");
        } else {
            near.cast(failed("gone")).unwrap();
            settle().await;
            let heard = exits(&far).await;
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert_eq!(heard[0].1, "failed: gone");
        }
    }
    assert_eq!(a.node.peers()[0].pending, 0);
}

#[tokio::test(start_paused = true)]
async fn abnormal_exit_ends_the_other_end_and_a_normal_one_does_not() {
    let network = MemoryNetwork::new(1);
    let (a, b) = shops(&network, false).await;
    for text in [None, Some("broken")] {
        let (near, far) = (a.link_to("b", false).await, linker(&b));
        settle().await;
        let (near_end, far_end) = (near.monitor(), far.monitor());
        near.cast(text.map_or(LinkMsg::Stop, failed)).unwrap();
        let reason = near_end.await.reason;
        let ended = timeout(LEASE, far_end).await;
        assert_eq!(ended.ok().map(|down| down.reason), text.map(|_| reason), "{text:?}");
    }
    for text in [None, Some("broken")] {
        let (near, far) = (a.link_to("b", false).await, linker(&b));
        settle().await;
        let near_end = near.monitor();
        far.cast(text.map_or(LinkMsg::Stop, failed)).unwrap();
        let ended = timeout(LEASE, near_end).await;
        assert_eq!(ended.ok().map(|down| down.reason), text.map(ExitReason::failed), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn link_that_is_removed_causes_no_signal_at_either_end() {
    let network = MemoryNetwork::new(1);
    let (a, b) = shops(&network, true).await;
    let (first, second) = (a.link_to("b", true).await, a.link_to("b", true).await);
    settle().await;
    assert_eq!(linker(&b).handle().info().links.len(), 2);
    for near in [&first, &second] {
        near.cast(LinkMsg::Unlink).unwrap();
    }
    settle().await;
    assert_eq!(linker(&b).handle().info().links, []);
    assert_eq!(first.handle().info().links, []);
    first.cast(failed("gone")).unwrap();
    settle().await;
    assert_eq!(exits(&linker(&b)).await, []);
    linker(&b).cast(failed("sold out")).unwrap();
    settle().await;
    assert_eq!(exits(&second).await, []);
    assert_eq!(a.node.peers()[0].pending, 0);
}

#[tokio::test(start_paused = true)]
async fn node_that_is_lost_ends_links_at_both_ends_at_the_lease() {
    let network = MemoryNetwork::new(1);
    let (a, b) = shops(&network, true).await;
    let near = a.link_to("b", true).await;
    settle().await;
    let began = Instant::now();
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.cut(&name(from), &name(to));
    }
    a.is_down("b").await;
    b.is_down("a").await;
    assert!(began.elapsed() <= LEASE + LEASE / 4, "{:?}", began.elapsed());
    for end in [&near, &linker(&b)] {
        let heard = exits(end).await;
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0].1, ExitReason::NoConnection.to_string());
    }
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.heal(&name(from), &name(to));
    }
    a.knows_linker("b").await;
    near.cast(LinkMsg::Stop).unwrap();
    pass(LEASE).await;
    assert_eq!(exits(&linker(&b)).await.len(), 1, "the link is no more");
}

#[tokio::test(start_paused = true)]
async fn link_to_what_is_not_there_tells_why() {
    let network = MemoryNetwork::new(1);
    let a = linked_shop(&network, "a", 1, true).await;
    let b = builder(&network, "b", 2).build().unwrap();
    let app = b.start(&a.system).await.unwrap();
    while a.node.peers().is_empty() || !a.node.peers()[0].is_up {
        settle().await;
    }
    let reasons = [("b", ExitReason::NoProcess), ("c", ExitReason::NoConnection)];
    for (node, reason) in reasons {
        let near = a.link_to(node, true).await;
        settle().await;
        let from = near.call(LinkMsg::LinkedTo).await.unwrap().expect("it has a pid");
        assert_eq!(exits(&near).await, [(from, reason.to_string())], "{node}");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn link_to_the_own_node_is_one_of_the_system() {
    let network = MemoryNetwork::new(1);
    let a = linked_shop(&network, "a", 1, true).await;
    let near = a.link_to("a", true).await;
    assert_eq!(near.handle().info().links, linker(&a).pid().into_iter().collect::<Vec<_>>());
    linker(&a).cast(failed("sold out")).unwrap();
    settle().await;
    let heard = exits(&near).await;
    assert_eq!(heard.into_iter().map(|(_, reason)| reason).collect::<Vec<_>>(), ["failed: sold out"]);
}

#[tokio::test(start_paused = true)]
async fn link_beyond_the_limit_says_nothing_of_the_actor() {
    let network = MemoryNetwork::new(1);
    let mut config = perennial_cluster::NodeConfig::default();
    config.max_served = 1;
    let node = builder(&network, "b", 2).config(config).build().unwrap();
    let (a, b) = (linked_shop(&network, "a", 1, true).await, linked_shop_of(node, true).await);
    a.knows_linker("b").await;
    let (first, second) = (a.link_to("b", true).await, a.link_to("b", true).await);
    settle().await;
    assert_eq!(exits(&first).await, []);
    assert_eq!(exits(&second).await[0].1, ExitReason::NoConnection.to_string());
    second.cast(LinkMsg::Stop).unwrap();
    settle().await;
    assert_eq!(exits(&linker(&b)).await, [], "it was never linked");
    first.cast(LinkMsg::Stop).unwrap();
    settle().await;
    assert_eq!(exits(&linker(&b)).await.len(), 1);
}
