//! Names across nodes: a versioned table per node, which the other nodes follow.
//!
//! Each node owns the table of its names, so tables never conflict; two nodes may well have the
//! same name. A change travels as a delta with the next version, after all names in parts. A node
//! that misses one gives the connection up, and gets all names with the next one. Of two nodes with
//! one name, that with the oldest binding is found first, wherever it is asked: bindings have the
//! time of a hybrid clock. Members of groups, and topics, are entries of the same tables.

mod clock;
mod kept;
pub(crate) mod key;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use clock::HybridClock;
pub(crate) use key::{Key, MemberOf};
pub(crate) use table::NameTable;
pub(crate) use view::{Applied, NameView, ViewChange};
