//! A hasher: a worker of a pool. It is given a file, hashes it, and hands the result in.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::pool::{PoolHandle, Worker, WorkerContext};
use perennial::prelude::*;
use tokio::task::spawn_blocking;

use super::collector;
use super::files::{Hashing, Progress};
use super::journal::{Outcome, Record};
use super::trap::Rig;

/// The pool that all hashers are.
pub type Hashers = PoolHandle<Job, (), ExitReason>;

pub enum Job {
    /// Hash it.
    File(PathBuf),
    /// Look whether there is a trap.
    Poke,
}

pub struct Args {
    /// One for each hasher.
    pub rigs: Vec<Arc<Rig>>,
    /// Sabotage: whether every result is handed in twice.
    pub repeats_itself: bool,
}

pub struct Hasher {
    at: WorkerContext,
    rig: Arc<Rig>,
    repeats_itself: bool,
}

impl Worker for Hasher {
    type Job = Job;
    type Output = ();
    type Error = ExitReason;
    type Args = Args;

    async fn init(args: &Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        let rig = args.rigs[at.slot].clone();
        rig.rise(at.pid);
        Ok(Self { at: at.clone(), rig, repeats_itself: args.repeats_itself })
    }

    async fn work(&mut self, job: &Job) -> Result<(), ExitReason> {
        let done = match job {
            Job::File(path) => self.hash(path.clone()).await,
            Job::Poke => self.rig.step(self.at.pid),
        };
        // That a file cannot be read is a result. An error is its own: it ends, and the next one tries the job again.
        done.inspect_err(|reason| {
            // If it does not live any more, it was faster.
            self.at.handle.stop(reason.clone()).ok();
        })
    }
}

impl Hasher {
    async fn hash(&self, path: PathBuf) -> Result<(), ExitReason> {
        let begin = path.clone();
        let mut stride = spawn_blocking(move || Hashing::open(&begin)?.go_on());
        let outcome = loop {
            let progress = stride.await?;
            self.rig.step(self.at.pid)?;
            match progress {
                Ok(Progress::More(more)) => stride = spawn_blocking(move || more.go_on()),
                Ok(Progress::Done(digest)) => break Outcome::Hashed(digest),
                Err(error) => break Outcome::Failed(error.to_string()),
            }
        };
        let record = Record { path, outcome };
        if self.repeats_itself {
            collector::store(&self.at.system, record.clone()).await?;
        }
        collector::store(&self.at.system, record).await
    }
}
