//! Dead letters that are kept and sent again.

use std::future::Future as _;
use std::iter;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context as TaskContext, Wake};
use std::time::Duration;

use perennial_actors::host::{Identity, Parent};
use perennial_actors::{
    Actor, Address, CallError, Context, DeadLetter, ExitReason, MailboxConfig, OverflowPolicy, Reply,
    ResendError, Subscription, System,
};

use crate::support::parent::{Record, recorder};

/// Counts its drops, and panics in each.
struct Bomb(Arc<AtomicU64>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a bomb was dropped");
    }
}

enum Msg {
    Add(u64),
    Fail,
    Get(Reply<u64>),
    Drop(Bomb),
    /// Its copy panics.
    Uncopied,
}

fn copy(msg: &Msg) -> Option<Msg> {
    match msg {
        Msg::Add(number) => Some(Msg::Add(*number)),
        Msg::Drop(bomb) => Some(Msg::Drop(Bomb(bomb.0.clone()))),
        Msg::Uncopied => panic!("it cannot be copied"),
        Msg::Fail | Msg::Get(_) => None,
    }
}

struct Sum(u64);

impl Actor for Sum {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(number) => self.0 += number,
            Msg::Fail => return Err("it fails".into()),
            Msg::Get(reply) => reply.send(self.0),
            Msg::Drop(_) | Msg::Uncopied => {}
        }
        Ok(())
    }
}

fn number(capacity: usize) -> NonZeroUsize {
    NonZeroUsize::new(capacity).expect("it is not 0")
}

/// The owner of an actor that keeps its dead letters.
struct Owner {
    system: System,
    identity: Identity<Msg>,
    sum: Address<Msg>,
    parent: Arc<dyn Parent>,
    record: Record,
    run: u64,
    letters: Subscription<DeadLetter>,
}

impl Owner {
    /// Opens an identity without an incarnation.
    fn open(mailbox: MailboxConfig, capacity: usize) -> Self {
        let (system, identity, (parent, record)) = (System::new(), Identity::new(mailbox), recorder());
        identity.open(&system, || "sum".into());
        let sum = identity.address();
        sum.keep_dead_letters(number(capacity), copy);
        let letters = system.subscribe();
        Self { system, identity, sum, parent, record, run: 0, letters }
    }

    async fn start(&mut self) {
        self.run += 1;
        self.identity.start::<Sum>(Arc::new(()), self.parent.clone(), self.run).expect("it is open");
        self.record.started(self.run).await;
    }

    /// Makes dead letters of messages: closes the identity and opens it again. Returns their
    /// numbers.
    async fn lose(&mut self, messages: impl IntoIterator<Item = Msg>) -> Vec<Option<u64>> {
        messages.into_iter().for_each(|message| assert!(self.sum.cast(message).is_ok()));
        self.identity.close(&ExitReason::shutdown());
        self.identity.open(&self.system, || "sum".into());
        // The copies are made in a task of their own.
        tokio::time::sleep(Duration::from_secs(1)).await;
        iter::from_fn(|| self.letters.try_next()).map(|letter| letter.number).collect()
    }

    async fn total(&self) -> u64 {
        self.sum.call(Msg::Get).await.expect("it answers")
    }
}

