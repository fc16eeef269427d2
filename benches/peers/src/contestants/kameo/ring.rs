//! A ring of kameo actors.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox::unbounded;
use kameo::message::{Context, Message};
use tokio::sync::Notify;

use crate::work::Begin;

#[derive(Actor)]
struct Link {
    next: Option<ActorRef<Self>>,
    reached: Arc<Notify>,
}

struct Next(ActorRef<Link>);
struct Number(u64);

impl Message<Next> for Link {
    type Reply = ();

    async fn handle(&mut self, Next(next): Next, _: &mut Context<Self, ()>) {
        self.next = Some(next);
    }
}

impl Message<Number> for Link {
    type Reply = ();

    async fn handle(&mut self, Number(number): Number, _: &mut Context<Self, ()>) {
        match &self.next {
            // The race waits for the number, which does not come if this one is refused.
            Some(next) if number > 0 => drop(next.tell(Number(number - 1)).try_send()),
            _ => self.reached.notify_one(),
        }
    }
}

pub(super) async fn start(actors: u64, reached: Arc<Notify>) -> Result<Begin> {
    let link = || Link { next: None, reached: reached.clone() };
    let mut links: Vec<_> = (0..actors).map(|_| Link::spawn_with_mailbox(link(), unbounded())).collect();
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        link.tell(Next(next.clone())).send().await.ok().context("the actor is gone")?;
    }
    let first = links.swap_remove(0);
    Ok(Box::new(move |number| first.tell(Number(number)).try_send().ok().context("the actor is gone")))
}
