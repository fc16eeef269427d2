//! A client that follows the events from a snapshot arrives at what a fresh snapshot shows.

use std::time::Duration;

use perennial_operations::{Event, EventKind, Operations, Snapshot, Update};

use crate::support::{Chaos, Client};

#[tokio::test(start_paused = true)]
async fn client_that_follows_events_has_the_model_of_a_fresh_snapshot_at_each_step() {
    for seed in 0..4 {
        let mut chaos = Chaos::start(seed).await;
        let operations = Operations::of(&chaos.system);
        let mut client = Client::start(&operations);
        let mut compared = 0;
        while client.applied < 4_000 {
            chaos.step().await;
            tokio::time::sleep(Duration::from_millis(chaos.random.u64(0..30))).await;
            client.apply_all();
            let fresh = operations.snapshot();
            assert_eq!(fresh.sequence, client.events.last(), "seed {seed}");
            assert_eq!(client.model, fresh.model, "seed {seed}, after event {}", fresh.sequence);
            compared += 1;
        }
        assert!(compared > 500, "only {compared} snapshots were compared");
        let restarts = operations.snapshot().figures.supervision.restarts;
        assert!(restarts > 100, "only {restarts} restarts");
        assert_happened(&operations.history());
        chaos.stop().await;
        client.apply_all();
        assert_eq!(client.model, operations.snapshot().model, "seed {seed}, at the end");
        assert!(client.model.supervisors.is_empty() && client.model.pools.is_empty());
    }
}

/// Checks that each kind of event that changes a model is among these.
fn assert_happened(history: &[Event]) {
    type IsOne = fn(&EventKind) -> bool;
    let kinds: [(&str, IsOne); 9] = [
        ("start", |kind| matches!(kind, EventKind::Started { .. })),
        ("crash", EventKind::is_crash),
        ("close", |kind| matches!(kind, EventKind::Closed { .. })),
        ("escalation", |kind| matches!(kind, EventKind::Supervisor(status) if status.gave_up)),
        ("restart", |kind| matches!(kind, EventKind::Supervisor(status) if status.restarts_left.is_some())),
        ("resize", |kind| matches!(kind, EventKind::Pool(status) if status.wanted != 3)),
        ("binding", |kind| matches!(kind, EventKind::NameBound { .. })),
        ("end of a binding", |kind| matches!(kind, EventKind::NameUnbound { .. })),
        ("hand-over", |kind| matches!(kind, EventKind::NameHandedOver { .. })),
    ];
    for (name, is_one) in kinds {
        assert!(history.iter().any(|event| is_one(&event.kind)), "no {name} happened");
    }
}

/// On several threads a snapshot may be ahead of events that are about to be recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_on_other_threads_has_the_model_of_a_fresh_snapshot_at_every_thousandth_event() {
    let mut chaos = Chaos::start(7).await;
    let operations = Operations::with_capacity(&chaos.system, 1_000);
    let mut client = Client::start(&operations);
    let mut slow = operations.events();
    let first = slow.last();
    for milestone in 1..=5 {
        while client.applied < milestone * 1_000 {
            chaos.step().await;
            tokio::task::yield_now().await;
            // Concurrent snapshots hold up nothing.
            drop(operations.snapshot());
            client.apply_all();
        }
        client.compare(&operations).await;
    }
    chaos.stop().await;
    client.apply_all();
    assert_eq!(client.model, operations.snapshot().model, "at the end");
    let missed = client.events.last() - first - 1_000;
    assert_eq!(slow.try_next(), Some(Update::Missed(missed)), "one that lags is told how much");
    assert_eq!(slow.last() + 1_000, client.events.last());
}

#[tokio::test(start_paused = true)]
async fn client_that_lags_is_told_how_much_it_missed_and_goes_on() {
    let mut chaos = Chaos::start(1).await;
    let operations = Operations::with_capacity(&chaos.system, 100);
    let mut slow = operations.events();
    let mut client = Client::start(&operations);
    while client.applied < 250 {
        chaos.step().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        client.apply_all();
    }
    let (first, last) = (slow.last(), client.events.last());
    let missed = last - first - 100;
    assert_eq!(slow.try_next(), Some(Update::Missed(missed)));
    let mut rest = Vec::new();
    while let Some(Update::Event(event)) = slow.try_next() {
        rest.push(event.sequence);
    }
    let expected: Vec<u64> = (first + missed + 1..=last).collect();
    assert_eq!(rest, expected, "all that is still there follows, without a gap");
    chaos.stop().await;
}

#[tokio::test(start_paused = true)]
async fn events_that_nothing_took_in_time_are_missed_by_all_and_the_model_can_be_taken_again() {
    let mut chaos = Chaos::start(2).await;
    let operations = Operations::of(&chaos.system);
    let mut events = operations.events();
    let before = events.last();
    // Nothing reads, until the streams of the system are full.
    for _ in 0..9_000 {
        chaos.step().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let Some(Update::Missed(missed)) = events.try_next() else { panic!("nothing was missed") };
    assert!(missed > 0 && events.last() == before + missed);
    let mut client = Client::start(&operations);
    chaos.step().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.apply_all();
    assert_eq!(client.model, operations.snapshot().model);
    chaos.stop().await;
}

#[tokio::test(start_paused = true)]
async fn reader_resumes_after_the_last_event_that_it_has() {
    let mut chaos = Chaos::start(3).await;
    let operations = Operations::of(&chaos.system);
    let mut whole = operations.events();
    let mut parts = operations.events();
    let mut received: Vec<Event> = Vec::new();
    for _ in 0..200 {
        chaos.step().await;
        tokio::time::sleep(Duration::from_millis(7)).await;
        // Each connection reads two events, and then it is lost.
        let mut connection = operations.events_after(parts.last());
        for _ in 0..2 {
            if let Some(Update::Event(event)) = connection.try_next() {
                received.push(event);
            }
        }
        parts = connection;
    }
    while let Some(Update::Event(event)) = parts.try_next() {
        received.push(event);
    }
    let mut expected = Vec::new();
    while let Some(Update::Event(event)) = whole.try_next() {
        expected.push(event);
    }
    assert!(expected.len() > 300);
    assert_eq!(received, expected);
    let all = operations.history();
    let of_another_process = operations.events_after(u64::MAX).try_next();
    assert_eq!(of_another_process, all.first().cloned().map(Update::Event), "it starts again");
    chaos.stop().await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_and_events_are_the_same_after_they_were_written_down() {
    let mut chaos = Chaos::start(5).await;
    let operations = Operations::of(&chaos.system);
    for _ in 0..300 {
        chaos.step().await;
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    let snapshot = operations.snapshot();
    assert!(!snapshot.reports.is_empty() && !snapshot.figures.trees.is_empty());
    let text = serde_json::to_string(&snapshot).expect("it can be written");
    assert_eq!(serde_json::from_str::<Snapshot>(&text).expect("it can be read"), snapshot);
    let history = operations.history();
    let text = serde_json::to_string(&history).expect("it can be written");
    assert_eq!(serde_json::from_str::<Vec<Event>>(&text).expect("it can be read"), history);
    chaos.stop().await;
}
