//! The hasher of a node: handles the messages of other nodes, and writes each down.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::Registry;
use perennial::prelude::*;

use super::super::files;
use super::super::options::Sabotage;
use super::journal::{Entry, Journal};
use super::message::{HASHERS, Hashed, Job};
use super::sabotage::Delivery;

/// What a hasher is started with.
#[derive(Clone)]
pub struct Args {
    pub boot: String,
    pub files: Arc<Vec<PathBuf>>,
    pub journal: Arc<Journal>,
    pub sabotage: Option<Sabotage>,
}

/// Computes checksums for other nodes.
pub struct Hasher {
    args: Args,
    delivery: Delivery,
}

impl Actor for Hasher {
    type Msg = Job;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        Registry::of(ctx.system()).group(HASHERS).join(&ctx.address())?;
        Ok(Self { args: args.clone(), delivery: Delivery::new(args.sabotage) })
    }

    async fn handle(&mut self, job: Job, _: &mut Context<Self>) -> Result<(), ExitReason> {
        for job in self.delivery.pass(job) {
            match job {
                Job::Boot(reply) => reply.send(self.args.boot.clone()),
                Job::Announce(stamp, _) => self.args.journal.note(Entry::Handled(stamp)),
                Job::Hash(stamp, file, reply) => {
                    self.args.journal.note(Entry::Handled(stamp));
                    reply.send(self.hash(file).await);
                }
            }
        }
        Ok(())
    }
}

impl Hasher {
    async fn hash(&self, file: Option<usize>) -> Option<Hashed> {
        let path = self.args.files.get(file?)?.clone();
        let digest = tokio::task::spawn_blocking(move || files::digest(&path)).await;
        let digest = digest.map_err(|error| error.to_string());
        let digest = digest.and_then(|digest| digest.map_err(|error| error.to_string()));
        Some(digest.map(|digest| (digest.sum, digest.bytes)))
    }
}
