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
        let found = async {
            loop {
                // Made before it looks, so that no binding comes between the two unheard: it hears of all from then on.
                let bound = self.0.bound.notified();
                match self.whereis(&name) {
                    Ok(address) => return Ok(address),
                    Err(LookupError::WrongType { name, wanted, found }) => {
                        return Err(WaitError::WrongType { name, wanted, found });
                    }
                    Err(_) => bound.await,
                }
            }
        };
        tokio::time::timeout(deadline, found).await.unwrap_or_else(|_| Err(WaitError::TimedOut(name.text())))
    }
}
