//! Jobs and workers of pools.

use std::time::Duration;

use perennial_actors::System;
use perennial_operations::Metrics;
use perennial_supervision::pool::{Pool, PoolHandle};
use perennial_supervision::{App, SupervisorHandle};
use tokio::sync::watch;

use crate::recorded::Recorded;

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

/// What a job does.
#[derive(Clone, Copy)]
enum Job {
    Complete,
    Fail,
    Panic,
    /// Runs until the gate is open.
    Wait,
}

/// Starts a pool of two workers, with a gate for the jobs that wait.
macro_rules! start {
    ($system:expr, $gate:expr) => {{
        let gate: watch::Receiver<bool> = $gate;
        let pool = Pool::from_fn("jobs", 2, move |job: &Job| {
            let (job, mut gate) = (*job, gate.clone());
            async move {
                match job {
                    Job::Complete => Ok(()),
                    Job::Fail => Err(Refused),
                    Job::Panic => std::panic::resume_unwind(Box::new("on purpose")),
                    Job::Wait => {
                        drop(gate.wait_for(|is_open| *is_open).await);
                        Ok(())
                    }
                }
            }
        });
        let pool = pool.attempts(2).retry_errors(true);
        let handle = pool.handle();
        let app: App<SupervisorHandle> = pool.start($system).await.expect("it starts");
        (handle, app)
    }};
}

fn value(seen: &Recorded, name: &str, label: &str) -> Option<f64> {
    let label = if label.is_empty() { String::new() } else { format!(",{label}") };
    seen.value(&format!("{name}{{pool=jobs{label}}}"))
}

/// Waits until no job is queued or runs.
async fn wait_idle<W: perennial_supervision::pool::Work + 'static>(pool: &PoolHandle<W>) {
    while pool.stats().running + pool.stats().queued > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_counted_by_outcome_and_retries_by_their_cause() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let (_open, gate) = watch::channel(false);
    let (pool, app) = start!(&system, gate);
    for job in [Job::Complete, Job::Complete, Job::Complete, Job::Fail, Job::Panic] {
        drop(pool.submit(job).try_submit().expect("there is room"));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    wait_idle(&pool).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(value(&seen, "jobs_submitted_total", ""), Some(5.0));
    assert_eq!(value(&seen, "jobs_total", "outcome=completed"), Some(3.0));
    assert_eq!(value(&seen, "jobs_total", "outcome=failed"), Some(2.0));
    assert_eq!(value(&seen, "job_retries_total", "why=failed"), Some(1.0));
    assert_eq!(value(&seen, "job_retries_total", "why=lost"), Some(1.0));
    assert_eq!(seen.samples("job_wait_seconds{pool=jobs}").len(), 7, "each attempt has waited");
    let runs = seen.samples("job_run_seconds{pool=jobs}").len();
    assert!((3..=7).contains(&runs), "{runs}");
    // Twice the same is published, but samples are not.
    let seen = Recorded::collect(&metrics);
    assert_eq!(value(&seen, "jobs_total", "outcome=completed"), Some(3.0));
    assert!(seen.samples("job_run_seconds{pool=jobs}").is_empty());
    drop(app.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn queue_its_age_and_the_workers_are_measured() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let (open, gate) = watch::channel(false);
    let (pool, app) = start!(&system, gate);
    let seen = Recorded::collect(&metrics);
    assert_eq!(value(&seen, "workers_wanted", ""), Some(2.0));
    let workers = ["ready", "unready", "starting", "down"];
    let states = |seen: &Recorded| workers.map(|state| value(seen, "workers", &format!("state={state}")));
    assert_eq!(states(&seen), [Some(2.0), Some(0.0), Some(0.0), Some(0.0)]);
    for _ in 0..5 {
        drop(pool.submit(Job::Wait).try_submit().expect("there is room"));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(value(&seen, "jobs", "state=queued"), Some(3.0));
    assert_eq!(value(&seen, "jobs", "state=running"), Some(2.0));
    assert_eq!(value(&seen, "jobs", "state=terminating"), Some(0.0));
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(value(&Recorded::collect(&metrics), "jobs_oldest_seconds", ""), Some(9.0));
    assert_eq!(pool.supervisor().terminate_child("1").await, Ok(()));
    assert_eq!(states(&Recorded::collect(&metrics)), [Some(1.0), Some(0.0), Some(0.0), Some(1.0)]);
    open.send_replace(true);
    wait_idle(&pool).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(value(&seen, "jobs", "state=queued"), Some(0.0));
    assert_eq!(value(&seen, "jobs_oldest_seconds", ""), Some(0.0));
    assert_eq!(value(&seen, "job_retries_total", "why=interrupted"), Some(1.0));
    drop(app.shutdown().await);
}
