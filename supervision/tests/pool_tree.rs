//! Pools as parts of trees: queued jobs survive restarts, and are dropped when no worker will run
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_actors::System;
use perennial_supervision::pool::{PoolShutdown, SubmitError};
use perennial_supervision::{App, Child, Restart, Supervisor, SupervisorHandle, TaskContext};
use tokio::time::sleep;

use crate::support::pool::{
    Journal, ScriptedPool, ScriptedPoolHandle, Step, job, long, ms, now, outcome_of, quick, quiet,
    scripted_pool, scripted_pool_starting_if, secs, soon,
};

/// A supervisor with a pool among its children.
async fn below(
    tree: Supervisor,
    (pool, journal): (ScriptedPool, Journal),
) -> (App<SupervisorHandle>, ScriptedPoolHandle, Journal) {
    let handle = pool.handle();
    let app = tree.child(pool).start(&System::new()).await.expect("it starts");
    quiet().await;
    (app, handle, journal)
}

fn kill(app: &App<SupervisorHandle>, path: &[&str]) {
    app.tree().at(path.iter().copied()).expect("it is there").handle.kill().expect("it lives");
}

#[tokio::test(start_paused = true)]
async fn queued_jobs_survive_restarts_of_the_pool_and_its_supervisor() {
    for killed in [vec!["pool"], vec!["inner"], vec!["inner", "pool"]] {
        let (pool, journal) = scripted_pool(2);
        let jobs = pool.handle();
        let tree = Supervisor::new("app").intensity(9, secs(1));
        let tree = if killed[0] == "inner" {
            tree.child(Supervisor::new("inner").intensity(9, secs(1)).child(pool))
        } else {
            tree.child(pool)
        };
        let app = tree.start(&System::new()).await.expect("it starts");
        quiet().await;
        let stuck: Vec<_> =
            (0..2).map(|number| now(jobs.submit(job(number, [Step::Hang, Step::Do])))).collect();
        quiet().await;
        let waiting = now(jobs.submit(quick(2)));
        let delayed = now(jobs.submit(quick(3)).delay(secs(1)));
        let ill = now(jobs.submit(job(4, [Step::Fail, Step::Do])).at_most_once());
        kill(&app, &killed);
        let meanwhile = now(jobs.submit(quick(5)));
        for job_handle in stuck.into_iter().chain([waiting, delayed, meanwhile]) {
            assert!(outcome_of(job_handle).await.starts_with("done"), "{killed:?}");
        }
        assert_eq!(outcome_of(ill).await, "no luck");
        assert_eq!((jobs.stats().retried, jobs.stats().dropped), (2, 0));
        assert_eq!(journal.take().len(), 8);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_keeps_its_size_through_a_restart() {
    let (app, pool, journal) = below(Supervisor::new("app"), scripted_pool(4)).await;
    pool.resize(2).await.expect("it goes well");
    kill(&app, &["pool"]);
    quiet().await;
    for number in 0..20 {
        drop(now(pool.submit(long(number, ms(1))).key(&number)));
    }
    pool.drain().await;
    assert_eq!(pool.supervisor().count_children().await.expect("it lives").active, 3, "with the manager");
    assert!(journal.take().iter().all(|begun| begun.slot < 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_terminated_pool_drops_its_jobs_and_accepts_jobs_after_a_restart() {
    let (app, pool, journal) = below(Supervisor::new("app"), scripted_pool(1)).await;
    let busy = now(pool.submit(job(1, [Step::Hang])));
    quiet().await;
    let (waiting, delayed) = (now(pool.submit(quick(2))), now(pool.submit(quick(3)).delay(secs(60))));
    let (submission, drain) = (pool.submit(quick(9)), pool.clone());
    let drain = tokio::spawn(async move { drain.drain().await });
    app.supervisor().terminate_child("pool").await.expect("it is there");
    for job_handle in [busy, waiting, delayed] {
        assert_eq!(outcome_of(job_handle).await, "dropped");
    }
    soon(drain).await.expect("nothing is left");
    assert!(matches!(submission.await, Err(SubmitError::Closed(_))));
    assert_eq!(pool.stats().dropped, 3);
    app.supervisor().restart_child("pool").await.expect("it is there");
    assert_eq!(outcome_of(now(pool.submit(quick(4)))).await, "done 4");
    // The same again.
    app.supervisor().terminate_child("pool").await.expect("it is there");
    assert!(pool.submit(quick(5)).try_submit().is_err());
    app.supervisor().restart_child("pool").await.expect("it is there");
    assert_eq!(outcome_of(now(pool.submit(quick(6)))).await, "done 6");
    assert_eq!(journal.jobs(), [1, 4, 6]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_has_stopped_stays_so_when_its_tree_is_restarted() {
    let (app, pool, _) = below(Supervisor::new("app"), scripted_pool(2)).await;
    pool.stop(PoolShutdown::Drain).await;
    kill(&app, &["pool"]);
    quiet().await;
    assert!(pool.submit(quick(1)).try_submit().is_err());
    assert_eq!(pool.supervisor().count_children().await.expect("it lives").active, 1, "the manager");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_gives_up_drops_its_jobs_and_resolves_every_handle() {
    let (pool, journal) = scripted_pool_starting_if(1, |at| at.pid.incarnation() == 1);
    let pool = (pool.intensity(2, secs(60)).capacity(1), journal);
    let (app, pool, journal) = below(Supervisor::new("app").intensity(0, secs(1)), pool).await;
    let fatal = now(pool.submit(job(1, [Step::FailAfter(ms(1)), Step::Panic])));
    quiet().await;
    let waiting = now(pool.submit(quick(2)));
    let submission = pool.submit(quick(3));
    let line = tokio::spawn(async move { submission.await });
    assert_eq!(
        (outcome_of(fatal).await, outcome_of(waiting).await),
        ("dropped after no luck, panicked".to_owned(), "dropped".to_owned())
    );
    assert!(matches!(soon(line).await.expect("it does not panic"), Err(SubmitError::Closed(_))));
    assert_eq!(journal.jobs(), [1, 1], "an error and a crash");
    soon(app.join()).await;
}

#[tokio::test(start_paused = true)]
async fn the_restart_policy_of_a_pool_can_be_set() {
    for (restart, comes_back) in [(Restart::Permanent, true), (Restart::Temporary, false)] {
        let (pool, journal) = scripted_pool(1);
        let (app, pool, _) = below(Supervisor::new("app"), (pool.restart(restart), journal)).await;
        kill(&app, &["pool"]);
        quiet().await;
        assert_eq!(pool.submit(quick(1)).try_submit().is_ok(), comes_back, "{restart:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_not_restarted_drops_its_jobs() {
    let fails = Arc::new(AtomicBool::new(false));
    let shared_fails = fails.clone();
    let tree = Supervisor::new("app").intensity(3, secs(9));
    let (app, pool, _) =
        below(tree, scripted_pool_starting_if(1, move |_| !shared_fails.load(Ordering::Relaxed))).await;
    fails.store(true, Ordering::Relaxed);
    let stuck = now(pool.submit(job(1, [Step::Hang, Step::Do])));
    quiet().await;
    kill(&app, &["pool"]);
    assert_eq!(outcome_of(stuck).await, "dropped after killed");
    soon(app.join()).await;
    assert!(pool.submit(quick(2)).try_submit().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_sibling_may_submit_to_a_pool_that_starts_later() {
    let (pool, _) = scripted_pool(1);
    let jobs = pool.handle();
    let sibling = Child::task("sibling", move |_: TaskContext| {
        let jobs = jobs.clone();
        async move {
            let done = jobs.submit(quick(1)).await?.await;
            assert_eq!(done.ok(), Some(1));
            sleep(secs(3600)).await;
            Ok(())
        }
    });
    let (app, pool, journal) = below(Supervisor::new("app").child(sibling), (pool, scripted_pool(1).1)).await;
    pool.drain().await;
    assert_eq!((pool.stats().completed, journal.jobs().len()), (1, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pool_dropped_without_a_tree_drops_its_jobs() {
    let (pool, _) = scripted_pool(1);
    let jobs = pool.handle();
    let early = now(jobs.submit(quick(1)));
    drop(pool);
    assert_eq!(outcome_of(early).await, "dropped");
    assert!(matches!(jobs.submit(quick(2)).try_submit(), Err(SubmitError::Closed(_))));
}
