//! The registry of a system: which name leads to which actor.

use std::any::{Any, type_name};
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::{Arc, Weak};

use perennial_actors::host::{Guarded, dispose};
use perennial_actors::{
    ActorHandle, Address, CloseHook, ProcessState, Subscription, System, SystemEvent, WeakActorHandle,
};

use crate::changes::{Changes, NameChange, Told};
use crate::error::{BindError, HandOverError, LookupError};
use crate::groups::{Group, GroupChange, GroupHandle, Groups};
use crate::name::{Name, NameInfo};
use crate::name_key::NameKey;
use crate::sync::IdGen;
use crate::table::{Retain, Table};
use crate::topics::{Topic, TopicHandle, Topics};
use crate::waiters::Waiters;

/// Which name leads to which actor, in one system.
///
/// A name is bound to an actor's identity, and free again when nobody serves that any more and nobody is due to.
#[derive(Clone, Default)]
pub struct Registry(pub(crate) Arc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    names: Table<NameKey, Binding>,
    /// Of bindings.
    numbers: IdGen,
    pub(crate) groups: Arc<Groups>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) changes: Changes<NameChange>,
    /// The tasks that wait for a name.
    pub(crate) waiters: Waiters,
}

/// Where a name leads.
///
/// As long as there is one, its actor has a hook that removes this one and no other. Both are made and taken back together, under the lock
/// of the entry, so that there is no moment with one of them alone.
struct Binding {
    /// No other binding has had it, of whatever name to whomever.
    number: u64,
    handle: ActorHandle,
    /// The hook of the actor that removes this binding.
    hook: CloseHook,
    /// The actor that bound the name first, if that has handed it over.
    origin: Option<Box<WeakActorHandle>>,
    /// What its owner says of it.
    metadata: Option<Metadata>,
}

/// What is said of a name. It is a user's value, so it is dropped under a guard.
type Metadata = Guarded<Arc<dyn Any + Send + Sync>>;

impl Registry {
    /// The registry of a system; always the same one.
    #[doc = registry_example!("assert!(Registry::of(&system).names().is_empty());")]
    #[must_use]
    pub fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Binds a name to an actor until that ends for good. Binding it again to the same actor changes nothing.
    ///
    /// # Errors
    ///
    /// [`Taken`](BindError::Taken) if it leads elsewhere, [`Ended`](BindError::Ended) if the actor has ended for good.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.bind(GREETER, &other).is_err());")]
    pub fn bind<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
    ) -> Result<(), BindError> {
        let name = name.borrow();
        match self.0.bind(name, address) {
            Ok(bound) => bound,
            Err(HandedOver) => Err(BindError::Taken(name.text())),
        }
    }

    /// Binds a name as [`bind`](Self::bind) does and returns `true`, or leaves the name where it leads and returns `false`
    /// if this actor bound it and [handed it over](Self::hand_over) since.
    ///
    /// Supervisors open their named children so: a child that has handed its name over starts again without it.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind).
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
registry.hand_over(GREETER, &greeter, &other)?;
assert!(!registry.bind_unless_handed_over(GREETER, &greeter)?);")]
    pub fn bind_unless_handed_over<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
    ) -> Result<bool, BindError> {
        match self.0.bind(name.borrow(), address) {
            Ok(bound) => bound.map(|()| true),
            Err(HandedOver) => Ok(false),
        }
    }

    /// Frees a name, if it leads to this actor. Tells whether it did.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.unbind(GREETER, &greeter));")]
    pub fn unbind<M: Send + 'static>(&self, name: impl Borrow<Name<M>>, address: &Address<M>) -> bool {
        let actor = address.handle();
        self.0.release(name.borrow().as_str(), |bound| {
            let is_meant = bound.handle == actor;
            if is_meant {
                actor.remove_close_hook(bound.hook);
            }
            is_meant
        })
    }

    /// Makes a name lead from one actor to another, without a moment at which it leads nowhere. What its owner has said of it
    /// stays.
    ///
    /// # Errors
    ///
    /// If it does not lead to the first one, or the second one has ended for good or belongs to another system.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
