//! Topics: what is said reaches everybody who has asked for it, and whoever says it never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use perennial_actors::{Address, Context, MailboxConfig, System};
use perennial_registry::{PublishReport, Registry, SlowSubscriberPolicy, Topic, TopicHandle};
use support::{Hosted, Msg, Puppet, have, heard, kill, puppet, puppet_with};

mod support;

const NUMBERS: Topic<u32> = Topic::new("numbers");

fn numbers(system: &System) -> TopicHandle<u32> {
    Registry::of(system).topic(NUMBERS)
}

/// Delivered, skipped, removed.
fn counts(published: PublishReport) -> [usize; 3] {
    [published.delivered, published.skipped, published.removed]
}

/// One whose mailbox has room for one message.
async fn small(system: &System) -> Address<Msg> {
    puppet_with(system, MailboxConfig::bounded(1)).await
}

#[tokio::test(start_paused = true)]
async fn what_is_said_reaches_all_who_have_subscribed_and_nobody_else() {
    let system = System::new();
    assert_eq!(counts(numbers(&system).publish(&1)), [0, 0, 0]);
    let (one, other, stranger) = (puppet(&system).await, puppet(&system).await, puppet(&system).await);
    numbers(&system).subscribe(&one, SlowSubscriberPolicy::Skip);
    numbers(&system).subscribe(&other, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(numbers(&system).subscribers(), [one.handle(), other.handle()]);
    assert_eq!(counts(numbers(&system).publish(&2)), [2, 0, 0]);
    assert!(numbers(&system).unsubscribe(&one) && !numbers(&system).unsubscribe(&one));
    assert!(!numbers(&system).unsubscribe(&stranger));
    assert_eq!(counts(numbers(&system).publish(&3)), [1, 0, 0]);
    let all = [heard(&one).await, heard(&other).await, heard(&stranger).await];
    assert_eq!(all, [vec![2], vec![2, 3], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn topics_of_one_name_on_which_other_things_are_said_are_others() {
    let system = System::new();
    let one = puppet(&system).await;
    numbers(&system).subscribe(&one, SlowSubscriberPolicy::Skip);
    let texts = Registry::of(&system).topic(Topic::<&'static str>::new("numbers"));
    assert_eq!((counts(texts.publish(&"one")), texts.subscribers()), ([0, 0, 0], vec![]));
    let deeds = Registry::of(&system).topic(Topic::<Deed>::new("numbers"));
    deeds.subscribe(&one, SlowSubscriberPolicy::Skip);
    assert_eq!(counts(deeds.publish(&Deed(Arc::new(|| ())))), [1, 0, 0]);
    let others = Registry::of(&system).topic(Topic::<u32>::from("other numbers".to_owned()));
    assert_eq!(counts(others.publish(&1)), [0, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&1)), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_misses_what_is_said_and_nobody_waits_for_it() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, puppet(&system).await);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Skip);
    numbers(&system).subscribe(&quick, SlowSubscriberPolicy::Skip);
    // Nobody runs between these: if a publisher waited, it would do so for ever.
    let said: Vec<_> = (1..=3).map(|said| counts(numbers(&system).publish(&said))).collect();
    assert_eq!(said, [[2, 0, 0], [1, 1, 0], [1, 1, 0]]);
    assert_eq!((heard(&slow).await, heard(&quick).await), (vec![1], vec![1, 2, 3]));
    assert_eq!(counts(numbers(&system).publish(&4)), [2, 0, 0], "it is a subscriber still");
    assert_eq!(heard(&slow).await, [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_not_to_be_slow_is_one_no_more_and_may_come_back() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, puppet(&system).await);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    numbers(&system).subscribe(&quick, SlowSubscriberPolicy::Unsubscribe);
    let said: Vec<_> = (1..=3).map(|said| counts(numbers(&system).publish(&said))).collect();
    assert_eq!(said, [[2, 0, 0], [1, 0, 1], [1, 0, 0]]);
    assert_eq!((heard(&slow).await, numbers(&system).subscribers()), (vec![1], vec![quick.handle()]));
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(counts(numbers(&system).publish(&4)), [2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn to_subscribe_again_changes_the_policy_and_nothing_is_heard_twice() {
    let system = System::new();
    let slow = small(&system).await;
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Skip);
    assert_eq!(numbers(&system).subscribers().len(), 1);
    assert_eq!(counts(numbers(&system).publish(&1)), [1, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&2)), [0, 1, 0]);
    numbers(&system).subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    assert_eq!(counts(numbers(&system).publish(&3)), [0, 0, 1]);
    assert_eq!(heard(&slow).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_survives_restarts_and_what_is_said_meanwhile_waits() {
    let system = System::new();
    let init = |ctx: &mut Context<Puppet>| {
        assert!(numbers(ctx.system()).subscribe(&ctx.address(), SlowSubscriberPolicy::Skip))
    };
    let mut hosted = Hosted::start(&system, init).await;
    for said in 1..10 {
        hosted.crash().await;
        assert_eq!(numbers(&system).subscribers(), [hosted.address.handle()]);
        assert_eq!(counts(numbers(&system).publish(&said)), [1, 0, 0], "for the next incarnation");
        hosted.start_next().await;
        assert_eq!(counts(numbers(&system).publish(&(100 + said))), [1, 0, 0]);
        assert_eq!(heard(&hosted.address).await, [said, 100 + said], "each of them once");
    }
    assert_eq!(numbers(&system).subscribers(), [hosted.address.handle()]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_has_ended_for_good_is_no_subscriber_and_becomes_none() {
    let system = System::new();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(puppet(&system).await);
        numbers(&system).subscribe(&all[all.len() - 1], SlowSubscriberPolicy::Skip);
    }
    for ended in all.iter().skip(1).step_by(2) {
        kill(ended).await;
    }
    assert_eq!(numbers(&system).subscribers().len(), 50);
    assert_eq!(counts(numbers(&system).publish(&1)), [50, 0, 0]);
    assert_eq!(counts(numbers(&system).publish(&2)), [50, 0, 0]);
    assert!(!numbers(&system).subscribe(&all[1], SlowSubscriberPolicy::Skip), "nor does it become one again");
    assert_eq!(numbers(&system).subscribers().len(), 50);
    assert_eq!(heard(&all[98]).await, [1, 2]);
}

/// Something that is said, and does something when it is cloned for the next subscriber.
struct Deed(Arc<dyn Fn() + Send + Sync>);

impl Clone for Deed {
    fn clone(&self) -> Self {
        (self.0)();
        Self(self.0.clone())
    }
}

impl From<Deed> for Msg {
    fn from(_: Deed) -> Self {
        Self::Heard(0)
    }
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_anew_while_something_is_said_is_not_removed_for_having_missed_it() {
    let system = System::new();
    let (slow, quick) = (small(&system).await, puppet(&system).await);
    let deeds = Registry::of(&system).topic(Topic::<Deed>::new("deeds"));
    deeds.subscribe(&slow, SlowSubscriberPolicy::Unsubscribe);
    deeds.subscribe(&quick, SlowSubscriberPolicy::Skip);
    slow.cast(Msg::Heard(1)).expect("it has room for one");
    let (at_last, topic, subscriber) = (AtomicUsize::new(0), deeds.clone(), slow.clone());
    // By the time at which it is said to the second one, the first has missed it.
    let deed = Deed(Arc::new(move || {
        if at_last.fetch_add(1, Ordering::Relaxed) == 1 {
            assert!(topic.unsubscribe(&subscriber));
            topic.subscribe(&subscriber, SlowSubscriberPolicy::Skip);
        }
    }));
    assert_eq!(counts(deeds.publish(&deed)), [1, 0, 0]);
    assert_eq!(deeds.subscribers(), [quick.handle(), slow.handle()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_publisher_says_is_heard_in_that_order_by_everybody() {
    const SAID: u32 = 2_000;
    let system = System::new();
    let mut listeners = Vec::new();
    for _ in 0..4 {
        let listener = puppet_with(&system, MailboxConfig::unbounded()).await;
        numbers(&system).subscribe(&listener, SlowSubscriberPolicy::Skip);
        listeners.push(listener);
    }
    let publishers = [0, 1].map(|publisher| {
        let numbers = numbers(&system);
        std::thread::spawn(move || {
            for said in 0..SAID {
                numbers.publish(&(2 * said + publisher));
            }
        })
    });
    // Others come and go meanwhile.
    for _ in 0..50 {
        let passer_by = puppet(&system).await;
        numbers(&system).subscribe(&passer_by, SlowSubscriberPolicy::Skip);
        have(&passer_by, |_| ()).await;
        numbers(&system).unsubscribe(&passer_by);
    }
    publishers.into_iter().for_each(|publisher| publisher.join().expect("it never fails"));
    for listener in &listeners {
        let all = heard(listener).await;
        for publisher in [0, 1] {
            let of_one: Vec<u32> = all.iter().copied().filter(|said| said % 2 == publisher).collect();
            assert!(of_one.iter().copied().eq((0..SAID).map(|said| 2 * said + publisher)));
        }
    }
}

/// Has `actor` subscribe to even numbers, each halved.
fn subscribe_halved(system: &System, actor: &Address<Msg>) -> bool {
    numbers(system).subscribe_with(actor, SlowSubscriberPolicy::Skip, |said| {
        (said % 2 == 0).then(|| Msg::Heard(said / 2))
    })
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_what_its_function_makes_of_a_message_or_nothing() {
    let system = System::new();
    let (halved, all) = (puppet(&system).await, puppet(&system).await);
    assert!(
        subscribe_halved(&system, &halved) && numbers(&system).subscribe(&all, SlowSubscriberPolicy::Skip)
    );
    let published: Vec<_> = (1..=4).map(|said| numbers(&system).publish(&said)).collect();
    assert_eq!(
        published.iter().map(|each| (each.delivered, each.filtered)).collect::<Vec<_>>(),
        [(1, 1), (2, 0), (1, 1), (2, 0)]
    );
    assert_eq!((heard(&halved).await, heard(&all).await), (vec![1, 2], vec![1, 2, 3, 4]));
}

#[tokio::test(start_paused = true)]
async fn a_later_subscription_replaces_the_function_and_the_policy() {
    let system = System::new();
    let one = puppet(&system).await;
    assert!(subscribe_halved(&system, &one));
    assert_eq!(numbers(&system).publish(&8).delivered, 1);
    assert!(
        numbers(&system)
            .subscribe_with(&one, SlowSubscriberPolicy::Skip, |said| Some(Msg::Heard(said + 100)))
    );
    assert_eq!(numbers(&system).publish(&1).delivered, 1);
    assert!(numbers(&system).subscribe(&one, SlowSubscriberPolicy::Unsubscribe));
    assert_eq!(numbers(&system).publish(&3).delivered, 1);
    assert_eq!(numbers(&system).subscribers(), [one.handle()]);
    assert_eq!(heard(&one).await, [4, 101, 3]);
    assert!(numbers(&system).unsubscribe(&one));
    kill(&one).await;
    assert!(!subscribe_halved(&system, &one), "it has ended for good");
    assert!(numbers(&system).subscribers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_with_a_function_is_skipped_or_removed_when_it_is_full() {
    let system = System::new();
    let (skips, leaves) = (small(&system).await, small(&system).await);
    for (one, slow) in [(&skips, SlowSubscriberPolicy::Skip), (&leaves, SlowSubscriberPolicy::Unsubscribe)] {
        assert!(numbers(&system).subscribe_with(one, slow, |said| Some(Msg::Heard(*said))));
    }
    let said: Vec<_> = (1..=3).map(|said| counts(numbers(&system).publish(&said))).collect();
    assert_eq!(said, [[2, 0, 0], [0, 1, 1], [0, 1, 0]]);
}
