//! What an entry of a table of names is: a name, a member of a group, or a topic.
//!
//! All of them travel as texts. That of a member or a topic begins with a character that no exposed
//! name begins with. The members of one group have a prefix that those of no other group have.

use crate::identity::NodeName;

/// The first character of the texts that are no names.
const RESERVED: char = '\0';

/// The text of what answers with the trees of a node. It is in no table of names.
#[cfg(feature = "operations")]
pub(crate) const TREES: &str = "\0strees";

/// What a text stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    /// A member of a group: the number of its identity on its node.
    Member(&'a str, u64),
    Topic(&'a str),
    /// What a node itself answers.
    Service(&'a str),
}

impl<'a> Key<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let member = text.strip_prefix("\0g").and_then(|text| {
            let (length, rest) = text.split_once(':')?;
            let (group, number) = rest.split_at_checked(length.parse().ok()?)?;
            Some(Self::Member(group, u64::from_str_radix(number.strip_prefix(':')?, 16).ok()?))
        });
        let topic = text.strip_prefix("\0t").map(Self::Topic);
        let service = text.strip_prefix("\0s").map(Self::Service);
        member.or(topic).or(service).unwrap_or(Self::Name(text))
    }

    /// Returns `true` if no actor may be exposed with this name.
    pub(crate) fn is_reserved(name: &str) -> bool {
        name.starts_with(RESERVED)
    }
}

/// A member of some group.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct MemberOf {
    pub(crate) node: NodeName,
    /// Its text in the table of names, which has its group.
    pub(crate) key: String,
}

/// Returns the beginning of the texts of all members of a group, and of no other text.
pub(crate) fn members_of(group: &str) -> String {
    format!("\0g{}:{group}:", group.len())
}

/// Returns the text of a member.
pub(crate) fn member(group: &str, number: u64) -> String {
    format!("{}{number:016x}", members_of(group))
}

/// Returns the text of a topic.
pub(crate) fn topic(topic: &str) -> String {
    format!("\0t{topic}")
}

/// Returns a text for people.
pub(crate) fn readable(text: &str) -> String {
    match Key::parse(text) {
        Key::Name(name) => name.to_owned(),
        Key::Member(group, number) => format!("member {number} of {group}"),
        Key::Topic(topic) => format!("topic {topic}"),
        Key::Service(service) => format!("the {service} of the node"),
    }
}
