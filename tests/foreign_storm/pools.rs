//! Pools whose workers and values may panic.

use std::sync::Arc;

use perennial::pool::{JobContext, Pool, PoolHandle, Work, Worker, WorkerContext};
use perennial::{ChildSpec, ExitReason};
use tokio::task::yield_now;

use crate::faulty::{Dice, Faults, Faulty, Place, drop_safely, with_faulty_waker};
use crate::tree::{Tally, ms};

const WORKERS: usize = 3;

/// A pool of a function.
type Calls = fn(Faulty) -> Result<Faulty, Faulty>;

/// The work of each pool.
trait FaultyWork: Work<Job = Faulty, Output = Faulty, Error = Faulty> + 'static {}

impl<W: Work<Job = Faulty, Output = Faulty, Error = Faulty> + 'static> FaultyWork for W {}

struct FaultyWorkerArgs {
    faults: Faults,
    #[allow(dead_code, reason = "only dropped")]
    value: Faulty,
}

/// A worker whose state is a faulty value.
struct FaultyWorker {
    faults: Faults,
    #[allow(dead_code, reason = "only dropped")]
    value: Faulty,
}

impl Worker for FaultyWorker {
    type Job = Faulty;
    type Output = Faulty;
    type Error = Faulty;
    type Args = FaultyWorkerArgs;

    async fn init(args: &FaultyWorkerArgs, _: &WorkerContext) -> Result<Self, ExitReason> {
        let (faults, value) = (args.faults.clone(), args.faults.value());
        if faults.triggers(20) {
            return Err(ExitReason::failed(value));
        }
        Ok(Self { faults, value: value.throw_sometimes(Place::Init, 20) })
    }

    async fn work(&mut self, _: &Faulty, _: &JobContext<'_>) -> Result<Faulty, Faulty> {
        work(self.faults.clone()).await
    }
}

/// Succeeds, fails, panics or hangs.
async fn work(faults: Faults) -> Result<Faulty, Faulty> {
    let value = faults.value();
    match faults.triggers(2).then(|| faults.draw(20)) {
        Some(0..6) => Err(value),
        Some(6..10) => value.throw(Place::Worker),
        Some(10) => {
            faults.calm().await;
            Ok(value)
        }
        Some(11..16) => {
            yield_now().await;
            Ok(value)
        }
        _ => Ok(value),
    }
}

/// The pools of a tree: of workers, of a function, and of a blocking function if blocking is
/// allowed.
pub(crate) struct Pools {
    crew: PoolHandle<FaultyWorker>,
    calls: Vec<PoolHandle<Calls>>,
    /// The pools, until the tree takes them.
    specs: std::sync::Mutex<Vec<ChildSpec>>,
    jobs: Arc<Tally>,
}

impl Pools {
    pub(crate) fn new(faults: &Faults, may_block: bool) -> Self {
        let crew = set(Pool::<FaultyWorker>::new(
            "crew",
            WORKERS,
            FaultyWorkerArgs { faults: faults.clone(), value: faults.value() },
        ));
        let (value, its) = (faults.value(), faults.clone());
        let calls = Pool::from_fn("calls", WORKERS, move |_: &Faulty| {
            let _held = &value;
            its.maybe_panic(Place::Closure, 20);
            work(its.clone())
        });
        let mut calls = vec![set(calls)];
        if may_block {
            let (value, its) = (faults.value(), faults.clone());
            calls.push(set(Pool::from_blocking_fn("blocking", WORKERS, move |job: Faulty| {
                let _held = &value;
                drop(job);
                let result = its.value();
                if its.draw(3) == 0 { Err(result) } else { Ok(result.throw_sometimes(Place::Worker, 5)) }
            })));
        }
        let (crew_handle, handles) = (crew.handle(), calls.iter().map(Pool::handle).collect());
        let specs: Vec<ChildSpec> =
            std::iter::once(crew.into()).chain(calls.into_iter().map(Into::into)).collect();
        Self { crew: crew_handle, calls: handles, specs: specs.into(), jobs: Arc::default() }
    }

    pub(crate) fn specs(&self) -> Vec<ChildSpec> {
        std::mem::take(&mut *self.specs.lock().expect("not poisoned"))
    }

