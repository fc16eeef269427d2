//! What a call needs of the actor that it calls.

use std::task::{Poll, Waker};

use super::send::SendState;
use super::typed::Address;
use crate::mailbox::{PushError, WaitsFor};
use crate::process::Process;
use crate::system::{AnyProcess, System};

/// A process that is called, without its message type.
pub(super) trait CalledProcess: AnyProcess {
    /// Returns its system, or `None` before its first start.
    fn system(&self) -> Option<&System>;
}

impl<M: Send + 'static> CalledProcess for Process<M> {
    fn system(&self) -> Option<&System> {
        self.registration().map(|registration| &registration.system)
    }
}

/// An actor that can be called with messages `N`.
pub(super) trait Callee<N> {
    /// The process of the actor.
    type Process: CalledProcess + ?Sized;
    /// The state of a send.
    type Entry;

    fn process(&self) -> &Self::Process;

    fn entry(message: N) -> Self::Entry;

    /// Sends the message as soon as there is room. Returns its sequence number, or why it was
    /// refused; `None` if it can be neither handled nor returned.
    fn enter(&self, entry: &mut Self::Entry, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>>;

    /// Stops waiting for room. Returns the message unless it was accepted.
    fn cancel(&self, entry: &mut Self::Entry) -> Option<N>;
}

impl<M: Send + 'static> Callee<M> for Address<M> {
    type Process = Process<M>;
    type Entry = SendState<M>;

    fn process(&self) -> &Process<M> {
        Self::process(self)
    }

    fn entry(message: M) -> SendState<M> {
        SendState::New(message)
    }

    fn enter(&self, entry: &mut SendState<M>, waker: &Waker) -> Poll<Result<u64, Option<PushError<M>>>> {
        entry.poll(Self::process(self), WaitsFor::Answer, waker).map_err(Some)
    }

    fn cancel(&self, entry: &mut SendState<M>) -> Option<M> {
        entry.cancel(&Self::process(self).queue)
    }
}
