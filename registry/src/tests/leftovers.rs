//! The state that is kept of actors that have ended or left.

use perennial_actors::{Actor, Address, Context, ExitReason, System};

use crate::{Group, Registry, SlowSubscriberPolicy, Topic};

struct Listener;

impl Actor for Listener {
    type Msg = u32;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

async fn end(listener: &Address<u32>) {
    let down = listener.monitor();
    listener.kill().expect("an incarnation runs");
    down.await;
}

#[tokio::test(start_paused = true)]
async fn subscription_is_removed_when_its_actor_ends_without_a_publish() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<u32>::new("numbers"));
    let mut stay = Vec::new();
    for number in 0..1_000 {
        let listener = system.spawn::<Listener>(()).await.expect("the actor starts");
        assert!(topic.subscribe(&listener, SlowSubscriberPolicy::Skip));
        // One in ten stays subscribed.
        if number % 10 == 0 {
            stay.push(listener)
        } else {
            end(&listener).await
        }
        assert_eq!(topic.known(), Some(stay.len()));
    }
    assert_eq!(topic.subscribers().len(), stay.len());
    for listener in &stay {
        end(listener).await;
    }
    assert_eq!((topic.known(), topic.publish(&1).removed), (None, 0));
    assert!(!topic.subscribe(&stay[0], SlowSubscriberPolicy::Skip));
    assert_eq!(topic.known(), None, "an ended actor creates no topic");
}

#[tokio::test(start_paused = true)]
async fn actor_that_unsubscribes_keeps_no_hook() {
    let system = System::new();
    let listener = system.spawn::<Listener>(()).await.expect("the actor starts");
    let handle = listener.handle();
    let mut hooks = Vec::new();
    for number in 0..100_u32 {
        let topic = Registry::of(&system).topic(Topic::<u32>::from(format!("topic {number}")));
        assert!(topic.subscribe(&listener, SlowSubscriberPolicy::Skip));
        hooks.extend(topic.hook(&handle));
        assert!(topic.unsubscribe(&listener));
        assert_eq!(topic.known(), None);
    }
    assert_eq!(hooks.len(), 100);
    assert!(!hooks.into_iter().any(|hook| handle.has_close_hook(hook)));
}

#[tokio::test(start_paused = true)]
async fn topics_of_ended_actors_hold_no_memory() {
    const TOPICS: u32 = 100_000;
    let system = System::new();
    let registry = Registry::of(&system);
    for at_once in [1, TOPICS] {
        for first in (0..TOPICS).step_by(at_once as usize) {
            let listener = system.spawn::<Listener>(()).await.expect("the actor starts");
            for number in first..first + at_once {
                let topic = registry.topic(Topic::<u32>::from(format!("topic {number}")));
                assert!(topic.subscribe(&listener, SlowSubscriberPolicy::Skip));
                let published = topic.publish(&number);
                assert_eq!(published.delivered + published.skipped, 1);
            }
            end(&listener).await;
        }
        assert_eq!(registry.0.topics.known(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn member_that_leaves_a_group_is_removed_from_its_own_list() {
    let system = System::new();
    let (registry, member) =
        (Registry::of(&system), system.spawn::<Listener>(()).await.expect("the actor starts"));
    let (group, pid) =
        (registry.group(Group::<u32>::new("group")), member.pid().expect("an incarnation runs"));
    group.join(&member).expect("an incarnation runs");
    for _ in 0..10 {
        group.join(&member).expect("an incarnation runs");
        group.leave(&member).expect("the actor is a member");
        assert_eq!(registry.0.groups.memberships(pid), 1);
    }
}
