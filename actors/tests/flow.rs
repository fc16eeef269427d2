//! Full mailboxes: which senders wait, which are refused, and which tasks still get a turn.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Cx, Poll, Waker};

use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, SendError, SendFuture, System};
use tokio::sync::{mpsc, oneshot};

enum Msg {
    Note(u32),
    /// Signals that it is handled, and blocks the actor until the test releases it.
    Wait(oneshot::Sender<()>, oneshot::Receiver<()>),
}

struct Scribe(mpsc::UnboundedSender<u32>);

impl Actor for Scribe {
    type Msg = Msg;
    type Args = mpsc::UnboundedSender<u32>;

    async fn init(journal: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(journal.clone()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note(n) => self.0.send(n)?,
            Msg::Wait(begun, release) => {
                begun.send(()).expect("the test waits");
                release.await?;
            }
        }
        Ok(())
    }
}

/// An actor that waits in a handler and has a full mailbox.
struct Jam {
    scribe: Address<Msg>,
    notes: mpsc::UnboundedReceiver<u32>,
    release: oneshot::Sender<()>,
}

impl Jam {
    /// Returns an actor with this capacity whose mailbox holds the notes 1 to `capacity`.
    async fn of(capacity: u32) -> Self {
        let (journal, notes) = mpsc::unbounded_channel();
        let mailbox = MailboxConfig::bounded(capacity as usize);
        let scribe = System::new().spawn::<Scribe>(journal).mailbox(mailbox).await.expect("it starts");
        let ((begun, has_begun), (release, held)) = (oneshot::channel(), oneshot::channel());
        assert!(scribe.cast(Msg::Wait(begun, held)).is_ok());
        has_begun.await.expect("it is handled");
        (1..=capacity).for_each(|n| assert!(scribe.cast(Msg::Note(n)).is_ok()));
        Self { scribe, notes, release }
    }

    async fn notes_after_release(mut self, count: usize) -> Vec<u32> {
        self.release.send(()).expect("it waits for this");
        let mut notes = Vec::new();
        self.notes.recv_many(&mut notes, count).await;
        notes
    }
}

/// Polls the send once. Returns `true` if it is still pending.
fn waits(sending: Pin<&mut SendFuture<'_, Msg>>) -> bool {
    sending.poll(&mut Cx::from_waker(Waker::noop())).is_pending()
}

