//! Storms over the rollouts of a pool, each from a seed: workers fail, hang and decline in init,
//! for a while all of them. Meanwhile rollouts begin, are paused, resumed and undone, the pool is
//! resized, workers are started, stopped and killed by hand, and the pool itself is killed. Each
//! request is answered, also if no worker ever starts again, and if the pool is stopped or its tree
//! shuts down. After a storm that calms down, the wanted number of workers runs, all of one
//! revision.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{
    JobContext, Pool, PoolHandle, PoolShutdown, RolloutLimit, Worker, WorkerContext,
};
use perennial_supervision::{App, Backoff, Supervisor, SupervisorHandle};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::storm::{Dice, run_storms};

const WORKERS: usize = 4;
const CHANGES: u64 = 60;
/// A time in which all requests are answered: every deadline, delay and grace is far shorter.
const CALM: Duration = secs(20_000);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What the workers do in init. With any other number, each does what the dice say.
const ALL_START: u64 = 0;
const ALL_FAIL: u64 = 2;
const ALL_HANG: u64 = 3;

/// The state of one storm.
struct World {
    dice: Mutex<Dice>,
    init: AtomicU64,
}

impl World {
    fn below(&self, end: u64) -> u64 {
        self.dice.lock().expect("not poisoned").below(end)
    }
}

struct StormWorker {
    at: WorkerContext,
}

impl Worker for StormWorker {
    type Job = ();
    /// The revision.
    type Output = u64;
    type Error = &'static str;
    type Args = Arc<World>;

    async fn init(world: &Arc<World>, at: &WorkerContext) -> Result<Self, ExitReason> {
        let worker = Self { at: at.clone() };
        let what = match world.init.load(Ordering::Relaxed) {
            ALL_START => return Ok(worker),
            ALL_FAIL => 0,
            ALL_HANG => 2,
            _ => world.below(8),
        };
        match what {
            0 => Err(ExitReason::failed("a bad time")),
            1 => Err(ExitReason::Ignore),
            2 => pending().await,
            3 => {
                at.set_ready(false);
                Ok(worker)
            }
            4 => {
                sleep(Duration::from_millis(world.below(3_000))).await;
                Ok(worker)
            }
            _ => Ok(worker),
        }
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<u64, &'static str> {
        sleep(secs(1)).await;
        Ok(self.at.revision)
    }
}

struct Storm {
    world: Arc<World>,
    system: System,
    app: App<SupervisorHandle>,
    pool: PoolHandle<StormWorker>,
    /// The requests that are not answered yet.
    requests: JoinSet<()>,
}

impl Storm {
    async fn start(seed: u64) -> Self {
        let dice = Mutex::new(Dice::new(seed));
        let world = Arc::new(World { dice, init: ALL_START.into() });
        let delays = Backoff::new(secs(1), secs(20));
        let mut pool = Pool::<StormWorker>::new("pool", WORKERS, world.clone()).start_timeout(secs(5));
        if seed % 3 != 0 {
            pool = pool.intensity(u32::MAX, secs(1)).backoff(Backoff::new(secs(1), secs(400)));
        }
        if seed % 5 == 0 {
            pool = pool.max_age(secs(50));
        }
        let handle = pool.handle();
        let parent = Supervisor::new("parent").intensity(0, secs(1)).backoff(delays).child(pool);
        let system = System::new();
        let app = Supervisor::new("app").intensity(u32::MAX, secs(1)).child(parent);
        let app = app.start(&system).await.expect("it starts");
        Self { world, system, app, pool: handle, requests: JoinSet::new() }
    }

    /// Makes a request whose answer is awaited later.
    fn ask<T>(&mut self, request: impl Future<Output = T> + Send + 'static) {
        self.requests.spawn(async move { drop(request.await) });
    }

    fn roll_out(&mut self) {
        let mut rollout = self.pool.rollout();
        if self.world.below(2) == 0 {
            rollout = rollout.args(self.world.clone());
        }
        rollout = match self.world.below(4) {
            0 => rollout.max_unavailable(0).max_surge(1 + self.world.below(2) as usize),
            1 => rollout.max_unavailable(RolloutLimit::percent(50)).max_surge(RolloutLimit::percent(50)),
            2 => rollout.max_unavailable(WORKERS),
            _ => rollout,
        };
        if self.world.below(3) == 0 {
            rollout = rollout.min_ready(secs(3));
        }
        let deadline = secs(4 + self.world.below(60));
        self.ask(rollout.progress_deadline(deadline).grace(secs(2)).into_future());
    }

