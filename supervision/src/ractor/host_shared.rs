//! The state that a host shares with its ractor actor.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::host::sync::{Mutex, MutexGuard};
use perennial_actors::host::{
    Guarded, MailboxConsumer, MailboxEvent, MessageReceiver, catch_panic, register_waker, wake_each,
};
use perennial_actors::{ExitReason, System};
use ractor::{Actor, ActorCell};

use super::doorbell;

/// The state shared by a host and its ractor actor. No foreign code runs under its locks.
pub(super) struct HostShared<A: Actor> {
    pub(super) actor: Guarded<A>,
    pub(super) system: System,
    receiver: MessageReceiver<A::Msg>,
    /// The actor's state, while no callback uses it. Kept here, it is dropped by the host, and not
    /// by ractor or by the supervisor, to which ractor would send it.
    state: Mutex<Option<State<A>>>,
    host_state: Mutex<HostState>,
}

/// The state of an actor, dropped under its own guard.
pub(super) type State<A> = Guarded<Box<<A as Actor>::State>>;

/// The side that may take the next message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MessageAccess {
    /// The host, but there is no doorbell yet: it takes none.
    Starting,
    /// The host, which polls for a message.
    Host,
    /// The actor, which takes and handles the message.
    Actor,
}

/// The part of the shared state that changes.
struct HostState {
    access: MessageAccess,
    doorbell: Option<ActorCell>,
    /// The waker of the host.
    waker: Option<Waker>,
    /// The reason of the actor's failure, if it failed.
    failure: Option<ExitReason>,
    /// `true` if `post_stop` has returned `Ok`.
    stopped_cleanly: bool,
    /// The known descendants of the actor when it ended.
    descendants: Vec<ActorCell>,
}

impl<A: Actor> HostShared<A> {
    pub(super) fn new(actor: A, attachment: &MailboxConsumer<A::Msg>) -> Self {
        let host_state = HostState {
            access: MessageAccess::Starting,
            doorbell: None,
            waker: None,
            failure: None,
            stopped_cleanly: false,
            descendants: Vec::new(),
        };
        Self {
            actor: Guarded::new(actor),
            system: attachment.system().clone(),
            receiver: attachment.taker(),
            state: Mutex::new(None),
            host_state: Mutex::new(host_state),
        }
    }

    /// Polls for the next event that the host has to act on. Messages are polled only if the host
    /// has access and they are `wanted`.
    pub(super) fn poll(
        &self,
        attachment: &mut MailboxConsumer<A::Msg>,
        wanted: bool,
        cx: &mut Context<'_>,
    ) -> Poll<MailboxEvent<()>> {
        // Before the access is read: a change after that wakes the host.
        register_waker(&self.host_state, cx.waker(), |state| Some(&mut state.waker));
        let access = self.lock().access;
        match access {
            MessageAccess::Host if wanted => attachment.poll_waiting(cx),
            _ => attachment.poll_order(cx),
        }
    }

    /// Gives the actor access and rings the doorbell.
    pub(super) fn ring(&self) {
        let doorbell = {
            let mut state = self.lock();
            state.access = MessageAccess::Actor;
            state.doorbell.clone()
        };
        if let Some(doorbell) = doorbell {
            doorbell::ring(&doorbell);
        }
    }

    /// Takes the message that the actor is to handle, if the actor has access.
    pub(super) fn take(&self) -> Option<A::Msg> {
        if self.lock().access != MessageAccess::Actor {
            return None;
        }
        let message = self.receiver.take();
        if message.is_none() {
            // A control signal came first, or the message was evicted by a newer one.
            self.return_access(|_| ());
        }
        message
    }

    /// Marks the message as handled.
    pub(super) fn handled(&self) {
        self.receiver.handled();
        self.return_access(|_| ());
    }

    /// Sets the doorbell, also one that replaces another.
    pub(super) fn set_doorbell(&self, doorbell: ActorCell) {
        self.return_access(|state| state.doorbell = Some(doorbell));
    }

    /// Gives the host access and wakes it.
    fn return_access(&self, change: impl FnOnce(&mut HostState)) {
        let waker = {
            let mut state = self.lock();
            state.access = MessageAccess::Host;
            change(&mut state);
            state.waker.take()
        };
        wake_each(waker);
    }

    pub(super) fn doorbell(&self) -> Option<ActorCell> {
        self.lock().doorbell.clone()
    }

    pub(super) fn take_state(&self) -> Option<State<A>> {
        self.state.lock().take()
    }

    pub(super) fn store_state(&self, state: State<A>) {
        let before = self.state.lock().replace(state);
        drop(before);
    }

    /// Drops the state, and the actor if nothing else refers to it. Returns the exit reason if one
    /// of the drops panics.
    pub(super) fn clear(self: Arc<Self>) -> Option<ExitReason> {
        let system = self.system.clone();
        let state = self.take_state().and_then(Guarded::into_inner);
        let panicked = catch_panic(Some(&system), || drop(state)).err();
        let actor = Arc::into_inner(self).and_then(|shared| shared.actor.into_inner());
        panicked.or(catch_panic(Some(&system), || drop(actor)).err())
    }

    /// Records the reason of a failure. Only the first call has an effect.
    pub(super) fn fail(&self, reason: &ExitReason) {
        self.lock().failure.get_or_insert_with(|| reason.clone());
    }

    pub(super) fn failure(&self) -> Option<ExitReason> {
        self.lock().failure.clone()
    }

    pub(super) fn set_stopped_cleanly(&self) {
        self.lock().stopped_cleanly = true;
    }

    pub(super) fn stopped_cleanly(&self) -> bool {
        self.lock().stopped_cleanly
    }

    /// Records the descendants of the actor. Ractor forgets them when it kills them, and does not
    /// wait.
    pub(super) fn record_descendants(&self, actor: &ActorCell) {
        let mut descendants = Vec::new();
        let mut next = actor.get_children();
        while let Some(cell) = next.pop() {
            next.extend(cell.get_children());
            descendants.push(cell);
        }
        self.lock().descendants.extend(descendants);
    }

    pub(super) fn take_descendants(&self) -> Vec<ActorCell> {
        std::mem::take(&mut self.lock().descendants)
    }

    fn lock(&self) -> MutexGuard<'_, HostState> {
        self.host_state.lock()
    }
}
