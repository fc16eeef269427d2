//! The auto traits of every public type: `Send`, `Sync` and `Debug`. If a type loses one of them,
//! this file does not compile.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::{Future, IntoFuture};
use std::hash::Hash;

use perennial_actors::host::{AttachError, Identity, IncarnationExit, MailboxConsumer, MailboxEvent};
use perennial_actors::{
    Actor, ActorHandle, Address, Call, CallError, Capacity, ClosedError, Context, DeadLetter,
    DeadLetterReason, Down, ErrorReason, ExitReason, LifecycleEvent, MailboxConfig, MailboxOnRestart,
    MessageStats, Monitor, NoProcessError, OverflowPolicy, Panic, PanicLocations, Permit, Pid, ProcessState,
    Recipient, RecipientCall, Reply, ReserveFuture, SendError, SendFuture, SendTimeoutFuture, Signal, Spawn,
    SpawnError, Subscription, System, SystemBuilder, WeakAddress,
};

/// A message that cannot be shared or printed: no type below may require that.
type Msg = std::cell::Cell<u8>;

struct AnyActor;

impl Actor for AnyActor {
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
    value::<ActorHandle>();
    value::<System>();
    value::<SystemBuilder>();
    value::<PanicLocations>();
    value::<Identity<Msg>>();
    value::<ExitReason>();
    value::<ErrorReason>();
    value::<Panic>();
    value::<Pid>();
    value::<ProcessState>();
    value::<Signal>();
    value::<LifecycleEvent>();
    value::<DeadLetter>();
    value::<DeadLetterReason>();
    value::<Down>();
    value::<IncarnationExit>();
    value::<MessageStats>();
    value::<MailboxConfig>();
    value::<Capacity>();
    value::<MailboxOnRestart>();
    value::<Subscription<LifecycleEvent>>();
    value::<Reply<u8>>();
    value::<OverflowPolicy>();
    value::<Permit<Msg>>();
    value::<Recipient<Msg>>();
    value::<WeakAddress<Msg>>();
    copy::<Pid>();
    copy::<MessageStats>();
    copy::<MailboxConfig>();
    key::<Pid>();
    key::<Address<Msg>>();
}

#[test]
fn values_with_one_owner_are_send_and_debug_whatever_the_message() {
    send_debug::<MailboxConsumer<Msg>>();
    send_debug::<Context<AnyActor>>();
    send_debug::<Spawn<AnyActor>>();
    send_debug::<Reply<Msg>>();
    send_debug::<MailboxEvent<u8>>();
}

#[test]
fn errors_are_errors_whatever_the_message() {
    error::<SendError<Msg>>();
    error::<CallError<Msg>>();
    error::<ClosedError<Msg>>();
    error::<NoProcessError>();
    error::<AttachError>();
    error::<SpawnError>();
    value::<SpawnError>();
    value::<CallError<u8>>();
}

/// A call moves its future at least twice, and a task that calls is as large as it.
#[test]
fn futures_of_messages_and_calls_are_small() {
    let (send, call) = (size_of::<SendFuture<'static, u64>>(), size_of::<Call<u64, u64>>());
    assert!(send <= 24 && call <= 104, "{send} and {call} bytes");
}

#[test]
fn futures_are_send_unpin_and_debug() {
    future::<Monitor>();
    future::<SendFuture<'static, Msg>>();
    future::<SendTimeoutFuture<'static, Msg>>();
    future::<ReserveFuture<'static, Msg>>();
    future::<Call<Msg, u8>>();
    future::<RecipientCall<Msg, u8>>();
    is_send(&System::new().spawn::<AnyActor>(()).into_future());
}
