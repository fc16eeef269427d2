//! Dead letters that a client may send again, because the user allowed it.

use std::num::NonZeroUsize;

use perennial_actors::{Address, WeakAddress};
use perennial_operations::DeadLetterInfo;

use crate::api::{ActionOutcome, Problem};

/// The number of dead letters that are kept of an actor: a hundred.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

/// The actors whose dead letters are kept.
#[derive(Default)]
pub(crate) struct KeptLetters(Vec<Box<dyn Keeper>>);

/// An actor that keeps its dead letters, whichever the type of its messages is.
trait Keeper: Send + Sync {
    /// Returns the identity of the actor, or `None` if it is gone.
    fn identity(&self) -> Option<u64>;
    fn has(&self, number: u64) -> bool;
    fn resend(&self, number: u64) -> Result<(), Problem>;
}

impl<M: Send + 'static> Keeper for WeakAddress<M> {
    fn identity(&self) -> Option<u64> {
        Some(self.upgrade()?.handle().identity())
    }

    fn has(&self, number: u64) -> bool {
        self.upgrade().is_some_and(|address| address.has_dead_letter(number))
    }

    fn resend(&self, number: u64) -> Result<(), Problem> {
        let address = self.upgrade().ok_or_else(|| Problem::conflict("the actor is gone"))?;
        address.resend_dead_letter(number).map_err(|error| Problem::conflict(error.to_string()))
    }
}

impl KeptLetters {
    /// Keeps the dead letters of an actor from now on. The address is not kept alive.
    pub(crate) fn add<M: Send + 'static>(
        &mut self,
        address: &Address<M>,
        copy: impl Fn(&M) -> Option<M> + Send + Sync + 'static,
    ) {
        address.keep_dead_letters(KEPT, copy);
        self.0.push(Box::new(address.downgrade()));
    }

    /// Returns `true` if a dead letter can be sent again.
    pub(crate) fn has(&self, letter: &DeadLetterInfo) -> bool {
        let Some(number) = letter.number else { return false };
        self.keeper(letter).is_some_and(|keeper| keeper.has(number))
    }

    /// Sends a dead letter again.
    pub(crate) fn resend(&self, letter: &DeadLetterInfo) -> Result<ActionOutcome, Problem> {
        let not_kept = || Problem::conflict("the actor does not keep this message, or is gone");
        let (keeper, number) = self.keeper(letter).zip(letter.number).ok_or_else(not_kept)?;
        keeper.resend(number).map(|()| ActionOutcome::done())
    }

    fn keeper(&self, letter: &DeadLetterInfo) -> Option<&dyn Keeper> {
        let identity = Some(letter.target.identity());
        self.0.iter().find(|keeper| keeper.identity() == identity).map(|keeper| &**keeper)
    }
}
