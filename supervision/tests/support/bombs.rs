//! Users' values that panic when they are dropped, displayed or woken.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Wake;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply};
use perennial_supervision::Child;

/// A value that panics when it is dropped, and counts its drops.
#[derive(Debug)]
pub(crate) struct Bomb(pub(crate) Arc<AtomicU32>);

impl Bomb {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        // Unlike `panic!`, this prints nothing.
        resume_unwind(Box::new("a bomb"));
    }
}

/// Panics with a payload that panics when it is dropped.
pub(crate) fn panic_with_a_bomb() -> ! {
    panic_any(Bomb::new())
}

/// An error that panics when it is displayed.
#[derive(Debug)]
pub(crate) struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        resume_unwind(Box::new("displayed"));
    }
}

impl Error for Unspeakable {}

/// An error that panics when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Fragile(pub(crate) Bomb);

impl fmt::Display for Fragile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fragile")
    }
}

impl Error for Fragile {}

/// A waker that panics, and counts its wake-ups.
#[derive(Default)]
pub(crate) struct Alarm(pub(crate) AtomicU32);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new("woken"));
    }
}

/// A value whose drop notifies the [`Gate`] and blocks the thread until the gate is dropped.
#[derive(Debug)]
pub(crate) struct Slow {
    begun: Sender<()>,
    gate: Receiver<()>,
}

/// Ends the blocking drop of a [`Slow`] when this is dropped.
pub(crate) struct Gate {
    begun: Receiver<()>,
    _open: Sender<()>,
}

impl Slow {
    pub(crate) fn new() -> (Self, Gate) {
        let ((begin, begun), (open, gate)) = (mpsc::channel(), mpsc::channel());
        (Self { begun: begin, gate }, Gate { begun, _open: open })
    }
}

impl Gate {
    /// Waits until the value is being dropped.
    pub(crate) async fn begun(self) -> Self {
        tokio::task::spawn_blocking(move || {
            self.begun.recv().expect("it is dropped");
            self
        })
        .await
        .expect("it does not panic")
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.begun.send(());
        let _ = self.gate.recv();
    }
}

/// A message to an [`Idler`].
pub(crate) enum Msg {
    Incarnation(Reply<u32>),
    /// Ends for this reason.
    End(ExitReason),
    /// Runs this function.
    Do(fn()),
}

/// An actor with arguments `T`, which it never reads.
pub(crate) struct Idler<T>(std::marker::PhantomData<T>);

impl<T: Send + Sync + 'static> Actor for Idler<T> {
    type Msg = Msg;
    type Args = T;

    async fn init(_: &T, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(std::marker::PhantomData))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
            Msg::End(reason) => return Err(reason),
            Msg::Do(code) => code(),
        }
        Ok(())
    }
}

/// Returns a child with these arguments.
pub(crate) fn idler<T: Send + Sync + 'static>(id: &'static str, args: T) -> Child<Msg> {
    Child::new::<Idler<T>>(id, args)
}

/// Returns the output, or fails after an hour of paused time.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), future).await.expect("it comes")
}

pub(crate) async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).await.expect("it answers")
}

pub(crate) fn tell(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}
