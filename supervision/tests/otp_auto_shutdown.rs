//! OTP's cases of section F: supervisors that end with their significant children.

use perennial_actors::ExitReason;
use perennial_supervision::{
    AutoShutdown, Backoff, ChildState, Restart, Strategy, SupervisionStats, Supervisor,
};

use crate::support::worker::{
    HOUR, InitStep, Log, SECOND, Script, crash, end, incarnation, quiet, refused, shown, start, tolerant,
    tree_exit, worker,
};

const MODES: [AutoShutdown; 3] =
    [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];

const GONE: &str = "the supervisor has ended or is shutting down";

fn reasons() -> [ExitReason; 5] {
    [
        ExitReason::Normal,
        ExitReason::shutdown(),
        ExitReason::shutdown_with("a note"),
        ExitReason::failed("on purpose"),
        ExitReason::Killed,
    ]
}

#[tokio::test(start_paused = true)]
async fn c081_a_child_that_is_not_significant_never_ends_its_supervisor() {
    for mode in MODES {
        for restart in [Restart::Temporary, Restart::Transient] {
            for reason in reasons() {
                let case = format!("{mode:?}, {restart:?}, {reason}");
                let log = Log::default();
                let ending = worker("b", &log).restart(restart);
                let address = ending.address();
                let tree = tolerant("app").auto_shutdown(mode).child(worker("a", &log)).child(ending);
                let (_, app) = start(tree).await;
                end(&address, reason.clone()).await;
                quiet().await;
                let left = match restart {
                    Restart::Temporary => vec!["a running"],
                    _ if reason.is_abnormal() => vec!["b running", "a running"],
                    _ => vec!["b stopped", "a running"],
                };
                let children = app.supervisor().which_children().await.expect("it lives");
                assert_eq!(shown(&children), left, "{case}");
                assert!(app.shutdown().await.is_clean());
            }
        }
    }
}

/// Builds a tree of `a`, the significant `b`, and `c`. Returns how it ends, or the running children
/// if it does not.
async fn after_the_end_of_b(
    mode: AutoShutdown,
    restart: Restart,
    reason: ExitReason,
) -> Result<String, String> {
    let log = Log::default();
    let ending = worker("b", &log).restart(restart).significant();
    let (address, first) = (ending.address(), worker("a", &log));
    let beside = first.address();
    let children = [first, ending, worker("c", &log)];
    let (system, app) = start(tolerant("app").auto_shutdown(mode).children(children)).await;
    log.take();
    end(&address, reason).await;
    quiet().await;
    let Ok(children) = app.supervisor().which_children().await else {
        let told = log.take();
        assert_eq!(told[told.len() - 2..], ["stop c", "stop a"], "in reverse order, and told to");
        assert_eq!(SupervisionStats::of(&system).restarts, 0);
        assert!(address.cast(crash()).is_err() && beside.cast(crash()).is_err(), "no incarnation is due");
        return Ok(tree_exit(&app).await);
    };
    assert!(app.shutdown().await.is_clean());
    Err(shown(&children).join(", "))
}

#[tokio::test(start_paused = true)]
async fn c082_a_temporary_significant_child_ends_its_supervisor_however_it_ends() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        for reason in reasons() {
            let end = after_the_end_of_b(mode, Restart::Temporary, reason.clone()).await;
            assert_eq!(end.as_deref(), Ok("shutdown: a significant child ended"), "{mode:?}, {reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_significant_child_ends_its_supervisor_unless_it_is_restarted() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        for reason in reasons() {
            let end = after_the_end_of_b(mode, Restart::Transient, reason.clone()).await;
            let expected = if reason.is_abnormal() {
                Err("c running, b running, a running")
            } else {
                Ok("shutdown: a significant child ended")
            };
            assert_eq!(end.as_deref().map_err(|up| &**up), expected, "{mode:?}, {reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c084_a_significant_child_that_is_stopped_by_hand_does_not_end_its_supervisor() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        for restart in [Restart::Transient, Restart::Temporary] {
            let log = Log::default();
            let significant = worker("b", &log).restart(restart).significant();
            let tree = Supervisor::new("app").auto_shutdown(mode).child(worker("a", &log)).child(significant);
            let (_, app) = start(tree).await;
            app.supervisor().terminate_child("b").await.expect("it is stopped");
            quiet().await;
            let children = app.supervisor().which_children().await.expect("it lives");
            let left = if restart == Restart::Transient {
                vec!["b stopped", "a running"]
            } else {
                vec!["a running"]
            };
            assert_eq!(shown(&children), left, "{mode:?}, {restart:?}");
            assert!(app.shutdown().await.is_clean());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_that_goes_down_with_its_siblings_does_not_end_its_supervisor() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        let log = Log::default();
        let crashing = worker("a", &log);
        let address = crashing.address();
        let tree = Supervisor::new("app")
            .strategy(Strategy::OneForAll)
            .auto_shutdown(mode)
            .child(crashing)
            .child(worker("b", &log).restart(Restart::Temporary).significant())
            .child(worker("c", &log).restart(Restart::Transient).significant());
        let (_, app) = start(tree).await;
        end(&address, ExitReason::Killed).await;
        assert_eq!(incarnation(&address).await, 2);
        quiet().await;
        let children = app.supervisor().which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["c running", "a running"], "{mode:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_that_declines_to_start_does_not_end_its_supervisor() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        let log = Log::default();
        let declining = |id: &str, from| {
            let init = move |n| if n >= from { InitStep::Ignore } else { InitStep::Succeed };
            Script::new(id, &log).with_init(init).child().restart(Restart::Transient).significant()
        };
        let later = declining("later", 2);
        let address = later.address();
        let (_, app) =
            start(tolerant("app").auto_shutdown(mode).child(declining("first", 1)).child(later)).await;
        end(&address, ExitReason::failed("on purpose")).await;
        quiet().await;
        let children = app.supervisor().which_children().await.expect("it lives");
        assert_eq!(shown(&children), ["later stopped", "first stopped"], "{mode:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c085_the_last_significant_child_to_end_ends_its_supervisor_and_none_before() {
    let log = Log::default();
    let significant = |id| worker(id, &log).restart(Restart::Temporary).significant();
    let (first, last) = (significant("a"), significant("c"));
    let (one, other) = (first.address(), last.address());
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AllSignificant);
    let (_, app) =
        start(tree.child(first).child(worker("b", &log)).child(last).child(worker("d", &log))).await;
    end(&one, ExitReason::failed("on purpose")).await;
    quiet().await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 3);
    log.take();
    end(&other, ExitReason::Normal).await;
    assert_eq!(tree_exit(&app).await, "shutdown: a significant child ended");
    assert_eq!(log.take(), ["stop c: normal", "stop d", "stop b"]);
}

#[tokio::test(start_paused = true)]
async fn c086_a_significant_child_that_was_stopped_by_hand_counts_as_gone() {
    let log = Log::default();
    let significant = |id| worker(id, &log).restart(Restart::Transient).significant();
    let last = significant("b");
    let address = last.address();
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AllSignificant);
    let (_, app) = start(tree.child(significant("a")).child(last)).await;
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    end(&address, ExitReason::Normal).await;
    assert_eq!(tree_exit(&app).await, "shutdown: a significant child ended");
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_that_is_being_restarted_is_still_there() {
    let log = Log::default();
    let waiting =
        worker("a", &log).restart(Restart::Transient).significant().backoff(Backoff::new(HOUR, HOUR));
    let last = worker("b", &log).restart(Restart::Transient).significant();
    let (one, other) = (waiting.address(), last.address());
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AllSignificant);
    let (_, app) = start(tree.child(waiting).child(last)).await;
    end(&one, ExitReason::failed("on purpose")).await;
    end(&other, ExitReason::Normal).await;
    quiet().await;
    let children = app.supervisor().which_children().await.expect("it lives");
    assert_eq!(shown(&children), ["b stopped", "a restarting"]);
    tokio::time::sleep(HOUR).await;
    assert_eq!(incarnation(&one).await, 2);
    end(&one, ExitReason::Normal).await;
    assert_eq!(tree_exit(&app).await, "shutdown: a significant child ended");
}

