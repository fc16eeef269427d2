//! Messages between two connected nodes: casts, sends, calls, and what each error says.

use std::time::Duration;

use crate::support::{CART, Msg, Unreadable, builder, drain, name, pair, shop_of};
use perennial_actors::ExitReason;
use perennial_cluster::{Json, MemoryNetwork, Node, NodeEvent, RemoteErrorKind};
use perennial_registry::{Name, Registry};
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn casts_arrive_in_order_and_calls_are_answered() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    for item in 0..100 {
        cart.cast(Msg::Add(item)).unwrap();
    }
    assert_eq!(cart.call(Msg::Items).await.unwrap(), (0..100).collect::<Vec<_>>());
    let info = &a.node.peers()[0];
    assert_eq!((info.lost, info.pending), (0, 0));
    assert!(info.round_trip.is_none() || info.round_trip.is_some_and(|time| time > Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn send_waits_until_the_message_is_in_the_mailbox() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    a.cart_of("b").send(Msg::Add(7)).await.unwrap();
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    assert_eq!(local.call(Msg::Items).await.unwrap(), [7]);
}

#[tokio::test(start_paused = true)]
async fn own_node_is_reached_without_encoding() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("a");
    cart.cast(Msg::Add(1)).unwrap();
    cart.send(Msg::Add(2)).await.unwrap();
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [1, 2]);
    assert_eq!(cart.call(Msg::Ignore).await.unwrap_err().kind, RemoteErrorKind::ReplyDropped);
    assert_eq!(a.node.peers()[0].sent, b_names(), "nothing but the names went out");
}

/// The packets with the names of a node that has one name.
const fn b_names() -> u64 {
    1
}

#[tokio::test(start_paused = true)]
async fn unknown_node_and_name_are_told_apart() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let nowhere = a.cart_of("c");
    let error = nowhere.cast(Msg::Add(1)).unwrap_err();
    assert_eq!(error.kind, RemoteErrorKind::NoConnection);
    assert!(matches!(error.into_inner(), Some(Msg::Add(1))));
    let error = nowhere.call(Msg::Items).await.unwrap_err();
    assert_eq!(error.kind, RemoteErrorKind::NoConnection);
    assert!(matches!(error.into_inner(), Some(Msg::Items(_))), "the message comes back");
    let till = a.node.at(&name("b"), Name::<Msg>::new("till"));
    assert_eq!(till.send(Msg::Add(1)).await.unwrap_err().kind, RemoteErrorKind::NoProcess);
    assert_eq!(till.call(Msg::Items).await.unwrap_err().kind, RemoteErrorKind::NoProcess);
    assert_eq!(till.monitor().await.reason, ExitReason::NoProcess);
}

#[tokio::test(start_paused = true)]
async fn name_that_is_not_exposed_cannot_be_reached() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    let hidden = Name::<Msg>::new("hidden");
    Registry::of(&b.system).bind(hidden.clone(), &local).unwrap();
    let address = a.node.at(&name("b"), hidden.clone());
    assert_eq!(address.send(Msg::Add(1)).await.unwrap_err().kind, RemoteErrorKind::NoProcess);
    b.node.expose::<perennial_cluster::Bincode, _>(hidden).unwrap();
    address.send(Msg::Add(1)).await.unwrap();
    let cart = a.cart_of("b");
    let wrong = cart.codec::<Json>().send(Msg::Add(2)).await.unwrap_err();
    assert!(matches!(wrong.kind, RemoteErrorKind::Decode(_)), "{wrong:?}");
}

#[tokio::test(start_paused = true)]
async fn call_tells_how_the_actor_ended() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    let error = cart.call(Msg::FailWith).await.unwrap_err();
    assert_eq!(error.kind, RemoteErrorKind::Ended(ExitReason::failed("no more carts")));
    assert_eq!(cart.call(Msg::Ignore).await.unwrap_err().kind, RemoteErrorKind::ReplyDropped);
    let error = cart.call(Msg::Keep).timeout(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.kind, RemoteErrorKind::TimedOut);
    assert!(error.into_inner().is_none());
    assert_eq!(a.node.peers()[0].pending, 0, "nothing waits for the late answer");
}

