//! Trees that start and end at once: the start succeeds, and the end is reported as any other.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_supervision::{Child, ChildStart, StartError, Strategy, SupervisionStats, Supervisor};

use crate::support::unit::{InitStep, Log, failed_child, scripted_with, soon, start};

const SECOND: Duration = Duration::from_secs(1);

/// An actor whose init returns, and whose continuation fails.
struct Doomed;

impl Actor for Doomed {
    type Msg = ();
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.continue_with(());
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Err(ExitReason::failed("the continuation failed"))
    }
}

fn doomed(id: &str) -> Child<()> {
    Child::new::<Doomed>(id, ())
}

#[tokio::test(start_paused = true)]
async fn tree_whose_inits_all_returned_has_started_though_its_child_crashes_until_it_gives_up() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for init in [InitStep::Succeed, InitStep::SucceedAfter(SECOND)] {
            let begins = if matches!(init, InitStep::Succeed) {
                |_| InitStep::Succeed
            } else {
                |_| InitStep::SucceedAfter(SECOND)
            };
            let (log, system) = (Log::default(), System::new());
            let tree = Supervisor::new("app").strategy(strategy).intensity(3, 100 * SECOND);
            let tree = tree.child(doomed("a")).child(scripted_with("b", &log, begins));
            let started = soon(tree.start(&system)).await;
            let app = started.unwrap_or_else(|error| panic!("{strategy:?}: {error}"));
            let reason = soon(app.join()).await;
            assert_eq!(reason.to_string(), "shutdown: reached the maximum restart intensity");
            assert_eq!(SupervisionStats::of(&system).restarts, 3, "{strategy:?}");
            assert_eq!(SupervisionStats::of(&system).escalations, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nested_tree_that_started_and_gave_up_has_started_too() {
    let (_, app) = start(Supervisor::new("app").intensity(0, SECOND)).await;
    let nested = Supervisor::new("nested").intensity(0, SECOND).child(doomed("a"));
    let started = soon(app.supervisor().start_child(nested)).await.expect("it has started");
    assert!(matches!(started, ChildStart::Started(_)));
    assert!(matches!(soon(app.join()).await, ExitReason::Shutdown(Some(_))));

    let nested = Supervisor::new("nested").intensity(0, SECOND).child(doomed("a"));
    let tree = Supervisor::new("app").intensity(0, SECOND).child(nested);
    let app = soon(tree.start(&System::new())).await.expect("it has started");
    assert!(matches!(soon(app.join()).await, ExitReason::Shutdown(Some(_))));
}

#[tokio::test(start_paused = true)]
async fn tree_that_ends_before_it_is_up_tells_why_its_child_failed() {
    let log = Log::default();
    let failing = || scripted_with("b", &log, |_| InitStep::FailAfter(SECOND));
    let tree = Supervisor::new("app").child(doomed("a")).child(failing());
    let error = soon(tree.start(&System::new())).await.expect_err("a child fails");
    let (child, reason) = failed_child(&error);
    assert_eq!((child, reason.to_string()), ("b", "failed: no such luck".to_owned()));

    let tree = Supervisor::new("app").child(Supervisor::new("nested").child(failing()));
    let error = soon(tree.start(&System::new())).await.expect_err("a child fails");
    assert!(error.to_string().ends_with("failed: no such luck"), "{error}");
    assert!(matches!(error, StartError::Failed(_)));
}
