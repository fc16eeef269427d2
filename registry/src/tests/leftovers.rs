//! What is kept of who has ended or left, looked at from inside.

use perennial_actors::{Actor, Address, Context, ExitReason, System};

use crate::{Group, Registry, Slow, Topic};

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
    listener.kill().expect("it lives");
    down.await;
}

#[tokio::test(start_paused = true)]
async fn who_has_ended_is_forgotten_though_nobody_publishes() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<u32>::new("numbers"));
    let mut stay = Vec::new();
    for number in 0..1_000 {
        let listener = system.spawn::<Listener>(()).await.expect("it starts");
        topic.subscribe(&listener, Slow::Skip);
        // One in ten stays.
        if number % 10 == 0 {
            stay.push(listener)
        } else {
            end(&listener).await
        }
        let known = topic.known().expect("the first stays");
        assert!(known <= 16.max(2 * stay.len() + 1), "{known} of {}", stay.len());
    }
    assert_eq!(topic.subscribers().len(), stay.len());
    for listener in &stay {
        end(listener).await;
    }
    let known = topic.known();
    assert_eq!((Some(topic.publish(&1).removed), topic.known()), (known, None));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_group_is_off_its_own_list_too() {
    let system = System::new();
    let (registry, member) = (Registry::of(&system), system.spawn::<Listener>(()).await.expect("it starts"));
    let (group, pid) = (registry.group(Group::<u32>::new("group")), member.pid().expect("it lives"));
    group.join(&member).expect("it lives");
    for _ in 0..10 {
        group.join(&member).expect("it lives");
        group.leave(&member).expect("it is in it");
        assert_eq!(registry.0.groups.memberships(pid), 1);
    }
}
