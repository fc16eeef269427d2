//! Errors that give a message or a value back, as exit reasons.

use std::error::Error;
use std::sync::Arc;

use perennial_actors::{Actor, Context, ExitReason, SendError, System};
use perennial_registry::{LookupError, Name, NamedCallError, NamedCastError, RegisterError, Whereis};

struct Clerk;

impl Actor for Clerk {
    type Msg = Arc<()>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Arc<()>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// The error in the reason that it became.
fn kept<E: Error + 'static>(error: impl Error + Send + Sync + 'static, is_it: impl FnOnce(&E) -> bool) {
    let said = format!("failed: {error}");
    let reason = ExitReason::from(error);
    assert_eq!(reason.to_string(), said);
    let ExitReason::Failed(failure) = &reason else { panic!("it failed") };
    let error = failure.downcast_ref::<E>().expect("it keeps its type");
    assert!(is_it(error), "{error:?}");
    assert!(error.source().is_none(), "it carries nothing");
}

#[tokio::test(start_paused = true)]
async fn exit_reason_of_a_failed_cast_by_name_keeps_no_message() {
    let (system, message, name) = (System::new(), Arc::new(()), Name::<Arc<()>>::new("nowhere"));
    let error = system.cast_to(&name, message.clone()).expect_err("it leads nowhere");
    kept::<NamedCastError<()>>(error, |error| matches!(error, NamedCastError::Lookup(..)));
    let clerk = system.spawn::<Clerk>(()).await.expect("it starts");
    let down = clerk.monitor();
    clerk.stop(ExitReason::Normal).expect("it lives");
    down.await;
    let error = NamedCastError::Send(clerk.cast(message.clone()).expect_err("it has ended"));
    kept::<NamedCastError<()>>(error, |error| matches!(error, NamedCastError::Send(SendError::Closed(_))));
    let error = clerk.call::<(), _>(|_| message.clone()).await.expect_err("it has ended");
    kept::<NamedCallError<()>>(NamedCallError::Call(error), |error| matches!(error, NamedCallError::Call(_)));
    let error = NamedCallError::<Arc<()>>::Lookup(LookupError::NotFound("nowhere".into()));
    kept::<NamedCallError<Arc<()>>>(error, |error| matches!(error, NamedCallError::Lookup(_)));
    assert_eq!(Arc::strong_count(&message), 1);
}

#[test]
fn exit_reason_of_a_failed_registration_keeps_no_value() {
    let value = Arc::new(());
    let error = RegisterError::Ended(value.clone());
    kept::<RegisterError<()>>(error, |error| matches!(error, RegisterError::Ended(())));
    assert_eq!(Arc::strong_count(&value), 1);
}
