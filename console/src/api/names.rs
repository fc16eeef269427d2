//! Names, groups and topics.

use perennial_actors::Pid;
use perennial_operations::ProcessPhase;
use serde::{Deserialize, Serialize};

use super::page::{Page, Window};
use super::view::View;

/// A name, and where it leads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NameRow {
    /// The name.
    pub name: String,
    /// The identity of the actor.
    pub identity: u64,
    /// The latest incarnation of the actor, if it had one.
    pub incarnation: Option<u32>,
    /// The state of the actor.
    pub phase: Option<ProcessPhase>,
    /// The path of the actor, or its type.
    pub label: Option<String>,
}

/// A group and its members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupRow {
    /// The name of the group.
    pub group: String,
    /// The number of members.
    pub size: usize,
    /// The members: a hundred at most.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupMember {
    /// The incarnation that joined.
    pub pid: Pid,
    /// Its path, or its type.
    pub label: Option<String>,
}

/// A topic that has subscribers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TopicRow {
    /// The name of the topic.
    pub topic: String,
}

/// The most members of a group that are shown.
const MEMBERS: usize = 100;

/// Returns the names that contain a text, or whose actors do.
pub(crate) fn names(view: &View, text: Option<&str>, window: Window) -> Page<NameRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let is_meant = |(name, identity): &(&String, &u64)| {
        let label = || view.label(**identity).unwrap_or_default();
        text.is_empty() || name.to_lowercase().contains(&text) || label().to_lowercase().contains(&text)
    };
    let listed: Vec<(&String, &u64)> = view.snapshot.model.names.iter().filter(is_meant).collect();
    window.of(&listed, view.sequence(), |(name, identity)| {
        let process = view.process(**identity);
        NameRow {
            name: (*name).clone(),
            identity: **identity,
            incarnation: process.map(|process| process.incarnation),
            phase: process.map(|process| process.phase),
            label: view.label(**identity),
        }
    })
}

/// Returns the groups whose name contains a text.
pub(crate) fn groups(view: &View, text: Option<&str>, window: Window) -> Page<GroupRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let groups = view.snapshot.figures.groups.iter();
    let listed: Vec<_> = groups.filter(|group| group.group.to_lowercase().contains(&text)).collect();
    window.of(&listed, view.sequence(), |group| {
        let member = |pid: &Pid| GroupMember { pid: *pid, label: view.label(pid.identity()) };
        GroupRow {
            group: group.group.to_string(),
            size: group.members.len(),
            members: group.members.iter().take(MEMBERS).map(member).collect(),
        }
    })
}

/// Returns the topics whose name contains a text.
pub(crate) fn topics(view: &View, text: Option<&str>, window: Window) -> Page<TopicRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let topics = view.snapshot.figures.topics.iter();
    let listed: Vec<&String> = topics.filter(|topic| topic.to_lowercase().contains(&text)).collect();
    window.of(&listed, view.sequence(), |topic| TopicRow { topic: (*topic).clone() })
}
