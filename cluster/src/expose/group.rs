//! One group that is exposed: its members on this node.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::{ActorHandle, Address, System};
use perennial_durable::{Codec, Wire};
use perennial_registry::{Group, Registry};

use super::exposure::{Expose, ExposedActor, Exposure};

/// A group that is exposed, without the type of its messages.
pub(crate) trait ExposeGroup: Send + Sync {
    /// Returns the members, by the numbers of their identities. One that has joined several times
    /// is one member.
    fn members(&self, system: &System) -> BTreeMap<u64, Arc<dyn Expose>>;

    /// Returns an actor as a member, if it is one with messages of the type of the group.
    fn member(&self, actor: &ActorHandle) -> Option<Arc<dyn Expose>>;
}

/// A group that is exposed, and its members that are.
pub(crate) struct ExposedGroup {
    pub(crate) exposure: Arc<dyn ExposeGroup>,
    /// The numbers of their identities.
    pub(crate) members: BTreeSet<u64>,
}

impl ExposedGroup {
    pub(crate) const fn new(exposure: Arc<dyn ExposeGroup>) -> Self {
        Self { exposure, members: BTreeSet::new() }
    }
}

pub(crate) struct GroupExposure<M, C> {
    group: Group<M>,
    codec: PhantomData<fn(C)>,
}

impl<M, C> GroupExposure<M, C> {
    pub(crate) const fn new(group: Group<M>) -> Self {
        Self { group, codec: PhantomData }
    }
}

impl<M: Wire + Send + 'static, C: Codec> GroupExposure<M, C> {
    fn expose(member: &Address<M>) -> Arc<dyn Expose> {
        Arc::new(Exposure::<M, C>::new(ExposedActor::Member(member.downgrade())))
    }
}

impl<M: Wire + Send + 'static, C: Codec> ExposeGroup for GroupExposure<M, C> {
    fn members(&self, system: &System) -> BTreeMap<u64, Arc<dyn Expose>> {
        let members = Registry::of(system).group(&self.group).members().into_iter();
        members.map(|member| (member.handle().identity(), Self::expose(&member))).collect()
    }

    fn member(&self, actor: &ActorHandle) -> Option<Arc<dyn Expose>> {
        actor.address().map(|member| Self::expose(&member))
    }
}
