//! A run in which everything happens that metrics count: what the queries of the dashboard and of
//! the alert rules are compared with.

use std::any::Any;
use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use perennial::durable::pool::Durable;
use perennial::durable::sqlite::SqliteStore;
use perennial::durable::{Batch, MemoryStore, RecordState, Store};
use perennial::operations::{Metrics, Operations};
use perennial::pool::Pool;
use perennial::prelude::*;
use tokio::sync::Barrier;

const MINUTE: Duration = Duration::from_secs(60);

/// The events that a stream holds are fewer than those of so many actors.
const UNSEEN: usize = 2_000;

type Failed = Box<dyn Error>;

enum Msg {
    Crash,
    Stop,
    /// Awaits for ever.
    Hang,
    /// Blocks its thread until the sender of the receiver is dropped.
    Block(mpsc::Sender<()>, mpsc::Receiver<()>),
    /// Calls another actor, which answers when it is free, once both are at the barrier.
    Call(Address<Self>, Arc<Barrier>),
    Answer(Reply<()>),
}

struct Unit;

impl Actor for Unit {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err("on purpose".into()),
            Msg::Stop => ctx.stop(ExitReason::Normal),
            Msg::Hang => std::future::pending().await,
            Msg::Block(begun, until) => {
                drop(begun);
                let _ = until.recv();
            }
            Msg::Call(other, both) => {
                both.wait().await;
                drop(other.call(Msg::Answer).await);
            }
            Msg::Answer(reply) => reply.send(()),
        }
        Ok(())
    }
}

/// What has happened, and goes on as long as this is there.
pub(crate) struct Everything {
    metrics: Metrics,
    exporter: PrometheusHandle,
    kept: Vec<Box<dyn Any>>,
}

impl Everything {
    /// Has everything happen.
    pub(crate) async fn start() -> Result<Self, Failed> {
        let exporter = PrometheusBuilder::new().set_buckets(&super::BUCKETS)?.install_recorder()?;
        let system = System::new();
        let metrics = Metrics::of(&system);
        let mut run = Self { metrics, exporter, kept: Vec::new() };
        run.lose_events(&system).await?;
        run.hurt_actors(&system).await?;
        run.run_jobs(&system).await?;
        run.run_durable_jobs().await?;
        run.commit().await?;
        Ok(run)
    }

    /// Returns what Prometheus would get at this moment.
    pub(crate) fn scrape(&self) -> String {
        self.metrics.collect();
        self.exporter.run_upkeep();
        self.exporter.render()
    }

    fn keep(&mut self, value: impl Any) {
        self.kept.push(Box::new(value));
    }

    /// Starts and stops actors while nothing counts.
    async fn lose_events(&self, system: &System) -> Result<(), Failed> {
        for _ in 0..UNSEEN {
            let unit = system.spawn::<Unit>(()).label("unseen").await?;
            unit.cast(Msg::Stop)?;
            unit.monitor().await;
        }
        self.metrics.collect();
        Ok(())
    }

    /// Has actors crash, hang, block and wait for each other.
    async fn hurt_actors(&mut self, system: &System) -> Result<(), Failed> {
        let unit = |id: &str| Child::new::<Unit>(id, ());
        let (fragile, limited) = (unit("fragile"), unit("limited").start_limit(1, MINUTE));
        let slow = unit("slow").handler_deadline(Duration::from_millis(50));
        let stuck = unit("stuck").shutdown(Shutdown::BrutalKill);
        let (left, right) = (unit("left"), unit("right"));
        let addresses = [&fragile, &limited, &slow, &stuck, &left, &right].map(Child::address);
        let group = Supervisor::new("group").intensity(1, MINUTE).child(fragile);
        let app = Supervisor::new("app").never_give_up().abandon_after(Duration::from_millis(20));
        let app = app.child(self.metrics.child("metrics")).child(group).child(limited).child(slow);
        let app = app.child(stuck).child(left).child(right);
        let app = app.start(system).await?;
        self.keep(Operations::of(system).watch_deadlocks());
        let [fragile, limited, slow, stuck, left, right] = addresses;
        // One restart, and then the group gives up.
        fragile.cast(Msg::Crash)?;
        fragile.cast(Msg::Crash)?;
        limited.cast(Msg::Crash)?;
        slow.cast(Msg::Hang)?;
        // Neither is free when the other calls it.
        let both = Arc::new(Barrier::new(2));
        left.cast(Msg::Call(right.clone(), both.clone()))?;
        right.cast(Msg::Call(left, both))?;
        let ((begins, begun), (release, until)) = (mpsc::channel(), mpsc::channel());
        stuck.cast(Msg::Block(begins, until))?;
        let _ = tokio::task::spawn_blocking(move || begun.recv()).await?;
        app.supervisor().terminate_child("stuck").await?;
        // Abandoned by now. A task that is queued on its thread waits no longer.
        drop(release);
        self.keep(app);
        Ok(())
    }

    /// Has a job of a pool fail twice.
    async fn run_jobs(&mut self, system: &System) -> Result<(), Failed> {
        let pool = Pool::from_fn("jobs", 1, |_: &u64| std::future::ready(Err::<u64, _>(std::fmt::Error)));
        let pool = pool.attempts(2).retry_errors(true);
        let jobs = pool.handle();
        self.keep(pool.start(system).await?);
        assert!(jobs.submit(1).await?.await.is_err());
        Ok(())
    }

    /// Has a durable job outlive its process, and fail twice in the next one.
    async fn run_durable_jobs(&mut self) -> Result<(), Failed> {
        let store = MemoryStore::new();
        let pool = Pool::from_fn("mails", 1, |_: &u64| std::future::pending::<Result<u64, String>>());
        let pool = pool.durable(Arc::new(store.join()));
        let mails = pool.handle();
        self.keep(pool.start(&System::new()).await?);
        let job = mails.submit(1).await?;
        while mails.info().await?.count(RecordState::Running) == 0 {
            tokio::task::yield_now().await;
        }
        let pool = Pool::from_fn("mails", 1, |_: &u64| std::future::ready(Err::<u64, _>("no".to_owned())));
        let pool = pool.durable(Arc::new(store.restart())).attempts(2).retry_errors(true);
        let mails = pool.handle();
        self.keep(pool.start(&System::new()).await?);
        assert!(mails.job(job.id()).outcome().await.is_err());
        Ok(())
    }

    /// Has a store commit.
    async fn commit(&mut self) -> Result<(), Failed> {
        let folder = tempfile::tempdir()?;
        let store = SqliteStore::open(folder.path().join("jobs.db"))?;
        store.commit(Batch::default()).await?;
        self.keep((store, folder));
        Ok(())
    }
}
