//! Permits, which reserve a place before there is a message; and sends with a time limit.

use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{ClosedError, ExitReason, MailboxConfig, SendError, System, Unsent};
use tokio::time::Instant;

use crate::support::slow::{Msg, stage};

#[tokio::test(start_paused = true)]
async fn a_permit_reserves_a_place_exclusively() {
    let stage = stage(1, |mailbox| mailbox).await;
    let permit = stage.slow.reserve().await.expect("it is open");
    assert!(matches!(stage.slow.cast(Msg::Note(1)), Err(SendError::Full(_))));
    assert!(matches!(stage.slow.try_reserve(), Err(SendError::Full(Unsent { message: (), .. }))));
    assert!(permit.send(Msg::Note(2)).is_ok());
    assert_eq!(stage.notes().await, [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_permit_admits_the_first_waiter() {
    let stage = stage(1, |mailbox| mailbox).await;
    let permit = stage.slow.try_reserve().expect("there is room");
    let sending = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.send(Msg::Note(1)).await.is_ok() }
    });
    tokio::task::yield_now().await;
    assert!(!sending.is_finished());
    drop(permit);
    assert!(sending.await.expect("it ends well"));
    assert_eq!(stage.notes().await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn waiters_for_a_place_get_it_in_order() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let reserving = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.reserve().await.map(|permit| permit.send(Msg::Note(2)).is_ok()) }
    });
    tokio::task::yield_now().await;
    stage.let_one_through();
    assert!(reserving.await.expect("it ends well").expect("it is open"));
    assert_eq!(stage.notes().await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_while_it_waits_takes_no_place() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let given_up = tokio::time::timeout(Duration::from_secs(1), stage.slow.reserve()).await;
    assert!(given_up.is_err());
    stage.let_one_through();
    tokio::task::yield_now().await;
    assert!(stage.slow.cast(Msg::Note(2)).is_ok());
    assert_eq!(stage.notes().await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_permit_outlives_a_close_only_to_give_its_message_back() {
    let stage = stage(1, |mailbox| mailbox).await;
    let permit = stage.slow.reserve().await.expect("it is open");
    let down = stage.slow.monitor();
    stage.slow.kill().expect("it lives");
    down.await;
    assert!(matches!(permit.send(Msg::Note(1)), Err(ClosedError(Unsent { message: Msg::Note(1), .. }))));
    assert!(stage.slow.reserve().await.is_err());
    assert!(matches!(stage.slow.try_reserve(), Err(SendError::Closed(Unsent { message: (), .. }))));
}

#[tokio::test]
async fn a_permit_belongs_to_the_identity() {
    let identity = Identity::<u32>::new(MailboxConfig::bounded(1));
    identity.open(&System::new(), || "it".into());
    let permit = identity.address().reserve().await.expect("it is open");
    assert!(identity.close(&ExitReason::shutdown()).is_some());
    identity.open(&System::new(), || "it".into());
    assert!(permit.send(7).is_ok());
    assert!(matches!(identity.address().cast(8), Err(SendError::Full(Unsent { message: 8, .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_send_with_a_timeout_gives_the_message_back_when_the_time_is_up() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let begun = Instant::now();
    let late = stage.slow.send(Msg::Note(2)).timeout(Duration::from_millis(70)).await;
    assert!(matches!(late, Err(SendError::Full(Unsent { message: Msg::Note(2), .. }))));
    assert_eq!(begun.elapsed(), Duration::from_millis(70));
    assert_eq!(stage.notes().await, [0, 1], "and it was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_send_with_a_deadline_that_finds_room_is_sent_however_late_it_is() {
    let stage = stage(1, |mailbox| mailbox).await;
    let past = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(stage.slow.send(Msg::Note(1)).deadline(past).await.is_ok());
    assert!(matches!(stage.slow.send(Msg::Note(2)).deadline(past).await, Err(SendError::Full(_))));
    assert_eq!(stage.notes().await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_send_with_a_timeout_is_sent_when_room_comes_in_time() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let sending = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.send(Msg::Note(2)).timeout(Duration::MAX).await.is_ok() }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.let_one_through();
    assert!(sending.await.expect("it ends well"));
}

#[tokio::test(start_paused = true)]
async fn a_send_with_a_timeout_fails_when_the_mailbox_closes() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let sending = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.send(Msg::Note(2)).timeout(Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    stage.slow.kill().expect("it lives");
    assert!(matches!(
        sending.await.expect("it ends well"),
        Err(SendError::Closed(Unsent { message: Msg::Note(2), .. }))
    ));
}
