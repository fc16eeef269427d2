//! A subscriber that panics or never returns, and errors that cannot be displayed: supervised code
//! is not affected.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, Signal, System};
use perennial_supervision::pool::Pool;
use perennial_supervision::{App, ReportKind, Restart, Supervisor, SupervisorHandle, SupervisorReport};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::bombs::{Msg, Unspeakable, idler, incarnation, soon, tell};
use crate::support::threads;

/// Does this with every line, as one does whose writer panics.
struct Listener<F>(F);

impl<F: Fn(Level) + Send + Sync + 'static> Subscriber for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("perennial")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // As one that writes does: what is displayed is the user's.
        let mut text = Text(String::new());
        event.record(&mut text);
        (self.0)(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{value:?}"));
    }
}

async fn start(tree: Supervisor) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = tree.start(&system).await.expect("it starts");
    (system, app)
}

/// Is linked to another, and keeps the reason with which that ends.
struct Partner(Option<ExitReason>);

impl Actor for Partner {
    type Msg = Reply<Option<ExitReason>>;
    type Args = Address<Msg>;

    async fn init(other: &Address<Msg>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(true);
        ctx.link(&other.handle()).map_err(ExitReason::failed)?;
        Ok(Self(None))
    }

    async fn handle(&mut self, reply: Self::Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(self.0.clone());
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Exit { reason, .. } = signal {
            self.0 = Some(reason);
        }
        Ok(())
    }
}

/// Checks that a child is restarted after an error, and that its monitors and links are notified.
async fn an_error_does_no_more_than_it_is_to(error: ExitReason) {
    let child = idler("a", ());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").child(child)).await;
    let partner = system.spawn::<Partner>(address.clone()).await.expect("it starts");
    let mut reports = system.subscribe::<SupervisorReport>();
    let down = address.monitor();
    tell(&address, Msg::End(error));
    assert_eq!(incarnation(&address).await, 2);
    assert!(matches!(down.await.reason, ExitReason::Failed(_)));
    let told = partner.call(|reply| reply).await.expect("it lives");
    assert!(matches!(told, Some(ExitReason::Failed(_))), "{:?}", told.is_some());
    let reported = std::iter::from_fn(|| reports.try_next());
    assert!(reported.into_iter().any(|report| matches!(report.kind, ReportKind::Restarting { .. })));
    // One more, and it gives up, which is logged too.
    tell(&address, Msg::End(ExitReason::failed("once too often")));
    assert!(matches!(app.join().await, ExitReason::Shutdown(_)));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_at_every_line_costs_a_child_nothing() {
    let lines = Arc::new(AtomicU32::new(0));
    let count = lines.clone();
    let listening = set_default(Listener(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new("broken pipe"));
    }));
    soon(an_error_does_no_more_than_it_is_to(ExitReason::failed("on purpose"))).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(listening);
    assert!(lines.load(Ordering::Relaxed) > 5, "it was to be heard");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_as_it_is_displayed_costs_a_child_nothing() {
    let _listening = set_default(Listener(|_| ()));
    soon(an_error_does_no_more_than_it_is_to(ExitReason::failed(Unspeakable))).await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_end_cannot_be_displayed_ends_all_the_same() {
    let _listening = set_default(Listener(|_| ()));
    let child = idler("a", ()).restart(Restart::Temporary);
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").child(child)).await;
    app.handle().stop(ExitReason::failed(Unspeakable)).expect("it lives");
    assert!(matches!(soon(app.join()).await, ExitReason::Failed(_)));
    assert!(address.cast(Msg::Do(|| ())).is_err());
    // A start that fails so is an error like any other.
    let child = idler("a", ());
    let address = child.address();
    let inner = Supervisor::new("inner").intensity(0, Duration::from_secs(1)).child(child);
    let app = Supervisor::new("app").child(inner).start(&system).await.expect("it starts");
    tell(&address, Msg::End(ExitReason::failed(Unspeakable)));
    assert_eq!(incarnation(&address).await, 2, "its supervisor gave up and was restarted");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_worker_crashes_ends_though_every_line_panics() {
    let _listening = set_default(Listener(|_| resume_unwind(Box::new("broken pipe"))));
    let pool = Pool::from_fn("pool", 2, |job: &u32| {
        let job = *job;
        async move {
            if job == 0 {
                resume_unwind(Box::new("a bug"));
            }
            Ok::<u32, std::io::Error>(job)
        }
    });
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    assert!(soon(jobs.submit(0).await.expect("it is open")).await.is_err());
    assert_eq!(jobs.submit(7).await.expect("it is open").await.expect("it is done"), 7);
    assert!(app.shutdown().await.is_clean());
}

#[test]
fn a_subscriber_that_never_comes_back_keeps_no_supervisor_waiting() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    threads::on_threads(2, async move {
        // The subscriber is that of the thread that logs. So everything is done on this thread.
        tokio::task::spawn_blocking(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let waits = gate.clone();
            let dispatch = tracing::Dispatch::new(Listener(move |level| {
                if level < Level::DEBUG {
                    // An error is as good: the test is over.
                    let _ = waits.lock().expect("it does not panic").recv();
                }
            }));
            let runtime = runtime
                .worker_threads(3)
                .enable_time()
                .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                tokio::spawn(async {
                    let child = idler("a", ());
                    let address = child.address();
                    let tree = Supervisor::new("app").intensity(100, Duration::from_secs(1)).child(child);
                    let (_, app) = start(tree).await;
                    for end in 1..=20 {
                        tell(&address, Msg::End(ExitReason::failed("on purpose")));
                        assert_eq!(incarnation(&address).await, end + 1);
                    }
                    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 1);
                    assert!(app.shutdown().await.is_clean());
                })
                .await
                .expect("it does not panic");
            });
            drop(open);
        })
        .await
        .expect("it does not panic");
    });
}
