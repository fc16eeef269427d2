//! Several processes on one server: keys, unique jobs, positions and epochs are shared.

use std::collections::BTreeSet;
use std::time::Duration;

use perennial_durable::postgres::{PostgresBuilder, PostgresStore};
use perennial_durable::{
    Applied, AttemptEnd, Batch, EventFilter, JobRecord, Leased, NewJob, Op, RecordState, Store, Timestamp,
    Unique,
};

use crate::support::payload;
use crate::support::postgres::{Server, server};

const NOW: Timestamp = Timestamp(1_000);

async fn two(server: &Server) -> (PostgresStore, PostgresStore) {
    let builder = server.builder();
    (builder.clone().connect().await.expect("a store"), builder.connect().await.expect("a store"))
}

async fn enqueue(store: &PostgresStore, job: NewJob) -> Applied {
    let mut applied = store.commit(Batch::of(NOW, Op::Enqueue(Box::new(job)))).await.expect("a commit");
    applied.pop().expect("an effect")
}

async fn lease(store: &PostgresStore, max: usize) -> Leased {
    let op = Op::Lease { queue: "q".to_owned(), max };
    match store.commit(Batch::of(NOW, op)).await.expect("a commit").pop() {
        Some(Applied::Leased(leased)) => leased,
        other => panic!("{other:?}"),
    }
}

fn finish(record: &JobRecord, end: AttemptEnd) -> Batch {
    Batch::of(NOW, Op::Finish { job: record.id, attempt: record.attempt, end })
}

#[tokio::test]
async fn a_job_is_leased_by_one_of_many_processes() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let first = builder.clone().connect().await.unwrap();
    let batch = |n: u32| Batch::of(NOW, Op::Enqueue(Box::new(NewJob::new("q", payload(&n.to_string())))));
    let commits: Vec<_> = (0..500).map(|n| first.commit(batch(n))).collect();
    for commit in commits {
        commit.await.unwrap();
    }
    let work = |builder: PostgresBuilder| async move {
        let store = builder.connect().await.unwrap();
        let mut done = Vec::new();
        // Jobs that others are about to lease are skipped, so one empty lease is not the end.
        while store.queue("q").await.unwrap().count(RecordState::Queued) > 0 {
            for record in lease(&store, 7).await.jobs {
                store.commit(finish(&record, AttemptEnd::Completed(None))).await.unwrap();
                done.push(record.id);
            }
        }
        done
    };
    let workers: Vec<_> = (0..4).map(|_| tokio::spawn(work(builder.clone()))).collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (500, 500));
}

#[tokio::test]
async fn jobs_of_one_key_run_one_after_the_other_across_processes() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let first = builder.clone().connect().await.unwrap();
    let keyed = |priority| NewJob { key: Some("k".to_owned()), priority, ..NewJob::new("q", payload("a")) };
    for _ in 0..60 {
        enqueue(&first, keyed(1)).await;
    }
    let work = |builder: PostgresBuilder| async move {
        let store = builder.connect().await.unwrap();
        let mut done = 0;
        let mut priority = 2;
        loop {
            let info = store.queue("q").await.unwrap();
            assert!(info.count(RecordState::Running) <= 1, "{info:?}");
            if info.count(RecordState::Queued) == 0 {
                return done;
            }
            for record in lease(&store, 5).await.jobs {
                // One that comes before all others, while this one runs.
                if priority < 8 {
                    enqueue(&store, keyed(priority)).await;
                    priority += 1;
                }
                store.commit(finish(&record, AttemptEnd::Completed(None))).await.unwrap();
                done += 1;
            }
        }
    };
    let workers: Vec<_> = (0..4).map(|_| tokio::spawn(work(builder.clone()))).collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap();
    }
    assert!(done >= 60, "{done}");
}

#[tokio::test]
async fn a_unique_job_is_stored_once_by_many_processes() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(builder.clone().connect().await.unwrap());
    }
    for round in 0..20 {
        let unique = Unique { key: round.to_string(), over_counts: false, period: None };
        let job = NewJob { unique: Some(unique), ..NewJob::new("q", payload("u")) };
        let commits: Vec<_> = stores
            .iter()
            .map(|store| store.commit(Batch::of(NOW, Op::Enqueue(Box::new(job.clone())))))
            .collect();
        let mut new = 0;
        for commit in commits {
            new += usize::from(matches!(commit.await.unwrap()[..], [Applied::Enqueued(_)]));
        }
        assert_eq!(new, 1, "round {round}");
    }
}

