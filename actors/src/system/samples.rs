//! The times of single messages, and the calls that timed out.

use std::sync::Arc;
use std::time::Duration;

use crate::pid::Pid;

/// The times of one message.
///
/// Taken while there is a [subscriber](crate::System::subscribe), of a part of the messages: of an
/// actor with a short queue each 256th, of one with a long queue fewer. Messages of an actor to
/// itself are left out, and so are those whose handlers did not return.
///
/// # Examples
///
/// ```
/// use perennial_actors::{HandlerSample, System};
/// # use perennial_actors::{Actor, Context, ExitReason};
/// # struct Sink;
/// # impl Actor for Sink {
/// #     type Msg = u64;
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
/// # async fn handle(&mut self, _: u64, _: &mut Context<Self>)
/// # -> Result<(), ExitReason> { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let mut samples = system.subscribe::<HandlerSample>();
/// let sink = system.spawn::<Sink>(()).await?;
/// for number in 0..512 {
///     sink.send(number).await?;
///     tokio::task::yield_now().await;
/// }
/// let sample = samples.next().await;
/// assert!(sample.is_some_and(|sample| sample.message_type == "u64"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HandlerSample {
    /// The incarnation that handled the message.
    pub pid: Pid,
    /// The path of the actor in its tree, or its type.
    pub label: Arc<str>,
    /// The type of the message.
    pub message_type: &'static str,
    /// The time from the acceptance of the message to the begin of its handler.
    pub waited: Duration,
    /// The time from the begin of the handler to its return.
    pub handled_in: Duration,
}

/// A call that ended at its timeout.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CallTimedOut {
    /// The path of the called actor in its tree, or its type.
    pub label: Arc<str>,
    /// The type of the actor's messages.
    pub message_type: &'static str,
}
