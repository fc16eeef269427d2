//! Restarts, escalations, budgets, failed starts and liveness.

use std::time::Duration;

use perennial_actors::System;
use perennial_operations::Metrics;
use perennial_supervision::{Child, Restart, Strategy, SupervisionStats, Supervisor};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

#[tokio::test(start_paused = true)]
async fn restarts_are_counted_by_supervisor_child_and_reason_and_use_up_the_budget() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let child = Child::new::<Unit>("unit", true);
    let unit = child.address();
    let group = Supervisor::new("group").strategy(Strategy::OneForAll).intensity(2, Duration::from_secs(5));
    let group = group.child(child).child(Child::new::<Unit>("sibling", true));
    let app = Supervisor::new("app").never_give_up().child(group).start(&system).await.expect("it starts");
    let budget = || Recorded::collect(&metrics).value("restart_budget_left{supervisor=app/group}");
    assert_eq!(budget(), Some(2.0));
    for _ in 0..2 {
        unit.cast(Msg::Fail).expect("it is open");
        unit.call(Msg::Ping).await.expect("it answers");
    }
    assert_eq!(budget(), Some(0.0));
    let seen = Recorded::collect(&metrics);
    let restarts = "restarts_total{supervisor=app/group,child=unit,reason=failed}";
    assert_eq!(seen.value(restarts), Some(2.0), "a group restart counts once");
    assert_eq!(seen.value("restart_budget_left{supervisor=app}"), None, "it tolerates any number");
    unit.cast(Msg::Panic).expect("it is open");
    unit.call(Msg::Ping).await.expect("the supervisor above restarts the group");
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("escalations_total{supervisor=app/group}"), Some(1.0));
    assert_eq!(seen.sum("restarts_total", ""), SupervisionStats::of(&system).restarts as f64);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(budget(), Some(2.0), "it grows again");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn failed_starts_and_start_limits_are_counted() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let limited = Child::new::<Unit>("limited", true).start_limit(2, Duration::from_secs(60));
    let unit = limited.address();
    let app = Supervisor::new("app").never_give_up().child(limited).start(&system).await.expect("it starts");
    let refused = app.supervisor().start_child(Child::new::<Unit>("refused", false)).await;
    assert!(refused.is_err());
    for _ in 0..2 {
        unit.cast(Msg::Fail).expect("it is open");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = Recorded::collect(&metrics);
    let failures = "start_failures_total{supervisor=app,child=refused,reason=failed}";
    assert_eq!(seen.value(failures), Some(1.0));
    assert_eq!(seen.value("start_limit_hits_total{supervisor=app,child=limited}"), Some(1.0));
    drop(app.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn failed_liveness_checks_are_counted_by_check() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let child = Child::new::<Unit>("slow", true).handler_deadline(Duration::from_secs(1));
    let child = child.restart(Restart::Permanent);
    let unit = child.address();
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    unit.cast(Msg::Sleep(Duration::from_secs(60))).expect("it is open");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let seen = Recorded::collect(&metrics);
    let overdue = "unresponsive_total{supervisor=app,child=slow,check=handler}";
    assert_eq!(seen.value(overdue), Some(1.0));
    drop(app.shutdown().await);
}
