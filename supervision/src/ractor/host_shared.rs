//! What an incarnation's host and the ractor actor that it hosts share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use perennial_actors::host::{
    Guarded, MailboxConsumer, MailboxEvent, MessageReceiver, catch_panic, wake_each,
};
use perennial_actors::{ExitReason, System};
use ractor::{Actor, ActorCell};

use super::doorbell;

/// Between a host and its ractor actor. The locks guard nothing but values that are put down and picked up.
pub(super) struct HostShared<A: Actor> {
    pub(super) actor: Guarded<A>,
    pub(super) system: System,
    taker: MessageReceiver<A::Msg>,
    /// Here while no callback has it, so that it is the host who drops it, and not ractor or the supervisor, to whom ractor would
    /// send it.
    state: Mutex<Option<State<A>>>,
    notes: Mutex<HostState>,
}

/// The state of an actor, dropped under a guard of its own.
pub(super) type State<A> = Guarded<Box<<A as Actor>::State>>;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    /// The host's, who does nothing yet: there is no bell.
    Early,
    /// The host's, to look for a message.
    Host,
    /// The actor's, to take and handle it.
    Actor,
}

struct HostState {
    turn: Turn,
    bell: Option<ActorCell>,
    /// The host.
    waker: Option<Waker>,
    /// Why the actor failed, if it did.
    failure: Option<ExitReason>,
    /// It has stopped in good order.
    stopped_cleanly: bool,
    /// What was below it when it ended, as far as that is known.
    descendants: Vec<ActorCell>,
}

impl<A: Actor> HostShared<A> {
    pub(super) fn new(actor: A, attachment: &MailboxConsumer<A::Msg>) -> Self {
        let notes = HostState {
            turn: Turn::Early,
            bell: None,
            waker: None,
            failure: None,
            stopped_cleanly: false,
            descendants: Vec::new(),
        };
        Self {
            actor: Guarded::new(actor),
            system: attachment.system().clone(),
            taker: attachment.taker(),
            state: Mutex::new(None),
            notes: Mutex::new(notes),
        }
    }

    /// What the host has to act on. Messages count only when it is its turn and they are `wanted`.
    pub(super) fn poll(
        &self,
        attachment: &mut MailboxConsumer<A::Msg>,
        wanted: bool,
        cx: &mut Context<'_>,
    ) -> Poll<MailboxEvent<()>> {
        let turn = {
            let mut notes = self.notes();
            // Before it looks whose turn it is: a change after that wakes it.
            match &mut notes.waker {
                Some(known) => known.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            notes.turn
        };
        match turn {
            Turn::Host if wanted => attachment.poll_waiting(cx),
            _ => attachment.poll_order(cx),
        }
    }

    /// Makes it the actor's turn.
    pub(super) fn ring(&self) {
        let bell = {
            let mut notes = self.notes();
            notes.turn = Turn::Actor;
            notes.bell.clone()
        };
        if let Some(bell) = bell {
            doorbell::ring(&bell);
        }
    }

    /// The message that the actor is to handle, if it is its turn.
    pub(super) fn take(&self) -> Option<A::Msg> {
        if self.notes().turn != Turn::Actor {
            return None;
        }
        let message = self.taker.take();
        if message.is_none() {
            // Something has come before it, or it was dropped for a newer one.
            self.turn_over(|_| ());
        }
        message
    }

    /// The message was handled.
    pub(super) fn handled(&self) {
        self.taker.handled();
        self.turn_over(|_| ());
    }

    /// There is a bell, or another one than before.
    pub(super) fn hang(&self, bell: ActorCell) {
        self.turn_over(|notes| notes.bell = Some(bell));
    }

    /// Makes it the host's turn.
    fn turn_over(&self, change: impl FnOnce(&mut HostState)) {
        let waker = {
            let mut notes = self.notes();
            notes.turn = Turn::Host;
            change(&mut notes);
            notes.waker.take()
        };
        wake_each(waker);
    }

    pub(super) fn bell(&self) -> Option<ActorCell> {
        self.notes().bell.clone()
    }

    pub(super) fn take_state(&self) -> Option<State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn store_state(&self, state: State<A>) {
        let before = self.state.lock().unwrap_or_else(PoisonError::into_inner).replace(state);
        drop(before);
    }

    /// Drops the state, and the actor if nothing else has it any more. Returns the reason if one of them panics.
    pub(super) fn clear(self: Arc<Self>) -> Option<ExitReason> {
        let system = self.system.clone();
        let state = self.take_state().and_then(Guarded::into_inner);
        let panicked = catch_panic(Some(&system), || drop(state)).err();
        let actor = Arc::into_inner(self).and_then(|house| house.actor.into_inner());
        panicked.or(catch_panic(Some(&system), || drop(actor)).err())
    }

    /// Writes down why it failed; the first time counts.
    pub(super) fn fail(&self, reason: &ExitReason) {
        self.notes().failure.get_or_insert_with(|| reason.clone());
    }

    pub(super) fn failure(&self) -> Option<ExitReason> {
        self.notes().failure.clone()
    }

    pub(super) fn say_good_bye(&self) {
        self.notes().stopped_cleanly = true;
    }

    pub(super) fn has_said_good_bye(&self) -> bool {
        self.notes().stopped_cleanly
    }

    /// Writes down what is below the actor. Ractor forgets it when it kills it all, and does not wait.
    pub(super) fn note_below(&self, actor: &ActorCell) {
        let mut below = Vec::new();
        let mut next = actor.get_children();
        while let Some(cell) = next.pop() {
            next.extend(cell.get_children());
            below.push(cell);
        }
        self.notes().descendants.extend(below);
    }

    pub(super) fn descendants(&self) -> Vec<ActorCell> {
        std::mem::take(&mut self.notes().descendants)
    }

    fn notes(&self) -> MutexGuard<'_, HostState> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
