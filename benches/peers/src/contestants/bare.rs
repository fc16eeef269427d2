//! What one would write by hand: a tokio task that reads a channel, and a oneshot for each reply.
//!
//! It is ended by dropping the last sender; its join handle tells of the end.

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Peer;
use super::goal::Goal;
use crate::works::{Mailbox, ROOM};

pub enum Msg {
    Step(u64),
    Left(oneshot::Sender<u64>),
}

/// The sending end of either channel.
#[derive(Clone)]
pub enum Sender {
    Unbounded(mpsc::UnboundedSender<Msg>),
    Bounded(mpsc::Sender<Msg>),
}

async fn serve_unbounded(mut messages: mpsc::UnboundedReceiver<Msg>, mut goal: Goal) {
    while let Some(msg) = messages.recv().await {
        handle(&mut goal, msg);
    }
}

async fn serve_bounded(mut messages: mpsc::Receiver<Msg>, mut goal: Goal) {
    while let Some(msg) = messages.recv().await {
        handle(&mut goal, msg);
    }
}

fn handle(goal: &mut Goal, msg: Msg) {
    match msg {
        Msg::Step(by) => goal.step(by),
        // Whoever asked may have gone.
        Msg::Left(reply) => drop(reply.send(goal.left())),
    }
}

fn spawn(mailbox: Mailbox, goal: Goal) -> (Sender, JoinHandle<()>) {
    match mailbox {
        Mailbox::Unbounded => {
            let (sender, messages) = mpsc::unbounded_channel();
            (Sender::Unbounded(sender), tokio::spawn(serve_unbounded(messages, goal)))
        }
        Mailbox::Bounded => {
            let (sender, messages) = mpsc::channel(ROOM);
            (Sender::Bounded(sender), tokio::spawn(serve_bounded(messages, goal)))
        }
    }
}

pub struct Bare;

impl Peer for Bare {
    type Address = Sender;

    async fn start(&self, mailbox: Mailbox, goal: Goal) -> Result<Sender> {
        Ok(spawn(mailbox, goal).0)
    }

    async fn cast(actor: Sender, _: Mailbox, count: u64) -> Result<()> {
        match actor {
            Sender::Unbounded(sender) => {
                for _ in 0..count {
                    sender.send(Msg::Step(1)).ok().context("the task is gone")?;
                }
            }
            Sender::Bounded(sender) => {
                for _ in 0..count {
                    sender.send(Msg::Step(1)).await.ok().context("the task is gone")?;
                }
            }
        }
        Ok(())
    }

    async fn call(actor: &Sender, count: u64) -> Result<()> {
        for _ in 0..count {
            let (reply, answer) = oneshot::channel();
            match actor {
                Sender::Unbounded(sender) => sender.send(Msg::Left(reply)).ok(),
                Sender::Bounded(sender) => sender.send(Msg::Left(reply)).await.ok(),
            }
            .context("the task is gone")?;
            answer.await.context("the task gave no answer")?;
        }
        Ok(())
    }

    async fn spawn_stop(&self, count: u64) -> Result<()> {
        let (mut senders, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (sender, end) = spawn(Mailbox::Unbounded, Goal::none());
            senders.push(sender);
            ends.push(end);
        }
        drop(senders);
        for end in ends {
            end.await.context("the task panicked")?;
        }
        Ok(())
    }
}
