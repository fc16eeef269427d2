//! What perennial races that is durable: the queues apalis and River, with SQLite or PostgreSQL,
//! and the actors of tellus, with PostgreSQL.
//!
//! `perennial-durable-peers NAME ADDRESS SUBMITTERS JOBS` does one work and prints the cost of each
//! job, or of each call. The race starts it.
//!
//! All have the same database: a file of its own with the log written ahead (WAL), each commit
//! synced (`synchronous=FULL`, which is also the default of SQLite), and a busy timeout of five
//! seconds or more; or a server of its own with a connection for each submitter.

mod apalis;
mod pool;
mod river;
mod tellus;
mod work;

use anyhow::{Context, Result, bail};

/// The jobs that run at once, and those that are fetched at once: as many as perennial has.
const WORKERS: usize = 4;
const PREFETCH: usize = 256;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, address, submitters, jobs] = &arguments[..] else {
        bail!("usage: NAME ADDRESS SUBMITTERS JOBS");
    };
    let (submitters, count) = (submitters.parse()?, jobs.parse()?);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().context("tokio starts no runtime")?;
    let cost = runtime.block_on(async {
        match name.as_str() {
            "apalis" => work::jobs::<apalis::Apalis>(address, submitters, count).await,
            "river" => work::jobs::<river::River>(address, submitters, count).await,
            "tellus" => tellus::calls(address, submitters, count).await,
            _ => bail!("there is no {name}"),
        }
    })?;
    println!("{cost}");
    Ok(())
}
