//! A state that is stored as a whole, as an actor.

use perennial_actors::{Actor, Context, ExitReason, Signal};

use super::error::JournalError;
use super::state::{DurableState, DurableStateActor};
use super::stored_state::StoredState;
use super::transaction::{Staged, Transaction};
use crate::payload::Payload;
use crate::wire::decode;

impl<S: DurableState> DurableStateActor<S> {
    async fn load(args: &StoredState<S>) -> Result<Self, JournalError> {
        // A state that cannot be read is not claimed: its writer goes on.
        read(args).await?;
        let writer = args.target.claim().await?;
        let (stored, state) = read(args).await?.unzip();
        let state = state.unwrap_or_else(|| S::new(&args.args));
        let own = args.args.clone();
        Ok(Self { state, args: own, writer, encode: args.encode, stored, is_committed: true })
    }

    async fn commit(&mut self, mut staged: Staged<S, ()>) -> Result<(), JournalError> {
        let encoded = (self.encode)(&self.state)?;
        let mut ops = Vec::new();
        if self.stored.as_ref() != Some(&encoded) {
            ops.push(self.writer.store_snapshot(self.writer.sequence(), encoded.clone()));
        }
        ops.extend(staged.take_jobs());
        if !ops.is_empty() {
            self.writer.commit(ops, 0).await?;
            self.stored = Some(encoded);
        }
        self.is_committed = true;
        staged.committed(&self.state);
        Ok(())
    }
}

/// Returns the stored state, as it is stored and as a value.
async fn read<S: DurableState>(args: &StoredState<S>) -> Result<Option<(Payload, S)>, JournalError> {
    let Some(stored) = args.target.snapshot().await? else { return Ok(None) };
    let state = decode(&stored.state)
        .map_err(|error| JournalError::State { journal: args.target.journal.to_string(), error })?;
    Ok(Some((stored.state, state)))
}

impl<S: DurableState> Actor for DurableStateActor<S> {
    type Msg = S::Msg;
    type Args = StoredState<S>;

    async fn init(args: &StoredState<S>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut actor = Self::load(args).await?;
        let mut tx = Transaction::new(ctx, &actor.args);
        actor.state.recovered(&mut tx).await?;
        let staged = tx.into_staged();
        actor.commit(staged).await?;
        Ok(actor)
    }

    async fn handle(&mut self, msg: S::Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.is_committed = false;
        let mut tx = Transaction::new(ctx, &self.args);
        self.state.handle(msg, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.commit(staged).await?)
    }

    async fn signal(&mut self, signal: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.is_committed = false;
        let mut tx = Transaction::new(ctx, &self.args);
        self.state.signal(signal, &mut tx).await?;
        let staged = tx.into_staged();
        Ok(self.commit(staged).await?)
    }

    async fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        if self.is_committed {
            self.state.terminate(reason, &self.args, ctx).await;
        }
    }
}
