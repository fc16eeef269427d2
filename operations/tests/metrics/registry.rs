//! Names, groups and topics.

use perennial_actors::{ExitReason, System};
use perennial_operations::Metrics;
use perennial_registry::{Group, Name, Registry, SlowSubscriberPolicy, Topic};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

#[derive(Clone)]
struct News;

impl From<News> for Msg {
    fn from(_: News) -> Self {
        Self::Stop
    }
}

#[tokio::test(start_paused = true)]
async fn names_members_of_groups_and_topics_are_measured() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let registry = Registry::of(&system);
    let one = system.spawn::<Unit>(true).await.expect("it starts");
    let other = system.spawn::<Unit>(true).await.expect("it starts");
    registry.bind(Name::<Msg>::new("one"), &one).expect("it is free");
    let group = registry.group(Group::<Msg>::new("units"));
    for unit in [&one, &other] {
        group.join(unit).expect("it lives");
    }
    registry.topic(Topic::<News>::new("news")).subscribe(&one, SlowSubscriberPolicy::Skip);
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("names"), Some(1.0));
    assert_eq!(seen.value("group_members{group=units}"), Some(2.0));
    assert_eq!(seen.value("topics"), Some(1.0));
    one.stop(ExitReason::Normal).expect("it lives");
    one.monitor().await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("names"), Some(0.0));
    assert_eq!(seen.value("group_members{group=units}"), Some(1.0));
    assert_eq!(seen.value("topics"), Some(0.0));
}
