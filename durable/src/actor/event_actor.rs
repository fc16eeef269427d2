//! An event-sourced actor as an actor.

use perennial_actors::{Actor, Context, ExitReason, Signal};

use super::error::JournalError;
use super::event_sourced::{EventSourced, EventSourcedActor};
use super::journal::Journal;
use super::journaled::{Events, Journaled};
use super::transaction::Transaction;
use crate::wire::decode;

impl<A: EventSourced> EventSourcedActor<A> {
    async fn recover(journal: &Journal<A>) -> Result<Self, JournalError> {
        let args = journal.args.clone();
        let events = Events { encode: journal.encode, decode, apply: A::apply };
        let (rule, restore) = journal.snapshots.clone().unzip();
        let restore = restore.map(|restore| {
            let args = &args;
            move |stored: &_| restore(args, stored)
        });
        let journaled = Journaled::recover(&journal.target, events, rule, restore, || A::new(&args)).await?;
        Ok(Self { args, journaled })
    }
}

impl<A: EventSourced> Actor for EventSourcedActor<A> {
    type Msg = A::Msg;
    type Args = Journal<A>;

    async fn init(journal: &Journal<A>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut actor = Self::recover(journal).await?;
        let mut tx = Transaction::new(ctx, &actor.args);
        actor.journaled.state().recovered(&mut tx).await?;
        let staged = tx.into_staged();
        actor.journaled.commit(staged).await?;
        Ok(actor)
    }

    async fn handle(&mut self, msg: A::Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut tx = Transaction::new(ctx, &self.args);
        self.journaled.state().handle(msg, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.journaled.commit(staged).await?)
    }

    async fn signal(&mut self, signal: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut tx = Transaction::new(ctx, &self.args);
        self.journaled.state().signal(signal, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.journaled.commit(staged).await?)
    }

    async fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        if self.journaled.is_committed() {
            self.journaled.state().terminate(reason, &self.args, ctx).await;
        }
    }
}
