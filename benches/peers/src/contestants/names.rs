//! Many actors with a name each, which are looked up in an order that is far from that in which they were started.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Notify;

use super::Peer;
use super::goal::Goal;
use crate::works::NAMES;

/// The actors of one contestant and their names.
pub struct Named<P: Peer> {
    /// Those that are looked up, in that order.
    names: Vec<P::Name>,
    actors: Vec<P::Address>,
    /// Where each of those that are looked up tells that it has handled its last message.
    reached: Vec<Arc<Notify>>,
}

impl<P: Peer> Named<P> {
    /// Starts [`NAMES`] actors, of which some are to be looked up and each of those to be sent so many messages.
    pub async fn start(peer: &P, looked_up: u64, messages: u64) -> Result<Self> {
        let visited: Vec<_> = visits().take(usize::try_from(looked_up)?).collect();
        let reached: HashMap<_, _> = visited.iter().map(|place| (*place, Arc::default())).collect();
        let mut actors = Vec::new();
        for place in 0..NAMES {
            let told = reached.get(&place).cloned();
            let goal = told.map_or(Goal::none(), |told| Goal::after(messages, told));
            actors.push(peer.enlist(&name::<P>(place), goal).await?);
        }
        let names = visited.into_iter().map(name::<P>).collect();
        Ok(Self { names, actors, reached: reached.into_values().collect() })
    }

    /// Looks the names up, again and again.
    pub fn look_up(&self, peer: &P, count: u64) -> Result<Duration> {
        let begin = Instant::now();
        peer.whereis(self.visit(count)?)?;
        Ok(begin.elapsed())
    }

    /// Looks the names up and sends a message to each, again and again. Resolves when all are handled.
    pub async fn warm_up(&self, peer: &P, count: u64) -> Result<()> {
        peer.cast_named(self.visit(count)?)?;
        for actor in &self.actors {
            P::call(actor, 1).await?;
        }
        Ok(())
    }

    /// The same, with the messages after which all actors are at their goals.
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

/// Each of the [`NAMES`] places once, in an order that looks like chance and is always the same.
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
