//! A ring of perennial actors.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use perennial::{Actor, Address, Context, ExitReason, MailboxConfig, System};
use tokio::sync::Notify;

use crate::work::Begin;

enum Msg {
    Next(Address<Msg>),
    Number(u64),
}

struct Link {
    next: Option<Address<Msg>>,
    reached: Arc<Notify>,
}

impl Actor for Link {
    type Msg = Msg;
    type Args = Arc<Notify>;

    async fn init(reached: &Arc<Notify>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { next: None, reached: reached.clone() })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match (msg, &self.next) {
            (Msg::Next(next), _) => self.next = Some(next),
            (Msg::Number(number), Some(next)) if number > 0 => {
                next.cast(Msg::Number(number - 1)).map_err(|_| "the next one is gone")?;
            }
            (Msg::Number(_), _) => self.reached.notify_one(),
        }
        Ok(())
    }
}

pub(super) async fn start(system: &System, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
    let mut links = Vec::new();
    for _ in 0..actors {
        let link = system.spawn::<Link>(reached.clone()).mailbox(MailboxConfig::unbounded()).await;
        links.push(link.context("the actor did not start")?);
    }
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        link.cast(Msg::Next(next.clone())).map_err(|refused| anyhow!("{refused}"))?;
    }
    let first = links.swap_remove(0);
    Ok(Box::new(move |number| first.cast(Msg::Number(number)).map_err(|refused| anyhow!("{refused}"))))
}
