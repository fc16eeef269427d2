//! Wakers that panic: the code that makes a future ready continues, and so do all other waiters.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Polling, Wake, Waker};
use std::time::Duration;

use perennial_actors::{Actor, CallError, Context, ExitReason, Reply, System};

/// Panics when it wakes.
struct BadWaker;

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// Polls a future once, with a waker that panics. It is not ready.
fn poll_badly<F: Future + Unpin>(future: &mut F) {
    let waker = Waker::from(Arc::new(BadWaker));
    assert!(Pin::new(future).poll(&mut Polling::from_waker(&waker)).is_pending());
}

/// A part of a state. A copy of it panics when it is dropped, unless `is_bad` was cleared.
struct Part {
    is_bad: bool,
}

impl Clone for Part {
    fn clone(&self) -> Self {
        Self { is_bad: true }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        assert!(!self.is_bad, "a copy was dropped");
    }
}

enum Msg {
    /// Keeps the reply in the state, for ever.
    Keep(Reply<u32>),
    Count(Reply<usize>),
    Fail,
}

struct Keeper {
    kept: Vec<Reply<u32>>,
    part: Part,
}

impl Actor for Keeper {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        tokio::task::yield_now().await;
        Ok(Self { kept: Vec::new(), part: Part { is_bad: false } })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Keep(reply) => self.kept.push(reply),
            Msg::Count(reply) => reply.send(self.kept.len()),
            Msg::Fail => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }

    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        Some(&mut self.part)
    }
}

#[tokio::test(start_paused = true)]
async fn callers_whose_wakers_panic_do_not_change_an_exit_whose_state_keeps_their_replies() {
    let (keeper, monitor) = System::new().spawn::<Keeper>(()).detach_monitored().expect("a runtime");
    let mut calls: Vec<_> =
        (0..3).map(|_| Box::pin(keeper.call(Msg::Keep).no_timeout().into_future())).collect();
    calls.iter_mut().for_each(poll_badly);
    assert_eq!(keeper.call(Msg::Count).await.expect("it lives"), 3);
    keeper.cast(Msg::Fail).expect("it lives");
    assert_eq!(monitor.await.reason.to_string(), "failed: on purpose");
    for call in calls {
        assert!(matches!(
            call.await,
            Err(CallError::Ended(ExitReason::Failed(_), _) | CallError::ReplyDropped(_))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_for_a_start_whose_waker_panics_changes_nothing_of_the_actor() {
    let mut start = Box::pin(System::new().spawn::<Keeper>(()).into_future());
    poll_badly(&mut start);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let keeper = start.await.expect("it has started");
    assert_eq!(keeper.call(Msg::Count).await.expect("it lives"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_state_query_whose_waker_or_copy_panics_changes_nothing_of_the_actor() {
    let keeper = System::new().spawn::<Keeper>(()).await.expect("it starts");
    let handle = keeper.handle();
    let (mut look, mut unseen) = (Box::pin(handle.get_state::<Part>()), Box::pin(handle.get_state::<Part>()));
    poll_badly(&mut look);
    poll_badly(&mut unseen);
    drop(unseen);
    assert_eq!(keeper.call(Msg::Count).await.expect("it lives"), 0);
    let mut seen = look.await.expect("it was seen before");
    seen.is_bad = false;
}
