//! Casts to a full mailbox under each overflow policy, and the senders of dropped messages.

use perennial_actors::host::Identity;
use perennial_actors::{
    Address, CallError, DeadLetter, DeadLetterReason, ExitReason, MailboxConfig, OverflowPolicy, SendError,
    System, Unsent,
};

use crate::support::slow::{Msg, stage};

#[tokio::test(start_paused = true)]
async fn reject_gives_the_message_back() {
    let stage = stage(1, |mailbox| mailbox).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    assert!(matches!(
        stage.slow.cast(Msg::Note(2)),
        Err(SendError::Full(Unsent { message: Msg::Note(2), .. }))
    ));
    assert_eq!(stage.notes().await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn drop_newest_makes_a_dead_letter_of_a_message_without_room() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropNewest)).await;
    let mut dead = stage.system.subscribe::<DeadLetter>();
    for n in 1..=3 {
        assert!(stage.slow.cast(Msg::Note(n)).is_ok());
    }
    for _ in 2..=3 {
        let letter = dead.try_next().expect("it was dropped");
        assert!(matches!(letter.reason, DeadLetterReason::Overflow) && letter.message_type.ends_with("Msg"));
    }
    assert!(dead.try_next().is_none());
    assert_eq!(stage.notes().await, [0, 1]);
    let accounts = stage.system.counters();
    assert!(accounts.is_balanced());
    assert_eq!((accounts.accepted, accounts.dead_lettered), (5, 2));
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_keeps_the_newest_and_the_one_in_flight() {
    let stage = stage(2, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    let mut dead = stage.system.subscribe::<DeadLetter>();
    for n in 1..=5 {
        assert!(stage.slow.cast(Msg::Note(n)).is_ok());
    }
    assert_eq!(std::iter::from_fn(|| dead.try_next()).count(), 3);
    assert_eq!(stage.notes().await, [0, 4, 5]);
    let accounts = stage.system.counters();
    assert!(accounts.is_balanced());
    assert_eq!(accounts.dead_lettered, 3);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_message_is_dropped_is_notified_at_once() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    let call = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.call(|reply| Msg::Ask(1, reply)).no_timeout().await }
    });
    tokio::task::yield_now().await;
    assert!(stage.slow.cast(Msg::Note(2)).is_ok());
    // The actor is still in the handler of the message before.
    assert!(matches!(call.await.expect("it ends well"), Err(CallError::Dropped(_))));
    assert_eq!(stage.notes().await, [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_room_whatever_a_cast_would_do() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropNewest)).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok());
    let call = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.call(|reply| Msg::Ask(7, reply)).await }
    });
    tokio::task::yield_now().await;
    stage.open();
    assert_eq!(call.await.expect("it ends well").expect("it is answered"), 7);
    assert_eq!(stage.system.counters().dead_lettered, 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_mailbox_gives_the_message_back_under_each_policy() {
    for overflow in [OverflowPolicy::Reject, OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let stage = stage(1, |mailbox| mailbox.overflow(overflow)).await;
        let down = stage.slow.monitor();
        stage.slow.kill().expect("it lives");
        down.await;
        assert!(
            matches!(
                stage.slow.cast(Msg::Note(1)),
                Err(SendError::Closed(Unsent { message: Msg::Note(1), .. }))
            ),
            "{overflow:?}"
        );
    }
}

/// A message whose drop reads the counters, casts again and panics.
struct Bomb(Option<Address<Self>>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(address) = self.0.take() {
            assert!(address.counters().is_balanced(), "and no lock is held");
            let _ = address.cast(Self(None));
            panic!("on purpose");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_message_may_cast_and_panic_in_its_drop() {
    for overflow in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let system = System::new();
        let identity = Identity::<Bomb>::new(MailboxConfig::bounded(1).overflow(overflow));
        identity.open(&system, || "it".into());
        let (address, mut dead) = (identity.address(), system.subscribe::<DeadLetter>());
        let bomb = || Bomb(Some(address.clone()));
        assert!(address.cast(bomb()).is_ok() && address.cast(bomb()).is_ok());
        // One message panics in its drop and casts another one, for which one more is dropped.
        let letters = std::iter::from_fn(|| dead.try_next()).count() as u64;
        let accounts = address.counters();
        assert!(letters >= 2 && accounts.is_balanced(), "{overflow:?}: {letters}, {accounts:?}");
        assert_eq!((accounts.dead_lettered, accounts.queued), (letters, 1), "{overflow:?}");
        identity.close(&ExitReason::shutdown());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cast_that_drops_the_oldest_admits_waiting_senders_first() {
    let stage = stage(2, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    assert!(stage.slow.cast(Msg::Note(1)).is_ok() && stage.slow.cast(Msg::Note(2)).is_ok());
    let sending = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.send(Msg::Note(3)).await.is_ok() }
    });
    tokio::task::yield_now().await;
    assert!(stage.slow.cast(Msg::Note(4)).is_ok());
    assert!(sending.await.expect("it ends well"));
    assert_eq!(stage.notes().await, [0, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_cast_that_drops_the_oldest_is_rejected_only_if_all_places_are_reserved() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    let mut dead = stage.system.subscribe::<DeadLetter>();
    let permit = stage.slow.reserve().await.expect("it is open");
    assert!(matches!(
        stage.slow.cast(Msg::Note(1)),
        Err(SendError::Full(Unsent { message: Msg::Note(1), .. }))
    ));
    assert!(permit.send(Msg::Note(2)).is_ok());
    let reserving = tokio::spawn({
        let slow = stage.slow.clone();
        async move { slow.reserve().await }
    });
    tokio::task::yield_now().await;
    // The place is reserved, and note 2 is not dropped without need.
    assert!(matches!(
        stage.slow.cast(Msg::Note(3)),
        Err(SendError::Full(Unsent { message: Msg::Note(3), .. }))
    ));
    assert!(dead.try_next().is_none());
    stage.let_one_through();
    let permit = reserving.await.expect("it ends well").expect("it is open");
    drop(permit);
    assert!(stage.slow.cast(Msg::Note(4)).is_ok());
    assert_eq!(stage.notes().await, [0, 2, 4]);
}
