//! The spans of durable jobs. A process of its own: a subscriber of one thread sees only some of
//! the lines while other threads, which have none, meet the same code.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_durable::MemoryStore;
use perennial_durable::pool::Durable;
use perennial_supervision::pool::{JobContext, Pool};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic under the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_durable_job_has_its_number_in_the_store_its_attempt_and_its_trace() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let pool = Pool::from_fn_with_context("traced", 1, |job: &u64, ctx: JobContext<'static>| {
        let job = *job;
        async move {
            tracing::info!("at work");
            if job % 2 == 1 && ctx.attempt() == 1 { Err("no".to_owned()) } else { Ok(job) }
        }
    });
    let pool = pool.durable(Arc::new(MemoryStore::new())).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    assert_eq!(jobs.submit(2).await.unwrap().outcome().await, Ok(2));
    let retried = jobs.submit(1).traceparent(TRACE).await.unwrap();
    assert_eq!(retried.outcome().await, Ok(1));
    assert!(app.shutdown().await.is_clean());
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let at_work: Vec<&str> = text.lines().filter(|line| line.contains("at work")).collect();
    let id = retried.id();
    let spans = [
        "job{pool=\"traced\" job=#1 attempt=1}".to_owned(),
        format!("job{{pool=\"traced\" job=#{id} attempt=1 traceparent=\"{TRACE}\"}}"),
        format!("job{{pool=\"traced\" job=#{id} attempt=2 traceparent=\"{TRACE}\"}}"),
    ];
    assert_eq!(at_work.len(), spans.len(), "{text}");
    for (line, span) in at_work.iter().zip(spans) {
        assert!(line.contains(&span), "{line}: {span}");
    }
}
