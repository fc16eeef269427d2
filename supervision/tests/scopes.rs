//! Tasks that belong together: one that fails leaves the others running, and each has its result.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::TaskScope;

async fn scope<T: Send + 'static>() -> TaskScope<T> {
    TaskScope::start("scope", &System::new()).await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_leaves_the_others_running_and_each_has_its_result() {
    let mut scope = scope().await;
    for n in 1_u64..=5 {
        let task = async move {
            assert_ne!(n, 2, "two fails before it awaits");
            // The last to be started is the first to be done.
            tokio::time::sleep(Duration::from_secs(10 - n)).await;
            assert_ne!(n, 4, "four fails while the first wait");
            n
        };
        scope.spawn(n.to_string(), task).await.expect("it is started");
    }
    let results = scope.join_all().await;
    assert!(
        matches!(
            results[..],
            [Ok(1), Err(ExitReason::Panicked(_)), Ok(3), Err(ExitReason::Panicked(_)), Ok(5)]
        ),
        "{results:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn more_may_fail_than_any_supervisor_would_tolerate() {
    let mut scope = scope::<()>().await;
    for n in 0..1000 {
        let task = async move { assert!(n == 999, "all but one fail") };
        scope.spawn("task", task).await.expect("it is started");
    }
    let results = scope.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 999);
    assert!(results[999].is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ended_from_outside_has_the_reason_as_its_result() {
    let mut scope = scope().await;
    scope.spawn("stuck", std::future::pending()).await.expect("it is started");
    scope.spawn("fine", async { 7 }).await.expect("it is started");
    let stuck = scope.supervisor().which_children().await.expect("it lives");
    let stuck = stuck.iter().find(|child| *child.id == *"stuck").expect("it is there");
    scope.supervisor().terminate_child(stuck.pid.expect("it runs")).await.expect("it is stopped");
    let results = scope.join_all().await;
    assert!(matches!(results[..], [Err(ExitReason::Shutdown(None)), Ok(7)]), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn no_task_outlives_its_scope() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let (alive, mut scope) = (Arc::new(AtomicUsize::new(10)), scope::<()>().await);
    for _ in 0..10 {
        let one = Alive(alive.clone());
        let task = async move {
            std::future::pending::<()>().await;
            drop(one);
        };
        scope.spawn("stuck", task).await.expect("it is started");
    }
    let end = scope.supervisor().handle().monitor();
    drop(scope);
    end.await;
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_stopped_takes_no_task() {
    let mut scope = scope::<()>().await;
    let handle = scope.supervisor().handle();
    let end = handle.monitor();
    handle.stop(ExitReason::shutdown()).expect("it lives");
    end.await;
    assert!(scope.spawn("late", async {}).await.is_err());
    assert!(scope.join_all().await.is_empty());
}
