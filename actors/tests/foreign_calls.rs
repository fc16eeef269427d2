//! Calls and sends that are dropped before they complete, with values in them that panic when they
//! are dropped: no panic reaches the caller.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Polling, Waker};

use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb was dropped");
    }
}

enum Msg {
    Answer(Reply<Bomb>),
    Carry(#[allow(dead_code, reason = "it is there to be dropped")] Bomb),
}

struct Answering;

impl Actor for Answering {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Answer(reply) => reply.send(Bomb),
            Msg::Carry(bomb) => std::mem::forget(bomb),
        }
        Ok(())
    }
}

async fn answering(mailbox: MailboxConfig) -> Address<Msg> {
    System::new().spawn::<Answering>(()).mailbox(mailbox).await.expect("it starts")
}

fn poll<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Polling::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_its_call_was_dropped_is_discarded_without_a_panic() {
    let address = answering(MailboxConfig::default()).await;
    let mut call = address.call(Msg::Answer).no_timeout().into_future();
    assert!(!poll(&mut call));
    while address.counters().handled == 0 {
        tokio::task::yield_now().await;
    }
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_send_is_dropped_while_it_waits_for_room_is_discarded_without_a_panic() {
    let address = answering(MailboxConfig::bounded(1)).await;
    let first = address.cast(Msg::Carry(Bomb));
    assert!(first.is_ok());
    let mut send = address.send(Msg::Carry(Bomb));
    assert!(!poll(&mut send));
    drop(send);
    let bomb = Bomb;
    let mut call = Box::pin(
        address
            .call(move |reply: Reply<()>| {
                drop(reply);
                Msg::Carry(bomb)
            })
            .no_timeout()
            .into_future(),
    );
    assert!(!poll(&mut call));
    drop(call);
    while address.counters().handled == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(address.counters().accepted, 1);
}