    /// Makes a change.
    fn change(&mut self) {
        let pool = self.pool.clone();
        let slot = self.world.below(WORKERS as u64 + 2);
        let by_hand = pool.supervisor().clone();
        match self.world.below(17) {
            0..4 => self.roll_out(),
            4 => pool.undo_rollout(),
            5 => pool.pause_rollout(),
            6 | 7 => pool.resume_rollout(),
            8 => self.ask(async move { pool.resize(slot as usize).await }),
            9 => self.ask(async move { by_hand.terminate_child(slot.to_string()).await }),
            10 => self.ask(async move { by_hand.restart_child(slot.to_string()).await }),
            11 => self.ask(async move { pool.rolling_restart().await }),
            12 => {
                let path = ["parent", "pool", &slot.to_string()];
                if let Some(worker) = self.app.tree().at(path) {
                    // It may not run.
                    let _ = worker.handle.kill();
                }
            }
            13 if self.world.below(3) == 0 => {
                let _ = pool.supervisor().handle().kill();
            }
            14 => {
                if let Ok(job) = pool.submit(()).try_submit() {
                    self.ask(job);
                }
            }
            15 => self.ask(async move { by_hand.delete_child(slot.to_string()).await.map(drop) }),
            _ => {
                let init = self.world.below(4);
                self.world.init.store(init, Ordering::Relaxed);
            }
        }
    }

    /// Waits for the answers of all requests.
    async fn answers(&mut self) {
        let pool = self.pool.clone();
        let answers = async { while self.requests.join_next().await.is_some() {} };
        assert!(timeout(CALM, answers).await.is_ok(), "requests are not answered: {:?}", pool.stats());
    }

    /// Checks that the wanted number of workers runs, all of one revision.
    async fn calm_down(&mut self) {
        self.world.init.store(ALL_START, Ordering::Relaxed);
        sleep(CALM).await;
        let wanted = WORKERS + 1;
        let resized = timeout(CALM, self.pool.resize(wanted)).await.expect("it is answered");
        assert_eq!(resized, Ok(()));
        self.answers().await;
        let report = timeout(CALM, self.pool.rollout().into_future()).await.expect("it is answered");
        let report = report.expect("the version is good");
        assert_eq!(report.replaced.len(), wanted, "{report}");
        let batch = self.pool.submit(()).broadcast().await.expect("it is open");
        let results = timeout(CALM, batch.join_all()).await.expect("they are done");
        assert_eq!(results.len(), wanted);
        assert!(results.into_iter().all(|result| result.is_ok_and(|revision| revision == report.revision)));
    }
}

async fn run_storm(seed: u64) {
    let mut storm = Storm::start(seed).await;
    let changes = if seed % 4 == 0 { storm.world.below(CHANGES) } else { CHANGES };
    for _ in 0..changes {
        storm.change();
        sleep(Duration::from_millis(storm.world.below(3_000))).await;
    }
    match seed % 4 {
        0 => {}
        1 => {
            let pool = storm.pool.clone();
            let how = [PoolShutdown::Abort, PoolShutdown::FinishInFlight][storm.world.below(2) as usize];
            storm.ask(async move { pool.stop(how).await });
            storm.answers().await;
        }
        2 => {
            storm.pool.resume_rollout();
            storm.calm_down().await;
        }
        _ => {
            storm.pool.resume_rollout();
            // A job waits for a worker.
            storm.pool.clear();
            storm.world.init.store(ALL_FAIL + storm.world.below(2), Ordering::Relaxed);
            storm.answers().await;
        }
    }
    let Storm { world, system, app, pool, mut requests } = storm;
    let _ = timeout(CALM, app.shutdown()).await.expect("the shutdown ends");
    let answers = async { while requests.join_next().await.is_some() {} };
    assert!(timeout(CALM, answers).await.is_ok(), "requests are not answered: {:?}", pool.stats());
    drop((app, pool));
    sleep(CALM).await;
    assert_eq!((system.processes().len(), Arc::strong_count(&world)), (0, 1));
}

#[test]
fn each_request_is_answered_in_a_storm_of_rollouts() {
    run_storms(0..32, run_storm);
}
