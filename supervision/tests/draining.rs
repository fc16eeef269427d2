//! Children that handle what is queued before they stop.

use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, ProcessState, System};
use perennial_supervision::pool::{Pool, PoolHandle};
use perennial_supervision::{Child, DynamicSupervisor, Shutdown, Strategy, Supervisor};

use crate::support::worker::{HOUR, MINUTE, SECOND, quiet, soon, tolerant};

/// Takes a second for each number. A number of `CRASH` crashes it.
struct Slow;

const CRASH: u32 = u32::MAX;

impl Actor for Slow {
    type Msg = u32;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, number: u32, _: &mut Context<Self>) -> Result<(), ExitReason> {
        tokio::time::sleep(SECOND).await;
        if number == CRASH { Err(ExitReason::failed("on purpose")) } else { Ok(()) }
    }
}

fn slow(id: &'static str, shutdown: Shutdown) -> Child<u32> {
    Child::new::<Slow>(id, ()).shutdown(shutdown)
}

fn fill(address: &Address<u32>, messages: u32) {
    (0..messages).for_each(|number| address.cast(number).expect("it is accepted"));
}

#[tokio::test(start_paused = true)]
async fn child_that_drains_handles_what_is_queued_and_the_report_is_clean() {
    let child = slow("a", Shutdown::Drain(MINUTE));
    let address = child.address();
    let system = System::new();
    let inner = Supervisor::new("inner").child(child);
    let app = Supervisor::new("app").child(inner).start(&system).await.expect("it starts");
    fill(&address, 30);
    let report = app.shutdown().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.to_string(), "stopped (shutdown): all children in time, nothing dropped");
    let counters = address.handle().counters();
    assert_eq!((counters.handled, counters.dead_lettered), (30, 0));
    assert!(system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn child_that_does_not_drain_in_time_is_killed_and_the_report_counts_what_it_dropped() {
    let child = slow("a", Shutdown::Drain(SECOND * 10));
    let address = child.address();
    let system = System::new();
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    quiet().await;
    fill(&address, 30);
    let report = app.shutdown().await;
    assert!(!report.is_clean());
    let counters = address.handle().counters();
    assert_eq!(counters.handled + report.dropped_messages, 30, "{counters:?}");
    assert_eq!(report.dropped_messages, counters.dead_lettered + counters.lost_in_flight);
    assert!((9..=11).contains(&counters.handled), "{counters:?}");
    let dropped = report.dropped_messages;
    assert_eq!(
        report.to_string(),
        format!("stopped (shutdown); not in time: app/a (killed); {dropped} messages dropped")
    );
}

#[tokio::test(start_paused = true)]
async fn report_counts_the_messages_that_children_without_a_drain_drop() {
    let shutdowns = [Shutdown::BrutalKill, Shutdown::Timeout(MINUTE), Shutdown::Infinity];
    for (shutdown, expected) in shutdowns.into_iter().zip([10, 9, 9]) {
        let child = slow("a", shutdown);
        let address = child.address();
        let dynamic = DynamicSupervisor::new("dynamic");
        let handle = dynamic.handle();
        let app = Supervisor::new("app").child(dynamic).start(&System::new()).await.expect("it starts");
        handle.start_child(child).await.expect("it starts");
        fill(&address, 10);
        quiet().await;
        let report = app.shutdown().await;
        assert_eq!(report.dropped_messages, expected, "{shutdown:?}: {report}");
        assert!(!report.is_clean() && report.unstopped.is_empty());
        assert_eq!(app.shutdown().await.dropped_messages, expected, "another report says the same");
    }
}

#[tokio::test(start_paused = true)]
async fn report_leaves_out_what_was_dropped_before_the_shutdown() {
    let child = slow("a", Shutdown::default());
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    fill(&address, 10);
    app.supervisor().terminate_child("a").await.expect("it runs");
    assert!(address.handle().counters().dead_lettered > 0);
    let report = app.shutdown().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn report_counts_what_a_mailbox_discards_when_its_actor_stops() {
    let child = slow("a", Shutdown::Timeout(MINUTE));
    let child = child.mailbox(perennial_actors::MailboxConfig::unbounded().discard_on_restart());
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    fill(&address, 10);
    quiet().await;
    assert_eq!(app.shutdown().await.dropped_messages, 9);
}

#[tokio::test(start_paused = true)]
async fn child_of_a_dynamic_supervisor_drains_when_it_is_terminated_and_refuses_messages_meanwhile() {
    let dynamic = DynamicSupervisor::new("dynamic");
    let app = dynamic.start(&System::new()).await.expect("it starts");
    let child = slow("a", Shutdown::Drain(MINUTE));
    let address = child.address();
    app.supervisor().start_child(child).await.expect("it starts");
    fill(&address, 10);
    let pid = address.pid().expect("it lives");
    let handle = app.supervisor().clone();
    let terminated = tokio::spawn(async move { handle.terminate_child(pid).await });
    quiet().await;
    assert!(matches!(address.handle().state(), ProcessState::Alive(_)));
    assert_eq!(address.cast(77).expect_err("it is refused").into_inner(), 77);
    terminated.await.expect("it ends").expect("it is terminated");
    assert_eq!(address.handle().counters().handled, 10);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn terminated_child_that_drained_can_be_started_again_and_accepts_messages_then() {
    let child = slow("a", Shutdown::Drain(MINUTE));
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    fill(&address, 10);
    app.supervisor().terminate_child("a").await.expect("it runs");
    assert_eq!(address.handle().counters().handled, 10);
    app.supervisor().restart_child("a").await.expect("it starts");
    fill(&address, 5);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(address.handle().counters().handled, 15);
}

/// Its messages wait for the next incarnation anyway, and none may be refused.
#[tokio::test(start_paused = true)]
async fn restart_of_the_group_or_of_a_supervisor_above_drains_nothing_and_refuses_nothing() {
    let (crashing, child) = (slow("crashing", Shutdown::default()), slow("a", Shutdown::Drain(HOUR)));
    let (crash, address) = (crashing.address(), child.address());
    let inner = Supervisor::new("inner").child(child);
    let tree = tolerant("app").strategy(Strategy::OneForAll).child(crashing).child(inner);
    let app = tree.start(&System::new()).await.expect("it starts");
    fill(&address, 10);
    crash.cast(CRASH).expect("it is accepted");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_ne!(address.handle().state(), ProcessState::Closed);
    }
    let again = address.pid().expect("it lives").incarnation();
    let handled = address.handle().counters().handled;
    assert!(again == 2 && handled < 5, "incarnation {again}, {handled} messages handled");
    assert!(app.shutdown().await.is_clean());
    assert_eq!(address.handle().counters().handled, 10);
}

#[tokio::test(start_paused = true)]
async fn child_that_crashes_while_it_drains_drops_the_rest() {
    let child = slow("a", Shutdown::Drain(HOUR));
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    fill(&address, 2);
    address.cast(CRASH).expect("it is accepted");
    fill(&address, 5);
    let report = app.shutdown().await;
    assert_eq!((address.handle().counters().handled, report.dropped_messages), (2, 5), "{report}");
}

#[tokio::test(start_paused = true)]
async fn task_that_is_set_to_drain_is_stopped_as_with_a_timeout() {
    let task = Child::task("task", |_| async {
        std::future::pending::<()>().await;
        Ok(())
    });
    let app = Supervisor::new("app").child(task.shutdown(Shutdown::Drain(HOUR)));
    let app = app.start(&System::new()).await.expect("it starts");
    let report = tokio::time::timeout(SECOND, app.shutdown()).await.expect("it does not wait");
    assert!(report.is_clean(), "{report}");
}

type Sleep = fn(u32) -> Result<u32, String>;

type Jobs = PoolHandle<Sleep>;

/// A pool of two workers that take a second for each job.
fn pool(shutdown: Shutdown) -> (Pool<Sleep>, Jobs) {
    let pool = Pool::from_fn("pool", 2, |job: &u32| {
        let job = *job;
        async move {
            tokio::time::sleep(SECOND).await;
            Ok(job)
        }
    });
    let pool = pool.shutdown(shutdown);
    let handle = pool.handle();
    (pool, handle)
}

async fn submit(pool: &Jobs, jobs: u32) {
    for job in 0..jobs {
        pool.submit(job).detach().await.expect("there is room");
    }
}

#[tokio::test(start_paused = true)]
async fn pool_that_drains_finishes_its_jobs_and_refuses_others_meanwhile() {
    let (pool, jobs) = pool(Shutdown::Drain(MINUTE));
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    submit(&jobs, 20).await;
    let down = tokio::spawn({
        let app = app.clone();
        async move { app.shutdown().await }
    });
    quiet().await;
    assert!(jobs.submit(99).detach().await.is_err(), "it takes no job in");
    let report = down.await.expect("it ends");
    assert!(report.is_clean(), "{report}");
    let stats = jobs.stats();
    assert_eq!((stats.completed, stats.dropped), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn pool_that_does_not_drain_in_time_drops_the_rest_and_the_report_counts_the_jobs() {
    for (shutdown, done) in [(Shutdown::Drain(SECOND * 5), 8..=14), (Shutdown::Timeout(SECOND * 5), 0..=4)] {
        let (pool, jobs) = pool(shutdown);
        let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
        submit(&jobs, 40).await;
        quiet().await;
        let report = app.shutdown().await;
        let stats = jobs.stats();
        assert!(done.contains(&stats.completed), "{stats}");
        assert_eq!(stats.completed + report.dropped_jobs, 40, "{report}, {stats}");
        assert_eq!(report.dropped_messages, 0, "the messages of a pool are its own");
        assert!(!report.is_clean() && report.to_string().contains("jobs dropped"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn pool_that_drained_takes_jobs_in_when_it_is_started_again() {
    let (pool, jobs) = pool(Shutdown::Drain(MINUTE));
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    submit(&jobs, 5).await;
    app.supervisor().terminate_child("pool").await.expect("it runs");
    assert_eq!(jobs.stats().completed, 5);
    app.supervisor().restart_child("pool").await.expect("it starts");
    submit(&jobs, 5).await;
    assert!(app.shutdown().await.is_clean());
    assert_eq!(jobs.stats().completed, 10);
}

#[tokio::test(start_paused = true)]
async fn restarted_pool_keeps_its_jobs_and_drains_nothing() {
    let (pool, jobs) = pool(Shutdown::Drain(HOUR));
    let app = tolerant("app").child(pool).start(&System::new()).await.expect("it starts");
    submit(&jobs, 10).await;
    quiet().await;
    jobs.supervisor().handle().stop(ExitReason::failed("on purpose")).expect("it runs");
    let supervisor = jobs.supervisor().handle();
    while supervisor.pid().is_none_or(|pid| pid.incarnation() < 2) {
        quiet().await;
    }
    assert!(jobs.stats().completed < 5, "{}", jobs.stats());
    submit(&jobs, 10).await;
    let report = soon(app.shutdown()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(jobs.stats().completed, 20);
}

#[tokio::test(start_paused = true)]
async fn paused_pool_goes_on_when_it_drains() {
    let (pool, jobs) = pool(Shutdown::Drain(MINUTE));
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    jobs.pause();
    submit(&jobs, 5).await;
    assert!(app.shutdown().await.is_clean());
    assert_eq!(jobs.stats().completed, 5);
}

/// Crashes end the workers one by one, and a supervisor that shuts down starts no others.
#[tokio::test(start_paused = true)]
async fn pool_whose_workers_all_crash_while_it_drains_is_not_waited_for_and_the_jobs_are_counted() {
    let pool = Pool::from_fn("pool", 1, |job: &u32| {
        let job = *job;
        async move {
            tokio::time::sleep(SECOND).await;
            assert!(job > 0, "on purpose");
            Ok::<u32, String>(job)
        }
    });
    let pool = pool.shutdown(Shutdown::Drain(HOUR)).attempts(1);
    let jobs = pool.handle();
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    for job in 0..3 {
        jobs.submit(job).detach().await.expect("there is room");
    }
    app.supervisor().terminate_child("pool").await.expect("it runs");
    let stats = jobs.stats();
    assert_eq!((stats.completed, stats.failed, stats.dropped), (0, 1, 2), "{stats}");
    app.supervisor().restart_child("pool").await.expect("it starts");
    assert_eq!(jobs.submit(7).await.expect("there is room").await, Ok(7));
    let (begun, _) = (tokio::time::Instant::now(), jobs.submit(0).detach().await);
    jobs.submit(1).detach().await.expect("there is room");
    let report = app.shutdown().await;
    assert!(begun.elapsed() < MINUTE, "{:?}", begun.elapsed());
    assert_eq!((report.unstopped.len(), report.dropped_jobs), (0, 1), "{report}");
}