#[tokio::test]
async fn positions_of_events_ascend_in_the_order_of_commits_of_all_processes() {
    let Some(server) = server() else { return };
    let (first, second) = two(server).await;
    let write = |store: PostgresStore, journal: &'static str| async move {
        let claim = Op::Claim { journal: journal.to_owned() };
        store.commit(Batch::of(NOW, claim)).await.unwrap();
        for expected in 0..100 {
            let events = vec![payload("e")];
            let append = Op::Append { journal: journal.to_owned(), writer: 1, expected, events };
            store.commit(Batch::of(NOW, append)).await.unwrap();
        }
        store
    };
    let reader = server.builder().schema(first.schema()).connect().await.unwrap();
    let writers = [tokio::spawn(write(first, "a")), tokio::spawn(write(second, "b"))];
    // A reader that goes on after the last position that it has seen misses none.
    let (mut seen, mut after) = (0, 0);
    while seen < 200 {
        for event in reader.events(EventFilter { journal: None, after, max: 0 }).await.unwrap() {
            assert!(event.position > after);
            after = event.position;
            seen += 1;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(reader.events(EventFilter::default()).await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_change_of_one_process_is_noticed_by_the_others() {
    let Some(server) = server() else { return };
    let builder = server.builder().poll_interval(Duration::from_secs(3_600));
    let (first, second) =
        (builder.clone().connect().await.expect("a store"), builder.connect().await.expect("a store"));
    let mut changes = second.changes();
    // The first look is past.
    changes.changed().await.unwrap();
    enqueue(&first, NewJob::new("q", payload("a"))).await;
    changes.changed().await.unwrap();
    assert_eq!(lease(&second, 1).await.jobs.len(), 1);
}

#[tokio::test]
async fn the_last_change_of_a_process_that_ends_is_noticed_by_the_others() {
    let Some(server) = server() else { return };
    let hour = Duration::from_secs(3_600);
    let builder = server.builder().poll_interval(hour).lease(4 * hour);
    let (first, second) =
        (builder.clone().connect().await.expect("a store"), builder.connect().await.expect("a store"));
    let mut changes = second.changes();
    // The process is silent for a moment whenever it has told of a change, and ends meanwhile.
    let submit = async move {
        for n in 0..20 {
            enqueue(&first, NewJob::new("q", payload(&n.to_string()))).await;
        }
        drop(first);
    };
    let work = async {
        let mut leased = 0;
        while leased < 20 {
            changes.changed().await.unwrap();
            leased += lease(&second, 20).await.jobs.len();
        }
    };
    tokio::join!(submit, work);
}

#[tokio::test]
async fn a_change_without_a_notification_is_noticed_by_looking() {
    let Some(server) = server() else { return };
    let store = server.builder().connect().await.unwrap();
    let mut changes = store.changes();
    for _ in 0..3 {
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_is_attached_to_a_server_leases_nothing_and_ends_no_epoch() {
    let Some(server) = server() else { return };
    let builder = server.builder().poll_interval(Duration::from_secs(3_600));
    let process = builder.clone().connect().await.unwrap();
    // It looks for ended processes once, and then not for an hour.
    process.changes().wait_for(|looks| *looks > 0).await.unwrap();
    let schema = process.schema();
    let ended = format!(
        "INSERT INTO \"{schema}\".processes \
        SELECT 99, now(), now() - interval '1 hour', interval '1 second', pg_postmaster_start_time()"
    );
    let admin = server.admin().await;
    admin.execute(&ended, &[]).await.unwrap();
    let epochs = format!("SELECT epoch FROM \"{schema}\".processes ORDER BY epoch");
    let epochs = || async {
        let rows = admin.query(&epochs, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>()
    };
    let attached = builder.clone().poll_interval(Duration::from_millis(10)).attach().await.unwrap();
    let mut looks = attached.changes();
    for _ in 0..5 {
        looks.changed().await.unwrap();
    }
    let op = Op::Lease { queue: "q".to_owned(), max: 1 };
    let refused = attached.commit(Batch::of(NOW, op)).await.unwrap_err();
    assert!(refused.to_string().contains("attached"), "{refused}");

    let mut changes = process.changes();
    changes.mark_unchanged();
    enqueue(&attached, NewJob::new("q", payload("a"))).await;
    drop(attached);
    changes.changed().await.unwrap();
    assert_eq!(lease(&process, 1).await.jobs.len(), 1);
    assert_eq!(epochs().await, [1, 99]);
    // A process that begins ends what an attached store leaves alone.
    let next = builder.connect().await.unwrap();
    assert_eq!(epochs().await, [1, i64::try_from(next.epoch().0).unwrap()]);
}

#[tokio::test]
async fn a_process_that_is_dropped_leaves_its_jobs_to_the_others_at_once() {
    let Some(server) = server() else { return };
    let (first, second) = two(server).await;
    enqueue(&first, NewJob::new("q", payload("a"))).await;
    let leased = lease(&first, 1).await.jobs;
    assert_eq!(second.orphans("q", 9).await.unwrap(), Vec::new());
    let mut ended = second.ended_epochs();
    drop(first);
    ended.changed().await.unwrap();
    assert_eq!(second.orphans("q", 9).await.unwrap(), leased);
}
