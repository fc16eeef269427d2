//! A ring of actix actors, all on one thread.

use std::sync::Arc;

use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message};
use anyhow::Result;
use tokio::sync::Notify;

use crate::work::Begin;

struct Link {
    next: Option<Addr<Self>>,
    reached: Arc<Notify>,
}

impl Actor for Link {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Next(Addr<Link>);

#[derive(Message)]
#[rtype(result = "()")]
struct Number(u64);

impl Handler<Next> for Link {
    type Result = ();

    fn handle(&mut self, Next(next): Next, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Number> for Link {
    type Result = ();

    fn handle(&mut self, Number(number): Number, _: &mut Context<Self>) {
        match &self.next {
            Some(next) if number > 0 => next.do_send(Number(number - 1)),
            _ => self.reached.notify_one(),
        }
    }
}

pub(super) fn start(arbiter: Option<&ArbiterHandle>, actors: u64, reached: Arc<Notify>) -> Result<Begin> {
    let link = || {
        let link = Link { next: None, reached: reached.clone() };
        match arbiter {
            Some(arbiter) => Link::start_in_arbiter(arbiter, move |_| link),
            None => link.start(),
        }
    };
    let mut links: Vec<_> = (0..actors).map(|_| link()).collect();
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        link.do_send(Next(next.clone()));
    }
    let first = links.swap_remove(0);
    Ok(Box::new(move |number| {
        first.do_send(Number(number));
        Ok(())
    }))
}
