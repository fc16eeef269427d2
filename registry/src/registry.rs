//! The registry of a system: the actor to which each name leads.

use std::any::{Any, type_name};
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::{Arc, Weak};

use perennial_actors::host::sync::IdGen;
use perennial_actors::host::{Broadcast, Guarded};
use perennial_actors::{Address, ProcessState, Subscription, System, SystemEvent};

use crate::binding::{Binding, Metadata, dispose_metadata};
use crate::error::{BindError, HandOverError, LookupError};
use crate::groups::{GroupChange, GroupHandle, GroupInfo, Groups};
use crate::keys::ShownTables;
use crate::label::{Group, Name, Topic};
use crate::name::{NameChange, NameInfo};
use crate::name_key::NameKey;
use crate::table::Table;
use crate::topics::{TopicHandle, Topics};
use crate::waiters::Waiters;

/// The names, groups and topics of one system.
///
/// A name is bound to an actor's identity. It is free again when the identity is closed: no
/// incarnation runs and none is pending.
#[derive(Clone, Default)]
pub struct Registry(pub(crate) Arc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    names: Table<NameKey, Binding>,
    /// The numbers of the bindings.
    numbers: IdGen,
    pub(crate) groups: Arc<Groups>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) shown_keys: ShownTables,
    pub(crate) changes: Broadcast<NameChange>,
    /// The tasks that wait for names.
    pub(crate) waiters: Waiters,
}

impl Registry {
    /// Returns the registry of a system. It is the same one at each call.
    #[doc = registry_example!("assert!(Registry::of(&system).names().is_empty());")]
    #[inline]
    #[must_use]
    pub fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Binds a name to an actor until the actor has ended for good. Binding it again to the same
    /// actor changes nothing.
    ///
    /// # Errors
    ///
    /// [`Taken`](BindError::Taken) if the name leads to another actor, [`Ended`](BindError::Ended)
    /// if the actor has ended for good.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.bind(GREETER, &other).is_err());")]
    pub fn bind<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
    ) -> Result<(), BindError> {
        let name = name.borrow();
        let is_bound = self.bind_unless_handed_over(name, address)?;
        if is_bound { Ok(()) } else { Err(BindError::Taken(name.text())) }
    }

    /// Binds a name as [`bind`](Self::bind) does and returns `true`, or changes nothing and returns
    /// `false` if this actor bound the name and [handed it over](Self::hand_over) since.
    ///
    /// Supervisors bind the names of their children this way: a child that has handed its name over
    /// restarts without it.
    ///
    /// # Errors
    ///
    /// The errors of [`bind`](Self::bind).
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
registry.hand_over(GREETER, &greeter, &other)?;
assert!(!registry.bind_unless_handed_over(GREETER, &greeter)?);")]
    pub fn bind_unless_handed_over<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
    ) -> Result<bool, BindError> {
        match self.0.bind(name.borrow(), address)? {
            BindOutcome::Done(was) => {
                was.into_iter().for_each(Binding::dispose);
                self.0.changes.publish();
                self.0.waiters.wake(name.borrow().as_str());
                Ok(true)
            }
            BindOutcome::HandedOver => Ok(false),
        }
    }

    /// Removes the binding of a name if it leads to this actor. Returns `true` if it did.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.unbind(GREETER, &greeter));")]
    pub fn unbind<M: Send + 'static>(&self, name: impl Borrow<Name<M>>, address: &Address<M>) -> bool {
        let actor = address.handle();
        self.0.release(name.borrow().as_str(), |bound| {
            let is_match = bound.handle == actor;
            if is_match {
                actor.remove_close_hook(bound.hook);
            }
            is_match
        })
    }

    /// Rebinds a name from one actor to another. At no moment is the name unbound. Its metadata is
    /// kept.
    ///
    /// # Errors
    ///
    /// [`NotOwner`](HandOverError::NotOwner) if the name does not lead to `from`,
    /// [`Ended`](HandOverError::Ended) if `to` has ended for good,
    /// [`OtherSystem`](HandOverError::OtherSystem) if `to` belongs to another system.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
