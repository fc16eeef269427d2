//! An incarnation that never awaits cannot be killed. It is abandoned: it loses its mailbox and has
//! no further effect.

use std::sync::Arc;
use std::sync::mpsc as threads;

use perennial_actors::host::{Identity, Parent};
use perennial_actors::{
    Actor, CallError, Context, DeadLetter, DeadLetterReason, ExitReason, LifecycleEvent, MailboxConfig, Pid,
    Reply, Subscription, System,
};
use tokio::sync::{mpsc, oneshot};

use crate::support::parent::{Record, recorder};

/// What a handler does after it blocked its thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    Return,
    Fail,
    Panic,
    Await,
}

/// Blocks the thread of a handler until the test releases it.
struct Block {
    begun: oneshot::Sender<()>,
    release: threads::Receiver<()>,
    then: Then,
    reply: Option<Reply<()>>,
}

impl Block {
    async fn pass(self) -> Result<(), ExitReason> {
        let Self { begun, release, then, reply } = self;
        begun.send(()).expect("the test waits");
        // This blocks the thread. A handler must not do that, but some will.
        release.recv().expect("the test releases it");
        drop(reply);
        match then {
            Then::Return => Ok(()),
            Then::Fail => Err(ExitReason::failed("too late")),
            Then::Panic => panic!("too late"),
            Then::Await => std::future::pending().await,
        }
    }
}

enum Msg {
    Block(Block),
    Note(u32),
}

struct Args {
    journal: mpsc::UnboundedSender<(u32, String)>,
    /// Blocks the init of the first incarnation.
    init: std::sync::Mutex<Option<Block>>,
}

/// Records what it does with its incarnation number, and when it is dropped.
struct Sleeper(Arc<Args>, u32);

impl Sleeper {
    fn write(&self, line: &str) {
        self.0.journal.send((self.1, line.to_owned())).expect("the test reads");
    }
}

impl Actor for Sleeper {
    type Msg = Msg;
    type Args = Arc<Args>;

    async fn init(args: &Arc<Args>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let block = args.init.lock().expect("not poisoned").take();
        // Created before it blocks, so that its drop is recorded in every case.
        let this = Self(args.clone(), ctx.pid().incarnation());
        if let Some(block) = block {
            block.pass().await?;
        }
        Ok(this)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Block(block) => block.pass().await?,
            Msg::Note(n) => self.write(&format!("note {n}")),
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.write("terminate");
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.write("gone");
    }
}

struct Stage {
    identity: Identity<Msg>,
    parent: Arc<dyn Parent>,
    record: Record,
    args: Arc<Args>,
    journal: mpsc::UnboundedReceiver<(u32, String)>,
    events: Subscription<LifecycleEvent>,
}

/// Returns a block, a receiver that resolves when it has begun, and a sender that ends it.
fn block(then: Then) -> (Block, oneshot::Receiver<()>, threads::Sender<()>) {
    let ((begun, has_begun), (unblock, release)) = (oneshot::channel(), threads::channel());
    (Block { begun, release, then, reply: None }, has_begun, unblock)
}

impl Stage {
    fn new(system: &System) -> Self {
        let (identity, (parent, record)) = (Identity::new(MailboxConfig::default()), recorder());
        let (tell, journal) = mpsc::unbounded_channel();
        let events = system.subscribe::<LifecycleEvent>();
        identity.open(system, || "sleeper".into());
        let args = Arc::new(Args { journal: tell, init: std::sync::Mutex::default() });
        Self { identity, parent, record, args, journal, events }
    }

    fn start(&self, run: u64) -> Pid {
        let args = Arc::new(self.args.clone());
        self.identity.start::<Sleeper>(args, self.parent.clone(), run).expect("it is open")
    }

    fn cast(&self, msg: Msg) {
        assert!(self.identity.address().cast(msg).is_ok());
    }

    /// Blocks the first incarnation. Returns its pid and the sender that unblocks it.
    async fn stuck(&mut self, then: Then) -> (Pid, threads::Sender<()>) {
        let pid = self.start(1);
        self.record.started(1).await;
        let (block, has_begun, unblock) = block(then);
        self.cast(Msg::Block(block));
        has_begun.await.expect("it is handled");
        (pid, unblock)
    }