registry.hand_over(GREETER, &greeter, &other)?;
assert_eq!(registry.whereis(GREETER)?, other);")]
    pub fn hand_over<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        from: &Address<M>,
        to: &Address<M>,
    ) -> Result<(), HandOverError> {
        let (name, giver, taker) = (name.borrow().text(), from.handle(), to.handle());
        let mut told = Told::default();
        let handed = self.0.names.update(name.as_bytes(), |bound| {
            if bound.handle != giver {
                return (Retain::Keep, Err(HandOverError::NotOwner(name.clone())));
            }
            if giver == taker {
                return (Retain::Keep, Ok(None));
            }
            if taker.state() != ProcessState::Closed && !giver.is_in_system_of(&taker) {
                return (Retain::Keep, Err(HandOverError::OtherSystem(name.clone())));
            }
            let Some(mut next) = self.0.add_name_hook(name.clone(), to) else {
                return (Retain::Keep, Err(HandOverError::Ended(name.clone())));
            };
            giver.remove_close_hook(bound.hook);
            next.origin = bound.origin.take().or_else(|| Some(Box::new(giver.downgrade())));
            let (name, from, to) = (name.clone(), giver.clone(), taker.clone());
            self.0.changes.record(&mut told, || NameChange::HandedOver { name, from, to });
            next.metadata = bound.metadata.take();
            (Retain::Keep, Ok(Some(std::mem::replace(bound, next))))
        });
        let Some((handed, _)) = handed else { return Err(HandOverError::NotOwner(name)) };
        // Nobody waits for a name that is bound already.
        handed.map(drop)
    }

    /// The address that a name leads to.
    ///
    /// # Errors
    ///
    /// [`NotFound`](LookupError::NotFound) if it is bound to nobody, [`WrongType`](LookupError::WrongType) if its actor
    /// takes other messages.
    #[doc = registry_example!(r#"registry.bind(GREETER, &greeter)?;
registry.whereis(GREETER)?.cast("hello".to_owned())?;"#)]
    pub fn whereis<M: Send + 'static>(&self, name: impl Borrow<Name<M>>) -> Result<Address<M>, LookupError> {
        let name = name.borrow();
        let found = self.0.names.read(name.as_str().as_bytes(), |bound| {
            bound.handle.address::<M>().ok_or_else(|| bound.handle.message_type())
        });
        match found {
            Some(Ok(address)) => Ok(address),
            Some(Err(found)) => {
                Err(LookupError::WrongType { name: name.text(), wanted: type_name::<M>(), found })
            }
            None => Err(LookupError::NotFound(name.text())),
        }
    }

    /// Says something of a name, for whoever looks: a version, a place, a weight. False if it does not lead to this actor.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.describe(GREETER, &greeter, 7_u32));")]
    pub fn set_metadata<M: Send + 'static, T: Any + Send + Sync>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
        note: T,
    ) -> bool {
        let actor = address.handle();
        let mut note: Option<Metadata> = Some(Guarded::new(Arc::new(note)));
        let described = self.0.names.update(name.borrow().as_str().as_bytes(), |bound| {
            let is_meant = bound.handle == actor;
            if is_meant {
                // The old one comes out, and is dropped under no lock: it is a user's value.
                std::mem::swap(&mut bound.metadata, &mut note);
            }
            (Retain::Keep, is_meant)
        });
        dispose_note(note);
        matches!(described, Some((true, _)))
    }

    /// What was said of a name, if it is of this type.
    #[doc = registry_example!(r#"registry.bind(GREETER, &greeter)?;
registry.describe(GREETER, &greeter, 7_u32);
assert_eq!(registry.description("greeter").as_deref(), Some(&7_u32));"#)]
    #[must_use]
    pub fn metadata<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        self.0.names.read(name.as_bytes(), |bound| bound.metadata.as_deref().cloned())??.downcast().ok()
    }

    /// The names that are bound now, sorted.
    #[doc = registry_example!(r#"registry.bind(GREETER, &greeter)?;
assert_eq!(registry.names(), ["greeter"]);"#)]
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.0.names.collect(|name, _| Some(String::from(name)));
        names.sort_unstable();
        names
    }

    /// The names that are bound now, with where they lead, sorted by name.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert_eq!(registry.entries()[0].actor, greeter.handle());")]
    #[must_use]
    pub fn entries(&self) -> Vec<NameInfo> {
        let info = |name: &NameKey, bound: &Binding| {
            Some(NameInfo {
                name: String::from(name).into(),
                actor: bound.handle.clone(),
                messages: bound.handle.message_type(),
            })
        };
        let mut entries = self.0.names.collect(info);
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The members of a group, as they come and go.
    #[doc = registry_example!("registry.group(GREETERS).join(&greeter)?;")]
    #[must_use]
    pub fn group<M: Send + 'static>(&self, group: impl Borrow<Group<M>>) -> GroupHandle<M> {
        GroupHandle::new(self.0.groups.clone(), group.borrow())
    }

    /// The groups that somebody is in, sorted. OTP's `which_groups`.
    #[doc = registry_example!(r#"registry.group(GREETERS).join(&greeter)?;
assert_eq!(registry.which_groups(), ["greeters"]);"#)]
    #[must_use]
    pub fn which_groups(&self) -> Vec<String> {
        self.0.groups.which()
    }

    /// Subscribes to what changes of names from now on.
    pub(crate) fn name_changes(&self) -> Subscription<NameChange> {
        self.0.changes.subscribe()
    }

    /// A topic, to subscribe to and to publish on.
    #[doc = registry_example!(r#"assert_eq!(registry.topic(NEWS).publish(&"it rains".to_owned()).delivered, 0);"#)]
    #[must_use]
    pub fn topic<T: Clone + Send + 'static>(&self, topic: impl Borrow<Topic<T>>) -> TopicHandle<T> {
        TopicHandle::new(self.0.topics.clone(), topic.borrow())
    }
}

