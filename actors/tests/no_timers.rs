//! Runtimes without timers, and threads without a runtime: an operation that needs a timer is an
//! error, everything else works.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use perennial_actors::host::require_timers;
use perennial_actors::{
    Actor, Address, CallError, Context, ExitReason, MailboxConfig, NoTimers, Reply, SendError, System, Unsent,
};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug)]
enum Msg {
    Echo(u32, Reply<u32>),
    /// Sets a timer.
    Timer,
    Hang,
}

struct Clerk;

impl Actor for Clerk {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Echo(n, reply) => reply.send(n),
            Msg::Timer => drop(ctx.send_after(Duration::from_secs(1), Msg::Hang)),
            Msg::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

fn without_timers() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn echo(clerk: &Address<Msg>) -> perennial_actors::Call<Msg, u32> {
    clerk.call(|reply| Msg::Echo(7, reply))
}

async fn clerk() -> Address<Msg> {
    let one = MailboxConfig::bounded(1);
    System::new().spawn::<Clerk>(()).mailbox(one).await.expect("it starts")
}

/// Wakes a thread that waits for a future without a runtime.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Cx::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Returns the result of a call with each kind of timeout.
async fn call(clerk: &Address<Msg>) -> [Result<u32, CallError<Msg>>; 2] {
    [echo(clerk).await, echo(clerk).timeout(Duration::from_millis(10)).await]
}

fn assert_gives_back(results: [Result<u32, CallError<Msg>>; 2]) {
    for result in results {
        let Err(CallError::NoTimers(Unsent { message: Msg::Echo(7, reply), target, .. })) = result else {
            panic!("it was to need a timer: {result:?}");
        };
        assert!(reply.is_closed());
        assert_eq!(target.label(), Some("all::no_timers::Clerk"));
    }
}

#[test]
fn a_call_with_a_timeout_on_a_runtime_without_timers_gives_the_message_back() {
    without_timers().block_on(async {
        let clerk = clerk().await;
        assert_gives_back(call(&clerk).await);
        assert_eq!(clerk.counters().accepted, 0, "nothing was sent");
        assert_eq!(echo(&clerk).no_timeout().await.expect("it needs no timer"), 7);
        assert_eq!(require_timers(), Err(NoTimers));
    });
}

#[test]
fn a_call_on_a_thread_without_a_runtime_gives_the_message_back_or_waits_without_a_timeout() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let clerk = runtime.block_on(clerk());
    assert_gives_back(block_on(call(&clerk)));
    assert_eq!(clerk.counters().accepted, 0, "nothing was sent");
    assert_eq!(block_on(echo(&clerk).no_timeout().into_future()).expect("it needs no timer"), 7);
    assert_eq!(require_timers(), Err(NoTimers));
    runtime.block_on(async {
        assert_eq!(echo(&clerk).await.expect("here are timers"), 7);
        assert_eq!(require_timers(), Ok(()));
    });
}

#[test]
fn a_call_to_an_ended_actor_reports_that_on_every_runtime() {
    let clerk = without_timers().block_on(async {
        let clerk = clerk().await;
        let down = clerk.monitor();
        clerk.stop(ExitReason::Normal).expect("it lives");
        down.await;
        clerk
    });
    assert!(matches!(block_on(echo(&clerk).into_future()), Err(CallError::Closed(_))));
}

#[test]
fn a_send_with_a_deadline_that_would_have_to_wait_without_timers_gives_the_message_back() {
    without_timers().block_on(async {
        let clerk = clerk().await;
        let soon = Duration::from_millis(10);
        clerk.send(Msg::Hang).timeout(soon).await.expect("there is room, so it does not wait");
        tokio::task::yield_now().await;
        clerk.cast(Msg::Hang).expect("there is room for one");
        let error = clerk.send(Msg::Timer).timeout(soon).await.expect_err("it is full");
        let said = r#"a send with a deadline to actor "all::no_timers::Clerk" needs a tokio runtime with timers (message type Msg)"#;
        assert_eq!(error.to_string(), said);
        assert!(matches!(error, SendError::NoTimers(Unsent { message: Msg::Timer, .. })));
    });
}

#[test]
fn an_actor_that_sets_a_timer_without_timers_fails_with_an_error() {
    without_timers().block_on(async {
        let clerk = clerk().await;
        let down = clerk.monitor();
        clerk.cast(Msg::Timer).expect("there is room");
        let ExitReason::Failed(failure) = down.await.reason else { panic!("it failed") };
        assert_eq!(failure.downcast_ref::<NoTimers>(), Some(&NoTimers));
    });
}

/// A runtime with timers drives the clock that calls share. Calls wait for that clock only there.
#[test]
fn a_runtime_without_timers_does_not_affect_the_clock_of_the_others() {
    let with_timers =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let clerk = with_timers.block_on(clerk());
    assert_gives_back(without_timers().block_on(call(&clerk)));
    with_timers.block_on(async {
        clerk.cast(Msg::Hang).expect("there is room");
        assert!(matches!(echo(&clerk).await, Err(CallError::TimedOut(_))));
    });
}
