//! All foreign values and code panic at random under supervision. The tree survives, monitors are
//! notified, and counters balance.
//!
//! States, arguments, messages, replies, errors, results, closures, metadata, keys and their
//! values, conversions of topics, wakers and the tracing subscriber panic in `Drop`, `Display`,
//! `Debug`, `Clone` and `From`. The payloads of these panics panic when they are dropped.

#[path = "foreign_storm/clients.rs"]
mod clients;
#[path = "foreign_storm/faulty.rs"]
mod faulty;
#[path = "foreign_storm/guest.rs"]
mod guest;
#[path = "foreign_storm/log.rs"]
mod log;
#[path = "foreign_storm/pools.rs"]
mod pools;
#[path = "foreign_storm/tree.rs"]
mod tree;
#[path = "foreign_storm/volatile.rs"]
mod volatile;

use tokio::runtime::{Builder, Handle};
use tracing::subscriber::{set_default, set_global_default};

use faulty::{Dice, Faults, drop_safely, unexpected_panics};
use log::FaultyLog;
use tree::{Listeners, until};

/// The number of clients of one storm, and of the operations of all of them together.
const CLIENTS: u64 = 5;
const OPERATIONS: u64 = 6_000;

/// Runs a storm and checks the state after it.
async fn survive(seed: u64, faults: Faults, operations: u64, may_block: bool) {
    storm(seed, faults.clone(), operations, may_block).await;
    until("tasks", || Some(Handle::current().metrics().num_alive_tasks()).filter(|tasks| *tasks > 0)).await;
    faults.arm(false);
    report(seed, operations, &faults);
    assert_eq!(faults.live(), 0, "each value was dropped");
    assert_eq!(unexpected_panics(), Vec::<String>::new(), "the library panicked");
    let (panics, by_place) = faults.panics();
    assert!(by_place.iter().all(|(_, count)| *count > 0), "{by_place:?}");
    assert!(panics > operations, "{by_place:?}");
}

async fn storm(seed: u64, faults: Faults, operations: u64, may_block: bool) {
    let (app, storm) = tree::start(faults.clone(), may_block).await;
    let listeners = Listeners::new(&storm);
    faults.arm(true);
    let clients = (0..CLIENTS).map(|client| {
        let dice = Dice::new(seed ^ (client << 32));
        tokio::spawn(clients::run(storm.clone(), dice, operations / CLIENTS))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client does not panic");
    }
    faults.arm(false);
    faults.calm_down();
    storm.check_tree(&app).await;
    storm.pools.check().await;
    // The rest ends and is dropped while it may panic.
    faults.arm(true);
    let ended = app.shutdown().await;
    // Queued messages are dropped: no child drains.
    assert!(ended.unstopped.is_empty() && !ended.reason.is_abnormal(), "{ended:?}");
    storm.requests.all_done().await;
    let accounts = storm.system.counters();
    assert!(accounts.is_balanced() && accounts.queued == 0, "{accounts:?}");
    drop_safely(app);
    drop_safely(listeners);
    drop_safely(storm);
}

#[expect(clippy::print_stdout, reason = "reports the statistics of the storm")]
fn report(seed: u64, operations: u64, faults: &Faults) {
    let ((panics, by_place), created) = (faults.panics(), faults.created());
    println!("seed {seed}: {operations} operations, {created} values, {panics} panics: {by_place:?}");
}

/// Runs a storm on one thread with a subscriber that panics. The same seed gives the same storm.
async fn on_one_thread(seed: u64) {
    let faults = Faults::new(seed);
    let _subscriber = set_default(FaultyLog(faults.clone()));
    survive(seed, faults, CLIENTS * OPERATIONS, false).await;
}

#[tokio::test(start_paused = true)]
async fn tree_survives_random_panics_with_the_first_seed() {
    on_one_thread(1).await;
}

#[tokio::test(start_paused = true)]
async fn tree_survives_random_panics_with_the_second_seed() {
    on_one_thread(22).await;
}

#[tokio::test(start_paused = true)]
async fn tree_survives_random_panics_with_the_third_seed() {
    on_one_thread(333).await;
}

#[tokio::test(start_paused = true)]
async fn tree_survives_random_panics_with_the_fourth_seed() {
    on_one_thread(4444).await;
}

#[test]
fn tree_survives_random_panics_on_several_threads() {
    let faults = Faults::new(55_555);
    set_global_default(FaultyLog(faults.clone())).expect("nothing else sets one");
    let runtime = Builder::new_multi_thread().worker_threads(3).enable_all().build().expect("a runtime");
    runtime.block_on(survive(55_555, faults, 10_000, true));
}

/// Drops a runtime in the middle of a storm.
fn drop_a_runtime(faults: &Faults, seed: u64) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let (app, storm, listeners) = runtime.block_on(async {
        let (app, storm) = tree::start(faults.clone(), false).await;
        let listeners = Listeners::new(&storm);
        faults.arm(true);
        clients::run(storm.clone(), Dice::new(seed), 300).await;
        (app, storm, listeners)
    });
    let monitors: Vec<_> = storm.addresses.iter().map(perennial::Address::monitor).collect();
    drop(runtime);
    let after = Builder::new_current_thread().build().expect("a runtime");
    after.block_on(async {
        for monitor in monitors {
            drop_safely(monitor.await);
        }
    });
    assert!(storm.system.counters().is_balanced(), "{:?}", storm.system.counters());
    drop_safely(app);
    drop_safely(listeners);
    drop_safely(storm);
}

#[test]
fn runtime_dropped_amid_random_panics_leaves_no_value() {
    for seed in 0..30 {
        let faults = Faults::new(seed);
        let _subscriber = set_default(FaultyLog(faults.clone()));
        drop_a_runtime(&faults, seed);
        faults.arm(false);
        assert_eq!(faults.live(), 0, "each value was dropped");
    }
    assert_eq!(unexpected_panics(), Vec::<String>::new(), "the library panicked");
}
