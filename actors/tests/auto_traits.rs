//! What every public type can do: cross threads, be shared, be printed. If one loses that, this does not compile.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::{Future, IntoFuture};
use std::hash::Hash;

use perennial_actors::host::{Attachment, End, Identity, OpenError, Step};
use perennial_actors::{
    Actor, Address, Call, CallError, Capacity, Closed, Context, Counters, DeadLetter, DeadReason, Down,
    Event, ExitReason, Failure, Handle, Mailbox, Monitor, NoProcess, OnRestart, Overflow, Panic,
    PanicLocations, Permit, Pid, ProcessState, Recipient, RecipientCall, Reply, Reserving, SendError,
    Sending, SendingUntil, Signal, Spawn, StartError, Subscription, System, SystemBuilder, WeakAddress,
};

/// A message that cannot be shared or printed: nothing below may need that.
type Msg = std::cell::Cell<u8>;

struct Anybody;

impl Actor for Anybody {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

fn value<T: Send + Sync + Debug + 'static>() {}
fn error<T: Error + Send + Debug + Display>() {}
fn copy<T: Copy + Eq>() {}
fn key<T: Clone + Eq + Hash>() {}
fn future<T: Future + Send + Unpin + Debug>() {}
fn send_debug<T: Send + Debug>() {}
fn is_send<T: Send>(_: &T) {}

#[test]
fn handles_and_values_are_send_sync_and_debug() {
    value::<Address<Msg>>();
    value::<Handle>();
    value::<System>();
    value::<SystemBuilder>();
    value::<PanicLocations>();
    value::<Identity<Msg>>();
    value::<ExitReason>();
    value::<Failure>();
    value::<Panic>();
    value::<Pid>();
    value::<ProcessState>();
    value::<Signal>();
    value::<Event>();
    value::<DeadLetter>();
    value::<DeadReason>();
    value::<Down>();
    value::<End>();
    value::<Counters>();
    value::<Mailbox>();
    value::<Capacity>();
    value::<OnRestart>();
    value::<Subscription<Event>>();
    value::<Reply<u8>>();
    value::<Overflow>();
    value::<Permit<Msg>>();
    value::<Recipient<Msg>>();
    value::<WeakAddress<Msg>>();
    copy::<Pid>();
    copy::<Counters>();
    copy::<Mailbox>();
    key::<Pid>();
    key::<Address<Msg>>();
}

#[test]
fn what_belongs_to_one_owner_is_send_and_debug_whatever_the_message() {
    send_debug::<Attachment<Msg>>();
    send_debug::<Context<Anybody>>();
    send_debug::<Spawn<Anybody>>();
    send_debug::<Reply<Msg>>();
    send_debug::<Step<u8>>();
}

#[test]
fn errors_are_errors_whatever_the_message() {
    error::<SendError<Msg>>();
    error::<CallError<Msg>>();
    error::<Closed<Msg>>();
    error::<NoProcess>();
    error::<OpenError>();
    error::<StartError>();
    value::<StartError>();
    value::<CallError<u8>>();
}

#[test]
fn futures_are_send_unpin_and_debug() {
    future::<Monitor>();
    future::<Sending<'static, Msg>>();
    future::<SendingUntil<'static, Msg>>();
    future::<Reserving<'static, Msg>>();
    future::<Call<Msg, u8>>();
    future::<RecipientCall<Msg, u8>>();
    is_send(&System::new().spawn::<Anybody>(()).into_future());
}
