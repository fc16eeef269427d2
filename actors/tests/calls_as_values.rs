//! Calls that are spawned, joined, piped, made from synchronous code, or made through a recipient.

use std::thread;
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{
    Actor, Address, CallError, Capacity, Context, ExitReason, MailboxConfig, Recipient, Reply, SendError,
    System,
};
use tokio::task::{JoinSet, spawn_blocking};

/// A request for the number of the actor.
struct Get(Reply<u32>);

enum Msg {
    Get(Get),
    Hold(Reply<u32>),
    AskOther(Address<Self>, Reply<Result<u32, CallError<Self>>>),
    CallSelf(Reply<bool>),
    BlockOn(Address<Self>, Reply<bool>),
    /// Boxed, because the error may carry a message.
    Answered(Box<Result<u32, CallError<Self>>>),
}

impl From<Get> for Msg {
    fn from(get: Get) -> Self {
        Self::Get(get)
    }
}

fn get(reply: Reply<u32>) -> Msg {
    Msg::Get(Get(reply))
}

fn filler() -> Msg {
    Msg::Answered(Box::new(Ok(1)))
}

#[derive(Default)]
struct Clerk {
    number: u32,
    held: Vec<Reply<u32>>,
    waiting: Vec<Reply<Result<u32, CallError<Msg>>>>,
}

impl Actor for Clerk {
    type Msg = Msg;
    type Args = u32;

    async fn init(number: &u32, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { number: *number, ..Self::default() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Get(Get(reply)) => reply.send(self.number),
            Msg::Hold(reply) => self.held.push(reply),
            Msg::AskOther(other, reply) => {
                self.waiting.push(reply);
                ctx.pipe_to_self(other.call(get), |answer| Msg::Answered(Box::new(answer)));
            }
            Msg::CallSelf(reply) => {
                let recipient: Recipient<Get> = ctx.address().recipient();
                let called = recipient.call(Get).await;
                reply.send(matches!(called, Err(CallError::WouldDeadlock(_))));
            }
            Msg::BlockOn(other, reply) => {
                reply.send(matches!(other.call(get).blocking(), Err(CallError::InAsyncContext(_))));
            }
            Msg::Answered(answer) => {
                if let Some(reply) = self.waiting.pop() {
                    reply.send(*answer);
                }
            }
        }
        Ok(())
    }
}

async fn clerk(number: u32) -> Address<Msg> {
    System::new().spawn::<Clerk>(number).await.expect("it starts")
}

/// Returns an open identity to which no incarnation is attached.
fn vacant(system: &System) -> (Identity<Msg>, Address<Msg>) {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "vacant".into());
    let address = identity.address();
    (identity, address)
}

