//! The members, on this node, of the groups that it exposes. Each is exposed under a name that it
//! has for the other nodes only.

use std::sync::Arc;

use perennial_actors::host::ignore_panic;

use super::gateway::Gateway;
use crate::event::NodeEvent;
use crate::expose::Expose;
use crate::names::key;

impl Gateway {
    /// Looks up the members of each exposed group, and tells the peers what has changed.
    pub(super) fn refresh_groups(&self) {
        let groups: Vec<String> = self.node.groups.lock().keys().cloned().collect();
        groups.iter().for_each(|group| self.refresh_group(group));
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
