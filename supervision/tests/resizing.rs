//! Changes of a number of partitions or workers that meet other changes, are given up, or fail.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{Pool, PoolError};
use perennial_supervision::{
    App, ChildError, PartitionSupervisor, Partitions, ResizeError, Strategy, SupervisionStats,
};

use crate::support::worker::{
    InitStep, Log, Msg, SECOND, Script, StopStep, end, incarnation, quiet, shown, soon, start, tolerant,
    tree_exit,
};

/// How the init of partition 2 goes: `UP`, `FAILS` or `DECLINES`.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicU32>);

const UP: u32 = 0;
const FAILS: u32 = 1;
const DECLINES: u32 = 2;

impl Switch {
    fn set(&self, to: u32) {
        self.0.store(to, Ordering::Relaxed);
    }
}

/// Four partitions. The third does as the switch says. Each takes a second to stop.
fn partitioned(switch: &Switch) -> PartitionSupervisor<Msg> {
    let (log, switch) = (Log::default(), switch.clone());
    let child = move |number: usize| {
        let switch = switch.clone();
        let init = move |_| match switch.0.load(Ordering::Relaxed) {
            FAILS if number == 2 => InitStep::Fail,
            DECLINES if number == 2 => InitStep::Ignore,
            _ => InitStep::Succeed,
        };
        Script::new(number.to_string(), &log)
            .with_init(init)
            .with_stop(StopStep::SucceedAfter(SECOND))
            .child()
    };
    PartitionSupervisor::new("parts", NonZeroUsize::new(4).expect("it is not zero"), child)
}

async fn running(switch: &Switch) -> (System, App<Partitions<Msg>>, Partitions<Msg>) {
    let (system, supervisor) = (System::new(), partitioned(switch).intensity(10, SECOND));
    let partitions = supervisor.handle();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app, partitions)
}

async fn listed(partitions: &Partitions<Msg>) -> Vec<String> {
    let mut children = partitions.which_children().await.expect("it lives");
    children.reverse();
    shown(&children)
}

#[tokio::test(start_paused = true)]
async fn resize_that_meets_a_partition_on_its_way_out_starts_it_again() {
    let (_, app, partitions) = running(&Switch::default()).await;
    // Also if the one before is given up half way: it is carried through.
    let given_up = tokio::time::timeout(Duration::from_millis(1_500), partitions.resize(1)).await;
    assert!(given_up.is_err());
    partitions.resize(4).await.expect("it does");
    assert_eq!(listed(&partitions).await, ["0 running", "1 running", "2 running", "3 running"]);
    for (number, address) in partitions.addresses().iter().enumerate() {
        assert_eq!(incarnation(address).await, if number == 0 { 1 } else { 2 });
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn resize_meets_a_partition_that_another_request_is_stopping() {
    let (_, app, partitions) = running(&Switch::default()).await;
    let stops = partitions.terminate_child("2");
    let (stopped, resized) = tokio::join!(stops, partitions.resize(4));
    stopped.expect("it is stopped");
    resized.expect("it does");
    assert_eq!(listed(&partitions).await, ["0 running", "1 running", "2 running", "3 running"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn resize_that_is_given_up_is_carried_through() {
    let (_, app, partitions) = running(&Switch::default()).await;
    for size in [1, 4, 0, 3] {
        assert!(tokio::time::timeout(Duration::ZERO, partitions.resize(size)).await.is_err());
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!(partitions.addresses().len(), size);
        let counts = partitions.count_children().await.expect("it lives");
        assert_eq!(counts.active, size);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn resize_that_fails_leaves_as_many_as_before_also_after_restarts() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll] {
        let switch = Switch::default();
        let supervisor = partitioned(&switch).strategy(strategy).intensity(10, SECOND);
        let partitions = supervisor.handle();
        let (system, app) = start(tolerant("app").child(supervisor)).await;
        partitions.resize(1).await.expect("it does");
        switch.set(FAILS);
        let failed = partitions.resize(4).await.expect_err("it fails");
        assert!(matches!(failed, ResizeError::Child { partition: 2, error: ChildError::StartFailed(_) }));
        assert_eq!(partitions.addresses().len(), 1);
        assert_eq!(listed(&partitions).await, ["0 running", "1 stopped", "2 stopped", "3 stopped"]);
        // None of the others is wanted, whatever is restarted.
        end(&partitions.addresses()[0], ExitReason::failed("on purpose")).await;
        incarnation(&partitions.addresses()[0]).await;
        partitions.handle().kill().expect("it lives");
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(incarnation(&partitions.addresses()[0]).await, 3, "{strategy:?}");
        let counts = partitions.count_children().await.expect("it lives");
        assert_eq!((counts.active, SupervisionStats::of(&system).escalations), (1, 0), "{strategy:?}");
        switch.set(UP);
        partitions.resize(4).await.expect("it does");
        assert_eq!(listed(&partitions).await, ["0 running", "1 running", "2 running", "3 running"]);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn resize_to_a_partition_that_declines_is_no_success() {
    let switch = Switch::default();
    let (_, app, partitions) = running(&switch).await;
    partitions.resize(2).await.expect("it does");
    switch.set(DECLINES);
    let declined = partitions.resize(4).await.expect_err("it declines");
    assert!(matches!(declined, ResizeError::Declined { partition: 2 }), "{declined}");
    assert_eq!(partitions.addresses().len(), 2);
    switch.set(UP);
    partitions.resize(4).await.expect("it does");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn resize_of_partitions_whose_supervisor_is_gone_says_so() {
    let (_, app, partitions) = running(&Switch::default()).await;
    app.handle().kill().expect("it lives");
    tree_exit(&app).await;
    let gone = soon(partitions.resize(2)).await.expect_err("it is gone");
    assert!(matches!(gone, ResizeError::Child { error: ChildError::ShuttingDown, .. }), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn pool_resize_that_meets_a_worker_on_its_way_out_starts_it_again() {
    let pool = Pool::from_fn("pool", 3, |time: &Duration| {
        let time = *time;
        async move {
            tokio::time::sleep(time).await;
            Ok::<(), std::io::Error>(())
        }
    });
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let busy = jobs.submit_many([SECOND; 3]).await.expect("there is room");
    quiet().await;
    // The workers finish what they have, so that stopping one takes a second.
    let stops = jobs.supervisor().terminate_child("2");
    let (stopped, resized) = tokio::join!(stops, jobs.resize(3));
    stopped.expect("it is stopped");
    resized.expect("it does");
    let counts = jobs.supervisor().count_children().await.expect("it lives");
    assert_eq!(counts.active, counts.specs, "every worker runs");
    drop(busy);
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(jobs.resize(2).await, Err(PoolError::Stopped | PoolError::Worker { .. })));
}