/// Builds a tree with a supervisor below its root that ends with its only child, and ends that
/// child. Returns the running children, or the exit reason of the tree.
async fn after_a_nested_one_has_shut_down(
    nested: impl FnOnce(Supervisor) -> Supervisor,
) -> Result<Vec<String>, String> {
    let log = Log::default();
    let child = worker("deep", &log).restart(Restart::Transient).significant();
    let address = child.address();
    let nested = nested(Supervisor::new("nested").auto_shutdown(AutoShutdown::AnySignificant)).child(child);
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant);
    let (_, app) = start(tree.child(worker("a", &log)).child(nested).child(worker("b", &log))).await;
    log.take();
    end(&address, ExitReason::Normal).await;
    quiet().await;
    let Ok(children) = app.supervisor().which_children().await else {
        assert_eq!(log.take(), ["stop deep: normal", "stop b", "stop a"]);
        return Err(tree_exit(&app).await);
    };
    let due = children[1].state == ChildState::Running;
    assert_eq!(address.cast(crash()).is_ok(), due, "its mailbox is open if an incarnation is due");
    assert!(app.shutdown().await.is_clean());
    Ok(shown(&children))
}

#[tokio::test(start_paused = true)]
async fn c088_a_nested_supervisor_that_shuts_down_takes_the_one_above_along_if_it_is_significant() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let above = after_a_nested_one_has_shut_down(|nested| nested.restart(restart).significant()).await;
        assert_eq!(above, Err("shutdown: a significant child ended".to_owned()), "{restart:?}");
    }
    let above = after_a_nested_one_has_shut_down(|nested| nested.restart(Restart::Transient)).await;
    assert_eq!(above.expect("it stays"), ["b running", "nested stopped", "a running"]);
}

#[tokio::test(start_paused = true)]
async fn c089_a_permanent_nested_supervisor_that_shuts_down_is_restarted() {
    let above = after_a_nested_one_has_shut_down(|nested| nested).await;
    assert_eq!(above.expect("it stays"), ["b running", "nested running", "a running"]);

    let log = Log::default();
    let child = worker("deep", &log).restart(Restart::Temporary).significant();
    let address = child.address();
    let nested = Supervisor::new("nested").auto_shutdown(AutoShutdown::AllSignificant).child(child);
    let handle = nested.handle();
    let (system, app) = start(tolerant("app").child(nested)).await;
    for n in 2..=4 {
        end(&address, ExitReason::Normal).await;
        quiet().await;
        assert_eq!(incarnation(&address).await, n, "with a fresh child");
        assert_eq!(handle.handle().pid().expect("it lives").incarnation(), n);
    }
    assert_eq!(SupervisionStats::of(&system).restarts, 3, "each counts above, and none below");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_significant_nested_supervisor_that_gives_up_takes_the_one_above_along() {
    let log = Log::default();
    let child = worker("deep", &log);
    let address = child.address();
    let nested = Supervisor::new("nested").intensity(0, SECOND).restart(Restart::Transient).significant();
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(worker("a", &log));
    let (_, app) = start(tree.child(nested.child(child))).await;
    end(&address, ExitReason::failed("on purpose")).await;
    assert_eq!(tree_exit(&app).await, "shutdown: a significant child ended");
    assert_eq!(refused(app.supervisor().which_children().await), GONE);
}
