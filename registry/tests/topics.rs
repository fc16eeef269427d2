//! Topics: a published message reaches all subscribers, and the publisher never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use perennial_actors::{Address, Context, MailboxConfig, System};
use perennial_registry::{PublishReport, Registry, SlowSubscriberPolicy, Topic, TopicHandle};

use crate::support::{
    ManagedActor, Msg, ScriptedActor, kill, received, run_step, scripted_actor, scripted_actor_with,
};

const NUMBERS: Topic<u32> = Topic::new("numbers");

fn numbers(system: &System) -> TopicHandle<u32> {
    Registry::of(system).topic(NUMBERS)
}

/// Returns the numbers of delivered, skipped and removed subscribers.
fn counts(published: PublishReport) -> [usize; 3] {
    [published.delivered, published.skipped, published.removed]
}

/// Spawns an actor whose mailbox holds one message.
async fn small(system: &System) -> Address<Msg> {
    scripted_actor_with(system, MailboxConfig::bounded(1)).await
}

#[tokio::test(start_paused = true)]
async fn published_message_reaches_all_subscribers_and_no_other_actor() {
    let system = System::new();
    assert_eq!(counts(numbers(&system).publish(&1)), [0, 0, 0]);
    let (one, other, stranger) =
        (scripted_actor(&system).await, scripted_actor(&system).await, scripted_actor(&system).await);
    numbers(&system).subscribe(&one, SlowSubscriberPolicy::Skip);
    numbers(&system).subscribe(&other, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(numbers(&system).subscribers(), [one.handle(), other.handle()]);
    assert_eq!(counts(numbers(&system).publish(&2)), [2, 0, 0]);
    assert!(numbers(&system).unsubscribe(&one) && !numbers(&system).unsubscribe(&one));
    assert!(!numbers(&system).unsubscribe(&stranger));
    assert_eq!(counts(numbers(&system).publish(&3)), [1, 0, 0]);
    let all = [received(&one).await, received(&other).await, received(&stranger).await];
    assert_eq!(all, [vec![2], vec![2, 3], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn topics_with_one_name_and_different_message_types_are_separate() {
    let system = System::new();
    let one = scripted_actor(&system).await;
    numbers(&system).subscribe(&one, SlowSubscriberPolicy::Skip);
    let texts = Registry::of(&system).topic(Topic::<&'static str>::new("numbers"));
    assert_eq!((counts(texts.publish(&"one")), texts.subscribers()), ([0, 0, 0], vec![]));
    let on_clone = Registry::of(&system).topic(Topic::<OnClone>::new("numbers"));
    on_clone.subscribe(&one, SlowSubscriberPolicy::Skip);
    assert_eq!(counts(on_clone.publish(&OnClone(Arc::new(|| ())))), [1, 0, 0]);
    let others = Registry::of(&system).topic(Topic::<u32>::from("other numbers".to_owned()));
    assert_eq!(counts(others.publish(&1)), [0, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&1)), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn slow_subscriber_is_skipped_and_blocks_no_publisher() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, scripted_actor(&system).await);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Skip);
    numbers(&system).subscribe(&quick, SlowSubscriberPolicy::Skip);
    // No actor runs between these calls. A publisher that waited would wait for ever.
    let number: Vec<_> = (1..=3).map(|number| counts(numbers(&system).publish(&number))).collect();
    assert_eq!(number, [[2, 0, 0], [1, 1, 0], [1, 1, 0]]);
    assert_eq!((received(&slow).await, received(&quick).await), (vec![1], vec![1, 2, 3]));
    assert_eq!(counts(numbers(&system).publish(&4)), [2, 0, 0], "it is still a subscriber");
    assert_eq!(received(&slow).await, [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn slow_subscriber_is_unsubscribed_and_may_subscribe_again() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, scripted_actor(&system).await);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    numbers(&system).subscribe(&quick, SlowSubscriberPolicy::Unsubscribe);
    let number: Vec<_> = (1..=3).map(|number| counts(numbers(&system).publish(&number))).collect();
    assert_eq!(number, [[2, 0, 0], [1, 0, 1], [1, 0, 0]]);
    assert_eq!((received(&slow).await, numbers(&system).subscribers()), (vec![1], vec![quick.handle()]));
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(counts(numbers(&system).publish(&4)), [2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn second_subscription_changes_the_policy_and_delivers_nothing_twice() {
    let system = System::new();
    let slow = small(&system).await;
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Skip);
    assert_eq!(numbers(&system).subscribers().len(), 1);
    assert_eq!(counts(numbers(&system).publish(&1)), [1, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&2)), [0, 1, 0]);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(counts(numbers(&system).publish(&3)), [0, 0, 1]);
    assert_eq!(received(&slow).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn subscription_survives_restarts_and_messages_published_meanwhile_are_queued() {
    let system = System::new();
    let init = |ctx: &mut Context<ScriptedActor>| {
        assert!(numbers(ctx.system()).subscribe(&ctx.address(), SlowSubscriberPolicy::Skip))
    };
    let mut managed = ManagedActor::start(&system, init).await;
    for number in 1..10 {
        managed.crash().await;
        assert_eq!(numbers(&system).subscribers(), [managed.address.handle()]);
        assert_eq!(counts(numbers(&system).publish(&number)), [1, 0, 0], "for the next incarnation");
        managed.start_next().await;
        assert_eq!(counts(numbers(&system).publish(&(100 + number))), [1, 0, 0]);
        assert_eq!(received(&managed.address).await, [number, 100 + number], "each of them once");
    }
    assert_eq!(numbers(&system).subscribers(), [managed.address.handle()]);
}

#[tokio::test(start_paused = true)]
async fn closed_actor_is_no_subscriber_and_cannot_subscribe() {
    let system = System::new();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(scripted_actor(&system).await);
        numbers(&system).subscribe(&all[all.len() - 1], SlowSubscriberPolicy::Skip);
    }
    for ended in all.iter().skip(1).step_by(2) {
        kill(ended).await;
    }
    assert_eq!(numbers(&system).subscribers().len(), 50);
    assert_eq!(counts(numbers(&system).publish(&1)), [50, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&2)), [50, 0, 0]);
    assert!(
        !numbers(&system).subscribe(&all[1], SlowSubscriberPolicy::Skip),
        "a closed actor cannot subscribe"
    );
    assert_eq!(numbers(&system).subscribers().len(), 50);
    assert_eq!(received(&all[98]).await, [1, 2]);
}

/// A message that runs code when it is cloned for the next subscriber.
struct OnClone(Arc<dyn Fn() + Send + Sync>);

impl Clone for OnClone {
    fn clone(&self) -> Self {
        (self.0)();
        Self(self.0.clone())
    }
}

impl From<OnClone> for Msg {
    fn from(_: OnClone) -> Self {
        Self::Number(0)
    }
}

#[tokio::test(start_paused = true)]
async fn new_subscription_during_a_publish_is_not_removed_for_the_old_ones_miss() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, scripted_actor(&system).await);
    let on_clone = Registry::of(&system).topic(Topic::<OnClone>::new("on_clone"));
    on_clone.subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    on_clone.subscribe(&quick, SlowSubscriberPolicy::Skip);
    slow.cast(Msg::Number(1)).expect("it has room for one");
    let (at_last, topic, subscriber) = (AtomicUsize::new(0), on_clone.clone(), slow.clone());
    // When the message is cloned for the second subscriber, the first has missed it.
    let message = OnClone(Arc::new(move || {
        if at_last.fetch_add(1, Ordering::Relaxed) == 1 {
            assert!(topic.unsubscribe(&subscriber));
            topic.subscribe(&subscriber, SlowSubscriberPolicy::Skip);
        }
    }));
    assert_eq!(counts(on_clone.publish(&message)), [1, 0, 0]);
    assert_eq!(on_clone.subscribers(), [quick.handle(), slow.handle()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_publisher_reach_every_subscriber_in_order() {
    const PUBLISHED: u32 = 2_000;
    let system = System::new();
    let mut listeners = Vec::new();
    for _ in 0..4 {
        let listener = scripted_actor_with(&system, MailboxConfig::unbounded()).await;
        numbers(&system).subscribe(&listener, SlowSubscriberPolicy::Skip);
        listeners.push(listener);
    }
    let publishers = [0, 1].map(|publisher| {
        let numbers = numbers(&system);
        std::thread::spawn(move || {
            for number in 0..PUBLISHED {
                numbers.publish(&(2 * number + publisher));
            }
        })
    });
    // Other actors subscribe and unsubscribe meanwhile.
    for _ in 0..50 {
        let short_lived = scripted_actor(&system).await;
        numbers(&system).subscribe(&short_lived, SlowSubscriberPolicy::Skip);
        run_step(&short_lived, |_| ()).await;
        numbers(&system).unsubscribe(&short_lived);
    }
    publishers.into_iter().for_each(|publisher| publisher.join().expect("the publisher succeeds"));
    for listener in &listeners {
        let all = received(listener).await;
        for publisher in [0, 1] {
            let of_one: Vec<u32> = all.iter().copied().filter(|number| number % 2 == publisher).collect();
            assert!(of_one.iter().copied().eq((0..PUBLISHED).map(|number| 2 * number + publisher)));
        }
    }
}

/// Subscribes `actor` to the even numbers, each halved.
fn subscribe_halved(system: &System, actor: &Address<Msg>) -> bool {
    numbers(system).subscribe_with(actor, SlowSubscriberPolicy::Skip, |number| {
        (number % 2 == 0).then(|| Msg::Number(number / 2))
    })
}

#[tokio::test(start_paused = true)]
async fn subscriber_gets_the_message_that_its_filter_returns() {
    let system = System::new();
    let (halved, all) = (scripted_actor(&system).await, scripted_actor(&system).await);
    assert!(
        subscribe_halved(&system, &halved) && numbers(&system).subscribe(&all, SlowSubscriberPolicy::Skip)
    );
    let published: Vec<_> = (1..=4).map(|number| numbers(&system).publish(&number)).collect();
    assert_eq!(
        published.iter().map(|each| (each.delivered, each.filtered)).collect::<Vec<_>>(),
        [(1, 1), (2, 0), (1, 1), (2, 0)]
    );
    assert_eq!((received(&halved).await, received(&all).await), (vec![1, 2], vec![1, 2, 3, 4]));
}

#[tokio::test(start_paused = true)]
async fn later_subscription_replaces_the_filter_and_the_policy() {
    let system = System::new();
    let one = scripted_actor(&system).await;
    assert!(subscribe_halved(&system, &one));
    assert_eq!(numbers(&system).publish(&8).delivered, 1);
    assert!(
        numbers(&system)
            .subscribe_with(&one, SlowSubscriberPolicy::Skip, |number| Some(Msg::Number(number + 100)))
    );
    assert_eq!(numbers(&system).publish(&1).delivered, 1);
    assert!(numbers(&system).subscribe(&one, SlowSubscriberPolicy::Unsubscribe));
    assert_eq!(numbers(&system).publish(&3).delivered, 1);
    assert_eq!(numbers(&system).subscribers(), [one.handle()]);
    assert_eq!(received(&one).await, [4, 101, 3]);
    assert!(numbers(&system).unsubscribe(&one));
    kill(&one).await;
    assert!(!subscribe_halved(&system, &one), "the actor is closed");
    assert!(numbers(&system).subscribers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn full_subscriber_with_a_filter_is_skipped_or_removed() {
    let system = System::new();
    let (skips, leaves) = (small(&system).await, small(&system).await);
    for (one, slow) in [(&skips, SlowSubscriberPolicy::Skip), (&leaves, SlowSubscriberPolicy::Unsubscribe)] {
        assert!(numbers(&system).subscribe_with(one, slow, |number| Some(Msg::Number(*number))));
    }
    let number: Vec<_> = (1..=3).map(|number| counts(numbers(&system).publish(&number))).collect();
    assert_eq!(number, [[2, 0, 0], [0, 1, 1], [0, 1, 0]]);
}
