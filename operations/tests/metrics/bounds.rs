//! The number of series, and what is not counted.

use perennial_actors::System;
use perennial_operations::Metrics;
use perennial_supervision::{Child, DynamicSupervisor, Restart, Supervisor};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

/// The children that are started.
const MANY: usize = 100_000;

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_children_have_one_series_and_all_of_them_are_counted() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let users = DynamicSupervisor::new("users");
    let handle = users.handle();
    let app = Supervisor::new("app").child(metrics.child("metrics")).child(users);
    let app = app.start(&system).await.expect("it starts");
    for number in 0..MANY {
        let child = Child::new::<Unit>(format!("user {number}"), true).restart(Restart::Temporary);
        let user = child.address();
        handle.start_child(child).await.expect("it starts");
        if number % 2 == 0 {
            user.cast(Msg::Stop).expect("it is open");
        }
        if number % 1_000 == 0 {
            // The child counts, as it would with time that passes by itself.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let seen = Recorded::collect(&metrics);
    let of_users = |seen: &Recorded, metric: &str| seen.sum(metric, "actor=app/users/*");
    assert_eq!(of_users(&seen, "actor_starts_total"), MANY as f64);
    assert_eq!(seen.value("events_missed_total"), None);
    for metric in Metrics::all() {
        let name = metric.name.strip_prefix("perennial_").expect("all have the prefix");
        assert!(seen.series(name) < 30, "{name}: {}", seen.series(name));
    }
    drop(app.shutdown().await);
    let seen = Recorded::collect(&metrics);
    assert_eq!(of_users(&seen, "messages_total"), (MANY / 2) as f64);
    assert_eq!(seen.sum("messages_total", "handled"), system.counters().handled as f64);
}

#[tokio::test(start_paused = true)]
async fn actors_with_many_labels_have_at_most_the_stated_number_of_series() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let mut units = Vec::new();
    for number in 0..3 * Metrics::MAX_SERIES {
        let unit = system.spawn::<Unit>(true).label(format!("unit {number}")).await.expect("it starts");
        unit.call(Msg::Ping).await.expect("it answers");
        units.push(unit);
    }
    let seen = Recorded::collect(&metrics);
    for metric in Metrics::all() {
        let name = metric.name.strip_prefix("perennial_").expect("all have the prefix");
        assert!(seen.series(name) <= Metrics::MAX_SERIES, "{name}: {}", seen.series(name));
    }
    for (metric, part) in [("actor_starts_total", ""), ("messages_total", "handled"), ("actors", "running")] {
        assert_eq!(seen.sum(metric, part), units.len() as f64, "{metric}");
    }
    assert!(seen.value("actor_starts_total{actor=other}").is_some());
}

#[tokio::test(start_paused = true)]
async fn events_that_were_lost_are_counted_as_such_and_their_messages_as_other() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    for _ in 0..5_000 {
        let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
        unit.cast(Msg::Stop).expect("it is open");
        unit.monitor().await;
    }
    let seen = Recorded::collect(&metrics);
    // An actor has three events. The stream holds 4,096.
    assert_eq!(seen.value("events_missed_total"), Some(15_000.0 - 4_096.0));
    assert_eq!(seen.sum("messages_total", "handled"), 5_000.0);
    let by_label = seen.value("messages_total{actor=unit,outcome=handled}").expect("some are");
    assert!(by_label > 1_300.0 && by_label < 1_400.0, "{by_label}");
    assert_eq!(seen.value("messages_total{actor=other,outcome=handled}"), Some(5_000.0 - by_label));
}
