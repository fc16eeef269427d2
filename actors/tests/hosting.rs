//! Parents of incarnations: a parent is notified exactly once of every exit, however the task ends.

use std::future::poll_fn;
use std::sync::Arc;

use perennial_actors::host::{AttachError, Identity, IncarnationExit, MailboxConsumer, MailboxEvent, Parent};
use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, ProcessState, Reply, SpawnError, System};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::support::parent::recorder;

enum Msg {
    Echo(u32, Reply<u32>),
    /// Keeps its reply.
    Keep(Reply<u32>),
    /// Signals that it has begun, and never ends.
    Hang(Option<Reply<u32>>, oneshot::Sender<()>),
}

struct Guest(Vec<Reply<u32>>);

impl Actor for Guest {
    type Msg = Msg;
    /// `true` if the init succeeds.
    type Args = bool;

    async fn init(starts: &bool, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        if *starts { Ok(Self(Vec::new())) } else { Err(ExitReason::failed("no room")) }
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Echo(n, reply) => reply.send(n),
            Msg::Keep(reply) => self.0.push(reply),
            Msg::Hang(_reply, begun) => {
                begun.send(()).expect("the test waits");
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

fn identity(system: &System) -> Identity<Msg> {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "guest".into());
    identity
}

async fn step(attachment: &mut MailboxConsumer<Msg>) -> MailboxEvent<Msg> {
    poll_fn(|cx| attachment.poll_next(cx)).await
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_an_end_without_a_start() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let pid = identity.start::<Guest>(Arc::new(false), parent, 7).expect("it is open");
    let end = record.ended(7).await;
    assert_eq!((end.pid, end.started, end.reason.to_string().as_str()), (pid, false, "failed: no room"));
    assert!(record.more().is_none());
    assert_eq!(
        identity.address().state(),
        ProcessState::Pending,
        "it is for the parent to decide what follows"
    );
}

#[tokio::test(start_paused = true)]
async fn when_a_parent_is_notified_of_an_exit_the_next_incarnation_may_attach() {
    struct Restarter(Arc<Identity<Msg>>, Arc<dyn Parent>);

    impl Parent for Restarter {
        fn started(&self, run: u64) {
            self.1.started(run);
        }

        fn ended(&self, run: u64, end: IncarnationExit) {
            if run < 5 {
                let again = Arc::new(Self(self.0.clone(), self.1.clone()));
                self.0
                    .start::<Guest>(Arc::new(true), again, run + 1)
                    .expect("it is open, and no incarnation is attached");
            }
            self.1.ended(run, end);
        }
    }

    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = Arc::new(identity(&system));
    let restarter = Arc::new(Restarter(identity.clone(), parent));
    identity.start::<Guest>(Arc::new(true), restarter, 1).expect("it is open");
    for run in 1..=5 {
        record.started(run).await;
        identity.address().kill().expect("it lives");
        record.ended(run).await;
    }
    assert_eq!(identity.address().state(), ProcessState::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_parent_is_not_notified_of_a_start_that_could_not_begin() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let start = |identity: &Identity<Msg>| identity.start::<Guest>(Arc::new(true), parent.clone(), 1);
    let closed = start(&Identity::new(MailboxConfig::default()));
    assert!(matches!(closed, Err(SpawnError::NotOpen(AttachError::Closed))));
    let identity = identity(&system);
    let held = identity.attach(recorder().0, 1).expect("it is open");
    assert!(matches!(start(&identity), Err(SpawnError::NotOpen(AttachError::AlreadyAttached))));
    drop(held);
    assert!(record.more().is_none());
}

#[test]
fn a_start_outside_a_runtime_is_an_error_and_attaches_nothing() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let started = identity.start::<Guest>(Arc::new(true), parent, 1);
    assert!(matches!(started, Err(SpawnError::NoRuntime)));
    assert!(record.more().is_none());
    assert_eq!(identity.address().state(), ProcessState::Pending);
}

#[tokio::test(start_paused = true)]
async fn an_attached_consumer_receives_a_message_a_stop_and_a_kill() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let address = identity.address();
    let mut attachment = identity.attach(parent, 3).expect("it is open");
    attachment.started();
    record.started(3).await;
    assert_eq!(address.pid(), Some(attachment.pid()));
    let (answer, ()) = tokio::join!(address.call(|reply| Msg::Echo(1, reply)).into_future(), async {
        let MailboxEvent::Message(Msg::Echo(n, reply)) = step(&mut attachment).await else {
            panic!("a message")
        };
        reply.send(n);
        attachment.handled();
    });
    assert_eq!((answer.expect("it answers"), address.counters().handled), (1, 1));
    address.stop(ExitReason::shutdown()).expect("it lives");
    assert!(matches!(step(&mut attachment).await, MailboxEvent::Stop(ExitReason::Shutdown(None))));
    address.kill().expect("it lives");
    assert!(matches!(step(&mut attachment).await, MailboxEvent::Killed));
    attachment.end(ExitReason::failed("by hand"));
    let end = record.ended(3).await;
    assert!(end.started && end.reason.is_abnormal());
    assert_eq!(address.counters().lost_in_flight, 0, "its message was handled");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_ends_its_incarnation_as_killed() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let mut attachment = identity.attach(parent, 1).expect("it is open");
    let (begun, has_begun) = oneshot::channel();
    let task = tokio::spawn(async move {
        attachment.started();
        begun.send(()).expect("the test waits");
        step(&mut attachment).await
    });
    has_begun.await.expect("it runs");
    task.abort();
    record.started(1).await;
    let end = record.ended(1).await;
    assert!(end.started && matches!(end.reason, ExitReason::Killed));
    assert!(record.more().is_none());
}

/// Drops the runtime of a live guest that has one message in flight and keeps the reply to another.
/// Returns the errors of the two callers, which run on another runtime.
async fn drop_runtime_under(identity: &Identity<Msg>, parent: Arc<dyn Parent>) -> [String; 2] {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    {
        let _there = runtime.enter();
        identity.start::<Guest>(Arc::new(true), parent, 1).expect("it is open");
    }
    let (address, (begun, has_begun)) = (identity.address(), oneshot::channel());
    let (kept, in_flight, ()) = tokio::join!(
        address.call(Msg::Keep).no_timeout().into_future(),
        address.call(|reply| Msg::Hang(Some(reply), begun)).no_timeout().into_future(),
        async {
            has_begun.await.expect("it is handled");
            runtime.shutdown_background();
        },
    );
    [kept, in_flight].map(|result| result.expect_err("no guest answers").to_string())
}

#[test]
fn a_runtime_that_is_dropped_ends_its_incarnations_as_killed_and_notifies_their_callers() {
    // The callers are polled at once, while the guest is still being dropped.
    for _ in 0..50 {
        let (system, (parent, mut record)) = (System::new(), recorder());
        let identity = identity(&system);
        let elsewhere = Builder::new_current_thread().build().expect("a runtime");
        let told = elsewhere.block_on(drop_runtime_under(&identity, parent));
        assert_eq!(told, [r#"actor "guest" ended (message type Msg): killed"#; 2]);
        let end = elsewhere.block_on(async {
            record.started(1).await;
            record.ended(1).await
        });
        assert!(end.started && matches!(end.reason, ExitReason::Killed));
        assert!(record.more().is_none());
        let counters = identity.address().counters();
        assert_eq!((counters.handled, counters.lost_in_flight), (1, 1));
    }
}
