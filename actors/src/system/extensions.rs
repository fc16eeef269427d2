//! One value per type, made when it is first asked for: how other crates keep their part of a system.

use std::any::{Any, TypeId};
use std::sync::OnceLock;

/// A list that only grows. There are a handful of extensions and each is looked up on hot paths, so a walk over a few
/// links that are never locked beats a map.
#[derive(Default)]
pub(super) struct Extensions(OnceLock<Box<Link>>);

struct Link {
    type_id: TypeId,
    value: Box<dyn Any + Send + Sync>,
    rest: Extensions,
}

impl Extensions {
    /// The extension of type `T`, made by `make` if it is the first time. If two threads come first at once, one value is
    /// kept and both get that one.
    pub(super) fn get_or_insert<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        let mut make = Some(make);
        let mut list = self;
        loop {
            let link = list.0.get_or_init(|| {
                // Reached at most once: the link that is made here is of type `T`, so the walk ends at it.
                let value: Box<dyn Any + Send + Sync> = match make.take() {
                    Some(make) => Box::new(make()),
                    None => Box::new(()),
                };
                Box::new(Link { type_id: TypeId::of::<T>(), value, rest: Self::default() })
            });
            if link.type_id == TypeId::of::<T>() {
                if let Some(value) = link.value.downcast_ref() {
                    return value;
                }
            }
            list = &link.rest;
        }
    }
}
