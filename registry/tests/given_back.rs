//! Errors that hold a message or a value, as exit reasons.

use std::error::Error;
use std::sync::Arc;

use perennial_actors::{Actor, Context, ExitReason, SendError, System};
use perennial_registry::{LookupError, Name, NamedCallError, NamedCastError, RegisterError, Whereis};

struct Idle;

impl Actor for Idle {
    type Msg = Arc<()>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Arc<()>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Asserts that the exit reason keeps the error without the value.
fn assert_kept<E: Error + 'static>(
    error: impl Error + Send + Sync + 'static,
    is_it: impl FnOnce(&E) -> bool,
) {
    let text = format!("failed: {error}");
    let reason = ExitReason::from(error);
    assert!(text.starts_with(&reason.to_string()), "without the type of the message: {reason}");
    let ExitReason::Failed(failure) = &reason else { panic!("expected a failure") };
    let error = failure.downcast_ref::<E>().expect("the error keeps its type");
    assert!(is_it(error), "{error:?}");
    assert!(error.source().is_none(), "the error has no source");
}

#[tokio::test(start_paused = true)]
async fn exit_reason_of_a_failed_cast_by_name_keeps_no_message() {
    let (system, message, name) = (System::new(), Arc::new(()), Name::<Arc<()>>::new("nowhere"));
    let error = system.cast_to(&name, message.clone()).expect_err("the name is unbound");
    assert_kept::<NamedCastError<()>>(error, |error| matches!(error, NamedCastError::Lookup(..)));
    let actor = system.spawn::<Idle>(()).await.expect("the actor starts");
    let down = actor.monitor();
    actor.stop(ExitReason::Normal).expect("an incarnation runs");
    down.await;
    let error = NamedCastError::Send(actor.cast(message.clone()).expect_err("the actor has ended"));
    assert_kept::<NamedCastError<()>>(error, |error| {
        matches!(error, NamedCastError::Send(SendError::Closed(_)))
    });
    let error = actor.call::<(), _>(|_| message.clone()).await.expect_err("the actor has ended");
    assert_kept::<NamedCallError<()>>(NamedCallError::Call(error), |error| {
        matches!(error, NamedCallError::Call(_))
    });
    let error = NamedCallError::<Arc<()>>::Lookup(LookupError::NotFound("nowhere".into()));
    assert_kept::<NamedCallError<Arc<()>>>(error, |error| matches!(error, NamedCallError::Lookup(_)));
    assert_eq!(Arc::strong_count(&message), 1);
}

#[test]
fn exit_reason_of_a_failed_registration_keeps_no_value() {
    let value = Arc::new(());
    let error = RegisterError::Ended(value.clone());
    assert_kept::<RegisterError<()>>(error, |error| matches!(error, RegisterError::Ended(())));
    assert_eq!(Arc::strong_count(&value), 1);
}