#[tokio::test(start_paused = true)]
async fn c128_a_cast_to_a_full_mailbox_gives_the_message_back_at_once() {
    let jam = Jam::of(2).await;
    let error = jam.scribe.cast(Msg::Note(3)).expect_err("it is full");
    assert_eq!(error.to_string(), r#"the mailbox of actor "all::flow::Scribe" is full (message type Msg)"#);
    assert!(matches!(error, SendError::Full(_)) && matches!(error.into_inner(), Msg::Note(3)));
    assert_eq!(jam.notes_after_release(2).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_for_room_are_admitted_in_order_of_arrival() {
    let mut jam = Jam::of(1).await;
    let senders: Vec<_> = (2..=6)
        .map(|n| {
            let scribe = jam.scribe.clone();
            tokio::spawn(async move { scribe.send(Msg::Note(n)).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    jam.release.send(()).expect("it waits for this");
    let mut notes = Vec::new();
    while notes.len() < 6 {
        jam.notes.recv_many(&mut notes, 6).await;
    }
    assert_eq!(notes, [1, 2, 3, 4, 5, 6]);
    for sender in senders {
        assert!(sender.await.expect("it ends well"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_sender_does_not_overtake_waiting_senders() {
    let jam = Jam::of(2).await;
    let scribe = jam.scribe.clone();
    let (mut third, mut fourth) = (pin!(scribe.send(Msg::Note(3))), pin!(scribe.send(Msg::Note(4))));
    assert!(waits(third.as_mut()) && waits(fourth.as_mut()));
    // Both freed permits belong to the waiting senders, even if these were not polled by then.
    assert_eq!(jam.notes_after_release(2).await, [1, 2]);
    assert!(scribe.cast(Msg::Note(5)).is_ok(), "no sender waits any more");
    let (third, fourth) = tokio::join!(third, fourth);
    assert!(third.is_ok() && fourth.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_while_it_waits_was_not_sent() {
    let jam = Jam::of(1).await;
    let (scribe, accepted) = (jam.scribe.clone(), jam.scribe.counters().accepted);
    {
        let mut first = pin!(scribe.send(Msg::Note(2)));
        assert!(waits(first.as_mut()));
    }
    let mut second = pin!(scribe.send(Msg::Note(3)));
    assert!(waits(second.as_mut()));
    let (notes, sent) = tokio::join!(jam.notes_after_release(1), second);
    assert!(sent.is_ok());
    assert_eq!((notes, scribe.counters().accepted), (vec![1], accepted + 1));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_never_polled_is_not_sent() {
    let (journal, _notes) = mpsc::unbounded_channel();
    let scribe = System::new().spawn::<Scribe>(journal).await.expect("it starts");
    drop(scribe.send(Msg::Note(1)));
    assert_eq!(scribe.counters().accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_when_the_actor_ends_gets_its_message_back() {
    let jam = Jam::of(1).await;
    let waiting = tokio::spawn({
        let scribe = jam.scribe.clone();
        async move { scribe.send(Msg::Note(2)).await }
    });
    tokio::task::yield_now().await;
    jam.scribe.kill().expect("it lives");
    let closed = waiting.await.expect("it ends well").expect_err("it is closed");
    assert_eq!(
        closed.to_string(),
        r#"actor "all::flow::Scribe" has stopped and will not be restarted (message type Msg)"#
    );
    assert!(matches!(closed.into_inner(), Msg::Note(2)));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_a_sender_which_waits_for_room_does_not_wait_for_ever() {
    let (journal, mut notes) = mpsc::unbounded_channel();
    let mailbox = MailboxConfig::bounded(1);
    let scribe = System::new().spawn::<Scribe>(journal).mailbox(mailbox).await.expect("it starts");
    let ((begun, has_begun), (let_first_go, first_held)) = (oneshot::channel(), oneshot::channel());
    assert!(scribe.cast(Msg::Wait(begun, first_held)).is_ok());
    has_begun.await.expect("it is handled");
    let ((begun, has_begun), (release, held)) = (oneshot::channel(), oneshot::channel());
    assert!(scribe.cast(Msg::Wait(begun, held)).is_ok());
    let sender = tokio::spawn({
        let scribe = scribe.clone();
        async move {
            scribe.send(Msg::Note(1)).await.expect("it is open");
            // Only now may the handler return. It took the last message, which made the room.
            release.send(()).expect("it waits for this");
        }
    });
    tokio::task::yield_now().await;
    let_first_go.send(()).expect("it waits for this");
    has_begun.await.expect("it is handled");
    sender.await.expect("it got in");
    assert_eq!(notes.recv().await, Some(1));
}

/// Counts its own polls, for ever.
struct Neighbour(Arc<AtomicUsize>);

impl Future for Neighbour {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_flooded_actor_lets_other_tasks_run() {
    const FLOOD: u32 = 12_800;
    let (journal, mut notes) = mpsc::unbounded_channel();
    let unbounded = MailboxConfig::unbounded();
    let scribe = System::new().spawn::<Scribe>(journal).mailbox(unbounded).await.expect("it starts");
    let turns = Arc::new(AtomicUsize::new(0));
    let neighbour = tokio::spawn(Neighbour(turns.clone()));
    tokio::task::yield_now().await;
    (0..FLOOD).for_each(|n| assert!(scribe.cast(Msg::Note(n)).is_ok()));
    let before = turns.load(Ordering::Relaxed);
    let mut all = Vec::new();
    while all.len() < FLOOD as usize {
        notes.recv_many(&mut all, FLOOD as usize).await;
    }
    // One turn for every 128 messages, except for the first and the last one.
    let had = turns.load(Ordering::Relaxed) - before;
    assert!(had >= FLOOD as usize / 128 - 2, "{had} turns");
    neighbour.abort();
}
