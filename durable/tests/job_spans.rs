//! The span that an attempt at a durable job runs in.

mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_durable::MemoryStore;
use perennial_durable::pool::Durable;
use perennial_supervision::pool::{JobContext, Pool};
use support::Numbers;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic under the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pool in memory has other numbers: each attempt is a job of its own there.
#[tokio::test(start_paused = true)]
async fn what_a_durable_job_logs_is_in_a_span_with_its_number_and_that_of_its_attempt() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let pool: Pool<Numbers> =
        Pool::from_fn_with_context("senders", 1, |n: &u64, ctx: JobContext<'static>| {
            tracing::error!("sends {n}");
            let is_sent = ctx.attempt() > 1;
            std::future::ready(if is_sent { Ok(*n) } else { Err("again".to_owned()) })
        });
    let pool = pool.durable(Arc::new(MemoryStore::new())).retry_errors(true);
    let numbers = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    for n in [7, 8] {
        assert_eq!(numbers.submit(n).await.unwrap().outcome().await, Ok(n));
    }
    assert!(app.shutdown().await.is_clean());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let sent: Vec<&str> = log.lines().filter(|line| line.contains("sends")).collect();
    let expected = [(1, 1, 7), (1, 2, 7), (2, 1, 8), (2, 2, 8)];
    assert_eq!(sent.len(), expected.len(), "{log}");
    for (line, (job, attempt, n)) in sent.iter().zip(expected) {
        let span = format!("job{{pool=\"senders\" job=#{job} attempt={attempt}}}");
        assert!(line.contains(&span) && line.contains(&format!("sends {n}")), "{line}");
    }
}
