//! Many named actors. They are looked up in a pseudo-random order, not in the order of their start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Notify;

use super::contestant::Peer;
use super::goal::Goal;
use super::task::NAMES;

/// The actors of one contestant and their names.
pub struct Named<P: Peer> {
    /// The names to look up, in this order.
    names: Vec<P::Name>,
    actors: Vec<P::Address>,
    /// Notified by each looked-up actor when it has handled its last message.
    reached: Vec<Arc<Notify>>,
}

impl<P: Peer> Named<P> {
    /// Starts [`NAMES`] actors. `looked_up` of them will be looked up, and each of these will
    /// receive `messages` messages.
    pub async fn start(peer: &P, looked_up: u64, messages: u64) -> Result<Self> {
        let visited: Vec<_> = visits().take(usize::try_from(looked_up)?).collect();
        let reached: HashMap<_, _> = visited.iter().map(|place| (*place, Arc::default())).collect();
        let mut actors = Vec::new();
        for place in 0..NAMES {
            let notify = reached.get(&place).cloned();
            let goal = notify.map_or(Goal::none(), |notify| Goal::after(messages, notify));
            actors.push(peer.enlist(&name::<P>(place), goal).await?);
        }
        let names = visited.into_iter().map(name::<P>).collect();
        Ok(Self { names, actors, reached: reached.into_values().collect() })
    }

    /// Looks names up in a cycle, `count` in all.
    pub fn look_up(&self, peer: &P, count: u64) -> Result<Duration> {
        let begin = Instant::now();
        peer.whereis(self.visit(count)?)?;
        Ok(begin.elapsed())
    }

    /// Looks names up in a cycle and sends a message to each, `count` in all. Resolves when all are
    /// handled.
    pub async fn warm_up(&self, peer: &P, count: u64) -> Result<()> {
        peer.cast_named(self.visit(count)?)?;
        for actor in &self.actors {
            P::call(actor, 1).await?;
        }
        Ok(())
    }

    /// Does the same with the messages that complete the goals of all actors. Returns the time.
    pub async fn cast(&self, peer: &P, count: u64) -> Result<Duration> {
        let begin = Instant::now();
        peer.cast_named(self.visit(count)?)?;
        for reached in &self.reached {
            reached.notified().await;
        }
        Ok(begin.elapsed())
    }

    fn visit(&self, count: u64) -> Result<impl Iterator<Item = &P::Name>> {
        Ok(self.names.iter().cycle().take(usize::try_from(count)?))
    }
}

/// Returns the name of a place, made at run time for every contestant.
fn name<P: Peer>(place: u64) -> P::Name {
    format!("actor/{place}").into()
}

/// Returns each of the [`NAMES`] places once, in a pseudo-random order that is always the same.
fn visits() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0), |place| Some((place * 4_821 + 7_919) % NAMES))
        .take(usize::try_from(NAMES).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_visited_once() {
        let mut places: Vec<_> = visits().collect();
        assert!(!places.is_sorted());
        places.sort_unstable();
        assert!(places.into_iter().eq(0..NAMES));
    }
}
