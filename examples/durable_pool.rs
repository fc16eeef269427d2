//! A pool whose jobs survive the death of the process. This program starts itself a second time,
//! and kills that process with SIGKILL while it works. Then it goes on with the same file.
//!
//! ```text
//! cargo run --release --features durable --example durable_pool
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use perennial::System;
use perennial::durable::pool::{Durable, DurableHandle, DurablePool};
use perennial::durable::sqlite::SqliteStore;
use perennial::durable::{AttemptFailure, JobId, Wire};
use perennial::pool::Pool;
use serde::{Deserialize, Serialize};

const MAILS: u64 = 40;

/// A job: it is written down, so it has a name that never changes.
#[derive(Debug, Serialize, Deserialize)]
struct Mail {
    to: String,
}

impl Wire for Mail {
    const TAG: &'static str = "example.mail";
}

/// Sends a mail, which takes a moment, and returns how long its address is.
fn send(mail: &Mail) -> impl Future<Output = Result<u64, io::Error>> + Send + use<> {
    let length = mail.to.len() as u64;
    async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(length)
    }
}

/// The type of the work: from a job to a result.
type Sender = fn(Mail) -> Result<u64, io::Error>;

/// The pool of both processes: any pool, made durable by a store.
fn mails(store: SqliteStore) -> DurablePool<Sender> {
    Pool::from_fn("mails", 4, send).durable(Arc::new(store))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The child process gets the file as its argument.
    if let Some(file) = std::env::args_os().nth(1) {
        return work_until_killed(Path::new(&file)).await;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mails.db");
    let numbers = kill_while_it_works(&file)?;
    continue_with(&file, &numbers).await
}

/// The child: stores all mails, prints the number of each, and begins to send them.
async fn work_until_killed(file: &Path) -> Result<(), Box<dyn Error>> {
    let pool = mails(SqliteStore::open(file)?);
    let mails = pool.handle();
    for number in 0..MAILS {
        // When this resolves, the job is on the disk.
        let job = mails.submit(Mail { to: format!("reader {number}") }).await?;
        print_line!("stored {}", job.id());
    }
    let _app = pool.start(&System::new()).await?;
    mails.job(JobId(MAILS / 4)).outcome().await?;
    print_line!("busy");
    std::future::pending().await
}

/// The parent: reads what the child prints, and kills it in the middle of its work.
fn kill_while_it_works(file: &Path) -> Result<Vec<JobId>, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg(file).stdout(Stdio::piped()).spawn()?;
    let mut numbers = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("the child has no output")?).lines() {
        let line = line?;
        match line.strip_prefix("stored ") {
            Some(number) => numbers.push(JobId(number.parse()?)),
            None => break,
        }
    }
    child.kill()?;
    child.wait()?;
    assert_eq!(numbers.len() as u64, MAILS);
    print_line!("{MAILS} mails were stored, and the process was killed");
    Ok(numbers)
}

/// The next process: it has the numbers of the jobs, and gets every result.
async fn continue_with(file: &Path, numbers: &[JobId]) -> Result<(), Box<dyn Error>> {
    let pool = mails(SqliteStore::open(file)?);
    let mails: DurableHandle<Sender> = pool.handle();
    let before = mails.info().await?;
    print_line!("found: {:?}", before.jobs);
    let app = pool.start(&System::new()).await?;
    let mut interrupted = 0;
    for (number, id) in numbers.iter().enumerate() {
        let job = mails.job(*id);
        assert_eq!(job.outcome().await?, format!("reader {number}").len() as u64);
        let record = job.record().await?.ok_or("a result is kept for a day")?;
        let lost = record.history.iter().filter(|it| it.failure == Some(AttemptFailure::ProcessEnded));
        interrupted += lost.count();
    }
    print_line!("all {} are sent; {interrupted} of them were tried again", numbers.len());
    assert!(interrupted > 0, "the process was killed while it worked");
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
