//! Hosts with a loop of their own: the events that they get, and how they take messages.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_actors::host::{Identity, MailboxConsumer, MailboxEvent};
use perennial_actors::{CallError, ExitReason, MailboxConfig, Reply, System};

use crate::support::parent::recorder;

type Msg = Option<Reply<u32>>;

async fn waiting(attachment: &mut MailboxConsumer<Msg>) -> MailboxEvent<()> {
    poll_fn(|cx| attachment.poll_waiting(cx)).await
}

fn attached(system: &System) -> (Identity<Msg>, MailboxConsumer<Msg>) {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "host".into());
    let attachment = identity.attach(recorder().0, 1).expect("it is open");
    (identity, attachment)
}

fn order(attachment: &mut MailboxConsumer<Msg>) -> Poll<MailboxEvent<()>> {
    attachment.poll_order(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn a_message_is_taken_when_it_can_be_handled_and_its_caller_is_answered() {
    let system = System::new();
    let (identity, mut attachment) = attached(&system);
    let (address, taker) = (identity.address(), attachment.taker());
    assert!(taker.take().is_none());
    let (answer, ()) = tokio::join!(address.call(Some).into_future(), async {
        assert!(matches!(waiting(&mut attachment).await, MailboxEvent::Message(())));
        taker.take().flatten().expect("it is a call").send(7);
        taker.handled();
    });
    assert_eq!((answer.expect("it answers"), address.counters().handled), (7, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_reply_is_dropped_is_notified_when_the_message_is_handled() {
    let system = System::new();
    let (identity, mut attachment) = attached(&system);
    let (address, taker) = (identity.address(), attachment.taker());
    let call = tokio::spawn(async move { address.call(Some).no_timeout().await });
    assert!(matches!(waiting(&mut attachment).await, MailboxEvent::Message(())));
    drop(taker.take());
    tokio::task::yield_now().await;
    assert!(!call.is_finished(), "its outcome is not known yet");
    taker.handled();
    let lookout = tokio::spawn(async move { waiting(&mut attachment).await });
    assert!(matches!(call.await.expect("it returns"), Err(CallError::ReplyDropped(_))));
    lookout.abort();
}

#[tokio::test(start_paused = true)]
async fn orders_do_not_wait_for_the_message_in_flight_and_its_time_is_counted() {
    let system = System::new();
    let (identity, mut attachment) = attached(&system);
    let (address, taker) = (identity.address(), attachment.taker());
    address.cast(None).expect("it is open");
    assert!(order(&mut attachment).is_pending(), "a message is no order");
    assert!(taker.take().is_some());
    assert!(order(&mut attachment).is_pending());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let busy = address.handle().busy_for().map(|(_, time)| time.as_secs());
    assert_eq!(busy, Some(3));
    address.stop(ExitReason::shutdown()).expect("it lives");
    assert!(matches!(order(&mut attachment), Poll::Ready(MailboxEvent::Stop(ExitReason::Shutdown(None)))));
    address.kill().expect("it lives");
    assert!(matches!(order(&mut attachment), Poll::Ready(MailboxEvent::Killed)));
    assert_eq!(address.counters().queued, 1);
    attachment.end(ExitReason::Killed);
    assert_eq!(address.counters().lost_in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_is_notified_when_its_mailbox_is_detached() {
    let system = System::new();
    let (identity, mut attachment) = attached(&system);
    let (address, taker, pid) = (identity.address(), attachment.taker(), attachment.pid());
    let lookout = tokio::spawn(async move { waiting(&mut attachment).await });
    tokio::task::yield_now().await;
    assert_eq!(address.handle().busy_for(), None);
    assert!(identity.abandon(pid));
    assert!(matches!(lookout.await.expect("it returns"), MailboxEvent::Detached));
    address.cast(None).expect("another incarnation is due");
    assert!(taker.take().is_none());
}
