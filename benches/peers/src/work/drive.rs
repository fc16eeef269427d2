//! Runs one task with one contestant, and measures its time.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::Notify;

use super::contestant::Peer;
use super::goal::Goal;
use super::named::Named;
use super::task::{
    CALLS, CASTS, CRASHES, IDLE, LIVES, LOOKUPS, Mailbox, NAMES, Popularity, Task, Threads, WARM_UP,
};
use super::{crowd, pools, trees};
use crate::shared::{each, resident};

/// Runs the task on a tokio runtime with two workers or with one thread. Senders and actors are
/// tasks of that runtime.
pub fn on_tokio<P: Peer>(peer: P, task: Task) -> Result<Vec<f64>> {
    block_on(task.threads(), async move { drive(&peer, task).await })
}

/// Runs the future as a task of a tokio runtime.
pub fn block_on<T: Send + 'static>(
    threads: Threads,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut builder = match threads {
        Threads::Two => tokio::runtime::Builder::new_multi_thread(),
        Threads::One => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build().context("tokio starts no runtime")?;
    runtime.block_on(async { tokio::spawn(future).await.context("the race panicked")? })
}

/// Runs the task on the current runtime. Returns the results of its work.
pub async fn drive<P: Peer>(peer: &P, task: Task) -> Result<Vec<f64>> {
    match task {
        Task::Children { children } => trees::children::<P::Tree>(children).await,
        Task::Scale { workers } => trees::scale::<P::Tree>(workers).await,
        _ => Ok(vec![cost(peer, task).await?]),
    }
}

/// Returns the one result of any other task.
async fn cost<P: Peer>(peer: &P, task: Task) -> Result<f64> {
    match task {
        Task::Cast { senders, mailbox, .. } => {
            cast(peer, senders, mailbox, CASTS / WARM_UP).await?;
            Ok(each(cast(peer, senders, mailbox, CASTS).await?, CASTS))
        }
        Task::Call { callers, mailbox, .. } => {
            let actor = peer.start(mailbox, Goal::none()).await?;
            call::<P>(&actor, callers, CALLS / WARM_UP).await?;
            Ok(each(call::<P>(&actor, callers, CALLS).await?, CALLS))
        }
        Task::CallInTime { .. } => {
            let actor = peer.start(Mailbox::Unbounded, Goal::none()).await?;
            P::call_in_time(&actor, CALLS / WARM_UP).await?;
            let begin = Instant::now();
            P::call_in_time(&actor, CALLS).await?;
            Ok(each(begin.elapsed(), CALLS))
        }
        Task::Ring => crowd::ring(peer).await,
        Task::FanOut => crowd::fan_out(peer).await,
        Task::SpawnStop => {
            peer.spawn_stop(LIVES / WARM_UP).await?;
            let begin = Instant::now();
            peer.spawn_stop(LIVES).await?;
            Ok(each(begin.elapsed(), LIVES))
        }
        Task::Restart(crash) => {
            crash.silence();
            let actor = peer.supervise().await?;
            P::restart(&actor, crash, CRASHES / WARM_UP).await?;
            let begin = Instant::now();
            P::restart(&actor, crash, CRASHES).await?;
            Ok(each(begin.elapsed(), CRASHES))
        }
        Task::Whereis(popularity) => {
            let named = Named::start(peer, popularity, NAMES, u64::MAX).await?;
            named.look_up(peer, LOOKUPS / WARM_UP)?;
            Ok(each(named.look_up(peer, LOOKUPS)?, LOOKUPS))
        }
        Task::NamedCast { actors } => {
            let messages = (CASTS / WARM_UP + CASTS) / actors;
            let named = Named::start(peer, Popularity::Even, actors, messages).await?;
            named.warm_up(peer, CASTS / WARM_UP).await?;
            Ok(each(named.cast(peer, CASTS).await?, CASTS))
        }
        Task::EmptyJobs { .. } => pools::empty::<P::Pool>().await,
        Task::SpeedUp => pools::speed_up::<P::Pool>().await,
        Task::IdleBytes => idle(peer, IDLE).await,
        Task::Children { .. } | Task::Scale { .. } => bail!("a tree has several results"),
        _ => bail!("it is driven elsewhere"),
    }
}

/// Returns the time from before the first sender starts until the actor has handled the last
/// message.
async fn cast<P: Peer>(peer: &P, senders: u64, mailbox: Mailbox, count: u64) -> Result<Duration> {
    let reached = Arc::new(Notify::new());
    let share = count / senders;
    let actor = peer.start(mailbox, Goal::after(share * senders, reached.clone())).await?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..senders).map(|_| tokio::spawn(P::cast(actor.clone(), mailbox, share))).collect();
    for task in tasks {
        task.await.context("a sender panicked")??;
    }
    reached.notified().await;
    Ok(begin.elapsed())
}

/// Returns the time of `count` calls. If there is one caller, it is this task.
async fn call<P: Peer>(actor: &P::Address, callers: u64, count: u64) -> Result<Duration> {
    let begin = Instant::now();
    if callers == 1 {
        P::call(actor, count).await?;
        return Ok(begin.elapsed());
    }
    let caller = || {
        let actor = actor.clone();
        tokio::spawn(async move { P::call(&actor, count / callers).await })
    };
    let tasks: Vec<_> = (0..callers).map(|_| caller()).collect();
    for task in tasks {
        task.await.context("a caller panicked")??;
    }
    Ok(begin.elapsed())
}

/// Returns the memory of each of `count` actors in bytes, with one kept address of each.
async fn idle<P: Peer>(peer: &P, count: u64) -> Result<f64> {
    let mut actors = Vec::with_capacity(usize::try_from(count)?);
    serve_one(peer).await?;
    let before = resident()?;
    for _ in 0..count {
        actors.push(serve_one(peer).await?);
    }
    let after = resident()?;
    drop(actors);
    Ok(after.saturating_sub(before) as f64 / count as f64)
}

async fn serve_one<P: Peer>(peer: &P) -> Result<P::Address> {
    let actor = peer.start(Mailbox::Unbounded, Goal::none()).await?;
    P::call(&actor, 1).await?;
    Ok(actor)
}
