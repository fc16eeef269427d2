//! Children that do not even die when they are killed, because they never await: who is rid of them, when, and what is told of it.
//!
//! In real time, because they take a thread each. Nothing here measures any; what is awaited is reported, or is the end of something.

use std::sync::mpsc;
use std::time::Duration;

use perennial_actors::{Address, ExitReason, System};
use perennial_supervision::{
    Child, DynamicSupervisor, Shutdown, ShutdownReport, Strategy, SupervisionStats, Supervisor,
};
use support::reports::Reports;
use support::subject::{Log, Msg, Nature, Start, incarnation, ms, subject, tell};
use support::threads::on_threads;

mod support {
    pub(crate) mod reports;
    pub(crate) mod subject;
    pub(crate) mod threads;
}

fn brutal(id: &'static str) -> Child<Msg> {
    subject(id).shutdown(Shutdown::BrutalKill)
}

/// Has an actor block its thread; when this is ready, it does.
async fn block(address: &Address<Msg>) -> mpsc::Sender<()> {
    let (hold, held) = mpsc::channel();
    let begun = address.call(|begun| Msg::All(vec![Msg::Incarnation(begun), Msg::Block(held)]));
    begun.no_timeout().await.expect("it begins");
    hold
}

fn stragglers(report: &ShutdownReport) -> Vec<(&str, bool)> {
    report.stragglers.iter().map(|who| (&*who.path, who.abandoned)).collect()
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_who_never_awaits() {
    for (shutdown, expected) in [
        (Shutdown::BrutalKill, vec!["app/a: abandoned", "app/a: shutdown error: killed"]),
        (
            Shutdown::Timeout(ms(20)),
            vec!["app/a: killed", "app/a: abandoned", "app/a: shutdown error: killed"],
        ),
    ] {
        on_threads(4, async move {
            let (child, system) = (subject("a").shutdown(shutdown), System::new());
            let address = child.address();
            let tree = Supervisor::new("app").abandon_after(ms(20)).child(subject("before")).child(child);
            let app = tree.start(&system).await.expect("it starts");
            let mut reports = Reports::of(&system);
            let _hold = block(&address).await;
            let report = app.shutdown().await;
            assert_eq!(reports.so_far(), expected);
            assert_eq!(stragglers(&report), [("app/a", true)]);
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
        let mut late = stragglers(&report);
        late.sort_unstable();
        assert_eq!(late, [("app/a", true), ("app/b", true)]);
    });
}

#[test]
fn a_group_is_restarted_without_waiting_for_ever_for_a_member_that_never_awaits() {
    on_threads(4, async {
        let (first, second, system) = (brutal("a"), subject("b"), System::new());
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
        assert_eq!(stragglers(&report), [("app/a", true)], "it may have run still");
        assert!(blocks.counters().is_balanced());
    });
}

#[test]
fn an_init_that_never_awaits_is_abandoned_when_its_time_is_over() {
    on_threads(4, async {
        let (_hold, held) = mpsc::channel();
        let nature = Nature::plain(&Log::new()).gated(held);
        let nature = nature.starting(|n| if n == 2 { Start::Blocks } else { Start::Well });
        let child = nature.child("a").start_timeout(ms(100));
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
        assert_eq!(stragglers(&report), [("app/inner/a", true)]);
        assert_eq!(reports.so_far(), ["app/inner/a: abandoned", "app/inner/a: shutdown error: killed"]);
    });
}

#[test]
fn a_killed_supervisor_is_rid_of_a_worker_that_never_awaits_and_comes_back() {
    on_threads(4, async {
        let (child, system) = (subject("a"), System::new());
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
fn a_root_that_is_killed_says_whom_it_abandoned() {
    on_threads(4, async {
        let (child, system) = (subject("a"), System::new());
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
        assert_eq!(stragglers(&report), [("app/a", true)]);
        assert!(address.cast(Msg::Hang).is_err(), "it is over");
    });
}
