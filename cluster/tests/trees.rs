//! The trees of a node, as other nodes read them, and what a node tells of its network.

use std::time::Duration;

use crate::support::{Msg, Shop, builder, drain, name, pair, pass, shop, shop_of};
use perennial_cluster::{Bincode, MemoryNetwork, RemoteErrorKind, TreesError};
use perennial_operations::{NodeSource, NodeTrees, NodeTreesError, TreeNode};
use perennial_registry::Name;
use perennial_supervision::{Child, Supervisor};
use tokio::task::JoinSet;
use tokio::time::timeout;

async fn trees_of(shop: &Shop, node: &str) -> Result<NodeTrees, TreesError> {
    shop.node.trees_of(&name(node)).await
}

fn ids(trees: &NodeTrees) -> Vec<&str> {
    trees.nodes.iter().map(|node| &*node.id).collect()
}

fn reason(read: Result<NodeTrees, TreesError>) -> RemoteErrorKind {
    match read {
        Err(TreesError::Failed { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

/// Starts a tree with so many children in the system of a shop.
async fn grow(shop: &Shop, children: usize) {
    let child = |number| Child::task(format!("stand {number}"), async |_| std::future::pending().await);
    let stands = (0..children).map(child).fold(Supervisor::new("market"), Supervisor::child);
    drop(stands.start(&shop.system).await.expect("the tree starts"));
}

#[tokio::test(start_paused = true)]
async fn trees_of_another_node_are_those_that_its_own_system_shows() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    b.node.expose_trees().unwrap();
    b.cart_of("b").cast(Msg::Fail("once".to_owned())).unwrap();
    b.cart_of("b").call(Msg::Items).await.unwrap();
    let read = trees_of(&a, "b").await.unwrap();
    assert_eq!(ids(&read), ["app", "cart", "node b"]);
    assert_eq!(read.nodes, TreeNode::all(&b.system));
    assert_eq!((read.omitted, read.nodes[1].restarts), (0, 1));
    assert_eq!(trees_of(&b, "b").await.unwrap(), read, "it reads its own");
}

#[tokio::test(start_paused = true)]
async fn node_that_exposes_no_trees_shows_them_to_itself_only() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    assert_eq!(trees_of(&a, "b").await, Err(TreesError::NotExposed(name("b"))));
    assert_eq!(ids(&trees_of(&b, "b").await.unwrap()), ["app", "cart", "node b"]);
    assert_eq!(reason(trees_of(&a, "c").await), RemoteErrorKind::NoConnection);
    let idle = builder(&network, "d", 4).build().unwrap();
    assert_eq!(reason(idle.trees_of(&name("d")).await), RemoteErrorKind::NoConnection, "it has not run");
}

#[tokio::test(start_paused = true)]
async fn exposed_trees_are_no_name_that_others_see() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let mut events = a.node.subscribe();
    b.node.expose_trees().unwrap();
    trees_of(&a, "b").await.unwrap();
    assert_eq!(a.node.names_of(&name("b")), ["cart"]);
    assert_eq!(a.node.peers()[0].names, 1);
    assert_eq!(drain(&mut events), []);
}

#[tokio::test(start_paused = true)]
async fn trees_that_do_not_fit_into_a_message_are_cut() {
    let network = MemoryNetwork::new(1);
    let small = builder(&network, "a", 1).max_message(4_096).build().unwrap();
    let (a, b) = (shop_of(small, 16).await, shop(&network, "b", 2).await);
    a.knows("b").await;
    b.knows("a").await;
    for each in [&a, &b] {
        each.node.expose_trees().unwrap();
        grow(each, 200).await;
    }
    for (asking, asked) in [(&a, "b"), (&b, "a")] {
        let read = trees_of(asking, asked).await.unwrap();
        assert!((5..100).contains(&read.nodes.len()), "{} nodes", read.nodes.len());
        assert_eq!(read.nodes.len() + read.omitted, 204);
    }
    assert_eq!(trees_of(&a, "a").await.unwrap().omitted, 0, "nothing of its own is cut");
    let tiny = builder(&network, "c", 3).max_message(64).build().unwrap();
    let c = shop_of(tiny, 16).await;
    c.knows("b").await;
    let read = trees_of(&c, "b").await.unwrap();
    assert_eq!((read.nodes.len(), read.omitted), (0, 204));
}

#[tokio::test(start_paused = true)]
async fn many_that_read_at_once_are_answered_or_refused_and_calls_go_on() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    b.node.expose_trees().unwrap();
    grow(&b, 500).await;
    let expected = trees_of(&a, "b").await.unwrap();
    assert_eq!(ids(&expected).len(), 504);
    let mut reads = JoinSet::new();
    for number in 0..50 {
        let node = a.node.clone();
        reads.spawn(async move {
            let b = name("b");
            let read = node.trees_of(&b);
            // Every other one stops to wait.
            if number % 2 == 0 { Some(read.await) } else { timeout(Duration::ZERO, read).await.ok() }
        });
    }
    assert!(a.cart_of("b").call(Msg::Items).await.unwrap().is_empty());
    let answers = reads.join_all().await;
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().flatten().partition(Result::is_ok);
    assert!(answered.len() >= 4 && answered.len() + refused.len() == 25, "{} are answered", answered.len());
    assert!(answered.into_iter().all(|read| read == Ok(expected.clone())));
    assert!(refused.into_iter().all(|read| reason(read) == RemoteErrorKind::Busy));
    assert_eq!(trees_of(&a, "b").await, Ok(expected));
}

