//! A ring of ractor actors.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Notify;

use crate::work::Begin;

enum Msg {
    Next(ActorRef<Msg>),
    Number(u64),
}

struct Link;

struct State {
    next: Option<ActorRef<Msg>>,
    reached: Arc<Notify>,
}

impl Actor for Link {
    type Msg = Msg;
    type State = State;
    type Arguments = Arc<Notify>;

    async fn pre_start(&self, _: ActorRef<Msg>, reached: Arc<Notify>) -> Result<State, ActorProcessingErr> {
        Ok(State { next: None, reached })
    }

    async fn handle(&self, _: ActorRef<Msg>, msg: Msg, state: &mut State) -> Result<(), ActorProcessingErr> {
        match (msg, &state.next) {
            (Msg::Next(next), _) => state.next = Some(next),
            (Msg::Number(number), Some(next)) if number > 0 => {
                ractor::cast!(next, Msg::Number(number - 1))?;
            }
            (Msg::Number(_), _) => state.reached.notify_one(),
        }
        Ok(())
    }
}

pub(super) async fn start(actors: u64, reached: Arc<Notify>) -> Result<Begin> {
    let mut links = Vec::new();
    for _ in 0..actors {
        let (link, _) = Actor::spawn(None, Link, reached.clone()).await.context("the actor did not start")?;
        links.push(link);
    }
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        ractor::cast!(link, Msg::Next(next.clone())).map_err(|refused| anyhow!("{refused}"))?;
    }
    let first = links.swap_remove(0);
    Ok(Box::new(move |number| {
        ractor::cast!(first, Msg::Number(number)).map_err(|refused| anyhow!("{refused}"))
    }))
}
