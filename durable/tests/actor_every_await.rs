//! A durable handler is interrupted at each poll of each of its awaits, and of those of its commit:
//! state, store and replies agree each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use perennial_actors::host::OutsideLink;
use perennial_actors::{Address, System};
use perennial_durable::actor::{Journal, StoredState};
use perennial_durable::{JobFilter, MemoryStore, Store};
use perennial_supervision::{Child, Restart, Supervisor};

use crate::support::account::{Account, Msg, RECEIPTS};
use crate::support::steps::{Interruption, SteppedStore, Steps};

const AMOUNT: u64 = 7;

/// The form of the actor.
#[derive(Clone, Copy, Debug)]
enum Form {
    Events,
    EventsAndSnapshots,
    State,
}

impl Form {
    fn child(self, store: Arc<dyn Store>, steps: Arc<Steps>) -> Child<Msg> {
        match self {
            Self::Events => Journal::<Account>::new(store, "a", steps).child("a"),
            Self::EventsAndSnapshots => {
                Journal::<Account>::new(store, "a", steps).snapshot_every(2).child("a")
            }
            Self::State => StoredState::<Account>::new(store, "a", steps).child("a"),
        }
    }

    /// Returns what the store has.
    async fn stored(self, store: &MemoryStore) -> Account {
        match self {
            Self::Events => Account::of_events(store, "a").await,
            Self::State => Account::of_state(store, "a").await,
            Self::EventsAndSnapshots => {
                let (events, state) =
                    (Account::of_events(store, "a").await, Account::of_state(store, "a").await);
                assert_eq!(events, state, "the snapshot is in the commit of its events");
                events
            }
        }
    }
}

/// What is found of a deposit: the caller has the reply, and it is stored.
type Found = (bool, bool);

/// Deposits with an interruption at a poll, and returns what is found then; `None` if there are
/// fewer polls.
async fn deposit(form: Form, interruption: Interruption, at: u32) -> Option<Found> {
    let (store, steps, system) = (Arc::new(MemoryStore::new()), Arc::default(), System::new());
    let stepped = SteppedStore { store: store.clone(), steps: Arc::clone(&steps), failing_reads: 2.into() };
    let child = form.child(Arc::new(stepped), steps.clone()).restart(Restart::Permanent);
    let account: Address<Msg> = child.address();
    let app = Supervisor::new("bank").child(child).start(&system).await.expect("a start");
    let handle = &account.handle();
    let link = OutsideLink::new(&system, handle, account.pid().expect("it runs")).expect("it runs");

    steps.arm(at, interruption, handle.clone(), link);
    let reply = account.call(|reply| Msg::Deposit(AMOUNT, reply)).await;
    let balance = account.call(Msg::Balance).await.expect("the next incarnation answers");
    let was_interrupted = !steps.disarm();

    let stored = form.stored(&store).await;
    assert_eq!(stored.announced, stored.balance, "nothing is stored by halves");
    assert_eq!(balance, stored.balance, "the next incarnation has what is stored");
    let filter = JobFilter { queue: Some(RECEIPTS.to_owned()), ..JobFilter::default() };
    let jobs = store.jobs(filter).await.expect("jobs").len() as u64;
    assert_eq!(jobs * AMOUNT, stored.balance, "the job is there if the events are");
    if let Ok(answer) = reply {
        assert_eq!(answer, stored.balance, "what a reply says is stored");
    }
    assert!(app.shutdown().await.is_clean());
    was_interrupted.then_some((reply.is_ok(), stored.balance > 0))
}

async fn at_every_poll(form: Form) {
    for interruption in [Interruption::Panic, Interruption::Kill, Interruption::Exit] {
        let (mut found, mut at) = (BTreeSet::new(), 1);
        while let Some(one) = deposit(form, interruption, at).await {
            found.insert(one);
            at += 1;
        }
        assert!(at > 10, "three awaits of the handler and two of the commit, each polled twice: {at}");
        let unanswered = [(false, false), (false, true)];
        assert!(unanswered.iter().all(|one| found.contains(one)), "{interruption:?}: {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_state_and_reply_agree() {
    at_every_poll(Form::Events).await;
}

#[tokio::test(start_paused = true)]
async fn events_snapshot_and_reply_agree() {
    at_every_poll(Form::EventsAndSnapshots).await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_state_and_reply_agree() {
    at_every_poll(Form::State).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_stores_nothing_and_is_the_answer() {
    for form in [Form::Events, Form::EventsAndSnapshots, Form::State] {
        let (store, system) = (Arc::new(MemoryStore::new()), System::new());
        let child = form.child(store.clone(), Arc::default());
        let account = child.address();
        let app = Supervisor::new("bank").child(child).start(&system).await.unwrap();
        let error = account.call(|reply| Msg::DepositAndFail(AMOUNT, reply)).await.unwrap_err();
        assert!(error.to_string().contains("it fails"), "{error}");
        assert_eq!(account.call(Msg::Balance).await.unwrap(), 0);
        assert_eq!(form.stored(&store).await, Account::default());
        assert_eq!(account.call(|reply| Msg::Deposit(AMOUNT, reply)).await.unwrap(), AMOUNT);
        assert!(app.shutdown().await.is_clean());
    }
}