#[tokio::test]
async fn calls_of_many_actors_are_joined() {
    let mut calls = JoinSet::new();
    for number in 1..=10 {
        calls.spawn(clerk(number).await.call(get));
    }
    let answers: Result<Vec<_>, _> = calls.join_all().await.into_iter().collect();
    assert_eq!(answers.expect("all answer").iter().sum::<u32>(), 55);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_made_when_it_is_polled_and_outlives_the_address() {
    let system = System::new();
    let address = system.spawn::<Clerk>(7).await.expect("it starts");
    let call = address.call(get).timeout(Duration::from_secs(1));
    assert_eq!(address.counters().accepted, 0);
    drop(address);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(call.await.expect("an answer"), 7, "the timeout begins with the first poll");
}

#[tokio::test]
async fn a_piped_call_delivers_its_outcome_to_the_actor_that_makes_it() {
    let (asking, asked) = (clerk(1).await, clerk(2).await);
    let answer = asking.call(|reply| Msg::AskOther(asked.clone(), reply)).await.expect("an answer");
    assert_eq!(answer.expect("the other answers"), 2);
    asked.stop(ExitReason::Normal).expect("it lives");
    let _ = asked.monitor().await;
    let answer = asking.call(|reply| Msg::AskOther(asked, reply)).await.expect("an answer");
    assert!(matches!(answer, Err(CallError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_piped_call_ends_with_the_incarnation() {
    let system = System::new();
    let asking = system.spawn::<Clerk>(1).await.expect("it starts");
    let (_identity, silent) = vacant(&system);
    let asked = asking.call(|reply| Msg::AskOther(silent.clone(), reply)).timeout(Duration::from_secs(1));
    let asked = tokio::spawn(asked);
    while silent.counters().queued == 0 {
        tokio::task::yield_now().await;
    }
    asking.kill().expect("it lives");
    assert!(matches!(asked.await.expect("no panic"), Err(CallError::Ended(ExitReason::Killed, _))));
}

#[tokio::test]
async fn a_blocking_call_is_made_from_a_thread_without_a_runtime() {
    let address = clerk(3).await;
    let blocking = thread::spawn(move || address.call(get).blocking());
    let answer = spawn_blocking(move || blocking.join()).await.expect("no panic").expect("no panic");
    assert_eq!(answer.expect("an answer"), 3);
}

#[tokio::test]
async fn a_blocking_call_is_made_from_spawn_blocking() {
    let address = clerk(4).await;
    let answer = spawn_blocking(move || address.call(get).blocking()).await.expect("no panic");
    assert_eq!(answer.expect("an answer"), 4);
}

#[test]
fn a_blocking_call_times_out_without_a_runtime() {
    let system = System::builder().call_timeout(Duration::from_millis(20)).build();
    let (_identity, address) = vacant(&system);
    assert!(matches!(address.call(get).blocking(), Err(CallError::TimedOut(_))));
    let short = address.call(get).timeout(Duration::from_millis(1)).blocking();
    assert!(matches!(short, Err(CallError::TimedOut(_))));
    let one = Identity::<Msg>::new(MailboxConfig::bounded(1));
    one.open(&system, || "full".into());
    assert!(one.address().cast(filler()).is_ok());
    assert!(matches!(one.address().call(get).blocking(), Err(CallError::NoRoom(_))));
}

#[tokio::test]
async fn a_blocking_call_in_asynchronous_code_is_an_error_at_once() {
    let address = clerk(5).await;
    let Err(CallError::InAsyncContext(unsent)) = address.call(get).no_timeout().blocking() else {
        panic!("it would block the runtime of the actor")
    };
    assert!(matches!(unsent.message, Msg::Get(_)));
    assert_eq!(address.counters().accepted, 0, "nothing was sent");
    let other = clerk(6).await;
    let in_handler = address.call(|reply| Msg::BlockOn(other, reply)).await;
    assert!(in_handler.expect("an answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_call_may_be_made_in_block_in_place() {
    let address = clerk(8).await;
    let answer = tokio::task::block_in_place(|| address.call(get).blocking());
    assert_eq!(answer.expect("an answer"), 8);
}

#[tokio::test]
async fn a_recipient_calls_with_the_part_that_carries_the_reply() {
    let recipient: Recipient<Get> = clerk(9).await.recipient();
    assert_eq!(recipient.call(Get).await.expect("an answer"), 9);
    let spawned = tokio::spawn(recipient.call(Get).timeout(Duration::from_secs(1)));
    assert_eq!(spawned.await.expect("no panic").expect("an answer"), 9);
    let blocking = spawn_blocking(move || recipient.call(Get).blocking());
    assert_eq!(blocking.await.expect("no panic").expect("an answer"), 9);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_recipient_gives_the_part_back_if_there_is_no_room_in_time() {
    let system = System::new();
    let identity = Identity::<Msg>::new(MailboxConfig::bounded(1));
    identity.open(&system, || "full".into());
    let address = identity.address();
    let recipient: Recipient<Get> = address.recipient();
    address.cast(filler()).map_err(SendError::into_inner).ok().expect("room");
    let Err(CallError::NoRoom(unsent)) = recipient.call(Get).await else { panic!("there is no room") };
    let Get(_reply) = unsent.message;
    assert_eq!(unsent.target.message_type(), std::any::type_name::<Get>());
    let waits = tokio::spawn(recipient.call(Get).no_timeout());
    tokio::task::yield_now().await;
    identity.close(&ExitReason::Normal);
    assert!(matches!(waits.await.expect("no panic"), Err(CallError::Closed(_))));
    assert_eq!(address.counters().queued, 0);
}

#[tokio::test]
async fn a_call_of_a_recipient_reports_the_outcome_of_the_message() {
    let address = clerk(10).await;
    let in_handler = address.call(Msg::CallSelf).await;
    assert!(in_handler.expect("an answer"), "an actor that calls itself in a handler gets an error");
    let recipient: Recipient<Get> = address.recipient();
    address.stop(ExitReason::Normal).expect("it lives");
    let _ = address.monitor().await;
    assert!(matches!(recipient.call(Get).await, Err(CallError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn the_system_sets_the_timeout_of_calls_that_set_none() {
    let system = System::builder().call_timeout(Duration::from_secs(1)).build();
    let address = system.spawn::<Clerk>(1).await.expect("it starts");
    let begun = tokio::time::Instant::now();
    assert!(matches!(address.call(Msg::Hold).await, Err(CallError::TimedOut(_))));
    assert_eq!(begun.elapsed().as_secs(), 1);
    let own = address.call(Msg::Hold).timeout(Duration::from_secs(3)).await;
    assert!(matches!(own, Err(CallError::TimedOut(_))));
    assert_eq!(begun.elapsed().as_secs(), 4);
}

#[test]
fn the_system_sets_the_capacity_of_mailboxes_that_set_none() {
    let two = Capacity::Bounded(2);
    let system = System::builder().capacity(two).build();
    let room = |mailbox: MailboxConfig| {
        let identity = Identity::<Msg>::new(mailbox);
        identity.open(&system, || "open".into());
        let address = identity.address();
        (0..10).take_while(|_| address.cast(filler()).is_ok()).count()
    };
    assert_eq!(room(MailboxConfig::default()), 2);
    assert_eq!(room(MailboxConfig::default().discard_on_restart()), 2);
    assert_eq!(room(MailboxConfig::bounded(1)), 1);
    assert_eq!(room(MailboxConfig::unbounded()), 10);
}
