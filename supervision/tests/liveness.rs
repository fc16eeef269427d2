//! Unresponsive children: how a supervisor detects, ends and restarts them. In paused time.
//! Children that block a thread are in `liveness_on_threads`, the interaction with groups in
//! `liveness_in_groups`.

use perennial_actors::{Address, MailboxConfig, System};
use perennial_supervision::{
    App, Child, DynamicSupervisor, Probe, Restart, Shutdown, SupervisionStats, Supervisor, SupervisorHandle,
};
use tokio::time::sleep;

use crate::support::reports::Reports;
use crate::support::subject::{Log, Msg, Script, incarnation, ms, scripted, secs, tell};

/// A tree with this child alone, which has just started.
async fn start(child: Child<Msg>) -> (System, Reports, App<SupervisorHandle>, Address<Msg>) {
    let (system, address) = (System::new(), child.address());
    let mut reports = Reports::of(&system);
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    reports.until("app/a: started").await;
    (system, reports, app, address)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_for_ever_is_killed_and_its_address_serves_again() {
    let log = Log::new();
    let child = Script::plain(&log).child("a").handler_deadline(secs(1)).shutdown(Shutdown::Timeout(secs(2)));
    let (system, mut reports, app, address) = start(child).await;
    tell(&address, Msg::Hang);
    tell(&address, Msg::Note("handles what waited"));
    assert_eq!(
        reports.until("app/a: started").await,
        [
            "app/a: unresponsive: handler",
            "app/a: killed",
            "app/a: terminated: unresponsive",
            "app/a: restarting: unresponsive",
            "app/a: started"
        ]
    );
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(log.take(), ["0 a starts", "3000 a starts", "3000 a handles what waited"]);
    assert_eq!((SupervisionStats::of(&system).restarts, SupervisionStats::of(&system).abandoned), (1, 0));
    assert_eq!(address.counters().lost_in_flight, 1, "the message that it hung in");
    assert!(app.shutdown().await.is_clean());
    assert!(address.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_and_obeys_is_told_only() {
    let log = Log::new();
    let (_, mut reports, _app, address) =
        start(Script::plain(&log).child("a").handler_deadline(secs(1))).await;
    tell(&address, Msg::Take(secs(3)));
    assert_eq!(
        reports.until("app/a: started").await,
        [
            "app/a: unresponsive: handler",
            "app/a: terminated: unresponsive",
            "app/a: restarting: unresponsive",
            "app/a: started"
        ]
    );
    assert_eq!(log.take(), ["0 a starts", "3000 a stops", "3000 a starts"]);
    assert_eq!(address.counters().lost_in_flight, 0, "it handled the message, late");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_is_stopped_as_its_spec_says_but_not_for_ever() {
    for (shutdown, killed, until) in [
        (Shutdown::BrutalKill, false, "1000"),
        (Shutdown::Timeout(secs(60)), true, "61000"),
        (Shutdown::Infinity, true, "6000"),
    ] {
        let log = Log::new();
        let child = Script::plain(&log).child("a").handler_deadline(secs(1)).shutdown(shutdown);
        let (_, mut reports, _app, address) = start(child).await;
        tell(&address, Msg::Hang);
        let lines = reports.until("app/a: started").await;
        assert_eq!(lines[0], "app/a: unresponsive: handler", "{shutdown:?}");
        assert_eq!(lines.contains(&"app/a: killed".to_owned()), killed, "{shutdown:?}: {lines:?}");
        assert_eq!(log.take(), ["0 a starts".to_owned(), format!("{until} a starts")], "{shutdown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn to_hang_is_an_abnormal_end() {
    for (restart, comes_back) in
        [(Restart::Permanent, true), (Restart::Transient, true), (Restart::Temporary, false)]
    {
        let child = scripted("a").handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill).restart(restart);
        let (_, mut reports, app, address) = start(child).await;
        tell(&address, Msg::Hang);
        reports.until("app/a: terminated: unresponsive").await;
        sleep(secs(10)).await;
        let expected: &[&str] =
            if comes_back { &["app/a: restarting: unresponsive", "app/a: started"] } else { &[] };
        assert_eq!(reports.so_far(), expected, "{restart:?}");
        assert_eq!(address.cast(Msg::Note("is served")).is_ok(), comes_back);
        let children = app.supervisor().count_children().await.expect("it is there").specs;
        assert_eq!(children, usize::from(comes_back), "a temporary one is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_too_often_makes_its_supervisor_give_up() {
    let child = scripted("a").handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
    let address = child.address();
    let system = System::new();
    let mut reports = Reports::of(&system);
    let tree = Supervisor::new("app").intensity(1, secs(60)).child(child);
    let app = tree.start(&system).await.expect("it starts");
    tell(&address, Msg::Hang);
    tell(&address, Msg::Hang);
    reports.until("app: gave up: a").await;
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_takes_long_but_not_too_long_is_left_alone() {
    let child = scripted("a").handler_deadline(secs(1)).mailbox(MailboxConfig::unbounded());
    let (_, mut reports, app, address) = start(child).await;
    for _ in 0..1000 {
        tell(&address, Msg::Take(ms(990)));
    }
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(reports.so_far(), [""; 0]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_has_nothing_to_do_is_left_alone() {
    let probe = Probe::new(Msg::Ping).period(secs(1)).timeout(ms(1)).failure_threshold(1);
    let (_, mut reports, app, address) = start(scripted("a").handler_deadline(ms(100)).probe(probe)).await;
    sleep(secs(100)).await;
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(reports.so_far(), [""; 0]);
    assert!(address.counters().handled >= 99, "it was asked every second");
    assert!(app.shutdown().await.is_clean());
}

fn probe() -> Probe<Msg> {
    Probe::new(Msg::Ping).period(secs(1)).timeout(ms(500)).failure_threshold(3)
}

#[tokio::test(start_paused = true)]
async fn a_child_that_misses_too_many_answers_in_a_row_is_found_to_hang() {
    let log = Log::new();
    let child = Script::plain(&log).child("a").probe(probe()).shutdown(Shutdown::BrutalKill);
    let (_, mut reports, _app, address) = start(child).await;
    tell(&address, Msg::Hang);
    let lines = reports.until("app/a: started").await;
    assert_eq!(lines[..2], ["app/a: unresponsive: 3 misses", "app/a: terminated: unresponsive"]);
    // Asked after 1, 2.5 and 4 seconds, and half a second later it is clear.
    assert_eq!(log.take(), ["0 a starts", "4500 a starts"]);
    assert_eq!(incarnation(&address).await, 2);
    sleep(secs(100)).await;
    assert_eq!(reports.so_far(), [""; 0], "the next one gets on");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_between_makes_good_for_those_that_were_missed() {
    let (_, mut reports, _app, address) = start(scripted("a").probe(probe())).await;
    for _ in 0..10 {
        // Too long for one question or two, whenever they come, and not for three.
        tell(&address, Msg::Take(ms(2900)));
        sleep(secs(6)).await;
    }
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(reports.so_far(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_gets_on_and_does_not_answer_is_found_by_a_probe_only() {
    let child = Script::plain(&Log::new()).keeping_pings().child("a");
    let child = child.probe(probe()).handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
    let (_, mut reports, _app, _) = start(child).await;
    assert_eq!(reports.next().await.pid.expect("it lived").incarnation(), 1);
    assert_eq!(reports.until("app/a: started").await[0], "app/a: terminated: unresponsive");
}

#[tokio::test(start_paused = true)]
async fn of_a_probe_and_a_deadline_the_first_to_strike_counts() {
    for (deadline, sign) in [(2, "app/a: unresponsive: handler"), (60, "app/a: unresponsive: 3 misses")] {
        let child =
            scripted("a").probe(probe()).handler_deadline(secs(deadline)).shutdown(Shutdown::BrutalKill);
        let (_, mut reports, _app, address) = start(child).await;
        tell(&address, Msg::Hang);
        let mut lines = reports.until("app/a: started").await;
        sleep(secs(100)).await;
        lines.extend(reports.so_far());
        let found: Vec<_> = lines.iter().filter(|line| line.contains("unresponsive: ")).collect();
        assert_eq!(found, [sign], "once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_is_an_answer_missed_and_is_not_filled_by_questions() {
    let child =
        scripted("a").mailbox(MailboxConfig::bounded(1)).probe(probe()).shutdown(Shutdown::BrutalKill);
    let (_, mut reports, _app, address) = start(child).await;
    tell(&address, Msg::Hang);
    tokio::task::yield_now().await;
    tell(&address, Msg::Take(secs(1)));
    assert!(address.cast(Msg::Hang).is_err(), "it is full");
    sleep(ms(4200)).await;
    assert_eq!(address.counters().accepted, 2, "none of three questions");
    assert_eq!(reports.until("app/a: started").await[0], "app/a: unresponsive: 3 misses");
    assert_eq!(incarnation(&address).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_dynamic_supervisor_is_watched_like_any_other() {
    let system = System::new();
    let mut reports = Reports::of(&system);
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let child = scripted("a").handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
    let address = child.address();
    app.supervisor().start_child(child).await.expect("it starts");
    reports.until("app/a: started").await;
    tell(&address, Msg::Hang);
    assert_eq!(reports.until("app/a: started").await[0], "app/a: unresponsive: handler");
    assert_eq!(incarnation(&address).await, 2);
}
