//! What one handler of a durable actor asks for: it is committed as a whole, or not at all.

use std::fmt;

use perennial_actors::{Actor, Context, Reply};

use crate::batch::Op;
use crate::record::NewJob;

/// An actor whose transactions are committed: an [`EventSourcedActor`](super::EventSourcedActor) or
/// a [`DurableStateActor`](super::DurableStateActor).
pub trait DurableActor: Actor {
    /// The state.
    type State: 'static;

    /// The events; `()` if the state is stored as a whole.
    type Event: Send + 'static;

    /// The arguments of the user's type.
    type OwnArgs: Send + Sync + 'static;
}

/// The functions that run after the commit.
type AfterCommit<S> = Box<dyn FnOnce(&S) + Send>;

/// What is committed when a handler returns `Ok`: events, a snapshot and jobs, in one step. Replies
/// follow.
///
/// If the handler returns an error, panics, or is dropped at an await, this is dropped too: nothing
/// is stored, and a caller that waits for a reply gets the reason of the end. That also holds for
/// an error with a normal reason. To stop after the commit, stop the [context](Self::context) and
/// return `Ok`.
pub struct Transaction<'a, A: DurableActor> {
    ctx: &'a mut Context<A>,
    args: &'a A::OwnArgs,
    staged: Staged<A::State, A::Event>,
}

/// What a handler has asked for.
pub(super) struct Staged<S, E> {
    pub(super) events: Vec<E>,
    pub(super) jobs: Vec<NewJob>,
    pub(super) wants_snapshot: bool,
    after_commit: Vec<AfterCommit<S>>,
}

impl<S, E> Staged<S, E> {
    /// Returns the operations that enqueue the jobs.
    pub(super) fn take_jobs(&mut self) -> impl Iterator<Item = Op> {
        self.jobs.drain(..).map(|job| Op::Enqueue(Box::new(job)))
    }

    /// Sends the replies, after the commit.
    pub(super) fn committed(self, state: &S) {
        self.after_commit.into_iter().for_each(|act| act(state));
    }
}

impl<'a, A: DurableActor> Transaction<'a, A> {
    pub(super) const fn new(ctx: &'a mut Context<A>, args: &'a A::OwnArgs) -> Self {
        let staged =
            Staged { events: Vec::new(), jobs: Vec::new(), wants_snapshot: false, after_commit: Vec::new() };
        Self { ctx, args, staged }
    }

    pub(super) const fn staged_mut(&mut self) -> &mut Staged<A::State, A::Event> {
        &mut self.staged
    }

    pub(super) fn into_staged(self) -> Staged<A::State, A::Event> {
        self.staged
    }

    /// Answers a call after the commit.
    ///
    /// [`Reply::send`] answers at once: it is for what needs no commit, such as a state that was
    /// read, or a refusal.
    pub fn reply<T: Send + 'static>(&mut self, reply: Reply<T>, answer: T) {
        self.after_commit(move |_| reply.send(answer));
    }

    /// Answers a call after the commit, with what the new state says.
    pub fn reply_with<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        answer: impl FnOnce(&A::State) -> T + Send + 'static,
    ) {
        self.after_commit(move |state| reply.send(answer(state)));
    }

    /// Runs a function after the commit, with the new state, in the order of these calls. Other
    /// actors are told from here: a message that is sent in the handler may tell of events that are
    /// not stored in the end.
    ///
    /// It does not run if the actor is killed between the commit and its end. What must not be lost
    /// is a [job](Self::enqueue).
    ///
    /// # Panics
    ///
    /// A panic ends the actor: what was committed stays, and what was to run after it does not.
    pub fn after_commit(&mut self, act: impl FnOnce(&A::State) + Send + 'static) {
        self.staged.after_commit.push(Box::new(act));
    }

    /// Stores a job of a durable pool in the same commit: it is there if and only if the events
    /// are. [`DurableSubmission::prepare`](crate::pool::DurableSubmission::prepare) makes it. The
    /// pool is in the same store. A [unique](crate::Unique) job that is there already stays as it
    /// is.
    pub fn enqueue(&mut self, job: NewJob) {
        self.staged.jobs.push(job);
    }

    /// Returns the arguments of the actor.
    #[must_use]
    pub const fn args(&self) -> &'a A::OwnArgs {
        self.args
    }

    /// Returns the context of the incarnation: its address, timers, streams, links and monitors.
    pub const fn context(&mut self) -> &mut Context<A> {
        self.ctx
    }
}

impl<A: DurableActor> fmt::Debug for Transaction<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("events", &self.staged.events.len())
            .field("jobs", &self.staged.jobs.len())
            .finish_non_exhaustive()
    }
}
