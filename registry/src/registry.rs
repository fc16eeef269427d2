//! The registry of a system.

use std::any::{Any, type_name};
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::{Arc, Weak};

use dashmap::{DashMap, Entry};
use perennial_actors::{Address, Handle, System};

use crate::error::{BindError, LookupError};
use crate::name::Name;

/// Which name leads to which actor, in one system.
///
/// Every access to the map is one call that returns an owned value: no guard of it is ever alive while another access, an
/// await or somebody else's code runs.
#[derive(Clone, Default)]
pub struct Registry(Arc<Names>);

type Names = DashMap<Cow<'static, str>, Bound>;

/// Where a name leads.
struct Bound {
    /// An `Address<M>`.
    address: Box<dyn Any + Send + Sync>,
    handle: Handle,
    messages: &'static str,
}

impl Registry {
    /// The registry of a system; always the same one.
    #[must_use]
    pub fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Binds a name to an actor until that ends for good. Binding it again to the same actor changes nothing.
    ///
    /// # Errors
    ///
    /// [`Taken`](BindError::Taken) if it leads elsewhere, [`Ended`](BindError::Ended) if the actor has ended for good.
    pub fn bind<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
    ) -> Result<(), BindError> {
        let name = name.borrow().text();
        let handle = address.handle();
        match self.0.entry(name.clone()) {
            Entry::Occupied(bound) if bound.get().handle == handle => return Ok(()),
            Entry::Occupied(_) => return Err(BindError::Taken(name)),
            Entry::Vacant(free) => drop(free.insert(Bound {
                address: Box::new(address.clone()),
                handle: handle.clone(),
                messages: type_name::<M>(),
            })),
        }
        // The hook comes after the entry: should the actor end in between, the hook is refused and the entry is
        // taken back here, so that no name is left behind that nobody gives up.
        let names = Arc::downgrade(&self.0);
        let (held, holder) = (name.clone(), handle.clone());
        if handle.bear_name(name.clone(), move || release(&names, &held, &holder)) {
            return Ok(());
        }
        release(&Arc::downgrade(&self.0), &name, &handle);
        Err(BindError::Ended(name))
    }

    /// The address that a name leads to.
    ///
    /// # Errors
    ///
    /// [`NotFound`](LookupError::NotFound) if it is bound to nobody, [`WrongType`](LookupError::WrongType) if its actor
    /// takes other messages.
    pub fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError> {
        let name = name.borrow();
        let found = self
            .0
            .get(name.as_str())
            .map(|bound| bound.address.downcast_ref::<Address<M>>().cloned().ok_or(bound.messages));
        match found {
            Some(Ok(address)) => Ok(address),
            Some(Err(found)) => {
                Err(LookupError::WrongType { name: name.text(), wanted: type_name::<M>(), found })
            }
            None => Err(LookupError::NotFound(name.text())),
        }
    }

    /// The names that are bound now, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.iter().map(|entry| entry.key().to_string()).collect();
        names.sort_unstable();
        names
    }
}

/// Takes a name from this holder. If it leads to somebody else by now, it is left alone.
fn release(names: &Weak<Names>, name: &str, holder: &Handle) {
    let Some(names) = names.upgrade() else { return };
    // What was bound is dropped here, outside the lock of its shard: it may be the last address of the actor.
    let bound = names.remove_if(name, |_, bound| bound.handle == *holder);
    drop(bound);
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("names", &self.names()).finish()
    }
}

/// Looks names up in a [`System`] directly.
pub trait Whereis {
    /// The address that a name leads to; see [`Registry::whereis`].
    ///
    /// # Errors
    ///
    /// As [`Registry::whereis`].
    fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError>;
}

impl Whereis for System {
    fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError> {
        Registry::of(self).whereis(name)
    }
}
