//! Children that block a thread of the runtime, and the obstacles for their supervisor to detect
//! it.
//!
//! In real time, because paused time needs a runtime of one thread. No test measures time: each
//! waits for a report.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use perennial_actors::{Address, System};
use perennial_supervision::{App, Child, Probe, Shutdown, SupervisionStats, Supervisor, SupervisorHandle};
use tokio::task::yield_now;

use crate::support::reports::Reports;
use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, tell};
use crate::support::threads::{Spinning, on_threads};

const DEADLINE: Duration = ms(100);

/// A child that is killed at once when it is found to hang, so that it blocks a thread as briefly
/// as possible.
fn watched(script: Script) -> Child<Msg> {
    script.child("a").shutdown(Shutdown::BrutalKill)
}

fn plain() -> Script {
    Script::plain(&Log::new())
}

fn app() -> Supervisor {
    Supervisor::new("app").abandon_after(ms(20))
}

async fn start(tree: Supervisor) -> (System, Reports, App<SupervisorHandle>) {
    let system = System::new();
    let reports = Reports::of(&system);
    let app = tree.start(&system).await.expect("it starts");
    (system, reports, app)
}

/// Something that holds a thread until the first of the two is dropped.
fn block() -> (mpsc::Sender<()>, Msg) {
    let (hold, held) = mpsc::channel();
    (hold, Msg::Block(held))
}

const REPLACED: [&str; 7] = [
    "app/a: started",
    "app/a: unresponsive: handler",
    "app/a: killed",
    "app/a: abandoned",
    "app/a: terminated: unresponsive",
    "app/a: restarting: unresponsive",
    "app/a: started",
];