/// Tells which names lead to which actors; see [`NameChange`] for the order.
impl SystemEvent for NameChange {
    fn subscribe(system: &System) -> Subscription<Self> {
        Registry::of(system).name_changes()
    }
}

/// Tells which actors join and leave groups. OTP's `pg:monitor_scope`.
impl SystemEvent for GroupChange {
    fn subscribe(system: &System) -> Subscription<Self> {
        Registry::of(system).0.groups.subscribe()
    }
}

impl Inner {
    /// Has the actor bear a name, as long as the binding that comes back is there. None if it has ended for good.
    fn add_name_hook<M: Send + 'static>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        address: &Address<M>,
    ) -> Option<Binding> {
        let (registry, held, number) = (Arc::downgrade(self), name.clone(), self.numbers.next());
        let handle = address.handle();
        let hook = handle.add_name(name, move || {
            if let Some(registry) = Weak::upgrade(&registry) {
                registry.release(&held, |bound| bound.number == number);
            }
        })?;
        Some(Binding { number, handle, hook, origin: None, metadata: None })
    }

    /// Binds a name, unless its actor has handed it over.
    fn bind<M: Send + 'static>(
        self: &Arc<Self>,
        name: &Name<M>,
        address: &Address<M>,
    ) -> Result<Result<(), BindError>, HandedOver> {
        let mut told = Told::default();
        let bound = self.names.update_or_try_insert(NameKey::from(name.as_str()), |bound| {
            if let Some(bound) = bound {
                return (None, self.bind_again(name.text(), address, bound, &mut told));
            }
            let Some(bound) = self.add_name_hook(name.text(), address) else {
                return (None, Ok(Err(BindError::Ended(name.text()))));
            };
            let (name, actor) = (name.text(), address.handle());
            self.changes.record(&mut told, || NameChange::Registered { name, actor });
            (Some(bound), Ok(Ok(None)))
        })?;
        Ok(bound.map(|was| {
            if let Some(was) = was {
                was.dispose();
            }
            drop(told);
            self.waiters.wake(name.as_str());
        }))
    }

    /// Binds a name that leads somewhere. Where it led comes back, to be dropped under no lock.
    fn bind_again<M: Send + 'static>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        address: &Address<M>,
        bound: &mut Binding,
        told: &mut Told<NameChange>,
    ) -> Result<Result<Option<Binding>, BindError>, HandedOver> {
        let actor = address.handle();
        let is_same = bound.handle == actor;
        if is_same && actor.has_close_hook(bound.hook) {
            return Ok(Ok(None));
        }
        // Who has ended for good makes room, also to itself if it is due again, though its hook has not run yet.
        if !is_same && bound.handle.state() != ProcessState::Closed {
            let is_handed_over = bound.origin.as_ref().is_some_and(|origin| origin.is_of(&actor));
            return if is_handed_over { Err(HandedOver) } else { Ok(Err(BindError::Taken(name))) };
        }
        let Some(next) = self.add_name_hook(name.clone(), address) else {
            return Ok(Err(BindError::Ended(name)));
        };
        let was = std::mem::replace(bound, next);
        self.changes
            .record(told, || NameChange::Unregistered { name: name.clone(), actor: was.handle.clone() });
        self.changes.record(told, || NameChange::Registered { name, actor });
        Ok(Ok(Some(was)))
    }

    /// Frees a name, if it leads where it is meant to.
    fn release(&self, name: &str, is_meant: impl FnOnce(&Binding) -> bool) -> bool {
        let mut told = Told::default();
        let released = self.names.update(name.as_bytes(), |bound| {
            if !is_meant(bound) {
                return (Retain::Keep, ());
            }
            let actor = bound.handle.clone();
            self.changes
                .record(&mut told, || NameChange::Unregistered { name: name.to_owned().into(), actor });
            (Retain::Remove, ())
        });
        drop(told);
        let Some(((), Some(bound))) = released else { return false };
        bound.dispose();
        true
    }
}

/// The actor that wants a name has bound and handed it over, and it leads where it was handed to.
struct HandedOver;

impl Binding {
    /// Drops a binding outside the lock of its entry: it may be the last address of the actor.
    fn dispose(self) {
        dispose_note(self.metadata);
    }
}

/// Drops what was said of a name in a task of its own. It is a user's value, and the caller may be a supervisor.
fn dispose_note(note: Option<Metadata>) {
    if note.is_some() {
        dispose(note);
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("names", &self.names()).finish()
    }
}
