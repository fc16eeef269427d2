//! The members, on this node, of the groups that it exposes. Each is exposed under a name that it
//! has for the other nodes only.

use std::sync::Arc;

use perennial_actors::host::ignore_panic;
use perennial_registry::GroupChange;

use super::gateway::Gateway;
use crate::event::NodeEvent;
use crate::expose::{Expose, ExposedGroup};
use crate::names::key;

impl Gateway {
    /// Looks up the members of each exposed group, and tells the peers what has changed.
    pub(super) fn refresh_groups(&self) {
        let groups: Vec<String> = self.node.groups.lock().keys().cloned().collect();
        groups.iter().for_each(|group| self.refresh_group(group));
    }

    /// Tells the peers of one member that has joined or left, without a look at the others.
    pub(super) fn on_group_change(&self, change: &GroupChange) {
        let (group, number) = (&*change.group, change.actor.identity());
        // One that runs may have joined several times.
        if !change.joined && change.actor.pid().is_some() {
            return self.refresh_group(group);
        }
        let exposed = self.node.groups.lock().get(group).map(|group| group.exposure.clone());
        let member = exposed.and_then(|exposed| exposed.member(&change.actor));
        let Some(member) = member else { return };
        let is_known = |group: &ExposedGroup| group.members.contains(&number);
        if self.node.groups.lock().get(group).is_none_or(is_known) == change.joined {
            return;
        }
        let member = change.joined.then_some(member);
        let is_member = self.set_member(group, number, member) && change.joined;
        if let Some(group) = self.node.groups.lock().get_mut(group) {
            match is_member {
                true => group.members.insert(number),
                false => group.members.remove(&number),
            };
        }
        // There is room for a member that was not exposed.
        let is_full = self.node.exposed.lock().len() + 1 >= self.node.config.max_names;
        if is_full && !change.joined {
            self.refresh_groups();
        }
    }

    /// Looks up the members of a group, and tells the peers which have joined or left.
    pub(super) fn refresh_group(&self, group: &str) {
        let exposed = self.node.groups.lock().get(group).map(|group| group.exposure.clone());
        let (Some(exposed), Some(system)) = (exposed, self.node.system.get()) else { return };
        let mut members = exposed.members(system);
        let before = self.node.groups.lock().get(group).map(|group| group.members.clone());
        let mut now = before.unwrap_or_default();
        let left: Vec<u64> = now.iter().filter(|number| !members.contains_key(number)).copied().collect();
        members.retain(|number, _| !now.contains(number));
        for number in left {
            now.remove(&number);
            self.set_member(group, number, None);
        }
        for (number, member) in members {
            if self.set_member(group, number, Some(member)) {
                now.insert(number);
            }
        }
        if let Some(group) = self.node.groups.lock().get_mut(group) {
            group.members = now;
        }
    }

    /// Exposes a member, or does so no more. Returns `false` if there are as many names as may be.
    fn set_member(&self, group: &str, number: u64, member: Option<Arc<dyn Expose>>) -> bool {
        let text = key::member(group, number);
        let mut exposed = self.node.exposed.lock();
        if member.is_some() && exposed.len() >= self.node.config.max_names {
            drop(exposed);
            self.node.publish(NodeEvent::TooManyNames(self.node.own.clone()));
            return false;
        }
        let before = match member {
            Some(member) => exposed.insert(text.clone(), member),
            None => exposed.remove(&text),
        };
        drop(exposed);
        ignore_panic(|| drop(before));
        self.refresh_name(&text);
        true
    }
}
