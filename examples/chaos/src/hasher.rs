//! The hashers: workers of a pool. A job is a file; a worker hashes it and has the result recorded.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::pool::{JobContext, PoolHandle, Worker, WorkerContext};
use perennial::prelude::*;
use tokio::task::spawn_blocking;

use super::collector;
use super::fault_point::FaultPoint;
use super::files::{Hashing, Progress};
use super::journal::{Outcome, Record};

/// The handle of the pool of hashers.
pub type Hashers = PoolHandle<Hasher>;

#[derive(Debug)]
pub enum Job {
    /// Hashes this file.
    File(PathBuf),
    /// Checks the fault point.
    Poke,
}

pub struct Args {
    /// One for each hasher.
    pub fault_points: Vec<Arc<FaultPoint>>,
    /// Sabotage: sends every result twice.
    pub sends_twice: bool,
}

pub struct Hasher {
    at: WorkerContext,
    fault_point: Arc<FaultPoint>,
    sends_twice: bool,
}

impl Worker for Hasher {
    type Job = Job;
    type Output = ();
    type Error = ExitReason;
    type Args = Args;

    async fn init(args: &Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        let fault_point = args.fault_points[at.slot].clone();
        fault_point.start()?;
        fault_point.set_started(at.pid);
        Ok(Self { at: at.clone(), fault_point, sends_twice: args.sends_twice })
    }

    async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<(), ExitReason> {
        let done = match job {
            Job::File(path) => self.hash(path.clone()).await,
            Job::Poke => self.fault_point.check(self.at.pid),
        };
        // A file that cannot be read is a result. Any other error ends this worker, and the next
        // one tries the job again.
        done.inspect_err(|reason| {
            // It fails if the worker has ended already.
            self.at.handle.stop(reason.clone()).ok();
        })
    }
}

impl Hasher {
    async fn hash(&self, path: PathBuf) -> Result<(), ExitReason> {
        let begin = path.clone();
        let mut stride = spawn_blocking(move || Hashing::open(&begin)?.hash_stride());
        let outcome = loop {
            let progress = stride.await?;
            self.fault_point.check(self.at.pid)?;
            match progress {
                Ok(Progress::More(more)) => stride = spawn_blocking(move || more.hash_stride()),
                Ok(Progress::Done(digest)) => break Outcome::Hashed(digest),
                Err(error) => break Outcome::Failed(error.to_string()),
            }
        };
        let record = Record { path, outcome };
        if self.sends_twice {
            collector::store(&self.at.system, record.clone()).await?;
        }
        collector::store(&self.at.system, record).await
    }
}
