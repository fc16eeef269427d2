//! One identity, several incarnations: what the next one keeps of the one before.

use std::sync::Arc;

use perennial_actors::host::Identity;
use perennial_actors::{
    Actor, Address, CallError, Context, DeadLetter, DeadLetterReason, ExitReason, MailboxConfig,
    NoProcessError, Pid, ProcessState, Reply, SendError, System, Unsent,
};
use tokio::sync::mpsc;

use crate::support::parent::{Record, recorder};

#[derive(Debug)]
enum Msg {
    Note(u32),
    Fail(u32),
    Panic,
    Count(Reply<u32>),
    Pid(Reply<Pid>),
}

/// Records the incarnation and the number of each note.
type Journal = mpsc::UnboundedSender<(u32, u32)>;

/// Records notes, and counts the notes of its incarnation.
struct Scribe {
    journal: Journal,
    count: u32,
}

impl Actor for Scribe {
    type Msg = Msg;
    type Args = Journal;

    async fn init(journal: &Journal, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { journal: journal.clone(), count: 0 })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let note = |n| self.journal.send((ctx.pid().incarnation(), n)).map_err(ExitReason::failed);
        match msg {
            Msg::Note(n) => {
                note(n)?;
                self.count += 1;
            }
            Msg::Fail(n) => {
                note(n)?;
                return Err(ExitReason::failed("on purpose"));
            }
            Msg::Panic => panic!("on purpose"),
            Msg::Count(reply) => reply.send(self.count),
            Msg::Pid(reply) => reply.send(ctx.pid()),
        }
        Ok(())
    }
}

/// An owner that starts an incarnation when its test requests it.
struct Owner {
    identity: Identity<Msg>,
    address: Address<Msg>,
    parent: Arc<dyn perennial_actors::host::Parent>,
    record: Record,
    args: Arc<Journal>,
    journal: mpsc::UnboundedReceiver<(u32, u32)>,
    run: u64,
}

impl Owner {
    fn new(mailbox: MailboxConfig) -> Self {
        let (identity, (parent, record)) = (Identity::new(mailbox), recorder());
        let (args, journal) = mpsc::unbounded_channel();
        let address = identity.address();
        Self { identity, address, parent, record, args: Arc::new(args), journal, run: 0 }
    }

    /// Returns an owner with an open identity and no incarnation.
    fn open(system: &System, mailbox: MailboxConfig) -> Self {
        let owner = Self::new(mailbox);
        owner.identity.open(system, || "scribe".into());
        owner
    }

    async fn start(&mut self) -> Pid {
        self.run += 1;
        let started = self.identity.start::<Scribe>(self.args.clone(), self.parent.clone(), self.run);
        self.record.started(self.run).await;
        started.expect("it is open")
    }

    /// Waits until the incarnation has ended. Returns its exit reason.
    async fn ended(&mut self) -> ExitReason {
        self.record.ended(self.run).await.reason
    }

    fn cast(&self, msgs: impl IntoIterator<Item = Msg>) {
        msgs.into_iter().for_each(|msg| self.address.cast(msg).expect("it is open and has room"));
    }

    async fn notes(&mut self, count: usize) -> Vec<(u32, u32)> {
        let mut notes = Vec::new();
        assert_eq!(self.journal.recv_many(&mut notes, count).await, count, "{notes:?}");
        notes
    }
}

async fn pid_of(address: &Address<Msg>) -> Pid {
    address.call(Msg::Pid).await.expect("it answers")
}

