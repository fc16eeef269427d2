//! The protocol between two nodes: packets, as values and as bytes.
//!
//! A packet is a byte with the version of the protocol, its length, a header in a fixed encoding,
//! and a payload in the encoding of the application. So several packets can follow each other. No
//! input makes the decoder of a header panic, or allocate more than the limit of a header. Headers
//! are not recursive, so their depth is fixed.

mod header;
mod packet;
#[cfg(test)]
mod tests;

pub(crate) use header::{Delta, Header, Hello, NAME_BYTES, Outcome, Snapshot};
pub(crate) use packet::{HEADER_BYTES, Packet, PacketError, Tags, encode, packets};
