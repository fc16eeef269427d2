//! Waiting for a name that leads nowhere yet.

use std::borrow::Borrow;
use std::time::Duration;

use perennial_actors::Address;

use crate::error::{LookupError, WaitError};
use crate::name::Name;
use crate::registry::Registry;

impl Registry {
    /// Waits until a name leads to an actor, at most so long.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](WaitError::TimedOut) if it leads nowhere by then; [`WrongType`](WaitError::WrongType) as soon as it leads to an actor that
    /// takes other messages.
    pub async fn wait_for<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>> + Send,
        deadline: Duration,
    ) -> Result<Address<M>, WaitError> {
        let name = name.borrow().clone();
        let found = self.once_bound(|| match self.whereis(&name) {
            Ok(address) => Some(Ok(address)),
            Err(LookupError::WrongType { name, wanted, found }) => {
                Some(Err(WaitError::WrongType { name, wanted, found }))
            }
            Err(_) => None,
        });
        tokio::time::timeout(deadline, found).await.unwrap_or_else(|_| Err(WaitError::TimedOut(name.text())))
    }

    /// Looks now, and again whenever some name is bound, until there is something to see.
    async fn once_bound<T>(&self, look: impl Fn() -> Option<T>) -> T {
        loop {
            // Made before it looks, so that no binding comes between the two unheard: it hears of all from then on.
            let bound = self.0.bound.notified();
            if let Some(seen) = look() {
                return seen;
            }
            bound.await;
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use std::cell::Cell;

    use perennial_actors::host::Identity;
    use perennial_actors::{Mailbox, System};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_bound_as_soon_as_one_has_looked_is_seen_at_the_next_look() {
        let (system, registry) = (System::new(), Registry::default());
        let (identity, looks) = (Identity::<u32>::new(Mailbox::default()), Cell::new(0));
        identity.open(&system, || "due".into());
        let seen = registry.once_bound(|| {
            let seen = registry.whereis(Name::<u32>::new("name")).ok();
            registry.bind(Name::new("name"), &identity.address()).expect("the name is free");
            looks.set(looks.get() + 1);
            seen
        });
        let seen = tokio::time::timeout(Duration::from_secs(1), seen).await;
        assert_eq!((seen, looks.get()), (Ok(identity.address()), 2));
    }
}
