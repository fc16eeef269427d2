//! Children that are watched and suspended: a suspended child waits, and is not killed for that.

use perennial_actors::{Actor, ActorHandle, Address, Context, ExitReason, MailboxConfig, Signal, System};
use perennial_supervision::{App, Child, Probe, Shutdown, Supervisor, SupervisorHandle};
use tokio::time::sleep;

use crate::support::reports::Reports;
use crate::support::subject::{Msg, incarnation, ms, scripted, secs, tell};

/// A tree with this child alone, which has just started.
async fn start(child: Child<Msg>) -> (Reports, App<SupervisorHandle>, Address<Msg>) {
    let (system, address) = (System::new(), child.address());
    let mut reports = Reports::of(&system);
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    reports.until("app/a: started").await;
    (reports, app, address)
}

/// A child that is asked every second, has half a second to answer, and may miss one answer.
fn watched() -> Child<Msg> {
    let probe = Probe::new(Msg::Ping).period(secs(1)).timeout(ms(500)).failure_threshold(2);
    scripted("a").probe(probe).handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill)
}

#[tokio::test(start_paused = true)]
async fn a_suspended_child_is_not_killed_by_its_probe_and_is_not_filled_with_questions() {
    let (mut reports, app, address) = start(watched()).await;
    sleep(secs(10)).await;
    address.handle().suspend().expect("it lives");
    sleep(secs(1000)).await;
    assert_eq!(address.counters().queued, 0, "it is not asked");
    address.handle().resume().expect("it lives");
    sleep(secs(1000)).await;
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(reports.so_far(), [""; 0]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_suspended_while_it_is_asked_does_not_miss_that_answer() {
    let probe = Probe::new(Msg::Ping).period(secs(1)).timeout(secs(1)).failure_threshold(1);
    let child = scripted("a").probe(probe).shutdown(Shutdown::BrutalKill);
    let (mut reports, _app, address) = start(child).await;
    for resumed_before_the_time_is_up in [true, false] {
        // It is busy when it is asked, and suspended when it could answer.
        sleep(ms(900)).await;
        tell(&address, Msg::Take(ms(600)));
        tokio::task::yield_now().await;
        address.handle().suspend().expect("it lives");
        sleep(ms(if resumed_before_the_time_is_up { 1050 } else { 5000 })).await;
        // There is more to do than can be done before the time is up.
        tell(&address, Msg::Take(ms(300)));
        address.handle().resume().expect("it lives");
        sleep(secs(10)).await;
        assert_eq!(incarnation(&address).await, 1);
        assert_eq!(reports.so_far(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspended_child_with_a_full_mailbox_is_not_killed_by_its_probe() {
    let child = watched().mailbox(MailboxConfig::bounded(1));
    let (mut reports, _app, address) = start(child).await;
    address.handle().suspend().expect("it lives");
    tokio::task::yield_now().await;
    tell(&address, Msg::Note("waits"));
    sleep(secs(100)).await;
    address.handle().resume().expect("it lives");
    assert_eq!(incarnation(&address).await, 1);
    assert_eq!(reports.so_far(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_after_it_was_resumed_is_found_as_late_as_one_that_has_just_started() {
    let probe = Probe::new(Msg::Ping).period(secs(1)).timeout(ms(500)).failure_threshold(2);
    let child = scripted("a").probe(probe).shutdown(Shutdown::BrutalKill);
    let (mut reports, _app, address) = start(child).await;
    address.handle().suspend().expect("it lives");
    sleep(ms(77_700)).await;
    tell(&address, Msg::Hang);
    address.handle().resume().expect("it lives");
    let resumed = tokio::time::Instant::now();
    assert_eq!(reports.until("app/a: started").await[0], "app/a: unresponsive: 2 misses");
    let took = resumed.elapsed();
    // Probed after 1 and 2.5 seconds. The supervisor checks again whenever it finds the child
    // suspended, and so a second later at most.
    assert!(took >= secs(3) && took <= ms(4500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_deadline_does_not_strike_while_its_child_is_suspended_and_does_after() {
    let child = scripted("a").handler_deadline(secs(1)).shutdown(Shutdown::BrutalKill);
    let (mut reports, _app, address) = start(child).await;
    tell(&address, Msg::Take(ms(900)));
    tokio::task::yield_now().await;
    address.handle().suspend().expect("it lives");
    tell(&address, Msg::Take(ms(900)));
    sleep(secs(100)).await;
    address.handle().resume().expect("it lives");
    sleep(secs(1)).await;
    assert_eq!(reports.so_far(), [""; 0]);
    tell(&address, Msg::Hang);
    assert_eq!(reports.until("app/a: started").await[0], "app/a: unresponsive: handler");
}

/// Monitors an actor and takes long to act on its end.
struct Observer;

impl Actor for Observer {
    type Msg = ();
    type Args = ActorHandle;

    async fn init(target: &ActorHandle, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.monitor(target);
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn signal(&mut self, _: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        sleep(secs(5)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_deadline_does_not_strike_at_a_signal_that_a_suspended_child_acts_on() {
    for suspended in [true, false] {
        let (_, target_app, target) = start(scripted("a")).await;
        let child = Child::new::<Observer>("observer", target.handle()).handler_deadline(secs(1));
        let observer = child.shutdown(Shutdown::BrutalKill);
        let (system, address) = (System::new(), observer.address());
        let mut reports = Reports::of(&system);
        let _app = Supervisor::new("app").child(observer).start(&system).await.expect("it starts");
        reports.until("app/observer: started").await;
        if suspended {
            address.handle().suspend().expect("it lives");
            tokio::task::yield_now().await;
        }
        assert!(target_app.shutdown().await.is_clean());
        sleep(secs(10)).await;
        assert_eq!(reports.so_far().is_empty(), suspended, "it is watched unless it is suspended");
    }
}
