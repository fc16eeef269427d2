//! The span that an attempt at a job runs in.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::System;
use perennial::pool::{JobContext, Pool};
use tokio::time::sleep;
use tracing::dispatcher;
use tracing::subscriber::set_default;
use tracing_subscriber::fmt::format::FmtSpan;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no thread panics under the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Returns the lines that contain this text.
    fn with(&self, text: &str) -> Vec<String> {
        let bytes = self.0.lock().expect("no thread panics under the lock").clone();
        let all = String::from_utf8(bytes).expect("it is text");
        all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

/// Runs two jobs at once, of which one is retried, and returns the lines that they and the
/// subscriber wrote.
async fn lines(level: tracing::Level) -> Lines {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let _default = set_default(subscriber);
    let work = |job: &u64, ctx: JobContext<'static>| {
        let job = *job;
        async move {
            tracing::error!("begins {job}");
            sleep(Duration::from_millis(10)).await;
            tracing::error!("ends {job}");
            if job == 2 && ctx.attempt() == 1 { Err("again") } else { Ok(()) }
        }
    };
    let pool = Pool::from_fn_with_context("senders", 2, work).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let both = [jobs.submit(1), jobs.submit(2)].map(|job| job.try_submit().expect("there is room"));
    for job in both {
        job.await.expect("it is done");
    }
    tracing::error!("outside");
    assert!(app.shutdown().await.is_clean());
    lines
}

#[tokio::test(start_paused = true)]
async fn what_a_job_logs_is_in_a_span_with_its_pool_its_number_and_its_attempt() {
    let lines = lines(tracing::Level::INFO).await;
    for (text, many) in [("begins 1", 1), ("ends 1", 1), ("begins 2", 2), ("ends 2", 2)] {
        let of_job = lines.with(text);
        assert_eq!(of_job.len(), many);
        let number = &text[text.len() - 1..];
        for (attempt, line) in (1..).zip(of_job) {
            let span = format!("job{{pool=\"senders\" job=#{number} attempt={attempt}}}");
            assert!(line.contains(&span), "{line}");
        }
    }
    // Other spans are of other crates.
    let of_jobs = |event| lines.with(event).iter().filter(|line| line.contains(" job{")).count();
    assert_eq!((of_jobs(": new"), of_jobs(": close")), (3, 3));
    assert!(lines.with("outside").iter().all(|line| !line.contains("job{")));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_wants_no_spans_of_this_level_makes_none() {
    let lines = lines(tracing::Level::WARN).await;
    assert_eq!(lines.with("begins").len(), 3);
    assert!(lines.with("job{").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_blocking_function_runs_in_the_span_of_its_job() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let on_thread = dispatch.clone();
    let _default = dispatcher::set_default(&dispatch);
    let work = move |job: u64| {
        // The default of a thread is its own.
        let _default = dispatcher::set_default(&on_thread);
        tracing::error!("on a thread");
        Ok::<_, Infallible>(job)
    };
    let pool = Pool::from_blocking_fn("blockers", 1, work);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    jobs.submit(7).await.expect("there is room").await.expect("it is done");
    assert!(app.shutdown().await.is_clean());
    let line = lines.with("on a thread");
    assert!(line[0].contains("job{pool=\"blockers\" job=#1 attempt=1}"), "{line:?}");
}
