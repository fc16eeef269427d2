//! systemd's `BindsTo=`, `PartOf=` and `OnFailure=` between siblings, by what supervisors have.

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    AutoShutdown, Child, ChildState, ReportKind, Restart, Strategy, Supervised, Supervisor, SupervisorReport,
};
use tokio::time::sleep;

use crate::support::subject::{Msg, incarnation, ms, scripted, secs, start, tell};

#[tokio::test(start_paused = true)]
async fn child_that_binds_to_another_ends_with_it() {
    let (disk, mount) = (scripted("disk").restart(Restart::Transient).significant(), scripted("mount"));
    let (unit, bound) = (disk.address(), mount.address());
    let group = Supervisor::new("group").auto_shutdown(AutoShutdown::AnySignificant);
    let group = group.restart(Restart::Transient).child(disk).child(mount);
    let (_system, app) = start(Supervisor::new("app").child(group).child(scripted("other"))).await;
    tell(&unit, Msg::end(ExitReason::Normal));
    sleep(ms(1)).await;
    assert!(bound.cast(Msg::Note("too late")).is_err(), "it has ended too");
    let other = app.supervisor().which_child("other").await.expect("it is a child");
    assert_eq!(other.state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_that_is_part_of_another_restarts_with_it_and_not_the_other_way_round() {
    let (whole, part) = (scripted("whole"), scripted("part"));
    let (first, second) = (whole.address(), part.address());
    let tree = Supervisor::new("app").strategy(Strategy::RestForOne).intensity(5, secs(60));
    let (_system, app) = start(tree.child(whole).child(part)).await;
    tell(&first, Msg::crash());
    assert_eq!((incarnation(&first).await, incarnation(&second).await), (2, 2));
    tell(&second, Msg::crash());
    assert_eq!((incarnation(&second).await, incarnation(&first).await), (3, 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn failure_of_a_child_starts_another() {
    let watcher = Child::task("on_failure", |ctx| async move {
        let supervisor = ctx.supervisor().ok_or("it has no supervisor")?;
        let mut reports = ctx.system().subscribe::<SupervisorReport>();
        while let Some(report) = reports.next().await {
            if matches!(report.kind, ReportKind::StartLimitHit { .. }) && &*report.path == "app/service" {
                supervisor.start_child(scripted("rescue")).await?;
            }
        }
        Ok(())
    });
    let service = Child::task("service", |_| async { Err("no disk".into()) }).start_limit(5, secs(10));
    let tree = Supervisor::new("app").child(watcher).child(service);
    let app = tree.start(&System::new()).await.expect("it starts");
    sleep(ms(1)).await;
    let rescue = app.supervisor().which_child("rescue").await.expect("it was started");
    assert_eq!(rescue.state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}
