//! Extensions: one value per type, made on first use, in which other crates keep their part of a
//! system.

use std::any::{Any, TypeId};
use std::iter;

use crate::sync::OnceLock;

/// A list that only grows. There are few extensions and each is looked up on hot paths, so a walk
/// over a few links without locks is faster than a map.
#[derive(Default)]
pub(super) struct Extensions(OnceLock<Box<Link>>);

struct Link {
    type_id: TypeId,
    value: Box<dyn Any + Send + Sync>,
    rest: Extensions,
}

impl Extensions {
    /// Returns the extension of type `T`, made by `make` if there is none.
    ///
    /// `make` runs before the list is changed, so it may use extensions itself and may be slow. If
    /// several callers make one at once, the first value to be inserted is kept; the others are
    /// dropped.
    #[inline]
    pub(super) fn get_or_insert<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        match self.find() {
            Some(value) => value,
            None => self.make_and_insert(make),
        }
    }

    /// Not a part of its caller, which is short and is compiled into the code of a lookup.
    #[cold]
    #[inline(never)]
    fn make_and_insert<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        self.insert(make())
    }

    #[inline]
    fn find<T: Any>(&self) -> Option<&T> {
        let mut links = iter::successors(self.0.get(), |link| link.rest.0.get());
        // Compares the type id first, because access to the box costs a cache miss.
        links.find(|link| link.type_id == TypeId::of::<T>())?.value.downcast_ref()
    }

    /// Appends a value, unless another caller has added one of this type meanwhile.
    fn insert<T: Any + Send + Sync>(&self, value: T) -> &T {
        let new = Link { type_id: TypeId::of::<T>(), value: Box::new(value), rest: Self::default() };
        let mut new = Some(Box::new(new));
        let mut list = self;
        loop {
            if let Some(link) = new.take() {
                // Returned if another link was appended here meanwhile.
                new = list.0.set(link).err();
            }
            if let Some(link) = list.0.get() {
                if let Some(value) = link.value.downcast_ref() {
                    return value;
                }
                list = &link.rest;
            }
        }
    }
}
