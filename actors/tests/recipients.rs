//! Recipients, which accept one message type, and weak addresses, which keep no mailbox alive.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use perennial_actors::host::Identity;
use perennial_actors::{
    DeadLetter, DeadLetterReason, ExitReason, MailboxConfig, OverflowPolicy, Recipient, SendError, System,
    Unsent, WeakAddress,
};

use crate::support::slow::{Msg, Slow, stage};

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
    assert!(matches!(notes.cast(2), Err(SendError::Full(Unsent { message: 2, .. }))));
    let down = stage.slow.monitor();
    stage.slow.kill().expect("it lives");
    down.await;
    assert!(matches!(notes.cast(3), Err(SendError::Closed(Unsent { message: 3, .. }))));
    assert_eq!(notes.send(4).await.expect_err("it is closed").into_inner(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_waits_for_room_is_admitted_in_order() {
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
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    let mut dead = stage.system.subscribe::<DeadLetter>();
    let notes = stage.slow.recipient::<u32>();
    for n in 1..=3 {
        notes.cast(n).expect("the oldest makes room");
    }
    assert_eq!(
        std::iter::from_fn(|| dead.try_next())
            .filter(|l| matches!(l.reason, DeadLetterReason::Overflow))
            .count(),
        2
    );
    assert_eq!(stage.notes().await, [0, 3]);
    assert!(stage.system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_weak_address_upgrades_while_the_actor_lives() {
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
    assert!(weak.upgrade().is_none(), "no address keeps the mailbox");
}

#[tokio::test]
async fn an_address_keeps_no_actor_alive_and_shows_that_it_has_ended() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let address = System::new().spawn::<Slow>(gate).await.expect("it starts");
    let weak: WeakAddress<Msg> = address.downgrade();
    let down = address.monitor();
    address.stop(ExitReason::Normal).expect("it lives");
    down.await;
    assert!(weak.upgrade().is_some_and(|address| address.pid().is_none()), "the address keeps the mailbox");
}

#[tokio::test(start_paused = true)]
async fn a_recipient_of_a_mailbox_that_drops_the_newest_makes_dead_letters() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropNewest)).await;
    let mut dead = stage.system.subscribe::<DeadLetter>();
    let notes = stage.slow.recipient::<u32>();
    notes.cast(1).expect("there is room");
    notes.cast(2).expect("it is accepted and dropped");
    let letter = dead.try_next().expect("it was dropped");
    assert!(matches!(letter.reason, DeadLetterReason::Overflow) && letter.message_type.ends_with("Msg"));
    assert_eq!(stage.notes().await, [0, 1]);
    assert!(stage.system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_recipient_of_a_mailbox_that_drops_the_oldest_is_refused_as_a_cast_is() {
    let stage = stage(1, |mailbox| mailbox.overflow(OverflowPolicy::DropOldest)).await;
    let permit = stage.slow.try_reserve().expect("there is room");
    assert!(matches!(stage.slow.recipient::<u32>().cast(1), Err(SendError::Full(Unsent { message: 1, .. }))));
    drop(permit);
    assert!(stage.slow.recipient::<u32>().cast(2).is_ok());
    assert_eq!(stage.notes().await, [0, 2]);
}

/// Runs its function when it is converted into a message.
struct Part(Box<dyn FnOnce() + Send>);

impl From<Part> for u32 {
    fn from(part: Part) -> Self {
        (part.0)();
        7
    }
}

/// An identity without an incarnation, with room for one message.
fn due(system: &System) -> Identity<u32> {
    let identity = Identity::new(MailboxConfig::bounded(1));
    identity.open(system, || "it".into());
    identity
}

#[tokio::test]
async fn no_lock_is_held_while_a_message_is_converted_and_its_place_is_reserved() {
    let identity = due(&System::new());
    let address = identity.address();
    let inner = address.clone();
    let part = Part(Box::new(move || {
        assert!(matches!(inner.cast(1), Err(SendError::Full(Unsent { message: 1, .. }))))
    }));
    assert!(address.recipient::<Part>().cast(part).is_ok());
    assert_eq!(address.counters().queued, 1);
}

#[tokio::test]
async fn a_message_whose_conversion_panics_releases_its_place() {
    let identity = due(&System::new());
    let address = identity.address();
    let recipient = address.recipient::<Part>();
    let part = Part(Box::new(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| recipient.cast(part))).is_err());
    assert!(address.cast(1).is_ok(), "the place is free");
}

#[tokio::test]
async fn a_message_whose_actor_ends_during_its_conversion_is_a_dead_letter() {
    let system = System::new();
    let mut dead = system.subscribe::<DeadLetter>();
    let identity = due(&system);
    let address = identity.address();
    let part = Part(Box::new(move || assert!(identity.close(&ExitReason::shutdown()).is_some())));
    assert!(address.recipient::<Part>().cast(part).is_ok());
    let letter = dead.try_next().expect("it was accepted");
    assert!(matches!(letter.reason, DeadLetterReason::Unhandled(ExitReason::NoProcess)));
    let accounts = address.counters();
    assert!(accounts.is_balanced() && (accounts.accepted, accounts.dead_lettered) == (1, 1));
}
