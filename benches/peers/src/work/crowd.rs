//! The works of a thousand actors: a ring, and a fan-out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Notify;

use super::contestant::Peer;
use super::goal::Goal;
use super::task::{CASTS, CROWD, Mailbox, WARM_UP};
use crate::shared::each;

/// Returns the cost of each message of a number that goes around the ring.
pub async fn ring<P: Peer>(peer: &P) -> Result<f64> {
    let reached = Arc::new(Notify::new());
    let send = peer.ring(CROWD, reached.clone()).await?;
    send(CASTS / WARM_UP)?;
    reached.notified().await;
    let begin = Instant::now();
    // Zero is a message too.
    send(CASTS - 1)?;
    reached.notified().await;
    Ok(each(begin.elapsed(), CASTS))
}

/// Returns the cost of each message from one task to all actors in turn.
pub async fn fan_out<P: Peer>(peer: &P) -> Result<f64> {
    cast_each(peer, CASTS / CROWD / WARM_UP).await?;
    let rounds = CASTS / CROWD;
    Ok(each(cast_each(peer, rounds).await?, rounds * CROWD))
}

async fn cast_each<P: Peer>(peer: &P, rounds: u64) -> Result<Duration> {
    let (mut actors, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..CROWD {
        let reached = Arc::new(Notify::new());
        actors.push(peer.start(Mailbox::Unbounded, Goal::after(rounds, reached.clone())).await?);
        ends.push(reached);
    }
    let begin = Instant::now();
    P::cast_each(&actors, rounds)?;
    for reached in &ends {
        reached.notified().await;
    }
    Ok(begin.elapsed())
}