    pub(crate) fn operation(&self, dice: &mut Dice, faults: &Faults, requests: &Arc<Tally>) {
        match dice.below(1 + self.calls.len() as u64) as usize {
            0 => self.operation_on(self.crew.clone(), dice, faults, requests),
            call => self.operation_on(self.calls[call - 1].clone(), dice, faults, requests),
        }
    }

    fn operation_on<W: FaultyWork>(
        &self,
        pool: PoolHandle<W>,
        dice: &mut Dice,
        faults: &Faults,
        requests: &Arc<Tally>,
    ) {
        match dice.below(40) {
            0 => drop(pool.clear()),
            1 => pool.pause(),
            2..4 => pool.resume(),
            4 => pool.drain_dead_jobs().into_iter().for_each(drop_safely),
            5 => {
                let workers = dice.below(WORKERS as u64) as usize + 1;
                requests.track("resize", async move { drop(pool.resize(workers).await) });
            }
            6 => kill_worker(&pool, dice),
            7 if dice.below(4) == 0 => {
                requests.track("rolling restart", async move { drop(pool.rolling_restart().await) })
            }
            8 if dice.below(10) == 0 => drop(pool.supervisor().handle().kill()),
            9 => {
                let jobs: Vec<Faulty> = (0..3).map(|_| faults.value()).collect();
                self.jobs.track("batch", submit_many(pool, jobs));
            }
            10 => drop_safely(pool.submit(faults.value()).try_submit()),
            kind => self.jobs.track(format!("job {kind}"), submit(pool, faults.clone(), kind)),
        }
    }

    /// Waits until all jobs have ended, and checks the counters.
    pub(crate) async fn check(&self) {
        check(&self.crew).await;
        for pool in &self.calls {
            check(pool).await;
        }
        self.jobs.all_done().await;
        self.crew.drain_dead_jobs().into_iter().for_each(drop_safely);
        self.calls.iter().for_each(|pool| pool.drain_dead_jobs().into_iter().for_each(drop_safely));
    }
}

async fn check<W: FaultyWork>(pool: &PoolHandle<W>) {
    pool.resume();
    while pool.resize(WORKERS).await.is_err() {}
    pool.drain().await;
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0), "{stats}");
    assert_eq!(stats.submitted, stats.completed + stats.failed + stats.dropped, "{stats}");
    assert!(stats.completed > 0 && stats.failed > 0 && stats.retried > 0, "{stats}");
}

fn set<W: FaultyWork>(pool: Pool<W>) -> Pool<W> {
    pool.attempts(3)
        .intensity(u32::MAX, ms(1))
        .capacity(50)
        .max_dead_jobs(20)
        .time_limit(ms(20))
        .handler_deadline(ms(50))
}

fn kill_worker<W: FaultyWork>(pool: &PoolHandle<W>, dice: &mut Dice) {
    let tree = pool.supervisor().tree();
    let workers: Vec<_> = tree.walk().skip(1).collect();
    if let Some(worker) = workers.get(dice.below(workers.len().max(1) as u64) as usize) {
        let _ = worker.handle.kill();
    }
}

async fn submit_many<W: FaultyWork>(pool: PoolHandle<W>, jobs: Vec<Faulty>) {
    match pool.submit_many(jobs).await {
        Ok(mut batch) => {
            while let Some(result) = batch.next_completed().await {
                drop_safely(result);
            }
        }
        Err(refused) => drop_safely(refused),
    }
}

async fn submit<W: FaultyWork>(pool: PoolHandle<W>, faults: Faults, kind: u64) {
    let job = pool.submit(faults.value());
    let job = match kind {
        10..14 => job.priority(2),
        14..17 => job.key(&kind),
        17..19 => job.at_most_once(),
        19..21 => job.delay(ms(2)),
        21 => job.expires_in(ms(2)),
        _ => job,
    };
    let handle = match job.await {
        Ok(handle) => handle,
        Err(refused) => return drop_safely(refused),
    };
    match kind {
        22..24 => drop_safely(handle),
        24..26 => {
            handle.cancel();
            drop_safely(handle.await);
        }
        _ => drop_safely(with_faulty_waker(faults, handle).await),
    }
}
