//! A tree with many queued messages that receives a stop signal. One test runs in this process,
//! because signals reach the whole process.

#![cfg(unix)]

use std::future::{Future, pending};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use perennial::pool::Pool;
use perennial::prelude::*;
use perennial::{App, RunOutcome, StopSignal, StopSignals, SupervisorHandle};
use tokio::task::yield_now;

const MESSAGES: u64 = 1_000;
const JOBS: u64 = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// An actor whose handler yields, so messages stay queued for a while.
struct Counting;

impl Actor for Counting {
    type Msg = u64;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: u64, _: &mut Context<Self>) -> Result<(), ExitReason> {
        yield_now().await;
        Ok(())
    }
}

fn send(signal: &str) {
    let sent = Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
}

fn counting(shutdown: Shutdown) -> Child<u64> {
    Child::new::<Counting>("counting", ()).shutdown(shutdown).mailbox(MailboxConfig::unbounded())
}

/// Runs a tree with a closure before the stop. `meanwhile` starts when the tree listens for
/// signals.
async fn run(
    app: &App<SupervisorHandle>,
    timeout: Duration,
    before_stop: impl AsyncFnOnce(StopSignal),
    meanwhile: impl Future<Output = ()>,
) -> RunOutcome {
    let mut signals = StopSignals::listen().expect("this process may listen to signals");
    let outcome = pin!(app.run_until_signal_with(&mut signals, timeout, before_stop));
    let (outcome, ()) = tokio::join!(outcome, meanwhile);
    outcome
}

#[tokio::test]
async fn signal_drains_what_is_queued_and_a_closure_runs_before_the_stop() {
    full_mailbox_and_full_pool_are_drained_and_the_exit_code_is_0().await;
    report_and_exit_code_tell_what_was_dropped_without_a_drain().await;
    closure_runs_before_the_stop_while_everything_runs().await;
    closure_is_bounded().await;
}

async fn full_mailbox_and_full_pool_are_drained_and_the_exit_code_is_0() {
    let counter = counting(Shutdown::Drain(MINUTE));
    let address = counter.address();
    let pool = Pool::from_fn("pool", 2, |job: &u64| {
        let job = *job;
        async move {
            yield_now().await;
            Ok::<u64, String>(job)
        }
    });
    let pool = pool.shutdown(Shutdown::Drain(MINUTE));
    let jobs = pool.handle();
    let app = Supervisor::new("app").child(counter).child(pool).start(&System::new()).await;
    let app = app.expect("the tree starts");
    let queued = async {
        for message in 0..MESSAGES {
            address.cast(message).expect("the mailbox is not bounded");
        }
        for job in 0..JOBS {
            jobs.submit(job).detach().await.expect("there is room");
        }
        send("-TERM");
    };
    let mut outcome = pin!(app.run_until_signal());
    tokio::select! {
        biased;
        _ = &mut outcome => panic!("the tree ended without a signal"),
        () = std::future::ready(()) => {}
    }
    let (outcome, ()) = tokio::join!(outcome, queued);
    let outcome = outcome.expect("this process may listen to signals");
    assert!(
        matches!(&outcome, RunOutcome::Stopped(StopSignal::Terminate, report) if report.is_clean()),
        "{outcome:?}"
    );
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!((address.handle().counters().handled, jobs.stats().completed), (MESSAGES, JOBS));
}

async fn report_and_exit_code_tell_what_was_dropped_without_a_drain() {
    let counter = counting(Shutdown::default());
    let address = counter.address();
    let app = Supervisor::new("app").child(counter).start(&System::new()).await.expect("the tree starts");
    let mut outcome = pin!(app.run_until_signal());
    tokio::select! {
        biased;
        _ = &mut outcome => panic!("the tree ended without a signal"),
        () = std::future::ready(()) => {}
    }
    let queued = async {
        send("-TERM");
        (0..100_000).for_each(|message| address.cast(message).expect("the mailbox is not bounded"));
    };
    let (outcome, ()) = tokio::join!(outcome, queued);
    let outcome = outcome.expect("this process may listen to signals");
    let RunOutcome::Stopped(_, report) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(report.dropped_messages, address.handle().counters().dead_lettered);
    assert_eq!((report.is_clean(), outcome.exit_code()), (false, 2), "{report}");
}

async fn closure_runs_before_the_stop_while_everything_runs() {
    let counter = counting(Shutdown::Drain(MINUTE));
    let address = counter.address();
    let app = Supervisor::new("app").child(counter).start(&System::new()).await.expect("the tree starts");
    let runs = AtomicU32::new(0);
    let before_stop = async |signal| {
        assert_eq!(signal, StopSignal::Terminate);
        yield_now().await;
        address.cast(0).expect("the child still runs");
        runs.fetch_add(1, Ordering::Relaxed);
    };
    let outcome = run(&app, MINUTE, before_stop, async { send("-TERM") }).await;
    assert_eq!((outcome.exit_code(), runs.into_inner()), (0, 1), "{outcome:?}");
    assert_eq!(address.handle().counters().handled, 1);
}

/// The tree stops cleanly after a closure that panics, one that exceeds its timeout, and one that
/// another signal interrupts.
async fn closure_is_bounded() {
    for case in 0..3 {
        let app = Supervisor::new("app").child(counting(Shutdown::default())).start(&System::new()).await;
        let app = app.expect("the tree starts");
        let (has_begun, is_dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let timeout = if case == 1 { Duration::from_millis(10) } else { MINUTE };
        let (begun, dropped) = (has_begun.clone(), is_dropped.clone());
        let before_stop = async move |_| {
            let _guard = OnDrop(dropped);
            begun.store(true, Ordering::Relaxed);
            if case == 0 {
                panic!("on purpose");
            }
            pending::<()>().await;
        };
        let signals = async {
            send("-TERM");
            while case == 2 && !has_begun.load(Ordering::Relaxed) {
                yield_now().await;
            }
            if case == 2 {
                send("-INT");
            }
        };
        let outcome = run(&app, timeout, before_stop, signals).await;
        assert!(matches!(&outcome, RunOutcome::Stopped(StopSignal::Terminate, _)), "{case}: {outcome:?}");
        assert_eq!(outcome.exit_code(), 0);
        assert!(is_dropped.load(Ordering::Relaxed));
    }
}

/// Sets a flag when it is dropped.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
