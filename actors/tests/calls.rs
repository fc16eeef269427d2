//! Calls: each resolves with an answer, or with an error that says why there is none.

use std::error::Error;
use std::future::{IntoFuture, pending};
use std::sync::mpsc as threads;
use std::time::Duration;

use perennial_actors::{
    Actor, Address, CallError, Context, DeadLetter, DeadLetterReason, ExitReason, MailboxConfig, Reply,
    Spawn, System, Unsent,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

enum Msg {
    Echo(u32, Reply<u32>),
    /// Keeps the reply for later.
    Keep(Reply<u32>),
    /// Answers all kept replies, and says which of them were closed by then.
    AnswerKept(Reply<Vec<bool>>),
    /// Answers from another task.
    Elsewhere(oneshot::Receiver<u32>, Reply<u32>),
    Drop(Reply<u32>),
    Fail(Option<Reply<u32>>),
    Panic(Option<Reply<u32>>),
    /// Stops without an answer.
    Stop(Option<Reply<u32>>),
    /// Signals that it has begun, and never ends.
    Hang(oneshot::Sender<()>, Option<Reply<u32>>),
    CallYourself(Reply<String>),
}

#[derive(Default)]
struct Clerk {
    kept: Vec<Reply<u32>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the ledger is unreadable")]
struct Unreadable(#[source] std::num::ParseIntError);

fn unreadable() -> Unreadable {
    Unreadable("seven".parse::<u32>().expect_err("that is no number"))
}

impl Actor for Clerk {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Echo(n, reply) => reply.send(n),
            Msg::Keep(reply) => self.kept.push(reply),
            Msg::AnswerKept(reply) => {
                reply.send(self.kept.iter().map(Reply::is_closed).collect());
                self.kept.drain(..).for_each(|kept| kept.send(0));
            }
            Msg::Elsewhere(answer, reply) => {
                tokio::spawn(async move { reply.send(answer.await.expect("the test sends it")) });
            }
            Msg::Drop(reply) => drop(reply),
            Msg::Fail(_reply) => return Err(unreadable().into()),
            Msg::Panic(_reply) => panic!("the clerk panics"),
            Msg::Stop(_reply) => ctx.stop(ExitReason::Normal),
            Msg::Hang(begun, _reply) => {
                begun.send(()).expect("the test waits");
                pending::<()>().await;
            }
            Msg::CallYourself(reply) => {
                let answer = ctx.address().call(|reply| Msg::Echo(1, reply)).await;
                reply.send(answer.expect_err("it is busy with this").to_string());
            }
        }
        Ok(())
    }
}

fn clerk_of(system: &System) -> Spawn<Clerk> {
    system.spawn::<Clerk>(())
}

async fn clerk() -> Address<Msg> {
    clerk_of(&System::new()).await.expect("it starts")
}

/// Returns an actor that handles a message for ever while another one fills its mailbox.
async fn full() -> Address<Msg> {
    let one = MailboxConfig::bounded(1);
    let clerk = clerk_of(&System::new()).mailbox(one).await.expect("it starts");
    hang(&clerk).await;
    clerk.cast(Msg::Hang(oneshot::channel().0, None)).expect("there is room for one");
    clerk
}

/// Returns when the actor is inside a handler that never ends.
async fn hang(clerk: &Address<Msg>) {
    let (begun, has_begun) = oneshot::channel();
    clerk.cast(Msg::Hang(begun, None)).expect("there is room");
    has_begun.await.expect("it is handled");
}

/// Returns the exit reason of a call whose target ended.
fn ended<T: std::fmt::Debug>(result: Result<T, CallError<Msg>>) -> ExitReason {
    match result {
        Err(CallError::Ended(reason, _)) => reason,
        other => panic!("the target was to end, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered() {
    assert_eq!(clerk().await.call(|reply| Msg::Echo(7, reply)).await.expect("it answers"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_five_seconds_unless_told_otherwise() {
    let (clerk, begun) = (clerk().await, Instant::now());
    assert!(matches!(clerk.call(Msg::Keep).await, Err(CallError::TimedOut(_))));
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_short_timeout_is_exact() {
    let (clerk, begun, timeout) = (clerk().await, Instant::now(), Duration::from_millis(70));
    assert!(matches!(clerk.call(Msg::Keep).timeout(timeout).await, Err(CallError::TimedOut(_))));
    assert!(begun.elapsed() - timeout <= Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn c123_a_late_answer_is_unobservable() {
    let clerk = clerk().await;
    assert!(matches!(clerk.call(Msg::Keep).await, Err(CallError::TimedOut(_))));
    // The actor can see that the reply is closed. The next caller gets its own answer, not the late
    // one.
    assert_eq!(clerk.call(Msg::AnswerKept).await.expect("it answers"), [true]);
    assert_eq!(clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it answers"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_timeout_waits_as_long_as_it_takes() {
    let clerk = clerk().await;
    let kept = tokio::spawn({
        let clerk = clerk.clone();
        async move { clerk.call(Msg::Keep).no_timeout().await }
    });
    sleep(Duration::from_secs(86_400)).await;
    assert_eq!(clerk.call(Msg::AnswerKept).await.expect("it answers"), [false]);
    assert_eq!(kept.await.expect("the caller ends").expect("it was answered"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_there_is_does_not_end() {
    let clerk = clerk().await;
    let call = clerk.call(Msg::Keep).timeout(Duration::MAX).into_future();
    assert!(tokio::time::timeout(Duration::from_secs(60), call).await.is_err(), "it still waits");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_room_within_its_timeout() {
    let (clerk, begun) = (full().await, Instant::now());
    let result = clerk.call(|reply| Msg::Echo(7, reply)).timeout(Duration::from_millis(70)).await;
    assert!(matches!(result, Err(CallError::NoRoom(Unsent { message: Msg::Echo(7, _), .. }))));
    assert!(begun.elapsed() - Duration::from_millis(70) <= Duration::from_millis(1));
    assert_eq!(clerk.counters().accepted, 2, "it was not sent");
}

#[tokio::test(start_paused = true)]
async fn c124_a_call_to_a_closed_actor_gives_the_message_back() {
    let clerk = clerk().await;
    let down = clerk.monitor();
    clerk.stop(ExitReason::Normal).expect("it lives");
    down.await;
    let result = clerk.call(|reply| Msg::Echo(7, reply)).await;
    assert!(matches!(&result, Err(CallError::Closed(Unsent { message: Msg::Echo(7, _), .. }))));
    assert!(matches!(result.expect_err("it is closed").into_inner(), Some(Msg::Echo(7, _))));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_room_when_the_actor_ends_gets_its_message_back() {
    let clerk = full().await;
    let waiting = tokio::spawn({
        let clerk = clerk.clone();
        async move { clerk.call(|reply| Msg::Echo(7, reply)).await }
    });
    tokio::task::yield_now().await;
    clerk.kill().expect("it lives");
    let result = waiting.await.expect("the caller ends");
    assert!(matches!(result, Err(CallError::Closed(Unsent { message: Msg::Echo(7, _), .. }))));
}

#[tokio::test(start_paused = true)]
async fn c125_a_caller_is_told_the_error_that_ended_the_actor() {
    let clerk = clerk().await;
    let error = clerk.call(|reply| Msg::Fail(Some(reply))).await.expect_err("it fails");
    let said = r#"actor "all::calls::Clerk" ended (message type Msg): failed: the ledger is unreadable"#;
    assert_eq!(error.to_string(), said);
    // The source chain reaches the cause of the cause, and the types are kept.
    let source = error.source().expect("the actor's own error");
    assert!(source.is::<Unreadable>());
    assert!(source.source().expect("its cause").is::<std::num::ParseIntError>());
    let ExitReason::Failed(failure) = ended::<u32>(Err(error)) else { panic!("it failed") };
    assert!(failure.downcast_ref::<Unreadable>().is_some());
}

#[tokio::test(start_paused = true)]
async fn c125_a_caller_is_told_of_the_panic_that_ended_the_actor() {
    let result = clerk().await.call(|reply| Msg::Panic(Some(reply))).await;
    let ExitReason::Panicked(panic) = ended(result) else { panic!("it panicked") };
    assert_eq!(panic.message, "the clerk panics");
}

#[tokio::test(start_paused = true)]
async fn c125_a_caller_is_told_of_the_kill_that_ended_the_actor() {
    let clerk = clerk().await;
    let (begun, has_begun) = oneshot::channel();
    let call = clerk.call(|reply| Msg::Hang(begun, Some(reply)));
    let (result, ()) = tokio::join!(call.into_future(), async {
        has_begun.await.expect("it is handled");
        clerk.kill().expect("it lives");
    });
    assert!(matches!(ended(result), ExitReason::Killed));
}

#[tokio::test(start_paused = true)]
async fn c125_a_caller_whose_actor_stops_normally_without_an_answer_is_told_so() {
    let result = clerk().await.call(|reply| Msg::Stop(Some(reply))).await;
    assert!(matches!(ended(result), ExitReason::Normal));
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_the_queue_of_an_actor_that_ends_is_told_the_reason() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let clerk = clerk_of(&system).await.expect("it starts");
    hang(&clerk).await;
    let waiting = clerk.call(|reply| Msg::Echo(7, reply)).into_future();
    let (result, ()) = tokio::join!(waiting, async { clerk.kill().expect("it lives") });
    assert!(matches!(ended(result), ExitReason::Killed));
    // First the message in flight, then the queued one.
    let reasons = [(); 2].map(|()| dead_letters.try_next().expect("a dead letter").reason);
    assert!(
        matches!(reasons, [DeadLetterReason::InFlight(_), DeadLetterReason::Unhandled(_)]),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_dropped_by_a_live_actor_is_reported_as_dropped() {
    let clerk = clerk().await;
    let begun = Instant::now();
    assert!(matches!(clerk.call(Msg::Drop).await, Err(CallError::ReplyDropped(_))));
    assert_eq!(begun.elapsed(), Duration::ZERO, "no caller waits for a timeout");
    assert_eq!(clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it lives"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reply_is_reported_though_the_actor_is_busy_again() {
    let clerk = clerk().await;
    let (begun, has_begun) = oneshot::channel();
    let (result, ()) = tokio::join!(clerk.call(Msg::Drop).no_timeout().into_future(), async {
        clerk.cast(Msg::Hang(begun, None)).expect("there is room");
        has_begun.await.expect("it is handled");
    });
    assert!(matches!(result, Err(CallError::ReplyDropped(_))));
}

#[tokio::test(start_paused = true)]
async fn c126_a_reply_may_be_sent_from_another_task() {
    let clerk = clerk().await;
    let (answer, elsewhere) = oneshot::channel();
    let call = clerk.call(|reply| Msg::Elsewhere(elsewhere, reply)).into_future();
    let (result, ()) = tokio::join!(call, async {
        // The actor has handled other messages by now.
        assert_eq!(clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it answers"), 7);
        answer.send(8).expect("the task waits for it");
    });
    assert_eq!(result.expect("it was answered"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_reply_sent_from_another_task_arrives_though_the_actor_has_ended() {
    let clerk = clerk().await;
    let (answer, elsewhere) = oneshot::channel();
    let call = clerk.call(|reply| Msg::Elsewhere(elsewhere, reply)).into_future();
    let (result, ()) = tokio::join!(call, async {
        let down = clerk.monitor();
        clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it answers");
        clerk.stop(ExitReason::Normal).expect("it lives");
        down.await;
        answer.send(8).expect("the task waits for it");
    });
    assert_eq!(result.expect("it was answered"), 8);
}

#[tokio::test(start_paused = true)]
async fn c126_a_caller_whose_reply_was_kept_is_told_why_the_actor_ended() {
    type Ender = fn(&Address<Msg>) -> bool;
    let enders: [(Ender, &str); 5] = [
        (|clerk| clerk.stop(ExitReason::shutdown_with("closing time")).is_ok(), "shutdown: closing time"),
        (|clerk| clerk.kill().is_ok(), "killed"),
        (|clerk| clerk.cast(Msg::Fail(None)).is_ok(), "failed: the ledger is unreadable"),
        (|clerk| clerk.cast(Msg::Panic(None)).is_ok(), "panicked: the clerk panics"),
        (|clerk| clerk.cast(Msg::Stop(None)).is_ok(), "normal"),
    ];
    for (end, reason) in enders {
        let clerk = clerk().await;
        let (result, ()) = tokio::join!(clerk.call(Msg::Keep).into_future(), async {
            clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it answers");
            assert!(end(&clerk));
        });
        assert_eq!(ended(result).to_string(), reason);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_before_admission_was_not_sent_and_one_dropped_after_it_was() {
    let clerk = full().await;
    let call = clerk.call(|reply| Msg::Echo(7, reply)).into_future();
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert_eq!(clerk.counters().accepted, 2);
    let roomy = self::clerk().await;
    let call = roomy.call(Msg::Keep).into_future();
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert_eq!(roomy.call(Msg::AnswerKept).await.expect("it answers"), [true]);
}

#[tokio::test(start_paused = true)]
async fn c124_an_actor_that_calls_itself_gets_an_error_at_once_and_continues() {
    let (clerk, begun) = (clerk().await, Instant::now());
    let answer = clerk.call(Msg::CallYourself).await.expect("it answers");
    assert_eq!(answer, r#"a call to actor "all::calls::Clerk" would deadlock (message type Msg)"#);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it lives"), 7);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

#[test]
fn a_call_times_out_though_the_runtime_of_its_target_is_not_polled() {
    let first = runtime();
    let clerk = first.block_on(async {
        let clerk = clerk().await;
        clerk.call(|reply| Msg::Echo(7, reply)).await.expect("it answers");
        clerk
    });
    let (done, result) = threads::channel();
    // On its own thread, so that a call that never returns fails the test instead of blocking it.
    std::thread::spawn(move || {
        let timed_out =
            runtime().block_on(async { matches!(clerk.call(Msg::Keep).await, Err(CallError::TimedOut(_))) });
        done.send(timed_out).expect("the test waits");
    });
    assert_eq!(result.recv_timeout(Duration::from_secs(20)), Ok(true));
    drop(first);
}