    /// Abandons it, as a supervisor does when the kill grace has passed.
    fn abandon(&self, pid: Pid) {
        self.identity.address().kill().expect("it lives, in a way");
        assert!(self.identity.abandon(pid));
    }

    async fn written(&mut self) -> (u32, String) {
        self.journal.recv().await.expect("something is written")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_of_an_abandoned_incarnation_goes_to_the_next() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut stage = Stage::new(&system);
    let (block, has_begun, unblock) = block(Then::Return);
    // One batch holds all of them.
    stage.cast(Msg::Block(block));
    [1, 2].into_iter().for_each(|n| stage.cast(Msg::Note(n)));
    let first = stage.start(1);
    stage.record.started(1).await;
    has_begun.await.expect("it is handled");
    stage.abandon(first);
    let letter = dead_letters.try_next().expect("the message in flight");
    assert!(
        matches!(letter.reason, DeadLetterReason::InFlight(ExitReason::Killed)) && letter.target == first
    );
    stage.start(2);
    stage.record.started(2).await;
    assert_eq!(stage.written().await, (2, "note 1".into()));
    assert_eq!(stage.written().await, (2, "note 2".into()));
    unblock.send(()).expect("it waits for this");
    assert_eq!(stage.written().await, (1, "gone".into()));
    // A note is written inside its handler. It counts as handled when the handler has returned, and
    // the exit waits for that.
    stage.identity.address().stop(ExitReason::shutdown()).expect("it lives");
    stage.record.ended(2).await;
    let counters = stage.identity.address().counters();
    assert_eq!((counters.handled, counters.lost_in_flight, counters.queued), (2, 1, 0));
    assert!(dead_letters.try_next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_incarnation_takes_along_at_most_the_messages_that_it_took_with_the_one_that_blocks() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut stage = Stage::new(&system);
    let address = stage.identity.address();
    // They are taken one by one, then two, then four, then eight together. The first of the eight
    // blocks.
    (1..=8).for_each(|n| stage.cast(Msg::Note(n)));
    let (blocks, has_begun, unblock) = block(Then::Return);
    stage.cast(Msg::Block(blocks));
    let behind = tokio::spawn({
        let (block, address) = (block(Then::Return).0, address.clone());
        async move { address.call(|reply| Msg::Block(Block { reply: Some(reply), ..block })).no_timeout().await }
    });
    while address.counters().accepted < 10 {
        tokio::task::yield_now().await;
    }
    (11..=20).for_each(|n| stage.cast(Msg::Note(n)));
    let first = stage.start(1);
    stage.record.started(1).await;
    has_begun.await.expect("it is handled");
    stage.abandon(first);
    for n in 1..=8 {
        assert_eq!(stage.written().await, (1, format!("note {n}")));
        let letter = dead_letters.try_next().expect("one for each message that is lost");
        assert!(
            matches!(letter.reason, DeadLetterReason::InFlight(ExitReason::Killed)) && letter.target == first
        );
    }
    assert!(dead_letters.try_next().is_none());
    stage.start(2);
    stage.record.started(2).await;
    for n in 17..=20 {
        assert_eq!(stage.written().await, (2, format!("note {n}")));
    }
    unblock.send(()).expect("it waits for this");
    assert_eq!(stage.written().await, (1, "gone".into()), "it handles none of the others");
    let result = behind.await.expect("the caller ends");
    assert!(matches!(result, Err(CallError::Ended(ExitReason::Killed, _))));
    address.stop(ExitReason::shutdown()).expect("it lives");
    stage.record.ended(2).await;
    let counters = address.counters();
    assert_eq!((counters.handled, counters.lost_in_flight, counters.queued), (12, 8, 0));
}

#[tokio::test]
async fn a_crash_of_a_handler_that_does_not_await_loses_its_own_message_only() {
    for then in [Then::Fail, Then::Panic] {
        let mut stage = Stage::new(&System::new());
        (1..=8).for_each(|n| stage.cast(Msg::Note(n)));
        let (block, _has_begun, unblock) = block(then);
        unblock.send(()).expect("it will be handled");
        stage.cast(Msg::Block(block));
        (10..=20).for_each(|n| stage.cast(Msg::Note(n)));
        stage.start(1);
        stage.record.started(1).await;
        stage.record.ended(1).await;
        stage.start(2);
        let written =
            [(1..=8).map(|n| (1, n)).collect::<Vec<_>>(), (10..=20).map(|n| (2, n)).collect()].concat();
        for (incarnation, n) in written {
            let mut next = stage.written().await;
            while !next.1.starts_with("note") {
                next = stage.written().await;
            }
            assert_eq!(next, (incarnation, format!("note {n}")), "{then:?}");
        }
        let counters = stage.identity.address().counters();
        assert_eq!((counters.accepted, counters.lost_in_flight), (20, 1), "{then:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_incarnation_ends_without_a_notification_however_its_handler_ends() {
    for then in [Then::Return, Then::Fail, Then::Panic, Then::Await] {
        let mut stage = Stage::new(&System::new());
        let (first, unblock) = stage.stuck(then).await;
        stage.abandon(first);
        let second = stage.start(2);
        stage.record.started(2).await;
        // The next incarnation is idle by now and parked on the mailbox that the first one had.
        stage.cast(Msg::Note(1));
        assert_eq!(stage.written().await, (2, "note 1".into()));
        unblock.send(()).expect("it waits for this");
        assert_eq!(stage.written().await, (1, "gone".into()), "{then:?}: at once, and without a terminate");
        // The next incarnation is unaffected.
        stage.cast(Msg::Note(2));
        assert_eq!(stage.written().await, (2, "note 2".into()));
        assert!(stage.record.more().is_none(), "the parent that abandoned it is not notified");
        let events: Vec<LifecycleEvent> = std::iter::from_fn(|| stage.events.try_next()).collect();
        let [
            LifecycleEvent::Started { pid: a, .. },
            LifecycleEvent::Abandoned { pid: b, .. },
            LifecycleEvent::Started { pid: c, .. },
        ] = events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!([a, b, c], [first, first, second]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incarnation_abandoned_in_its_init_has_not_started() {
    for then in [Then::Return, Then::Fail, Then::Panic, Then::Await] {
        let mut stage = Stage::new(&System::new());
        let (block, has_begun, unblock) = block(then);
        *stage.args.init.lock().expect("not poisoned") = Some(block);
        let first = stage.start(1);
        has_begun.await.expect("it starts");
        stage.abandon(first);
        stage.start(2);
        stage.record.started(2).await;
        unblock.send(()).expect("it waits for this");
        assert_eq!(stage.written().await, (1, "gone".into()), "{then:?}");
        stage.cast(Msg::Note(1));
        assert_eq!(stage.written().await, (2, "note 1".into()));
        assert!(stage.record.more().is_none());
        let started = std::iter::from_fn(|| stage.events.try_next())
            .filter(|event| matches!(event, LifecycleEvent::Started { .. }))
            .count();
        assert_eq!(started, 1, "{then:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitors_are_notified_when_an_incarnation_is_abandoned_and_its_caller_when_the_handler_returns() {
    let mut stage = Stage::new(&System::new());
    let first = stage.start(1);
    stage.record.started(1).await;
    let address = stage.identity.address();
    let (block, has_begun, unblock) = block(Then::Return);
    let caller = tokio::spawn({
        let address = address.clone();
        async move {
            let call = address.call(|reply| Msg::Block(Block { reply: Some(reply), ..block }));
            call.no_timeout().await
        }
    });
    has_begun.await.expect("it is handled");
    let monitor = address.monitor();
    stage.abandon(first);
    let down = monitor.await;
    assert!(matches!((down.pid, down.reason), (Some(pid), ExitReason::Killed) if pid == first));
    unblock.send(()).expect("it waits for this");
    let result = caller.await.expect("the caller ends");
    assert!(matches!(result, Err(CallError::Ended(ExitReason::Killed, _))));
}

#[tokio::test]
async fn only_the_live_incarnation_can_be_abandoned() {
    let system = System::new();
    let (mut stage, other) = (Stage::new(&system), Stage::new(&system));
    let first = stage.start(1);
    let stranger = other.start(1);
    stage.record.started(1).await;
    assert!(!stage.identity.abandon(stranger), "it is of another identity");
    stage.identity.address().kill().expect("it lives");
    stage.record.ended(1).await;
    assert!(!stage.identity.abandon(first), "it has ended by itself");
    let second = stage.start(2);
    stage.record.started(2).await;
    assert!(!stage.identity.abandon(first), "it is not the one that lives");
    assert_eq!(stage.identity.address().pid(), Some(second));
}
