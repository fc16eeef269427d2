//! kameo's `pool`: five workers that tell their ids, are all killed, and are there again.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::future::pending;

use perennial::pool::{JobContext, Pool, PoolHandle, Routing, Worker, WorkerContext};
use perennial::{ExitReason, Pid, System};

#[derive(Clone)]
enum Job {
    PrintId,
    ForceStop,
}

struct Printer(WorkerContext);

impl Worker for Printer {
    type Job = Job;
    type Output = Pid;
    type Error = Infallible;
    type Args = ();

    async fn init(_: &(), ctx: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(ctx.clone()))
    }

    async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<Pid, Infallible> {
        if let Job::ForceStop = job {
            let _ = self.0.handle.kill();
            pending::<()>().await;
        }
        print_line!("hello from {}", self.0.pid);
        Ok(self.0.pid)
    }
}

type Printers = PoolHandle<Printer>;

async fn print_ids(pool: &Printers) -> Result<BTreeSet<Pid>, Box<dyn Error>> {
    let batch = pool.submit_many(vec![Job::PrintId; 5]).await?;
    Ok(batch.join_all().await.into_iter().filter_map(Result::ok).collect())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::<Printer>::new("printers", 5, ()).routing(Routing::RoundRobin);
    let printers = pool.handle();
    let system = System::new();
    let app = pool.start(&system).await?;
    let before = print_ids(&printers).await?;

    // One copy for each worker. A copy whose worker was killed is not tried again.
    let stops = printers.submit(Job::ForceStop).at_most_once().broadcast().await?;
    assert!(stops.join_all().await.iter().all(Result::is_err));
    system.settled().await;
    print_line!("all workers were killed, and are back");

    let after = print_ids(&printers).await?;
    assert_eq!((before.len(), after.len()), (5, 5));
    assert!(before.is_disjoint(&after));
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
