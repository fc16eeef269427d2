//! Timeouts of calls beside timers of tokio: their precision, also under load, and the cost of
//! waiting.

use std::future::{Future, IntoFuture, pending, poll_fn};
use std::pin::pin;
use std::time::Duration;

use perennial_actors::{Actor, Address, CallError, Context, ExitReason, Reply, System};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};

const HOUR: Duration = Duration::from_secs(3_600);

/// Keeps every reply and answers none.
#[derive(Default)]
struct Silent(Vec<Reply<()>>);

impl Actor for Silent {
    type Msg = Reply<()>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, reply: Reply<()>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.push(reply);
        Ok(())
    }
}

async fn silent() -> Address<Reply<()>> {
    System::new().spawn::<Silent>(()).await.expect("it starts")
}

async fn call(silent: Address<Reply<()>>, after: Duration) {
    let result = silent.call(|reply| reply).timeout(after).await;
    assert!(matches!(result, Err(CallError::TimedOut(_))), "{result:?}");
}

async fn tokios(after: Duration) {
    assert!(timeout(after, pending::<()>()).await.is_err());
}

/// Runs `wait` in a task of its own. Returns how long that took, and how often it was polled.
fn measure(wait: impl Future<Output = ()> + Send + 'static) -> JoinHandle<(Duration, usize)> {
    tokio::spawn(async move {
        let (begun, mut polls, mut wait) = (Instant::now(), 0, pin!(wait));
        poll_fn(|cx| {
            polls += 1;
            wait.as_mut().poll(cx)
        })
        .await;
        (begun.elapsed(), polls)
    })
}

/// Spawns `tasks` tasks that each block the thread for `slice` at every poll.
fn load(tasks: usize, slice: Duration) -> Vec<JoinHandle<()>> {
    let task = move || async move {
        loop {
            advance(slice).await;
        }
    };
    (0..tasks).map(|_| tokio::spawn(task())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_under_load_fires_at_most_30_ms_after_a_timer_of_tokio() {
    let millis = Duration::from_millis;
    for (tasks, slice, after) in [
        (1, millis(25), millis(2_000)),
        (1, millis(100), millis(2_000)),
        (6, millis(10), millis(5_000)),
        (20, millis(10), millis(1_000)),
    ] {
        let (silent, load) = (silent().await, load(tasks, slice));
        let (ours, tokios) = (measure(call(silent, after)), measure(tokios(after)));
        let (ours, tokios) = (ours.await.expect("it ends").0, tokios.await.expect("it ends").0);
        load.iter().for_each(JoinHandle::abort);
        assert!(
            ours >= after && ours <= tokios + millis(30),
            "{tasks} tasks of {slice:?}: {ours:?}, {tokios:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_an_hour_is_polled_as_often_as_a_timer_of_tokio() {
    let ours = measure(call(silent().await, HOUR)).await.expect("it ends");
    assert_eq!(ours, measure(tokios(HOUR)).await.expect("it ends"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_polled_in_between_is_as_exact() {
    let (silent, after) = (silent().await, Duration::from_secs(7));
    let begun = Instant::now();
    let mut call = pin!(silent.call(|reply| reply).timeout(after).into_future());
    loop {
        tokio::select! {
            result = call.as_mut() => break assert!(matches!(result, Err(CallError::TimedOut(_)))),
            () = sleep(Duration::from_millis(333)) => {}
        }
    }
    assert_eq!(begun.elapsed(), after);
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_leave_no_task_and_no_timer_behind() {
    let silent = silent().await;
    for _ in 0..100 {
        let call = silent.call(|reply| reply).timeout(HOUR).into_future();
        assert!(timeout(Duration::from_secs(60), call).await.is_err());
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 2, "the actor and one ticker");
    silent.handle().stop(ExitReason::Normal).expect("it lives");
    drop(silent);
    sleep(HOUR).await;
    assert_eq!(tasks(), 0);
}