#[tokio::test(start_paused = true)]
async fn an_address_taken_before_anything_runs_reaches_every_incarnation() {
    let mut owner = Owner::new(MailboxConfig::default());
    let address = owner.identity.address();
    assert_eq!((address.state(), owner.address == address), (ProcessState::Closed, true));
    assert!(matches!(
        address.cast(Msg::Note(1)),
        Err(SendError::Closed(Unsent { message: Msg::Note(1), .. }))
    ));
    owner.identity.open(&System::new(), || "scribe".into());
    assert_eq!(address.state(), ProcessState::Pending);
    for incarnation in 1..=3 {
        let pid = owner.start().await;
        assert_eq!((pid_of(&address).await, pid.incarnation()), (pid, incarnation));
        assert_eq!(address.state(), ProcessState::Alive(pid));
        owner.cast([Msg::Panic]);
        owner.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pid_is_of_one_incarnation_and_keeps_the_identity() {
    let system = System::new();
    let mut owner = Owner::open(&system, MailboxConfig::default());
    let first = owner.start().await;
    owner.cast([Msg::Fail(0)]);
    owner.ended().await;
    let second = owner.start().await;
    assert!(first != second && first < second && first.same_identity(second));
    assert_eq!((second.identity(), second.incarnation()), (first.identity(), 2));
    let stranger = Owner::open(&system, MailboxConfig::default()).start().await;
    assert!(!stranger.same_identity(first));
}

#[tokio::test(start_paused = true)]
async fn messages_wait_while_an_incarnation_is_due() {
    let mut owner = Owner::open(&System::new(), MailboxConfig::default());
    owner.cast([Msg::Note(1), Msg::Note(2)]);
    assert_eq!(owner.address.counters().queued, 2);
    assert_eq!(
        (owner.address.stop(ExitReason::Normal), owner.address.kill()),
        (Err(NoProcessError), Err(NoProcessError))
    );
    owner.start().await;
    assert_eq!(owner.notes(2).await, [(1, 1), (1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_crashes_its_handler_is_not_handled_again() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut owner = Owner::open(&system, MailboxConfig::default());
    let first = owner.start().await;
    owner.cast([Msg::Note(1), Msg::Fail(2), Msg::Note(3), Msg::Note(4)]);
    assert_eq!(owner.ended().await.to_string(), "failed: on purpose");
    let letter = dead_letters.try_next().expect("the message that was in flight");
    assert_eq!((letter.target, &*letter.label), (first, "scribe"));
    let DeadLetterReason::InFlight(reason) = letter.reason else { panic!("it was in flight") };
    assert_eq!(reason.to_string(), "failed: on purpose");
    owner.start().await;
    assert_eq!(owner.notes(4).await, [(1, 1), (1, 2), (2, 3), (2, 4)]);
    assert!(dead_letters.try_next().is_none());
    assert_eq!(owner.address.call(Msg::Count).await.expect("it answers"), 2, "its state is new");
    let counters = owner.address.counters();
    assert_eq!((counters.accepted, counters.handled, counters.lost_in_flight), (5, 4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_incarnation_had_handled_its_last_message() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut owner = Owner::open(&system, MailboxConfig::default());
    owner.start().await;
    owner.cast([Msg::Note(1)]);
    owner.notes(1).await;
    owner.address.stop(ExitReason::shutdown()).expect("it lives");
    owner.ended().await;
    assert!(dead_letters.try_next().is_none());
    assert_eq!(owner.address.counters().handled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_made_before_a_crash_is_answered_by_the_next_incarnation() {
    let mut owner = Owner::open(&System::new(), MailboxConfig::default());
    owner.start().await;
    let address = owner.address.clone();
    owner.cast([Msg::Panic]);
    let (answer, second) = tokio::join!(pid_of(&address), async {
        owner.ended().await;
        owner.start().await
    });
    assert_eq!(answer, second);
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_may_be_discarded_on_restart_and_its_callers_are_notified() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut owner = Owner::open(&system, MailboxConfig::default().discard_on_restart());
    owner.start().await;
    let address = owner.address.clone();
    owner.cast([Msg::Fail(1), Msg::Note(2)]);
    let (answer, reason) = tokio::join!(address.call(Msg::Pid).into_future(), owner.ended());
    let Err(CallError::Ended(told, _)) = answer else { panic!("it was discarded") };
    assert_eq!((told.to_string(), reason.to_string().as_str()), (reason.to_string(), "failed: on purpose"));
    let letters: Vec<DeadLetterReason> =
        std::iter::from_fn(|| dead_letters.try_next()).map(|l| l.reason).collect();
    assert!(
        matches!(
            letters[..],
            [DeadLetterReason::InFlight(_), DeadLetterReason::Unhandled(_), DeadLetterReason::Unhandled(_)]
        ),
        "{letters:?}"
    );
    owner.cast([Msg::Note(3)]);
    owner.start().await;
    assert_eq!(owner.notes(2).await, [(1, 1), (2, 3)]);
}

#[tokio::test(start_paused = true)]
async fn waiting_senders_keep_their_place_across_a_crash() {
    let one = MailboxConfig::bounded(1);
    let mut owner = Owner::open(&System::new(), one);
    owner.cast([Msg::Panic]);
    let senders = [1, 2].map(|n| {
        let address = owner.address.clone();
        tokio::spawn(async move { address.send(Msg::Note(n)).await.is_ok() })
    });
    tokio::task::yield_now().await;
    owner.start().await;
    assert!(matches!(owner.ended().await, ExitReason::Panicked(_)));
    owner.start().await;
    assert_eq!(owner.notes(2).await, [(2, 1), (2, 2)]);
    for sender in senders {
        assert!(sender.await.expect("the sender ends well"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_closed_and_opened_again_is_the_same() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut owner = Owner::open(&system, MailboxConfig::default());
    let first = owner.start().await;
    owner.address.stop(ExitReason::Normal).expect("it lives");
    owner.ended().await;
    owner.cast([Msg::Note(1)]);
    assert!(owner.identity.close(&ExitReason::shutdown()).is_some());
    assert!(owner.identity.close(&ExitReason::shutdown()).is_none(), "it was closed");
    assert!(matches!(dead_letters.try_next().expect("what waited").reason, DeadLetterReason::Unhandled(_)));
    assert!(matches!(
        owner.address.cast(Msg::Note(2)),
        Err(SendError::Closed(Unsent { message: Msg::Note(2), .. }))
    ));
    owner.identity.open(&system, || "another label".into());
    assert_eq!(owner.address.handle().label().as_deref(), Some("scribe"), "the first one counts");
    owner.cast([Msg::Note(3)]);
    let second = owner.start().await;
    assert_eq!(owner.notes(1).await, [(2, 3)]);
    assert!(second.same_identity(first));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_closed_under_a_living_incarnation_ends_it() {
    let system = System::new();
    let mut owner = Owner::open(&system, MailboxConfig::default());
    let pid = owner.start().await;
    let monitor = owner.address.monitor();
    assert!(owner.identity.close(&ExitReason::shutdown()).is_some());
    let down = monitor.await;
    assert_eq!((down.pid, down.reason.to_string().as_str()), (Some(pid), "shutdown"));
    // The idle incarnation has dropped its journal. Its parent gets no report.
    drop(std::mem::replace(&mut owner.args, Arc::new(mpsc::unbounded_channel().0)));
    assert_eq!(owner.journal.recv().await, None);
    assert!(owner.record.more().is_none());
}
