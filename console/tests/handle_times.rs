//! How long the handlers of an actor take, while a client looks at it.

use crate::support::{Msg, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_messages_that_were_timed_since_a_client_looks() {
    let stage = Stage::start().await;
    let path = format!("/processes/{}", stage.counter.handle().identity());
    let handle = async |number: u64| {
        for _ in 0..number {
            stage.counter.call(Msg::Get).await.unwrap();
        }
    };
    handle(1000).await;
    let times = stage.read(&path).await["handle_times"].clone();
    assert_eq!((&times["sampled_one_in"], &times["samples"]), (&256.into(), &0.into()));
    handle(3000).await;
    let times = stage.read(&path).await["handle_times"].clone();
    let samples = times["samples"].as_u64().unwrap();
    assert!((5..=12).contains(&samples), "{samples} of 3,000");
    let nanos = |name: &str| {
        let time: std::time::Duration = serde_json::from_value(times[name].clone()).unwrap();
        time.as_nanos()
    };
    assert!(nanos("p50") <= nanos("p99") && nanos("p99") <= nanos("max"), "{times}");
    assert!(0 < nanos("mean") && nanos("mean") <= nanos("max"), "{times}");
    stage.end().await;
}
