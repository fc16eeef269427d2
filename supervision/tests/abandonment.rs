//! Children that do not end after a kill because they never await: when they are abandoned, and
//! what is reported.
//!
//! These tests run in real time, because each such child blocks a thread. No test measures time:
//! each waits for a report or an end.

use std::sync::mpsc;
use std::time::Duration;

use perennial_actors::{Address, ExitReason, System};
use perennial_supervision::{
    Child, DynamicSupervisor, Shutdown, ShutdownReport, Strategy, SupervisionStats, Supervisor,
};

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, tell};
use crate::support::threads::on_threads;

fn brutal(id: &'static str) -> Child<Msg> {
    scripted(id).shutdown(Shutdown::BrutalKill)
}

/// Has an actor block its thread; when this is ready, it does.
async fn block(address: &Address<Msg>) -> mpsc::Sender<()> {
    let (hold, held) = mpsc::channel();
    let begun = address.call(|begun| Msg::All(vec![Msg::Incarnation(begun), Msg::Block(held)]));
    begun.no_timeout().await.expect("it begins");
    hold
}

fn unstopped(report: &ShutdownReport) -> Vec<(&str, bool)> {
    report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect()
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_child_that_never_awaits() {
    for (shutdown, expected) in [
        (Shutdown::BrutalKill, vec!["app/a: abandoned", "app/a: shutdown error: killed"]),
        (
            Shutdown::Timeout(ms(20)),
            vec!["app/a: killed", "app/a: abandoned", "app/a: shutdown error: killed"],
        ),
    ] {
        on_threads(4, async move {
            let (child, system) = (scripted("a").shutdown(shutdown), System::new());
            let address = child.address();
            let tree = Supervisor::new("app").abandon_after(ms(20)).child(scripted("before")).child(child);
            let app = tree.start(&system).await.expect("it starts");
            let mut reports = Reports::of(&system);
            let _hold = block(&address).await;
            let report = app.shutdown().await;
            assert_eq!(reports.so_far(), expected);
            assert_eq!(unstopped(&report), [("app/a", true)]);
            assert_eq!(SupervisionStats::of(&system).abandoned, 1);
            assert!(address.cast(Msg::Hang).is_err(), "it is over");
            assert!(address.counters().is_balanced());
        });
    }
}

#[test]
fn children_of_a_dynamic_supervisor_are_abandoned_side_by_side() {
    on_threads(4, async {
        let system = System::new();
        let app =
            DynamicSupervisor::new("app").abandon_after(ms(20)).start(&system).await.expect("it starts");
        let mut holds = Vec::new();
        for id in ["a", "b"] {
            let child = brutal(id);
            let address = child.address();
            app.supervisor().start_child(child).await.expect("it starts");
            holds.push(block(&address).await);
        }
        let report = app.shutdown().await;
        let mut late = unstopped(&report);
        late.sort_unstable();
        assert_eq!(late, [("app/a", true), ("app/b", true)]);
    });
}

#[test]
fn a_group_is_restarted_without_waiting_for_ever_for_a_member_that_never_awaits() {
    on_threads(4, async {
        let (first, second, system) = (brutal("a"), scripted("b"), System::new());
        let (blocks, crashes) = (first.address(), second.address());
        let tree = Supervisor::new("app").strategy(Strategy::OneForAll).abandon_after(ms(20));
        let app = tree.child(first).child(second).start(&system).await.expect("it starts");
        let mut reports = Reports::of(&system);
        let hold = block(&blocks).await;
        tell(&blocks, Msg::Note("waits"));
        tell(&crashes, Msg::crash());
        assert_eq!(
            reports.until("app/b: started").await,
            [
                "app/b: terminated: failed: on purpose",
                "app/b: restarting: failed: on purpose",
                "app/a: abandoned",
                "app/a: shutdown error: killed",
                "app/a: started",
                "app/b: started"
            ]
        );
        assert_eq!((incarnation(&blocks).await, incarnation(&crashes).await), (2, 2));
        assert_eq!(blocks.counters().lost_in_flight, 1, "what it blocked in");
        drop(hold);
        let report = app.shutdown().await;
        assert_eq!(unstopped(&report), [("app/a", true)], "it may have run still");
        assert!(blocks.counters().is_balanced());
    });
}

#[test]
fn an_init_that_never_awaits_is_abandoned_when_its_time_is_over() {
    on_threads(4, async {
        let (_hold, held) = mpsc::channel();
        let script = Script::plain(&Log::new()).gated(held);
        let script = script.with_init(|n| if n == 2 { InitStep::Block } else { InitStep::Succeed });
        let child = script.child("a").start_timeout(ms(100));
        let (address, system) = (child.address(), System::new());
        let tree =
            Supervisor::new("app").intensity(2, Duration::from_secs(60)).abandon_after(ms(20)).child(child);
        let _app = tree.start(&system).await.expect("it starts");
        let mut reports = Reports::of(&system);
        tell(&address, Msg::crash());
        assert_eq!(
            reports.until("app/a: started").await[2..],
            [
                "app/a: abandoned",
                "app/a: start failed: the start timed out",
                "app/a: restarting: the start timed out",
                "app/a: started"
            ]
        );
        assert_eq!(incarnation(&address).await, 3);
    });
}

#[test]
fn a_supervisor_is_not_abandoned_but_is_rid_of_what_is_below_in_its_own_time() {
    on_threads(4, async {
        let (child, system) = (brutal("a"), System::new());
        let address = child.address();
        let inner = Supervisor::new("inner").abandon_after(ms(200)).child(child);
        let tree = Supervisor::new("app").abandon_after(ms(1)).child(inner);
        let app = tree.start(&system).await.expect("it starts");
        let mut reports = Reports::of(&system);
        let _hold = block(&address).await;
        let report = app.shutdown().await;
        assert_eq!(unstopped(&report), [("app/inner/a", true)]);
        assert_eq!(reports.so_far(), ["app/inner/a: abandoned", "app/inner/a: shutdown error: killed"]);
    });
}

#[test]
fn a_killed_supervisor_is_rid_of_a_worker_that_never_awaits_and_comes_back() {
    on_threads(4, async {
        let (child, system) = (scripted("a"), System::new());
        let address = child.address();
        let inner = Supervisor::new("inner").abandon_after(ms(20)).child(child);
        let app = Supervisor::new("app").child(inner).start(&system).await.expect("it starts");
        let mut reports = Reports::of(&system);
        let _hold = block(&address).await;
        app.tree().at(["inner"]).expect("it is there").handle.kill().expect("it lives");
        assert_eq!(
            reports.until("app/inner: started").await,
            [
                "app/inner/a: abandoned",
                "app/inner: terminated: killed",
                "app/inner: restarting: killed",
                "app/inner/a: started",
                "app/inner: started"
            ]
        );
        assert_eq!(incarnation(&address).await, 2);
        assert_eq!(SupervisionStats::of(&system).abandoned, 1);
        assert!(app.shutdown().await.is_clean(), "the one that was there then was on time");
    });
}

#[test]
fn a_root_that_is_killed_reports_the_children_that_it_abandoned() {
    on_threads(4, async {
        let (child, system) = (scripted("a"), System::new());
        let address = child.address();
        let app = Supervisor::new("app")
            .abandon_after(ms(20))
            .child(child)
            .start(&system)
            .await
            .expect("it starts");
        let _hold = block(&address).await;
        app.handle().kill().expect("it lives");
        let report = app.shutdown().await;
        assert!(matches!(report.reason, ExitReason::Killed));
        assert_eq!(unstopped(&report), [("app/a", true)]);
        assert!(address.cast(Msg::Hang).is_err(), "it is over");
    });
}
