//! What is wanted and down is tried again, whatever took it down: for pools of a fixed and of an
//! elastic size, with delays that grow, for each slot on its own.

use std::sync::{Arc, Mutex};

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{
    JobContext, Pool, PoolHandle, PoolShutdown, PoolSize, Worker, WorkerContext, WorkerCounts,
};
use perennial_supervision::{App, Backoff, Shutdown, Supervisor, SupervisorHandle};
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, quiet, secs, soon};

/// The behaviour of the inits of one slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Init {
    Starts,
    Fails,
    Declines,
    Hangs,
}

/// The behaviour of the inits of all slots, and the times of all inits.
#[derive(Default)]
struct Inits {
    slots: Mutex<Vec<Init>>,
    begun: Mutex<Vec<(usize, Instant)>>,
}

impl Inits {
    fn set(&self, slot: usize, init: Init) {
        let mut slots = self.slots.lock().expect("no thread panics under the lock");
        let len = slots.len().max(slot + 1);
        slots.resize(len, Init::Starts);
        slots[slot] = init;
    }

    /// Returns how long after `since` each init of this slot began.
    fn of(&self, slot: usize, since: Instant) -> Vec<u128> {
        let begun = self.begun.lock().expect("no thread panics under the lock");
        let late = begun.iter().filter(|(of, at)| *of == slot && *at > since);
        late.map(|(_, at)| at.duration_since(since).as_millis()).collect()
    }
}

/// A worker that works for as many seconds as its job says.
struct Waiter;

impl Worker for Waiter {
    type Job = u64;
    type Output = ();
    type Error = &'static str;
    type Args = Arc<Inits>;

    async fn init(inits: &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        let init = {
            inits.begun.lock().expect("no thread panics under the lock").push((at.slot, Instant::now()));
            inits.slots.lock().expect("no thread panics under the lock").get(at.slot).copied()
        };
        match init.unwrap_or(Init::Starts) {
            Init::Starts => Ok(Self),
            Init::Fails => Err(ExitReason::failed("no luck")),
            Init::Declines => Err(ExitReason::Ignore),
            Init::Hangs => std::future::pending().await,
        }
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<(), &'static str> {
        tokio::time::sleep_until(Instant::now() + secs(*job)).await;
        Ok(())
    }
}

struct Tested {
    inits: Arc<Inits>,
    pool: PoolHandle<Waiter>,
    app: App<SupervisorHandle>,
}

/// Starts a pool with three workers below a supervisor.
async fn up(size: impl Into<PoolSize>, set: impl FnOnce(Pool<Waiter>) -> Pool<Waiter>) -> Tested {
    let inits = Arc::new(Inits::default());
    // An elastic pool does not shrink during a test.
    let pool = Pool::<Waiter>::new("pool", size, inits.clone()).scaling(secs(1), secs(1_000_000));
    let pool = set(pool.start_timeout(secs(2)));
    let handle = pool.handle();
    let tree = Supervisor::new("root").intensity(10, secs(60)).child(pool);
    let app = tree.start(&System::new()).await.expect("it starts");
    handle.resize(3).await.expect("it goes well");
    quiet().await;
    Tested { inits, pool: handle, app }
}

/// Starts a pool of a fixed size and one of an elastic size.
async fn both() -> [Tested; 2] {
    [up(3, |pool| pool).await, up(2..=5, |pool| pool).await]
}

impl Tested {
    fn workers(&self) -> WorkerCounts {
        self.pool.stats().workers
    }

    fn counts(&self) -> [usize; 4] {
        let WorkerCounts { wanted, running, starting, down, .. } = self.workers();
        [wanted, running, starting, down]
    }

    async fn terminate(&self, slot: usize) {
        self.pool.supervisor().terminate_child(slot.to_string()).await.expect("it is there");
    }

    /// Waits until all workers run. Returns how long that took.
    async fn recovers(&self) -> u128 {
        let begun = Instant::now();
        let recovered = async {
            while self.counts() != [3, 3, 0, 0] {
                quiet().await;
            }
        };
        tokio::time::timeout(secs(600), recovered).await.unwrap_or_else(|_| panic!("{:?}", self.workers()));
        begun.elapsed().as_millis()
    }

