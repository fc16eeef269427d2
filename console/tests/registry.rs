//! Groups and topics, and how one is found.

use perennial_registry::{Group, Registry, SlowSubscriberPolicy, Topic};

use crate::support::{Msg, Stage};

const COUNTERS: Group<Msg> = Group::new("counters");
const OTHERS: Group<Msg> = Group::new("others");
const TICKS: Topic<u64> = Topic::new("ticks");

#[tokio::test(flavor = "multi_thread")]
async fn group_is_shown_with_its_members() {
    let stage = Stage::start().await;
    assert_eq!(stage.read("/groups").await["total"], 0);
    let registry = Registry::of(&stage.system);
    registry.group(COUNTERS).join(&stage.counter).unwrap();
    registry.group(OTHERS).join(&stage.counter).unwrap();
    let page = stage.read_until("/groups", |page| page["total"] == 2).await;
    let pid = serde_json::to_value(stage.counter.pid().unwrap()).unwrap();
    let members = serde_json::json!([{ "pid": pid, "label": "app/counter" }]);
    let expected = serde_json::json!([
        { "group": "counters", "size": 1, "members": members },
        { "group": "others", "size": 1, "members": members },
    ]);
    assert_eq!(page["items"], expected);
    let found = stage.read("/groups?q=COUNT").await;
    assert_eq!((&found["total"], &found["items"][0]), (&1.into(), &expected[0]));
    assert_eq!(stage.read("/groups?q=nothing").await["total"], 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topic_is_shown_while_it_has_subscribers() {
    let stage = Stage::start().await;
    assert_eq!(stage.read("/topics").await["total"], 0);
    let topic = Registry::of(&stage.system).topic(TICKS);
    topic.subscribe_with(&stage.counter, SlowSubscriberPolicy::Skip, |tick| Some(Msg::Add(*tick)));
    let page = stage.read_until("/topics", |page| page["total"] == 1).await;
    assert_eq!(page["items"], serde_json::json!([{ "topic": "ticks" }]));
    assert_eq!(stage.read("/topics?q=TICK").await["total"], 1);
    assert_eq!(stage.read("/topics?q=nothing").await["total"], 0);
    stage.end().await;
}
