//! Many named actors. They are looked up in a pseudo-random order, not in the order of their start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Notify;

use super::contestant::Peer;
use super::goal::Goal;
use super::task::{NAMES, Popularity};

/// The actors of one contestant and their names.
pub struct Named<P: Peer> {
    names: Vec<P::Name>,
    /// The places of the names that are looked up, in this order.
    order: Vec<usize>,
    actors: Vec<P::Address>,
    /// Notified by each looked-up actor when it has handled its last message.
    reached: Vec<Arc<Notify>>,
}

impl<P: Peer> Named<P> {
    /// Starts [`NAMES`] actors. The first `looked_up` lookups of a cycle are repeated, and each of
    /// their actors will receive `messages` messages.
    pub async fn start(peer: &P, popularity: Popularity, looked_up: u64, messages: u64) -> Result<Self> {
        let order: Vec<_> = visits(popularity).take(usize::try_from(looked_up)?).collect();
        let reached: HashMap<_, _> = order.iter().map(|place| (*place, Arc::default())).collect();
        let names: Vec<_> = (0..NAMES).map(name::<P>).collect();
        let mut actors = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let notify = reached.get(&place).cloned();
            let goal = notify.map_or(Goal::none(), |notify| Goal::after(messages, notify));
            actors.push(peer.enlist(name, goal).await?);
        }
        Ok(Self { names, order, actors, reached: reached.into_values().collect() })
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
        Ok(self.order.iter().map(|place| &self.names[*place]).cycle().take(usize::try_from(count)?))
    }
}

/// Returns the name of a place, made at run time for every contestant.
fn name<P: Peer>(place: u64) -> P::Name {
    format!("actor/{place}").into()
}

/// Returns [`NAMES`] places in a pseudo-random order that is always the same. Each is there once
/// if all are as popular.
fn visits(popularity: Popularity) -> impl Iterator<Item = usize> {
    let names = usize::try_from(NAMES).unwrap_or(usize::MAX);
    let random = std::iter::successors(Some(0), move |place| Some((place * 4_821 + 7_919) % names));
    random.take(names).map(move |place| match popularity {
        Popularity::Even => place,
        Popularity::Skewed => (names as f64).powf(place as f64 / names as f64) as usize - 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_visited_once() {
        let mut places: Vec<_> = visits(Popularity::Even).collect();
        assert!(!places.is_sorted());
        places.sort_unstable();
        assert!(places.into_iter().eq(0..10_000));
    }

    #[test]
    fn a_tenth_of_the_names_has_three_quarters_of_the_skewed_lookups() {
        let places: Vec<_> = visits(Popularity::Skewed).collect();
        assert!(places.iter().all(|place| *place < 10_000));
        let visits_below = |limit| places.iter().filter(|place| **place < limit).count();
        assert!((7_450..7_550).contains(&visits_below(1_000)), "{}", visits_below(1_000));
        assert!((700..800).contains(&visits_below(1)), "{}", visits_below(1));
    }
}