    async fn close(self) {
        assert!(self.app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ended_comes_back_at_once() {
    for tested in both().await {
        for slot in 0..3_usize {
            let worker = tested.pool.supervisor().child(&slot.to_string()).expect("it is there");
            worker.kill().expect("it lives");
            assert!(tested.recovers().await <= 2);
            worker.stop(ExitReason::Normal).expect("it lives");
            assert!(tested.recovers().await <= 2);
        }
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_terminated_comes_back_after_a_tenth_of_a_second() {
    for tested in both().await {
        for slot in 0..3 {
            tested.terminate(slot).await;
            assert_eq!(tested.counts(), [3, 2, 0, 1]);
            let took = tested.recovers().await;
            assert!((99..=102).contains(&took), "{took}");
        }
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_worker_comes_back_once_its_spec_is_dropped() {
    for tested in both().await {
        tested.terminate(1).await;
        drop(tested.pool.supervisor().delete_child("1").await.expect("it is stopped"));
        assert!(tested.recovers().await <= 102);
        tested.terminate(1).await;
        let spec = tested.pool.supervisor().delete_child("1").await.expect("it is stopped");
        sleep(secs(60)).await;
        assert_eq!(tested.counts(), [3, 2, 0, 1], "it belongs to the holder of the spec");
        drop(spec);
        assert!(tested.recovers().await <= 5_000);
        // It belongs to the spec of the supervisor again.
        tested.pool.supervisor().handle().kill().expect("it lives");
        assert!(tested.recovers().await <= 2);
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_shrinks_although_a_worker_was_deleted() {
    let tested = up(3, |pool| pool).await;
    tested.terminate(2).await;
    let _spec = tested.pool.supervisor().delete_child("2").await.expect("it is stopped");
    tested.pool.resize(1).await.expect("it goes well");
    assert_eq!(tested.counts(), [1, 1, 0, 0]);
    tested.pool.stop(PoolShutdown::Drain).await;
    assert_eq!(tested.counts(), [0, 0, 0, 0]);
    tested.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_restart_fails_declines_or_hangs_comes_back() {
    for init in [Init::Fails, Init::Declines, Init::Hangs] {
        let delayed = |pool: Pool<Waiter>| pool.backoff(Backoff::new(ms(100), secs(5)));
        for tested in [up(3, delayed).await, up(2..=5, delayed).await] {
            tested.inits.set(1, init);
            // By itself, so its supervisor restarts it.
            tested.pool.supervisor().child("1").expect("it is there").kill().expect("it lives");
            sleep(ms(150)).await;
            assert_eq!(tested.workers().running, 2, "{init:?}");
            tested.inits.set(1, Init::Starts);
            assert!(tested.recovers().await <= 5_000, "{init:?}");
            // By hand, so the pool starts it.
            tested.inits.set(1, init);
            tested.terminate(1).await;
            sleep(secs(20)).await;
            assert_eq!(tested.workers().running, 2, "{init:?}");
            tested.inits.set(1, Init::Starts);
            assert!(tested.recovers().await <= 7_000, "{init:?}");
            tested.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_a_rolling_restart_or_a_resize_did_not_start_comes_back() {
    for init in [Init::Fails, Init::Declines, Init::Hangs] {
        for tested in both().await {
            tested.inits.set(1, init);
            soon(tested.pool.rolling_restart()).await.expect_err("one does not start");
            assert_eq!(tested.counts(), [3, 2, 0, 1], "{init:?}");
            soon(tested.pool.resize(3)).await.expect_err("one does not start");
            assert_eq!(tested.workers().wanted, 3);
            tested.inits.set(1, Init::Starts);
            assert!(tested.recovers().await <= 5_000, "{init:?}");
            tested.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_down_comes_back_after_a_restart_of_the_supervisor() {
    for tested in both().await {
        tested.inits.set(2, Init::Declines);
        tested.terminate(2).await;
        sleep(secs(20)).await;
        tested.pool.supervisor().handle().kill().expect("it lives");
        sleep(secs(1)).await;
        assert_eq!(tested.counts(), [3, 2, 0, 1]);
        tested.inits.set(2, Init::Starts);
        assert!(tested.recovers().await <= 2_000, "its delays begin anew");
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_workers_come_back_at_the_same_time() {
    for tested in both().await {
        for slot in 0..3 {
            tested.terminate(slot).await;
        }
        assert_eq!(tested.counts(), [3, 0, 0, 3]);
        assert!(tested.recovers().await <= 102);
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_never_starts_delays_no_other() {
    for init in [Init::Fails, Init::Declines, Init::Hangs] {
        for tested in both().await {
            tested.inits.set(0, init);
            tested.terminate(0).await;
            for _ in 0..5 {
                sleep(ms(7_300)).await;
                tested.terminate(1).await;
                let begun = Instant::now();
                sleep(ms(103)).await;
                assert_eq!(tested.workers().running, 2, "{init:?}");
                assert_eq!(tested.inits.of(1, begun).len(), 1, "{init:?}");
            }
            tested.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_delays_of_a_slot_grow_to_five_seconds_or_are_the_backoff_of_the_pool() {
    let backoff = Backoff::new(secs(10), secs(300));
    for (backoff, expected) in [
        (None, &[100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300][..]),
        // The CrashLoopBackOff of Kubernetes.
        (Some(backoff), &[10_000, 30_000, 70_000, 150_000, 310_000, 610_000, 910_000][..]),
    ] {
        let set = |pool: Pool<Waiter>| if let Some(backoff) = backoff { pool.backoff(backoff) } else { pool };
        let tested = up(3, set).await;
        tested.inits.set(1, Init::Declines);
        tested.terminate(1).await;
        let begun = Instant::now();
        sleep(ms(*expected.last().expect("there are some") as u64 + 500)).await;
        let begun = tested.inits.of(1, begun);
        let is_close = |(at, expected): (&u128, &u128)| (*expected..expected + 20).contains(at);
        assert!(begun.len() == expected.len() && begun.iter().zip(expected).all(is_close), "{begun:?}");
        tested.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_comes_back_while_a_rolling_restart_waits_for_another() {
    let tested = up(3, |pool| pool.shutdown(Shutdown::Timeout(secs(100)))).await;
    let jobs = tested.pool.submit_many([60, 60, 60]).await.expect("there is room");
    quiet().await;
    let pool = tested.pool.clone();
    let restart = tokio::spawn(async move { pool.rolling_restart().await });
    quiet().await;
    tested.pool.supervisor().child("2").expect("it is there").kill().expect("it lives");
    quiet().await;
    tested.inits.set(1, Init::Declines);
    tested.pool.supervisor().child("1").expect("it is there").kill().expect("it lives");
    sleep(ms(50)).await;
    tested.inits.set(1, Init::Starts);
    sleep(ms(60)).await;
    assert_eq!(tested.workers().running, 3, "the first one still runs its job");
    assert!(!restart.is_finished());
    restart.await.expect("it does not panic").expect("it goes well");
    drop(jobs);
    tested.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_elastic_pool_that_cannot_grow_tries_again_with_growing_delays() {
    let inits = Arc::new(Inits::default());
    inits.set(1, Init::Fails);
    let pool = Pool::<Waiter>::new("pool", 1..=2, inits.clone()).scaling(secs(1), secs(10));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let begun = Instant::now();
    let jobs = handle.submit_many(vec![10; 100]).await.expect("there is room");
    sleep(secs(60)).await;
    let tries = inits.of(1, begun);
    assert!((10..=20).contains(&tries.len()), "{tries:?}");
    assert_eq!((handle.stats().workers.wanted, handle.stats().workers.running), (1, 1));
    inits.set(1, Init::Starts);
    sleep(secs(6)).await;
    assert_eq!((handle.stats().workers.wanted, handle.stats().workers.running), (2, 2));
    drop(jobs);
    handle.stop(PoolShutdown::Abort).await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn workers_are_counted_by_state() {
    let tested = up(3, |pool| pool.shutdown(Shutdown::Timeout(secs(100)))).await;
    assert_eq!((tested.counts(), tested.workers().to_string()), ([3, 3, 0, 0], "3 of 3 workers".to_owned()));
    tested.inits.set(0, Init::Hangs);
    tested.inits.set(1, Init::Declines);
    tested.terminate(1).await;
    tested.pool.supervisor().child("0").expect("it is there").kill().expect("it lives");
    quiet().await;
    assert_eq!(tested.counts(), [3, 1, 1, 1]);
    assert_eq!(tested.workers().to_string(), "1 of 3 workers, 1 starting, 1 down");
    let stats = tested.pool.stats().to_string();
    assert!(stats.contains("0 dropped, 1 of 3 workers, 1 starting, 1 down, waiting"), "{stats}");
    // The init that hangs is killed.
    sleep(ms(2_050)).await;
    tested.inits.set(0, Init::Starts);
    tested.inits.set(1, Init::Starts);
    tested.recovers().await;
    let job = tested.pool.submit(10).await.expect("there is room");
    quiet().await;
    let pool = tested.pool.clone();
    let resize = tokio::spawn(async move { pool.resize(0).await });
    quiet().await;
    assert_eq!(tested.counts(), [0, 1, 0, 0], "a surplus worker that finishes its job runs");
    assert_eq!((soon(job).await, soon(resize).await.expect("it does not panic")), (Ok(()), Ok(())));
    assert_eq!(tested.counts(), [0, 0, 0, 0]);
    tested.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_its_backoff_is_down() {
    let tested = up(3, |pool| pool.backoff(Backoff::new(secs(10), secs(10)))).await;
    tested.pool.supervisor().child("0").expect("it is there").kill().expect("it lives");
    sleep(secs(9)).await;
    assert_eq!(tested.counts(), [3, 2, 0, 1]);
    sleep(secs(2)).await;
    assert_eq!(tested.counts(), [3, 3, 0, 0]);
    tested.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_after_a_stop() {
    for tested in both().await {
        tested.inits.set(1, Init::Declines);
        tested.terminate(1).await;
        tested.pool.stop(PoolShutdown::Drain).await;
        tested.inits.set(1, Init::Starts);
        let stopped = Instant::now();
        sleep(secs(60)).await;
        assert_eq!(tested.counts(), [0, 0, 0, 0]);
        let begun: usize = (0..3).map(|slot| tested.inits.of(slot, stopped).len()).sum();
        assert_eq!(begun, 0);
        tested.close().await;
    }
}
