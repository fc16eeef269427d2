//! Waiting for a name to be bound.

use std::borrow::Borrow;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use perennial_actors::host::require_timers;
use perennial_actors::{Address, NoTimers};

use crate::error::{LookupError, WaitError};
use crate::label::Name;
use crate::registry::Registry;
use crate::waiters::NameWaiter;

impl Registry {
    /// Waits until a name is bound, at most for `timeout`, and returns the address of its actor.
    /// Resolves at once if the name is bound already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future unregisters the wait. Nothing else changes.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](WaitError::TimedOut) if the name was not bound in time.
    /// [`WrongType`](WaitError::WrongType) as soon as it leads to an actor with another message
    /// type. [`NoTimers`](WaitError::NoTimers) if it would have to wait where there are no timers.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
let found = registry.wait_for(GREETER, Duration::from_secs(1)).await?;
assert_eq!(found, greeter);")]
    pub async fn wait_for<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>> + Send,
        timeout: Duration,
    ) -> Result<Address<M>, WaitError> {
        let name = name.borrow().clone();
        let found = self.wait_until(name.as_str(), || match self.whereis(&name) {
            Ok(address) => Some(Ok(address)),
            Err(LookupError::WrongType { name, wanted, found }) => {
                Some(Err(WaitError::WrongType { name, wanted, found }))
            }
            Err(_) => None,
        });
        let mut found = pin!(found);
        // A name that is found at once needs no timer.
        if let Poll::Ready(found) = poll_fn(|cx| Poll::Ready(found.as_mut().poll(cx))).await {
            return found;
        }
        require_timers().map_err(|NoTimers| WaitError::NoTimers)?;
        tokio::time::timeout(timeout, found).await.unwrap_or_else(|_| Err(WaitError::TimedOut(name.text())))
    }

    /// Calls `look` now, and again each time the name is bound, until it returns a value.
    pub(crate) async fn wait_until<T>(&self, name: &str, look: impl Fn() -> Option<T>) -> T {
        if let Some(seen) = look() {
            return seen;
        }
        let mut waiter = NameWaiter::new(&self.0.waiters, name);
        poll_fn(|cx| {
            // Registered before the lookup, so a binding between the two wakes the task.
            waiter.register(cx.waker().clone());
            look().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
