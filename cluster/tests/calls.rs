//! Calls whose replies are dropped, not sent, not read or cancelled: each ends, with its reason.

use std::time::Duration;

use crate::support::{CART, Msg, Odd, Unknown, name, pair, shop_of};
use perennial_actors::ExitReason;
use perennial_actors::host::{FollowedMessage, FollowedOutcome, reply_pair};
use perennial_cluster::{MemoryNetwork, RemoteErrorKind};
use perennial_registry::Registry;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn call_without_its_reply_in_the_message_ends() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    let call = cart.call::<u64, _>(|reply| {
        drop(reply);
        Msg::Add(1)
    });
    let ended = timeout(SOON, call.no_timeout().into_future()).await.expect("it ends");
    assert_eq!(ended.unwrap_err().kind, RemoteErrorKind::ReplyDropped);
    let (other, _answer) = reply_pair();
    let call = cart.call::<u64, _>(|reply| {
        drop(reply);
        Msg::Keep(other)
    });
    let ended = timeout(SOON, call.no_timeout().into_future()).await.expect("it ends");
    assert_eq!(ended.unwrap_err().kind, RemoteErrorKind::ReplyDropped);
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn reply_that_the_receiver_does_not_read_is_dropped() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    let call = cart.call(|reply| Msg::Unknown(Unknown(Some(reply)))).no_timeout();
    let ended = timeout(SOON, call.into_future()).await.expect("it ends");
    assert_eq!(ended.unwrap_err().kind, RemoteErrorKind::ReplyDropped);
    assert_eq!(a.node.peers()[0].pending, 0);
}

#[tokio::test(start_paused = true)]
async fn call_that_is_cancelled_leaves_the_other_replies_of_its_message() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    local.handle().suspend().unwrap();
    let (other, second) = reply_pair::<u64>();
    let call = a.cart_of("b").call(|first| Msg::Both(first, other));
    let ended = call.timeout(Duration::from_secs(1)).await;
    assert_eq!(ended.unwrap_err().kind, RemoteErrorKind::TimedOut);
    local.handle().resume().unwrap();
    assert_eq!(timeout(SOON, second).await.expect("it ends"), Some(2));
    assert_eq!(a.node.peers()[0].pending, 0);
}

#[tokio::test(start_paused = true)]
async fn answer_that_cannot_be_decoded_says_that_the_message_was_handled() {
    let (a, _b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(8)).await.unwrap();
    assert_eq!(cart.call(Msg::Odd).await.unwrap(), Odd(8));
    cart.send(Msg::Add(7)).await.unwrap();
    let ended = timeout(SOON, cart.call(Msg::Odd).no_timeout().into_future()).await.expect("it ends");
    assert!(matches!(ended.unwrap_err().kind, RemoteErrorKind::Answer(_)));
}

#[tokio::test(start_paused = true)]
async fn answer_whose_end_panics_is_sent_and_harms_nothing() {
    let (a, b) = pair(&MemoryNetwork::new(1)).await;
    let cart = a.cart_of("b");
    cart.send(Msg::Add(13)).await.unwrap();
    let ended = timeout(SOON, cart.call(Msg::Odd).no_timeout().into_future()).await.expect("it ends");
    assert!(matches!(ended.unwrap_err().kind, RemoteErrorKind::Answer(_)));
    assert_eq!(cart.call(Msg::Items).await.unwrap(), [13]);
    assert!(b.node.peers()[0].is_up);
}

/// A message that is followed is in the mailbox when it is accepted, and not in line for room.
#[tokio::test(start_paused = true)]
async fn followed_message_is_in_the_mailbox_although_others_took_the_last_place() {
    let network = MemoryNetwork::new(1);
    let b = shop_of(crate::support::builder(&network, "b", 2).build().unwrap(), 1).await;
    let local = Registry::of(&b.system).whereis(CART).unwrap();
    local.handle().suspend().unwrap();
    let permit = local.try_reserve().unwrap();
    assert!(local.cast(Msg::Add(1)).is_err(), "the last place is reserved");
    let followed = FollowedMessage::send(permit, Msg::Add(2)).unwrap();
    local.handle().resume().unwrap();
    assert_eq!(local.call(Msg::Items).await.unwrap(), [2]);
    assert_eq!(followed.await, FollowedOutcome::Handled);
    let lost = FollowedMessage::send(local.reserve().await.unwrap(), Msg::Fail("no".to_owned())).unwrap();
    assert_eq!(lost.await, FollowedOutcome::Lost(ExitReason::failed("no")));
    assert_eq!(b.node.id().name, name("b"));
}