#[tokio::test(start_paused = true)]
async fn two_replies_in_one_message_are_answered() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    let (other, second) = perennial_actors::host::reply_pair::<u64>();
    assert_eq!(cart.call(|first| Msg::Both(first, other)).await.unwrap(), 1);
    assert_eq!(second.await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn full_mailbox_is_busy_and_what_it_refused_is_reported() {
    let network = MemoryNetwork::new(1);
    let a = crate::support::shop(&network, "a", 1).await;
    let b = shop_of(builder(&network, "b", 2).build().unwrap(), 2).await;
    a.knows("b").await;
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    local.handle().suspend().unwrap();
    let cart = a.cart_of("b");
    let mut events = b.node.subscribe();
    cart.send(Msg::Add(1)).await.unwrap();
    cart.send(Msg::Add(2)).await.unwrap();
    assert_eq!(cart.send(Msg::Add(3)).await.unwrap_err().kind, RemoteErrorKind::Busy);
    assert_eq!(cart.call(Msg::Items).await.unwrap_err().kind, RemoteErrorKind::Busy);
    let refused = drain(&mut events).into_iter().filter(|event| matches!(event, NodeEvent::Refused { .. }));
    assert_eq!(refused.count(), 2);
    local.handle().resume().unwrap();
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn full_window_is_busy_for_a_cast_and_waited_for_by_a_call() {
    let network = MemoryNetwork::new(1);
    let small = |text, started| builder(&network, text, started).window(4_096).build().unwrap();
    let (a, b) = (shop_of(small("a", 1), 1_024).await, shop_of(small("b", 2), 1_024).await);
    a.knows("b").await;
    b.knows("a").await;
    let cart = a.cart_of("b");
    let mut sent = 0;
    let error = loop {
        match cart.cast(Msg::Add(sent)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, RemoteErrorKind::Busy);
    assert!((10..100).contains(&sent), "{sent} messages fit into the window");
    assert!(a.node.peers()[0].window_used <= 4_096);
    assert_eq!(cart.call(Msg::Items).await.unwrap(), (0..sent).collect::<Vec<_>>());
    assert!(a.node.peers()[0].window_used < 1_000, "the window has room again");
}

#[tokio::test(start_paused = true)]
async fn oversize_message_and_answer_are_refused_and_nothing_else() {
    let network = MemoryNetwork::new(1);
    let small = |text, started| builder(&network, text, started).max_message(1_000).build().unwrap();
    let (a, b) = (shop_of(small("a", 1), 8).await, shop_of(small("b", 2), 8).await);
    a.knows("b").await;
    b.knows("a").await;
    let cart = a.cart_of("b");
    let error = cart.call(|reply| Msg::Echo(vec![0; 1_001], reply)).await.unwrap_err();
    assert!(matches!(error.kind, RemoteErrorKind::TooLarge { max: 1_000, .. }), "{error:?}");
    assert!(error.into_inner().is_some());
    for item in 0..400 {
        cart.send(Msg::Add(1_000_000 + item)).await.unwrap();
    }
    let error = cart.call(Msg::Items).await.unwrap_err();
    assert!(matches!(error.kind, RemoteErrorKind::Answer(_)), "{error:?}");
    assert_eq!(cart.call(|reply| Msg::Echo(vec![7; 900], reply)).await.unwrap(), vec![7; 900]);
}

#[tokio::test(start_paused = true)]
async fn monitor_reports_the_end_once_with_the_reason() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    let (failed, panicked) = (cart.monitor(), cart.monitor());
    cart.send(Msg::Fail("sold out".to_owned())).await.unwrap();
    assert_eq!(failed.await.reason, ExitReason::failed("sold out"));
    assert_eq!(panicked.await.reason, ExitReason::failed("sold out"));
    let panicked = cart.monitor();
    cart.send(Msg::Panic).await.unwrap();
    let reason = panicked.await.reason;
    assert!(matches!(&reason, ExitReason::Panicked(panic) if panic.message == "the cart is broken"));
    let dropped = cart.monitor();
    assert_eq!(a.node.peers()[0].pending, 1);
    drop(dropped);
    assert_eq!(a.node.peers()[0].pending, 0);
}

#[tokio::test(start_paused = true)]
async fn error_that_cannot_be_displayed_is_reported_once_to_calls_and_monitors() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    for error in [Unreadable::Panics, Unreadable::Fails] {
        let monitor = cart.monitor();
        let call = cart.call(|reply| Msg::FailUnreadably(error, reply)).no_timeout().into_future();
        let ended =
            timeout(Duration::from_secs(9), async { (call.await.unwrap_err().kind, monitor.await.reason) })
                .await;
        let Ok((RemoteErrorKind::Ended(reason), down)) = ended else { panic!("{error:?}: {ended:?}") };
        assert_eq!(down, reason, "{error:?}");
        assert!(matches!(down, ExitReason::Failed(_)), "{error:?}: {down}");
        assert_eq!(a.node.peers()[0].pending, 0, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whereis_finds_the_oldest_binding_from_every_node() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let c = crate::support::shop(&network, "c", 3).await;
    for shop in [&a, &b, &c] {
        for other in ["a", "b", "c"] {
            shop.knows(other).await;
        }
    }
    let order = a.node.nodes_with("cart");
    assert_eq!(order.len(), 3);
    assert_eq!((b.node.nodes_with("cart"), c.node.nodes_with("cart")), (order.clone(), order.clone()));
    assert_eq!(c.node.whereis(CART).unwrap().node(), &order[0]);
    assert!(c.node.whereis(Name::<Msg>::new("till")).is_none());
}

#[test]
fn reply_is_encoded_only_in_a_message_to_another_node() {
    use perennial_cluster::{Bincode, Codec};
    let (reply, _answer) = perennial_actors::host::reply_pair::<u64>();
    assert!(Bincode::encode(&Msg::Keep(reply)).is_err());
    assert!(Bincode::decode::<Msg>(&[3, 0]).is_err(), "the reply of the message `Keep`");
    assert!(matches!(Bincode::decode::<Msg>(&[0, 5]), Ok(Msg::Add(5))));
}

#[test]
fn node_needs_a_name_and_an_engine() {
    let network = MemoryNetwork::new(1);
    assert!(Node::builder("Not a name").engine(network.engine()).build().is_err());
    assert!(Node::builder("a").build().is_err());
}