/// Stages as above, without those that a spec does not have.
fn stages(sign: &'static str) -> Vec<&'static str> {
    let but_killed = REPLACED.into_iter().filter(|line| !line.ends_with("killed"));
    but_killed.map(|line| if line.contains("unresponsive: ") { sign } else { line }).collect()
}

async fn until_replaced(reports: &mut Reports) -> Vec<String> {
    let mut lines = reports.until("app/a: restarting: unresponsive").await;
    lines.extend(reports.until("app/a: started").await);
    lines
}

async fn is_stopped_killed_abandoned_and_replaced(hang: Msg, release: impl Send) {
    let log = Log::new();
    let child = Script::plain(&log).child("a").shutdown(Shutdown::Timeout(ms(20))).handler_deadline(DEADLINE);
    let address = child.address();
    let (system, mut reports, app) = start(app().child(child)).await;
    tell(&address, hang);
    tell(&address, Msg::Note("handles what waited"));
    assert_eq!(until_replaced(&mut reports).await, REPLACED);
    assert_eq!(incarnation(&address).await, 2);
    let notes: Vec<_> =
        log.take().into_iter().map(|line| line.split_once(' ').expect("a time").1.to_owned()).collect();
    assert_eq!(notes, ["a starts", "a starts", "a handles what waited"]);
    assert_eq!(SupervisionStats::of(&system).abandoned, 1);

    drop(release);
    assert_eq!(incarnation(&address).await, 2, "the previous incarnation has no effect");
    let report = app.shutdown().await;
    let unstopped: Vec<_> = report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect();
    assert_eq!(unstopped, [("app/a", true)]);
    assert!(address.counters().is_balanced());
}

#[test]
fn a_handler_that_blocks_its_thread_is_abandoned_and_its_address_serves_again() {
    on_threads(4, async {
        let (hold, block) = block();
        is_stopped_killed_abandoned_and_replaced(block, hold).await;
    });
}

#[test]
fn a_handler_that_spins_is_abandoned_and_its_address_serves_again() {
    on_threads(4, async {
        let (spinning, on): (Spinning, Arc<AtomicBool>) = Spinning::new();
        is_stopped_killed_abandoned_and_replaced(Msg::Spin(on), spinning).await;
    });
}

#[test]
fn handlers_that_block_are_found_as_long_as_there_is_a_thread_left() {
    on_threads(4, async {
        let (_first, one) = block();
        let (_second, two) = block();
        let (_third, three) = block();
        let child = watched(plain()).handler_deadline(DEADLINE);
        let address = child.address();
        let (_, mut reports, _app) = start(app().intensity(3, Duration::from_secs(60)).child(child)).await;
        for (n, block) in (2..).zip([one, two, three]) {
            tell(&address, block);
            until_replaced(&mut reports).await;
            assert_eq!(incarnation(&address).await, n);
        }
    });
}

/// Starts a tree whose last child is sent this before its turn to start has come.
async fn start_with(
    msg: Msg,
    tree: Supervisor,
    child: Child<Msg>,
) -> (Address<Msg>, Reports, App<SupervisorHandle>) {
    let first = plain().with_init(|_| InitStep::DeferReady).child("first");
    let (address, before) = (child.address(), first.address());
    let starting = tokio::spawn(start(tree.child(first).child(child)));
    let mut msg = msg;
    while let Err(refused) = address.cast(msg) {
        msg = refused.into_inner();
        yield_now().await;
    }
    tell(&before, Msg::Ready);
    let (_, mut reports, app) = starting.await.expect("it ends well");
    reports.until("app/first: started").await;
    (address, reports, app)
}

/// Tokio issue 4941: the supervisor is woken by the start of the child, on the child's thread.
#[test]
fn a_supervisor_hears_of_a_start_though_the_child_blocks_in_the_same_breath() {
    on_threads(4, async {
        let (_hold, block) = block();
        let child = watched(plain()).handler_deadline(DEADLINE);
        let (address, mut reports, _app) = start_with(block, app(), child).await;
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: handler"));
        assert_eq!(incarnation(&address).await, 2);
    });
}

/// As above, for a child without liveness checks: it must not keep its supervisor from checking the
/// other children.
#[test]
fn a_child_that_is_not_watched_does_not_keep_its_supervisor_from_watching_its_siblings() {
    on_threads(4, async {
        let (_hold, one) = block();
        let (_too, other) = block();
        let child = watched(plain()).handler_deadline(DEADLINE);
        let address = child.address();
        let (_, mut reports, _app) = start_with(one, app().child(child), plain().child("unwatched")).await;
        reports.until("app/unwatched: started").await;
        tell(&address, other);
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: handler")[1..]);
        assert_eq!(incarnation(&address).await, 2);
    });
}

/// As above, in a handler that says that it is ready.
#[test]
fn a_supervisor_hears_that_a_child_is_ready_though_it_blocks_in_the_same_handler() {
    on_threads(4, async {
        let (_hold, block) = block();
        let child =
            watched(plain().with_init(|n| if n == 1 { InitStep::DeferReady } else { InitStep::Succeed }));
        let ready = Msg::All(vec![Msg::Ready, block]);
        let (address, mut reports, _app) = start_with(ready, app(), child.handler_deadline(DEADLINE)).await;
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: handler"));
        assert_eq!(incarnation(&address).await, 2);
    });
}

/// Tokio issue 4941: the answer wakes the task that waits for it on the child's thread.
#[test]
fn a_child_that_answers_a_probe_and_then_blocks_is_found_by_the_next() {
    on_threads(4, async {
        let probe = Probe::new(Msg::Ping).period(ms(20)).timeout(ms(500)).failure_threshold(1);
        let child = watched(plain()).probe(probe);
        let address = child.address();
        let (_, mut reports, _app) = start(app().child(child)).await;
        let (go, until_asked) = block();
        let (_hold, for_good) = block();
        tell(&address, until_asked);
        while address.counters().queued < 2 {
            yield_now().await;
        }
        tell(&address, for_good);
        go.send(()).expect("it waits");
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: 1 misses"));
        assert_eq!(incarnation(&address).await, 2);
    });
}

/// Tokio issue 4730: a timer wakes the thread that drives the timers, and the code that it then
/// runs does not return.
#[test]
fn a_child_that_blocks_the_thread_of_the_timers_is_found() {
    on_threads(4, async {
        let (_hold, block) = block();
        let child = watched(plain()).handler_deadline(DEADLINE);
        let address = child.address();
        let (_, mut reports, _app) = start(app().child(child)).await;
        // Not when a look is due: it is to wake that thread alone.
        tell(&address, Msg::Later(ms(120), Box::new(block)));
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: handler"));
        assert_eq!(incarnation(&address).await, 2);
    });
}

#[test]
fn a_probed_child_that_blocks_the_thread_of_the_timers_is_found() {
    on_threads(4, async {
        let (_hold, block) = block();
        let child = watched(plain())
            .probe(Probe::new(Msg::Ping).period(ms(50)).timeout(ms(200)).failure_threshold(1));
        let address = child.address();
        let (_, mut reports, _app) = start(app().child(child)).await;
        tell(&address, Msg::Later(ms(70), Box::new(block)));
        assert_eq!(until_replaced(&mut reports).await, stages("app/a: unresponsive: 1 misses"));
        assert_eq!(incarnation(&address).await, 2);
    });
}
