//! An actor that sends to itself and waits: an error at once in its own handler, an ordinary
//! message elsewhere.

use std::future::IntoFuture;
use std::sync::Mutex;
use std::time::Duration;

use perennial_actors::{
    Actor, Address, CallError, Context, ExitReason, MailboxConfig, Permit, Reply, SendError, System, Unsent,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

enum Msg {
    Note(u32),
    Count(Reply<u32>),
    /// Calls itself, and reports the result.
    Call(oneshot::Sender<Result<u32, CallError<Self>>>),
    /// Fills its mailbox, and sends itself one more message in each way that waits.
    Send(oneshot::Sender<[SendError<Self>; 2]>, oneshot::Sender<SendError<()>>),
    /// Calls itself in a piped future, and handles the answer.
    Pipe(oneshot::Sender<u32>),
    Answered(oneshot::Sender<u32>, u32),
    /// The same from a task that it spawns, which also sends and reserves a place.
    Spawn(oneshot::Sender<u32>),
}

/// Counts notes.
struct Clerk(u32);

impl Actor for Clerk {
    type Msg = Msg;
    /// If set, it calls itself in its init and sends the result here.
    type Args = Option<Mutex<Option<oneshot::Sender<CallError<Msg>>>>>;

    async fn init(args: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let told = args.as_ref().and_then(|args| args.lock().expect("it is not poisoned").take());
        if let Some(told) = told {
            let error = ctx.address().call(Msg::Count).no_timeout().await.expect_err("it is in its init");
            told.send(error).expect("the test waits");
        }
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let own = ctx.address();
        match msg {
            Msg::Note(n) => self.0 += n,
            Msg::Count(reply) => reply.send(self.0),
            Msg::Call(told) => drop(told.send(own.call(Msg::Count).no_timeout().await)),
            Msg::Send(told, told_place) => {
                while own.cast(Msg::Note(1)).is_ok() {}
                let sent = own.send(Msg::Note(100)).await.expect_err("it is full");
                let until = own.send(Msg::Note(100)).timeout(Duration::from_secs(60)).await;
                drop(told.send([sent, until.expect_err("it is full")]));
                drop(told_place.send(own.reserve().await.expect_err("it is full")));
            }
            Msg::Pipe(told) => {
                let call = async move { own.call(Msg::Count).await.expect("it answers") };
                ctx.pipe_to_self(call, |count| Msg::Answered(told, count));
            }
            Msg::Answered(told, count) => drop(told.send(count)),
            Msg::Spawn(told) => {
                while own.cast(Msg::Note(1)).is_ok() {}
                tokio::spawn(async move {
                    own.send(Msg::Note(10)).await.expect("there is room when it has gone on");
                    let place: Permit<Msg> = own.reserve().await.expect("there is room");
                    place.send(Msg::Note(100)).expect("it lives");
                    told.send(own.call(Msg::Count).await.expect("it answers")).expect("the test waits");
                });
            }
        }
        Ok(())
    }
}

async fn clerk() -> Address<Msg> {
    let two = MailboxConfig::bounded(2);
    System::new().spawn::<Clerk>(None).mailbox(two).await.expect("it starts")
}

/// Returns what the clerk reports for this request. Checks that no time has passed.
async fn told<T>(clerk: &Address<Msg>, ask: impl FnOnce(oneshot::Sender<T>) -> Msg) -> T {
    let ((tell, told), begun) = (oneshot::channel(), Instant::now());
    clerk.cast(ask(tell)).expect("there is room");
    let told = timeout(Duration::from_secs(3_600), told).await.expect("it does not wait for itself");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    told.expect("it reports")
}

#[tokio::test(start_paused = true)]
async fn a_call_to_itself_in_a_handler_gives_the_message_back_at_once() {
    let clerk = clerk().await;
    let result = told(&clerk, Msg::Call).await;
    let Err(CallError::WouldDeadlock(Unsent { message: Msg::Count(reply), target, .. })) = result else {
        panic!("it was answered: {result:?}")
    };
    assert!(reply.is_closed());
    assert_eq!(
        (target.label(), target.message_type()),
        (Some("all::own_mailbox::Clerk"), "all::own_mailbox::Msg")
    );
    assert_eq!(clerk.call(Msg::Count).await.expect("it keeps running"), 0);
    assert_eq!(clerk.counters().accepted, 2, "its own call was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_call_to_itself_in_an_init_gives_the_message_back_at_once() {
    let (tell, told) = oneshot::channel();
    let start = System::new().spawn::<Clerk>(Some(Mutex::new(Some(tell))));
    let clerk = timeout(Duration::from_secs(3_600), start.into_future()).await.expect("it starts");
    assert!(matches!(told.await.expect("it reports"), CallError::WouldDeadlock(_)));
    assert_eq!(clerk.expect("it starts").call(Msg::Count).await.expect("it lives"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_send_to_itself_into_a_full_mailbox_gives_the_message_back_at_once() {
    let clerk = clerk().await;
    let (tell_place, place) = oneshot::channel();
    let sent = told(&clerk, |tell| Msg::Send(tell, tell_place)).await;
    for error in sent {
        let said = r#"a send to actor "all::own_mailbox::Clerk" would deadlock (message type Msg)"#;
        assert_eq!(error.to_string(), said);
        assert!(matches!(error, SendError::WouldDeadlock(Unsent { message: Msg::Note(100), .. })));
    }
    assert!(matches!(place.await.expect("it reports"), SendError::WouldDeadlock(_)));
    assert_eq!(clerk.call(Msg::Count).await.expect("it keeps running"), 2, "with what it had cast before");
}

#[tokio::test(start_paused = true)]
async fn a_call_to_itself_from_a_piped_future_is_answered() {
    assert_eq!(told(&clerk().await, Msg::Pipe).await, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_to_itself_from_a_spawned_task_wait_for_room_and_for_an_answer() {
    assert_eq!(told(&clerk().await, Msg::Spawn).await, 112);
}
