//! The worker process: accounts and their outbox, until it is killed or its client has no more
//! requests.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use perennial::durable::actor::Journal;
use perennial::durable::pool::{Durable, DurablePool};
use perennial::durable::{RecordState, Store};
use perennial::pool::Pool;
use perennial::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::durable::process::Line;
use super::super::durable::store;
use super::super::options::{Options, Sabotage};
use super::account::{ACCOUNTS, Account, Args, Delivery, Msg, Outbox, Sent};
use super::faults::{Stall, Targets};
use super::fences::FenceObserver;
use super::protocol::{Answer, Request};
use super::sabotage::sabotaged;

/// How many requests may wait.
const WINDOW: usize = 64;

/// How many events an account replays at most.
const SNAPSHOT_EVERY: u64 = 16;

/// How long jobs are kept: longer than the run.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a killed incarnation may take to end before it is abandoned.
const ABANDON_AFTER: Duration = Duration::from_millis(5);

/// A restart intensity that the faults do not exceed.
const UNLIMITED: u32 = 1_000_000;

/// How long it waits before it looks or asks again.
const PAUSE: Duration = Duration::from_millis(5);

type Deliver = fn(Delivery) -> Result<(), String>;

/// Returns the name of the journal of an account.
pub fn journal(run: &str, account: u32) -> String {
    format!("{run}/account/{account}")
}

/// Returns the name of an account.
fn name(account: u32) -> Name<Msg> {
    Name::from(format!("account/{account}"))
}

/// Opens the store and answers the requests on the standard input. `run` is the name of the run in
/// the store.
pub async fn work(options: &Options, target: &str, run: &str) -> Result<(), String> {
    let opened = store::open(target).await?;
    let seed = options.seed ^ opened.epoch().0;
    let store: Arc<dyn Store> = Arc::new(FenceObserver { inner: sabotaged(opened, options.sabotage) });
    let system = System::new();
    let outbox = outbox(&system, options.workers, run, store.clone());
    let handle = outbox.handle();
    let args = Args {
        outbox: handle.clone(),
        stall: Arc::new(Stall::default()),
        replies_early: options.sabotage == Some(Sabotage::ReplyBeforeCommit),
    };
    let stall = args.stall.clone();
    let (accounts, addresses) = accounts(run, &store, &args);
    let targets = Targets { accounts: addresses, supervisor: accounts.handle(), stall };
    let tree = Supervisor::new("ledger").child(accounts).child(outbox);
    let app = tree.start(&system).await.map_err(|error| error.to_string())?;
    say(&Answer::Up);
    let (stop, stopped) = oneshot::channel();
    let faults = tokio::spawn(targets.inject(seed, stopped));
    answer_all(&system).await;
    drop(stop);
    faults.await.map_err(|error| error.to_string())?;
    while open_jobs(&handle).await? > 0 {
        sleep(PAUSE).await;
    }
    // An abandoned incarnation may not have ended yet.
    drop(app.shutdown().await);
    Ok(())
}

/// Returns how many jobs are not over.
async fn open_jobs(outbox: &Outbox) -> Result<u64, String> {
    let info = outbox.info().await.map_err(|error| error.to_string())?;
    let open = [RecordState::Queued, RecordState::Delayed, RecordState::Running];
    Ok(open.into_iter().map(|state| info.count(state)).sum())
}

/// Returns the supervisor of the accounts, and their addresses.
fn accounts(run: &str, store: &Arc<dyn Store>, args: &Args) -> (Supervisor, Vec<Address<Msg>>) {
    let tree = Supervisor::new("accounts").intensity(UNLIMITED, Duration::from_secs(1));
    let mut tree = tree.abandon_after(ABANDON_AFTER);
    let mut addresses = Vec::new();
    for id in 0..ACCOUNTS {
        let journal = Journal::<Account>::new(store.clone(), journal(run, id), args.clone());
        let child = journal.snapshot_every(SNAPSHOT_EVERY).child(id.to_string()).named(name(id));
        addresses.push(child.address());
        tree = tree.child(child.restart(Restart::Permanent).shutdown(Shutdown::BrutalKill));
    }
    (tree, addresses)
}

/// Returns the pool that brings transfers to their receivers.
fn outbox(system: &System, workers: usize, run: &str, store: Arc<dyn Store>) -> DurablePool<Deliver> {
    let system = system.clone();
    let workers = Pool::from_fn("outbox", workers, move |job: &Delivery| deliver(system.clone(), *job));
    // A job is tried again as often as its process is killed.
    workers.durable(store).queue(run).lost_workers(u32::MAX).retain_results(RETENTION)
}

/// Has the account of the receiver store a transfer. A call whose account ends is made again: the
/// number makes that harmless.
async fn deliver(system: System, delivery: Delivery) -> Result<(), String> {
    loop {
        let receiver = name(delivery.transfer.to);
        match system.call_to(receiver, |reply| Msg::Receive(delivery, reply)).await {
            Ok(true) => return Ok(()),
            Ok(false) => return Err("an earlier transfer is missing".to_owned()),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Answers requests until the client has closed the pipe, and all of them.
async fn answer_all(system: &System) {
    let (lines, mut requests) = mpsc::channel(WINDOW);
    // It blocks until the client closes the pipe, or this process ends.
    std::thread::spawn(move || {
        let requests = io::stdin().lines().map_while(Result::ok).filter_map(|line| Request::parse(&line));
        requests.map_while(|request| lines.blocking_send(request).ok()).for_each(drop);
    });
    let mut answers = JoinSet::new();
    while let Some(request) = requests.recv().await {
        answers.spawn(answer(system.clone(), request));
    }
    answers.join_all().await;
}

/// Answers a request. A call whose account ends is made again: the number makes that harmless.
async fn answer(system: System, Request(transfer): Request) {
    let sent: Sent = loop {
        match system.call_to(name(transfer.from), |reply| Msg::Send(transfer, reply)).await {
            Ok(sent) => break sent,
            Err(_) => sleep(PAUSE).await,
        }
    };
    say(&Answer::Sent { from: transfer.from, number: transfer.number, sent });
}

/// Writes a line to the client.
pub fn say(answer: &impl Display) {
    let mut out = io::stdout().lock();
    // A client that is gone needs no answer.
    let _ = writeln!(out, "{answer}").and_then(|()| out.flush());
}
