//! What a node does about limits: of windows, messages, calls that it serves, names and settings.

use std::time::Duration;

use crate::support::{CART, Msg, builder, drain, name, pair, pass, shop, shop_of};
use perennial_actors::ExitReason;
use perennial_cluster::{
    Bincode, Codec, DecodeError, EncodeError, MemoryNetwork, Node, NodeConfig, NodeError, NodeEvent,
    RemoteErrorKind,
};
use perennial_registry::{Name, Registry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn answers_wait_for_room_in_the_window_and_all_arrive() {
    let network = MemoryNetwork::new(1);
    let small = |text, started| builder(&network, text, started).window(4_096).build().unwrap();
    let (a, b) = (shop_of(small("a", 1), 1_024).await, shop_of(small("b", 2), 1_024).await);
    a.knows("b").await;
    b.knows("a").await;
    let mut calls = JoinSet::new();
    for byte in 0..50 {
        let cart = a.cart_of("b");
        let call = async move { cart.call(|reply| Msg::Echo(vec![byte; 10], reply)).await };
        calls.spawn(call);
        let cart = a.cart_of("b");
        calls.spawn(async move { cart.call(|reply| Msg::Grow(1_000, reply)).await });
    }
    let watch = tokio::spawn(async move {
        let mut most = 0;
        for _ in 0..200 {
            most = b.node.peers()[0].window_used.max(most);
            pass(Duration::from_millis(1)).await;
        }
        (most, b)
    });
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    let (most, _b) = watch.await.unwrap();
    assert!((1_000..=4_096).contains(&most), "{most} bytes were on the way");
}

#[tokio::test(start_paused = true)]
async fn casts_that_wait_for_room_all_arrive_in_order() {
    let network = MemoryNetwork::new(1);
    let small = |text, started| builder(&network, text, started).window(4_096).build().unwrap();
    let (a, b) = (shop_of(small("a", 1), 1_024).await, shop_of(small("b", 2), 1_024).await);
    a.knows("b").await;
    let cart = a.cart_of("b");
    let mut most = 0;
    for item in 0..500 {
        cart.cast_when_room(Msg::Add(item)).await.unwrap();
        most = a.node.peers()[0].window_used.max(most);
    }
    assert_eq!(cart.call(Msg::Items).await.unwrap(), (0..500).collect::<Vec<_>>());
    assert!((2_000..=4_096).contains(&most), "{most} bytes were on the way");
    assert!(
        b.node.at(&b.node.id().name, CART).cast_when_room(Msg::Add(500)).await.is_ok(),
        "on its own node"
    );
    assert!(b.app.shutdown().await.is_clean());
    a.is_down("b").await;
    let refused = cart.cast_when_room(Msg::Add(501)).await.unwrap_err();
    assert!(matches!(refused.kind, RemoteErrorKind::NoConnection));
    assert!(matches!(refused.into_inner(), Some(Msg::Add(501))));
}

#[tokio::test(start_paused = true)]
async fn answers_that_wait_have_a_limit_and_those_beyond_end_their_calls() {
    let network = MemoryNetwork::new(1);
    let config = r#"{"window": 1024, "max_message": 100000, "max_inbox": 662400}"#;
    let config: NodeConfig = serde_json::from_str(config).unwrap();
    let a = shop(&network, "a", 1).await;
    let b = shop_of(builder(&network, "b", 2).config(config).build().unwrap(), 1_024).await;
    a.knows("b").await;
    let mut events = a.node.subscribe();
    for _ in 0..3 {
        let calls = (0..40).map(|_| a.cart_of("b").call(|reply| Msg::Grow(10_000, reply)).into_future());
        let (answers, refused): (Vec<_>, Vec<_>) =
            calls.collect::<JoinSet<_>>().join_all().await.into_iter().partition(Result::is_ok);
        // A quarter of the inbox.
        assert!((10..20).contains(&answers.len()), "{} answers", answers.len());
        for refused in refused {
            let kind = refused.unwrap_err().kind;
            assert!(matches!(kind, RemoteErrorKind::Answer(_)), "it was handled: {kind:?}");
        }
    }
    // So do the answers to one message.
    let (other, second) = perennial_actors::host::reply_pair();
    let first = a.cart_of("b").call(|first| Msg::GrowBoth(90_000, first, other));
    assert!(first.await.is_ok());
    assert!(second.await.is_none());
    assert!(!drain(&mut events).contains(&NodeEvent::Down(b.node.id().clone())));
}

#[tokio::test(start_paused = true)]
async fn monitor_beyond_the_limit_says_nothing_of_the_actor() {
    let network = MemoryNetwork::new(1);
    let config: NodeConfig = serde_json::from_str(r#"{"max_served": 2}"#).unwrap();
    let a = shop(&network, "a", 1).await;
    let b = shop_of(builder(&network, "b", 2).config(config).build().unwrap(), 8).await;
    a.knows("b").await;
    let cart = a.cart_of("b");
    let (first, second) = (cart.monitor(), cart.monitor());
    assert_eq!(cart.monitor().await.reason, ExitReason::NoConnection, "the actor may still run");
    assert_eq!(cart.call(Msg::Items).await.unwrap_err().kind, RemoteErrorKind::Busy);
    drop(first);
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [0_u64; 0]);
    cart.cast(Msg::Fail("sold out".to_owned())).unwrap();
    assert_eq!(second.await.reason, ExitReason::failed("sold out"));
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn node_with_too_many_names_can_be_reached_and_its_names_are_not_kept() {
    let network = MemoryNetwork::new(1);
    let config: NodeConfig = serde_json::from_str(r#"{"max_names": 2}"#).unwrap();
    let a = shop_of(builder(&network, "a", 1).config(config).build().unwrap(), 8).await;
    let b = shop(&network, "b", 2).await;
    a.knows("b").await;
    let mut events = a.node.subscribe();
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    for more in ["more-1", "more-2", "more-3"] {
        let more = Name::<Msg>::new(more);
        b.node.expose::<Bincode, _>(more.clone()).unwrap();
        Registry::of(&b.system).bind(more, &local).unwrap();
    }
    pass(Duration::from_secs(10)).await;
    let events = drain(&mut events);
    let too_many = NodeEvent::TooManyNames(b.node.id().clone());
    assert_eq!(events.iter().filter(|event| **event == too_many).count(), 1, "{events:?}");
    assert!(!events.contains(&NodeEvent::Down(b.node.id().clone())));
    assert_eq!(a.node.names_of(&name("b")), [""; 0]);
    assert_eq!(a.cart_of("b").call(Msg::Items).await.unwrap(), [0_u64; 0]);
    a.node.expose::<Bincode, _>(Name::<Msg>::new("second")).unwrap();
    let third = a.node.expose::<Bincode, _>(Name::<Msg>::new("third"));
    assert!(matches!(third, Err(NodeError::TooManyNames(2))), "{third:?}");
}

#[tokio::test(start_paused = true)]
async fn long_names_and_long_refusals_do_not_end_the_connection() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let long = Name::<Msg>::from("x".repeat(100_000));
    let exposed = b.node.expose::<Bincode, _>(long.clone());
    assert!(matches!(exposed, Err(NodeError::LongName { bytes: 100_000, .. })), "{exposed:?}");
    let mut events = a.node.subscribe();
    let there = a.node.at(&name("b"), long);
    assert_eq!(there.send(Msg::Add(1)).await.unwrap_err().kind, RemoteErrorKind::NoProcess);
    assert_eq!(timeout(Duration::from_secs(9), there.monitor()).await.unwrap().reason, ExitReason::NoProcess);
    // The refusal has the text of the codec's error.
    b.node.expose::<Verbose, _>(Name::<Msg>::new("verbose")).unwrap();
    let cart = Registry::of(&b.system).whereis(CART).unwrap();
    Registry::of(&b.system).bind(Name::<Msg>::new("verbose"), &cart).unwrap();
    let verbose = a.node.at(&name("b"), Name::<Msg>::new("verbose")).codec::<Verbose>();
    let error = verbose.send(Msg::Add(1)).await.unwrap_err();
    assert!(matches!(&error.kind, RemoteErrorKind::Decode(text) if text.len() <= 4_096), "{error:?}");
    assert!(!drain(&mut events).contains(&NodeEvent::Down(b.node.id().clone())));
}

/// A codec whose errors are longer than a header.
struct Verbose;

impl Codec for Verbose {
    const NAME: &'static str = "verbose";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
        Bincode::encode(value)
    }

    fn decode<T: DeserializeOwned>(_: &[u8]) -> Result<T, DecodeError> {
        Err(DecodeError::Malformed("no ".repeat(100_000)))
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let network = MemoryNetwork::new(1);
    for config in [
        r#"{"lease_ms": 0}"#,
        r#"{"lease_ms": 18446744073709551615}"#,
        r#"{"window": 0}"#,
        r#"{"max_message": 0}"#,
        r#"{"max_message": 18446744073709551615}"#,
        r#"{"max_inbox": 1000}"#,
        r#"{"window": 100000000}"#,
        r#"{"max_served": 0}"#,
        r#"{"max_names": 0}"#,
    ] {
        let built = Node::builder("a").engine(network.engine()).config(serde_json::from_str(config).unwrap());
        assert!(matches!(built.build(), Err(NodeError::Config { .. })), "{config}");
    }
    assert!(Node::builder("a").engine(network.engine()).build().is_ok());
}