#[tokio::test(start_paused = true)]
async fn text_of_the_trees_is_used_again_for_a_quarter_of_a_second() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    b.node.expose_trees().unwrap();
    let before = trees_of(&a, "b").await.unwrap();
    grow(&b, 2).await;
    assert_eq!(trees_of(&a, "b").await.unwrap(), before);
    pass(Duration::from_millis(250)).await;
    assert_eq!(trees_of(&a, "b").await.unwrap().nodes, TreeNode::all(&b.system));
}

#[tokio::test(start_paused = true)]
async fn long_ids_of_another_node_are_cut_and_its_deep_nodes_are_omitted() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    b.node.expose_trees().unwrap();
    let long = "ä".repeat(200);
    let worker = Child::task("deepest", async |_| std::future::pending().await);
    let deepest = Supervisor::new("level 129").child(worker);
    let above = |below, level: usize| Supervisor::new(format!("level {level}")).child(below);
    let market = Supervisor::new(long.clone()).child((1..129).rev().fold(deepest, above));
    drop(market.start(&b.system).await.expect("the tree starts"));
    let read = trees_of(&a, "b").await.unwrap();
    let root = read.nodes.iter().find(|node| long.starts_with(&*node.id)).expect("it is there");
    assert_eq!(root.id.len(), 256);
    assert_eq!((read.nodes.iter().map(|node| node.level).max(), read.omitted), (Some(128), 2));
}

#[tokio::test(start_paused = true)]
async fn read_of_a_node_that_is_lost_ends_at_the_lease() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    b.node.expose_trees().unwrap();
    network.cut(&name("a"), &name("b"));
    assert_eq!(reason(trees_of(&a, "b").await), RemoteErrorKind::NoConnection);
    network.heal(&name("a"), &name("b"));
    a.knows("b").await;
    assert_eq!(ids(&trees_of(&a, "b").await.unwrap()), ["app", "cart", "node b"]);
}

#[tokio::test(start_paused = true)]
async fn source_shows_nodes_with_their_links_and_where_each_name_lives() {
    const OFFICE: Name<Msg> = Name::new("Office");
    let network = MemoryNetwork::new(1);
    let b = shop(&network, "b", 2).await;
    // The cart of the other node is older.
    pass(Duration::from_secs(1)).await;
    let a = shop(&network, "a", 1).await;
    a.node.expose::<Bincode, Msg>(OFFICE).unwrap();
    a.knows("b").await;
    b.knows("a").await;
    a.cart_of("b").call(Msg::Items).await.unwrap();
    pass(Duration::from_secs(1)).await;
    let nodes = a.node.nodes();
    assert_eq!(
        nodes.iter().map(|node| (&*node.name, node.is_up)).collect::<Vec<_>>(),
        [("a", true), ("b", true)]
    );
    assert!(nodes[0].link.is_none());
    let link = nodes[1].link.expect("it is another node");
    assert!(link.round_trip.is_some() && link.sent > 0 && link.received > 0);
    assert_eq!((link.window, link.lost, link.names), (1024 * 1024, 0, 1));

    let placed = |text: &str, offset, limit| {
        let part = a.node.names(text, offset, limit);
        let names = part.names.into_iter().map(|name| (name.name, name.nodes.join(" ")));
        (part.total, names.collect::<Vec<_>>())
    };
    assert_eq!(placed("", 0, 10), (1, vec![("cart".to_owned(), "b a".to_owned())]), "the other is not bound");
    assert_eq!(placed("AR", 0, 10).0, 1);
    assert_eq!(placed("", 1, 10), (1, vec![]));
    assert_eq!(placed("office", 0, 10), (0, vec![]));

    assert_eq!(a.node.trees("b").await, Err(NodeTreesError::NotShown));
    assert!(matches!(a.node.trees("no node").await, Err(NodeTreesError::Failed(_))));
    assert_eq!(ids(&a.node.trees("a").await.unwrap()), ["app", "cart", "node a"]);
    assert!(a.app.shutdown().await.is_clean());
    assert!(!a.node.nodes()[0].is_up);
}