registry.hand_over(GREETER, &greeter, &other)?;
assert_eq!(registry.whereis(GREETER)?, other);")]
    pub fn hand_over<M: Send + 'static>(
        &self,
        name: impl Borrow<Name<M>>,
        from: &Address<M>,
        to: &Address<M>,
    ) -> Result<(), HandOverError> {
        let (name, from_handle, to_handle) = (name.borrow().text(), from.handle(), to.handle());
        let handed = self.0.names.update(name.as_bytes(), |bound| {
            if bound.handle != from_handle {
                return Err(HandOverError::NotOwner(name.clone()));
            }
            if from_handle == to_handle {
                return Ok(None);
            }
            if to_handle.state() != ProcessState::Closed && !from_handle.is_in_system_of(&to_handle) {
                return Err(HandOverError::OtherSystem(name.clone()));
            }
            let Some(mut next) = self.0.add_name_hook(name.clone(), to) else {
                return Err(HandOverError::Ended(name.clone()));
            };
            from_handle.remove_close_hook(bound.hook);
            let mut extra = bound.extra.take().unwrap_or_default();
            extra.origin.get_or_insert_with(|| from_handle.downgrade());
            next.extra = Some(extra);
            let (name, from, to) = (name.clone(), from_handle.clone(), to_handle.clone());
            self.0.changes.record(|| NameChange::HandedOver { name, from, to });
            Ok(Some(std::mem::replace(bound, next)))
        });
        self.0.changes.publish();
        // No task is woken: a task waits only while a name is unbound, and this one was bound
        // throughout.
        handed.unwrap_or(Err(HandOverError::NotOwner(name))).map(drop)
    }

    /// Returns the address of the actor to which a name leads.
    ///
    /// # Errors
    ///
    /// [`NotFound`](LookupError::NotFound) if the name is unbound,
    /// [`WrongType`](LookupError::WrongType) if its actor has another message type.
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

    /// Sets the metadata of a name, for example a version, a location or a weight. Replaces the
    /// metadata that was there. Returns `false`, and changes nothing, if the name does not lead to
    /// this actor.
    #[doc = registry_example!(r"registry.bind(GREETER, &greeter)?;
assert!(registry.set_metadata(GREETER, &greeter, 7_u32));")]
    pub fn set_metadata<M: Send + 'static, T: Any + Send + Sync>(
        &self,
        name: impl Borrow<Name<M>>,
        address: &Address<M>,
        metadata: T,
    ) -> bool {
        let actor = address.handle();
        let mut metadata: Option<Metadata> = Some(Guarded::new(Arc::new(metadata)));
        let described = self.0.names.update(name.borrow().as_str().as_bytes(), |bound| {
            let is_match = bound.handle == actor;
            if is_match {
                // The old metadata is a user's value. It is moved out and dropped under no lock.
                std::mem::swap(&mut bound.extra.get_or_insert_default().metadata, &mut metadata);
            }
            is_match
        });
        dispose_metadata(metadata);
        described == Some(true)
    }

    /// Returns the metadata of a name, or `None` if the name is unbound or its metadata has another
    /// type.
    #[doc = registry_example!(r#"registry.bind(GREETER, &greeter)?;
registry.set_metadata(GREETER, &greeter, 7_u32);
assert_eq!(registry.metadata("greeter").as_deref(), Some(&7_u32));"#)]
    #[must_use]
    pub fn metadata<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        let read = |bound: &Binding| bound.extra.as_ref()?.metadata.as_deref().cloned();
        self.0.names.read(name.as_bytes(), read)??.downcast().ok()
    }

    /// Returns the names that are bound now, sorted.
    #[doc = registry_example!(r#"registry.bind(GREETER, &greeter)?;
assert_eq!(registry.names(), ["greeter"]);"#)]
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.0.names.collect(|name, _| Some(String::from(name)));
        names.sort_unstable();
        names
    }

    /// Returns the names that are bound now with their actors, sorted by name.
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

    /// Returns a handle to a group, with which actors join it, leave it and are found in it.
    #[doc = registry_example!("registry.group(GREETERS).join(&greeter)?;")]
    #[must_use]
    pub fn group<M: Send + 'static>(&self, group: impl Borrow<Group<M>>) -> GroupHandle<M> {
        GroupHandle::new(self.0.groups.clone(), group.borrow())
    }

    /// Returns the names of the groups that have members, sorted. OTP's `which_groups`.
    #[doc = registry_example!(r#"registry.group(GREETERS).join(&greeter)?;
assert_eq!(registry.which_groups(), ["greeters"]);"#)]
    #[must_use]
    pub fn which_groups(&self) -> Vec<String> {
        self.0.groups.which()
    }

    /// Returns the groups that have members with the running members of each, sorted by name. A
    /// member is listed as often as it has joined.
    #[doc = registry_example!(r#"registry.group(GREETERS).join(&greeter)?;
assert_eq!(registry.groups()[0].members, [greeter.pid().ok_or("it has ended")?]);"#)]
    #[must_use]
    pub fn groups(&self) -> Vec<GroupInfo> {
        self.0.groups.list()
    }

    /// Returns the names of the topics that have subscribers, sorted.
    #[doc = registry_example!(r#"registry.topic(NEWS).subscribe(&greeter, SlowSubscriberPolicy::Skip);
