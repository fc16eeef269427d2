//! Addresses that are narrowed, and addresses that keep nothing.

use perennial_actors::{DeadReason, Overflow, Recipient, SendError, System, WeakAddress};
use support::slow::{Msg, Slow, stage};

mod support {
    pub(crate) mod slow;
}

fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}

#[tokio::test(start_paused = true)]
async fn a_recipient_reaches_the_actor() {
    let stage = stage(4, |mailbox| mailbox).await;
    let notes: Recipient<u32> = stage.slow.recipient();
    is_shared(&notes);
    notes.cast(1).expect("there is room");
    notes.send(2).await.expect("it is open");
    assert_eq!(stage.notes().await, [0, 1, 2]);
    assert_eq!((notes.handle(), notes.clone()), (stage.slow.handle(), stage.slow.recipient()));
}

#[tokio::test(start_paused = true)]
async fn a_recipient_gives_back_what_it_was_given() {
    let stage = stage(1, |mailbox| mailbox).await;
    let notes = stage.slow.recipient::<u32>();
    notes.cast(1).expect("there is room");
    assert!(matches!(notes.cast(2), Err(SendError::Full(2))));
    let down = stage.slow.monitor();
    stage.slow.kill().expect("it lives");
    down.await;
    assert!(matches!(notes.cast(3), Err(SendError::Closed(3))));
    assert_eq!(notes.send(4).await.expect_err("it is closed").0, 4);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_waits_for_room_gets_in_in_turn() {
    let stage = stage(1, |mailbox| mailbox).await;
    let notes = stage.slow.recipient::<u32>();
    notes.cast(1).expect("there is room");
    let sending = tokio::spawn({
        let notes = notes.clone();
        async move { notes.send(2).await.is_ok() }
    });
    tokio::task::yield_now().await;
    stage.open();
    assert!(sending.await.expect("it ends well"));
    assert_eq!(stage.notes().await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_drops_what_the_mailbox_is_set_to_drop() {
    let stage = stage(1, |mailbox| mailbox.overflow(Overflow::DropOldest)).await;
    let mut dead = stage.system.dead_letters();
    let notes = stage.slow.recipient::<u32>();
    for n in 1..=3 {
        notes.cast(n).expect("the oldest makes room");
    }
    assert_eq!(
        std::iter::from_fn(|| dead.try_next()).filter(|l| matches!(l.reason, DeadReason::Overflow)).count(),
        2
    );
    assert_eq!(stage.notes().await, [0, 3]);
    assert!(stage.system.counters().balanced());
}

#[tokio::test(start_paused = true)]
async fn a_weak_address_leads_to_the_actor_while_it_lives() {
    let stage = stage(1, |mailbox| mailbox).await;
    let weak = stage.slow.downgrade();
    is_shared(&weak);
    assert_eq!(weak.upgrade(), Some(stage.slow.clone()));
    drop(stage.slow);
    let address = weak.upgrade().expect("the incarnation keeps it");
    let down = address.monitor();
    address.kill().expect("it lives");
    down.await;
    drop(address);
    assert!(weak.upgrade().is_none(), "nobody keeps what is left of it");
}

#[tokio::test]
async fn an_address_keeps_nobody_alive_and_knows_what_became_of_whom_it_leads_to() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let address = System::new().spawn::<Slow>(gate).await.expect("it starts");
    let weak: WeakAddress<Msg> = address.downgrade();
    let down = address.monitor();
    address.stop(perennial_actors::ExitReason::Normal).expect("it lives");
    down.await;
    assert!(weak.upgrade().is_some_and(|address| address.pid().is_none()), "the address keeps the mailbox");
}
