//! The longest time that the shutdown of a whole tree may take.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_supervision::{App, Child, ChildState, Shutdown, Supervisor, SupervisorHandle, UnstoppedChild};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

struct Slow(Duration);

impl Actor for Slow {
    type Msg = ();
    /// The time that its `terminate` takes.
    type Args = Duration;

    async fn init(time: &Duration, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(*time))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        sleep(self.0).await;
    }
}

fn slow(id: &str, seconds: u32) -> Child<()> {
    Child::new::<Slow>(id, SECOND * seconds).shutdown(Shutdown::Infinity)
}

/// Returns a tree whose shutdown takes 90 seconds.
async fn tree() -> App<SupervisorHandle> {
    let group = Supervisor::new("group").child(slow("first", 40)).child(slow("second", 40));
    let app = Supervisor::new("app").child(group).child(slow("third", 10));
    app.start(&System::new()).await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn children_that_have_not_stopped_at_the_deadline_are_killed_and_reported() {
    let app = tree().await.shutdown_timeout(SECOND * 30);
    let begun = Instant::now();
    let report = app.shutdown().await;
    assert_eq!(begun.elapsed().as_secs(), 30);
    let killed = |path: &str| (path.to_owned(), false);
    let paths =
        report.unstopped.iter().map(|UnstoppedChild { path, abandoned, .. }| (path.to_string(), *abandoned));
    // The third had stopped by then.
    assert_eq!(paths.collect::<Vec<_>>(), [killed("app/group/first"), killed("app/group/second")]);
    assert!(!report.is_clean());
}

#[tokio::test(start_paused = true)]
async fn tree_that_stops_in_time_is_not_killed() {
    let app = tree().await.shutdown_timeout(SECOND * 91);
    let begun = Instant::now();
    let report = app.shutdown().await;
    assert_eq!(begun.elapsed().as_secs(), 90);
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn tree_shows_the_time_that_is_left_to_its_shutdown() {
    let app = tree().await.shutdown_timeout(SECOND * 30);
    assert_eq!(app.tree().stop, None);
    let stopping = app.clone();
    let report = tokio::spawn(async move { stopping.shutdown().await });
    sleep(SECOND * 12).await;
    let tree = app.tree();
    let stop = tree.stop.expect("it stops");
    assert_eq!((tree.state, stop.killed), (ChildState::Stopping, false));
    assert_eq!(stop.time_left.map(|left| left.as_secs_f64().round()), Some(18.0));
    let child = tree.at(["group", "second"]).and_then(|node| node.stop).expect("it stops");
    assert_eq!((child.killed, child.time_left), (false, None));
    assert!(tree.at(["third"]).is_some_and(|node| node.stop.is_none()));
    assert!(!report.await.expect("it does not panic").is_clean());
    assert_eq!(app.tree().stop, None);
}