assert_eq!(registry.which_topics(), ["news"]);"#)]
    #[must_use]
    pub fn which_topics(&self) -> Vec<String> {
        self.0.topics.which()
    }

    /// Returns a handle to a topic, with which actors subscribe to it and messages are published on
    /// it.
    #[doc = registry_example!(
        r#"assert_eq!(registry.topic(NEWS).publish(&"it rains".to_owned()).delivered, 0);"#
    )]
    #[must_use]
    pub fn topic<T: Clone + Send + 'static>(&self, topic: impl Borrow<Topic<T>>) -> TopicHandle<T> {
        TopicHandle::new(self.0.topics.clone(), topic.borrow())
    }
}

/// Publishes the changes of names; see [`NameChange`] for the order.
impl SystemEvent for NameChange {
    fn subscribe(system: &System) -> Subscription<Self> {
        Registry::of(system).0.changes.subscribe()
    }
}

/// Publishes the changes of groups' members. OTP's `pg:monitor_scope`.
impl SystemEvent for GroupChange {
    fn subscribe(system: &System) -> Subscription<Self> {
        Registry::of(system).0.groups.changes.subscribe()
    }
}

impl Inner {
    /// Adds the name to its actor, with the hook that removes the returned binding. Returns `None`
    /// if the actor has ended for good.
    fn add_name_hook<M: Send + 'static>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        address: &Address<M>,
    ) -> Option<Binding> {
        let (registry, bound_name, number) = (Arc::downgrade(self), name.clone(), self.numbers.next());
        let handle = address.handle();
        let hook = handle.add_name(name, move || {
            if let Some(registry) = Weak::upgrade(&registry) {
                registry.release(&bound_name, |bound| bound.number == number);
            }
        })?;
        Some(Binding { handle, number, hook, extra: None })
    }

    /// Binds a name, unless this actor has handed it over. The caller publishes the changes.
    fn bind<M: Send + 'static>(
        self: &Arc<Self>,
        name: &Name<M>,
        address: &Address<M>,
    ) -> Result<BindOutcome, BindError> {
        self.names.update_or_try_insert(NameKey::from(name.as_str()), |bound| {
            if let Some(bound) = bound {
                return (None, self.bind_again(name.text(), address, bound));
            }
            let Some(bound) = self.add_name_hook(name.text(), address) else {
                return (None, Err(BindError::Ended(name.text())));
            };
            self.changes.record(|| NameChange::Registered { name: name.text(), actor: address.handle() });
            (Some(bound), Ok(BindOutcome::Done(None)))
        })
    }

    /// Binds a name that is bound already.
    fn bind_again<M: Send + 'static>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        address: &Address<M>,
        bound: &mut Binding,
    ) -> Result<BindOutcome, BindError> {
        let actor = address.handle();
        let is_same = bound.handle == actor;
        if is_same && actor.has_close_hook(bound.hook) {
            return Ok(BindOutcome::Done(None));
        }
        // A binding of a closed actor is replaced, even though its hook has not run yet. That holds
        // for the same actor too, if it was opened again since.
        if !is_same && bound.handle.state() != ProcessState::Closed {
            let is_handed_over = bound.is_handed_over_by(&actor);
            return if is_handed_over { Ok(BindOutcome::HandedOver) } else { Err(BindError::Taken(name)) };
        }
        let Some(next) = self.add_name_hook(name.clone(), address) else {
            return Err(BindError::Ended(name));
        };
        let was = std::mem::replace(bound, next);
        self.changes.record(|| NameChange::Unregistered { name: name.clone(), actor: was.handle.clone() });
        self.changes.record(|| NameChange::Registered { name, actor });
        Ok(BindOutcome::Done(Some(was)))
    }

    /// Removes the binding of a name if `is_match` returns `true` for it.
    fn release(&self, name: &str, is_match: impl FnOnce(&Binding) -> bool) -> bool {
        let released = self.names.remove_if(name.as_bytes(), |bound| {
            let is_match = is_match(bound);
            if is_match {
                let (name, actor) = (name.to_owned().into(), bound.handle.clone());
                self.changes.record(|| NameChange::Unregistered { name, actor });
            }
            is_match
        });
        self.changes.publish();
        released.map(Binding::dispose).is_some()
    }
}

/// The outcome of binding a name.
enum BindOutcome {
    /// The name leads to the actor. Holds the binding that was replaced, to be dropped under no
    /// lock.
    Done(Option<Binding>),
    /// The actor bound the name and handed it over since: the name leads to another actor.
    HandedOver,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("names", &self.names()).finish()
    }
}