#[tokio::test(start_paused = true)]
async fn kept_letter_is_sent_again_once_and_the_next_incarnation_handles_it() {
    let mut owner = Owner::open(MailboxConfig::default(), 10);
    assert_eq!(owner.lose([Msg::Add(1), Msg::Add(40)]).await, [Some(1), Some(2)]);
    owner.start().await;
    owner.sum.cast(Msg::Fail).unwrap();
    assert!(owner.record.ended(1).await.reason.is_abnormal());
    assert_eq!(owner.sum.resend_dead_letter(2), Ok(()));
    assert_eq!(owner.sum.resend_dead_letter(2), Err(ResendError::NotKept));
    assert_eq!((owner.sum.has_dead_letter(1), owner.sum.has_dead_letter(2)), (true, false));
    owner.start().await;
    assert_eq!(owner.total().await, 40);
    let counts = owner.sum.counters();
    assert!(counts.is_balanced());
    assert_eq!((counts.accepted, counts.dead_lettered, counts.lost_in_flight), (5, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn refused_letter_is_kept_as_before() {
    let mut owner = Owner::open(MailboxConfig::bounded(1), 10);
    assert_eq!(owner.lose([Msg::Add(2)]).await, [Some(1)]);
    owner.identity.close(&ExitReason::shutdown());
    let refused = owner.sum.resend_dead_letter(1).unwrap_err();
    assert_eq!(refused.to_string(), "actor \"sum\" is not running");
    owner.identity.open(&owner.system, || "sum".into());
    owner.sum.cast(Msg::Add(0)).unwrap();
    let refused = owner.sum.resend_dead_letter(1).unwrap_err();
    assert_eq!(refused.to_string(), "the mailbox of actor \"sum\" is full");
    owner.start().await;
    assert_eq!(owner.total().await, 0);
    assert_eq!(owner.sum.resend_dead_letter(1), Ok(()));
    assert_eq!(owner.total().await, 2);
}

#[tokio::test(start_paused = true)]
async fn oldest_letter_goes_first_and_a_number_is_never_used_twice() {
    let mut owner = Owner::open(MailboxConfig::default(), 2);
    assert_eq!(owner.lose((0..3).map(Msg::Add)).await, [Some(1), Some(2), Some(3)]);
    assert_eq!([1, 2, 3].map(|number| owner.sum.has_dead_letter(number)), [false, true, true]);
    owner.sum.keep_dead_letters(number(1), copy);
    assert!(!owner.sum.has_dead_letter(3), "what was kept is dropped");
    assert_eq!(owner.lose((0..2).map(Msg::Add)).await, [Some(4), Some(5)]);
    assert_eq!([4, 5].map(|number| owner.sum.has_dead_letter(number)), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn caller_is_told_of_the_loss_and_its_message_is_not_kept() {
    let mut owner = Owner::open(MailboxConfig::default(), 10);
    let sum = owner.sum.clone();
    let call = tokio::spawn(async move { sum.call(Msg::Get).no_timeout().await });
    tokio::task::yield_now().await;
    assert_eq!(owner.lose([Msg::Uncopied, Msg::Add(1)]).await, [Some(1), Some(2), Some(3)]);
    assert!(matches!(call.await.unwrap(), Err(CallError::Ended(ExitReason::Shutdown(_), _))));
    assert_eq!([1, 2, 3].map(|number| owner.sum.has_dead_letter(number)), [false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn copies_that_panic_when_they_are_dropped_do_no_harm() {
    let drops = Arc::new(AtomicU64::new(0));
    let mut owner = Owner::open(MailboxConfig::default(), 1);
    let bomb = || Msg::Drop(Bomb(drops.clone()));
    assert_eq!(owner.lose([bomb(), bomb(), bomb()]).await.len(), 3);
    assert_eq!(drops.load(Ordering::Relaxed), 3, "no more copies are made than are kept");
    assert_eq!(owner.lose([bomb()]).await, [Some(4)]);
    assert_eq!(drops.load(Ordering::Relaxed), 5, "the message, and the copy that had to go");
    let Owner { identity, sum, .. } = owner;
    drop((identity, sum));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(drops.load(Ordering::Relaxed), 6, "the last copy goes with the actor");
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn copies_of_a_close_are_made_when_all_have_been_told_of_it() {
    let (system, identity) = (System::new(), Identity::new(MailboxConfig::bounded(1)));
    identity.open(&system, || "sum".into());
    let (sum, woken) = (identity.address(), Arc::new(Woken::default()));
    let (told, copied) = (woken.clone(), Arc::new(AtomicU64::new(0)));
    let copies = copied.clone();
    sum.keep_dead_letters(number(1), move |msg| {
        assert!(told.0.load(Ordering::Relaxed), "the sender that waits was told");
        copies.fetch_add(1, Ordering::Relaxed);
        copy(msg)
    });
    assert!(sum.cast(Msg::Add(1)).is_ok());
    let mut sending = pin!(sum.send(Msg::Add(2)));
    assert!(sending.as_mut().poll(&mut TaskContext::from_waker(&woken.into())).is_pending());
    identity.close(&ExitReason::shutdown());
    assert_eq!((copied.load(Ordering::Relaxed), sum.has_dead_letter(1)), (1, true));
}

#[tokio::test(start_paused = true)]
async fn letters_of_an_overflow_and_of_a_discarding_mailbox_are_kept() {
    let mailbox = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropOldest);
    let mut owner = Owner::open(mailbox.discard_on_restart(), 10);
    owner.start().await;
    owner.sum.handle().suspend().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    (1..=2).for_each(|number| owner.sum.cast(Msg::Add(number)).unwrap());
    assert!(owner.sum.has_dead_letter(1));
    owner.sum.kill().unwrap();
    owner.record.ended(1).await;
    assert!(owner.sum.has_dead_letter(2));
    owner.start().await;
    for number in 1..=2 {
        assert_eq!(owner.sum.resend_dead_letter(number), Ok(()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(owner.total().await, 3);
}

#[tokio::test(start_paused = true)]
async fn actor_that_does_not_keep_them_has_letters_without_numbers() {
    let system = System::new();
    let mut letters = system.subscribe::<DeadLetter>();
    let sum = system.spawn::<Sum>(()).await.unwrap();
    sum.cast(Msg::Add(1)).unwrap();
    sum.stop(ExitReason::shutdown()).unwrap();
    sum.monitor().await;
    assert_eq!(letters.try_next().map(|letter| letter.number), Some(None));
    assert_eq!(sum.resend_dead_letter(1), Err(ResendError::NotKept));
}
