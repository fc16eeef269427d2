//! A job that is an attempt at a job of another queue has the numbers and the progress of that.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_supervision::pool::{JobContext, JobOrigin, JobProgress, Pool, ProgressSink};

#[derive(Default)]
struct Reports(Mutex<Vec<(u64, u32, JobProgress)>>);

impl ProgressSink for Reports {
    fn report(&self, id: u64, attempt: u32, progress: JobProgress) {
        self.0.lock().expect("no panic under the lock").push((id, attempt, progress));
    }
}

#[tokio::test(start_paused = true)]
async fn its_context_counts_from_the_attempt_of_the_origin_and_its_progress_is_told() {
    let work = |(): &(), ctx: JobContext<'static>| async move {
        let before = ctx.progress();
        ctx.set_progress(u64::from(ctx.attempt()), 9);
        assert_eq!(ctx.progress(), Some(JobProgress::new(u64::from(ctx.attempt()), 9)));
        // The third attempt of all is the first here.
        if ctx.attempt() == 3 { Err("again") } else { Ok((ctx.id().as_u64(), before)) }
    };
    let pool = Pool::from_fn_with_context("jobs", 1, work).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    let reports = Arc::new(Reports::default());
    let progress = Some(JobProgress::new(1, 9));
    let origin = JobOrigin { id: 77, attempt: 3, progress, traceparent: None, sink: Some(reports.clone()) };
    let job = jobs.submit(()).origin(origin).await.unwrap();
    assert_ne!(job.id().as_u64(), 77);
    let outcome = job.await.unwrap();
    assert_eq!(outcome, (77, Some(JobProgress::new(3, 9))), "what the attempt before has reported");
    let told = reports.0.lock().unwrap().clone();
    assert_eq!(told, [(77, 3, JobProgress::new(3, 9)), (77, 4, JobProgress::new(4, 9))]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_progress_of_the_origin_is_read_before_the_first_report() {
    let work = |(): &(), ctx: JobContext<'static>| async move { Ok::<_, Infallible>(ctx.progress()) };
    let pool = Pool::from_fn_with_context("jobs", 1, work);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    let progress = Some(JobProgress::new(4, 9));
    let origin = JobOrigin { id: 1, attempt: 2, progress, traceparent: None, sink: None };
    assert_eq!(jobs.submit(()).origin(origin).await.unwrap().await.unwrap(), progress);
    assert_eq!(jobs.submit(()).await.unwrap().await.unwrap(), None);
    assert!(app.shutdown().await.is_clean());
}
