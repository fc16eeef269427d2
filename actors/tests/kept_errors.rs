//! Errors that return a message, as exit reasons: the reason keeps the error, not the message.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue};
use perennial_actors::{
    Actor, Address, CallError, ClosedError, Context, DeadLetter, Down, ExitReason, LifecycleEvent, Permit,
    Reply, SendError, System,
};
use tokio::time::timeout;

/// A request that an actor forwards. The actor fails if it cannot.
type Request = Reply<u32>;
type Forwarding = Pin<Box<dyn Future<Output = Result<(), ExitReason>> + Send>>;

/// Forwards each request by the function that comes with it.
struct Relay;

struct Forward(fn(Address<Request>, Option<Permit<Request>>, Request) -> Forwarding, To, Request);

/// The target: an actor that has ended, and a permit of its mailbox that was reserved before.
struct To(Address<Request>, Option<Permit<Request>>);

impl Actor for Relay {
    type Msg = Forward;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Forward, _: &mut Context<Self>) -> Result<(), ExitReason> {
        let Forward(forward, To(address, permit), request) = msg;
        forward(address, permit, request).await
    }
}

struct Ended;

impl Actor for Ended {
    type Msg = Request;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Request, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

async fn ended(system: &System) -> To {
    let address = system.spawn::<Ended>(()).await.expect("it starts");
    let (permit, down) = (address.try_reserve().expect("there is room"), address.monitor());
    address.stop(ExitReason::Normal).expect("it lives");
    down.await;
    To(address, Some(permit))
}

/// Lets a relay fail to forward a request, and returns the reason of its exit. A monitor, an event
/// and a dead letter hold the reason while the caller waits.
async fn reason(forward: fn(Address<Request>, Option<Permit<Request>>, Request) -> Forwarding) -> ExitReason {
    let system = System::new();
    let (mut events, mut dead_letters) =
        (system.subscribe::<LifecycleEvent>(), system.subscribe::<DeadLetter>());
    let (relay, to) = (system.spawn::<Relay>(()).await.expect("it starts"), ended(&system).await);
    let down = relay.monitor();
    let call = relay.call(|reply| Forward(forward, to, reply)).no_timeout();
    let told = timeout(Duration::from_secs(60), call.into_future()).await.expect("the caller is notified");
    let Err(CallError::Ended(told, _)) = told else { panic!("the relay ended: {told:?}") };
    let Down { reason, .. } = down.await;
    assert_eq!(told.to_string(), reason.to_string());
    assert!(dead_letters.try_next().is_some(), "the request was lost in flight");
    let is_end =
        |event: LifecycleEvent| matches!(event, LifecycleEvent::Ended { reason, .. } if reason.is_abnormal());
    assert!(std::iter::from_fn(|| events.try_next()).any(is_end));
    reason
}

const SAID: &str =
    r#"actor "all::kept_errors::Ended" has stopped and will not be restarted (message type Reply<u32>)"#;

/// Returns the error in the reason. Its text is the same as with the message.
fn kept<E: Error + Clone + 'static>(reason: &ExitReason) -> E {
    assert_eq!(reason.to_string(), format!("failed: {SAID}"));
    let ExitReason::Failed(failure) = reason else { panic!("it failed: {reason}") };
    let error = failure.downcast_ref::<E>().expect("it keeps its type");
    assert!(error.source().is_none(), "it carries nothing");
    error.clone()
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_notified_though_its_reply_is_in_the_error_of_a_cast_that_became_the_reason() {
    let reason = reason(|to, _, request| Box::pin(async move { Ok(to.cast(request)?) })).await;
    assert!(matches!(kept::<SendError<()>>(&reason), SendError::Closed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_notified_though_its_reply_is_in_the_error_of_a_send_that_became_the_reason() {
    let reason = reason(|to, _, request| Box::pin(async move { Ok(to.send(request).await?) })).await;
    assert!(matches!(kept::<SendError<()>>(&reason), SendError::Closed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_notified_though_its_reply_is_in_the_error_of_a_recipient_that_became_the_reason() {
    let by_cast =
        reason(|to, _, request| Box::pin(async move { Ok(to.recipient::<Request>().cast(request)?) }));
    assert!(matches!(kept::<SendError<()>>(&by_cast.await), SendError::Closed(_)));
    let by_send = |to: Address<Request>, _, request| -> Forwarding {
        Box::pin(async move { Ok(to.recipient::<Request>().send(request).await?) })
    };
    assert!(matches!(kept::<SendError<()>>(&reason(by_send).await), SendError::Closed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_notified_though_its_reply_is_in_the_error_of_a_permit_that_became_the_reason() {
    let reason = reason(|_, permit, request| {
        Box::pin(async move {
            let Some(permit) = permit else { return Ok(()) };
            Ok(permit.send(request)?)
        })
    });
    let ClosedError(unsent) = kept::<ClosedError<()>>(&reason.await);
    assert_eq!(unsent.target.label(), Some("all::kept_errors::Ended"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_notified_though_its_reply_is_in_the_error_of_a_call_that_became_the_reason() {
    let reason = reason(|to, _, request| {
        Box::pin(async move {
            // The answer to another call would be the answer to this one.
            let answer = to.call(|_: Reply<u32>| request).await?;
            unreachable!("it answered {answer}")
        })
    });
    assert!(matches!(kept::<CallError<()>>(&reason.await), CallError::Closed(_)));
}

/// An application's error that has the error of a send as its source.
#[derive(Debug, thiserror::Error)]
#[error("the request was not forwarded")]
struct NotForwarded(#[from] SendError<Request>);

/// An application's error with the text of the error of a send.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Send(#[from] SendError<Request>),
    #[error("there is no ledger")]
    Ledger,
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_source_carries_a_message_is_kept_as_its_text() {
    let reason =
        reason(|to, _, request| Box::pin(async move { Ok(to.cast(request).map_err(NotForwarded)?) }));
    let reason = reason.await;
    assert_eq!(reason.to_string(), "failed: the request was not forwarded");
    let error = reason.error().expect("it failed");
    assert!(error.downcast_ref::<NotForwarded>().is_none(), "it cannot be taken apart");
    assert!(format!("{error:?}").starts_with("NotForwarded("), "{error:?}");
    let source = error.source().expect("its cause");
    assert_eq!(source.to_string(), SAID);
    assert!(source.source().is_none(), "that it carried a message is no cause");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_the_error_of_a_send_by_another_name_is_kept_as_its_text() {
    let reason =
        reason(|to, _, request| Box::pin(async move { Ok(to.cast(request).map_err(AppError::from)?) }));
    assert_eq!(reason.await.to_string(), format!("failed: {SAID}"));
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_source_has_lost_its_message_is_kept_as_it_is() {
    let reason = reason(|to, _, request| Box::pin(async move { Ok(to.cast(request)?) })).await;
    let system = System::new();
    let To(address, _) = ended(&system).await;
    let unsent = address.call(|reply| reply).await.expect_err("it has ended");
    let told = CallError::<Request>::Ended(reason, unsent.target().clone());
    let ExitReason::Failed(failure) = ExitReason::from(told) else { panic!("it failed") };
    assert!(matches!(failure.downcast_ref::<CallError<Request>>(), Some(CallError::Ended(..))));
}

#[test]
fn an_error_that_carries_nothing_is_kept_as_it_is() {
    let reason = ExitReason::from(AppError::Ledger);
    let ExitReason::Failed(failure) = &reason else { panic!("it failed") };
    assert!(matches!(failure.downcast_ref::<AppError>(), Some(AppError::Ledger)));
}

/// An error that is its own source.
#[derive(Debug)]
struct Round;

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round and round")
    }
}

impl Error for Round {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_that_is_its_own_source_is_kept_as_it_is() {
    let ExitReason::Failed(failure) = ExitReason::from(Round) else { panic!("it failed") };
    assert!(failure.downcast_ref::<Round>().is_some());
}

/// An error of another crate that returns a value.
#[derive(Debug)]
struct Refused<J>(J);

impl<J> fmt::Display for Refused<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl<J: fmt::Debug + 'static> CarriesValue for Refused<J> {
    type Bare = Refused<()>;

    fn into_bare(self) -> Refused<()> {
        drop(self.0);
        Refused(())
    }
}

impl<J: fmt::Debug + 'static> Error for Refused<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

#[test]
fn an_error_of_another_crate_may_say_that_it_carries_a_value() {
    let value = Arc::new(());
    let ExitReason::Failed(failure) = ExitReason::from(Refused(value.clone())) else { panic!("it failed") };
    assert!(failure.downcast_ref::<Refused<()>>().is_some());
    assert_eq!(Arc::strong_count(&value), 1, "the value was dropped");
}
