//! Packets as bytes.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};

use super::header::Header;

/// The version of the protocol. A node speaks to nodes of this version only.
pub(crate) const PROTOCOL: u8 = 2;

/// The most bytes of a header with what is before it.
pub(crate) const HEADER_BYTES: usize = 64 * 1024;

/// The encoding of headers. A decoder reserves at most the limit, whatever lengths the bytes claim.
pub(super) const LIMITED: Configuration<LittleEndian, Varint, Limit<HEADER_BYTES>> =
    bincode::config::standard().with_limit::<HEADER_BYTES>();

/// The bytes at the begin of a packet, which are the same in all versions since 2: the version, and
/// the length of what follows them.
const START: usize = 1 + 4;

/// The bytes before the header: those, the tags, and the length of the header.
const PREFIX: usize = START + 3 * 8 + 4;

/// The connection and the place of a packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tags {
    /// The epoch of the sender.
    pub(crate) epoch: u64,
    /// The epoch of the receiver, as the sender knows it; 0 if it does not.
    pub(crate) seen: u64,
    /// The place in the stream; 0 if the packet is not a part of it.
    pub(crate) sequence: u64,
}

/// A packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet<'a> {
    pub(crate) tags: Tags,
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
}

/// Why a packet cannot be encoded or decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PacketError {
    /// The sender speaks another version of the protocol.
    #[error("the packet is of version {0} of the protocol")]
    Version(u8),
    /// It ends too early, or its header or a name in it is too long.
    #[error("the packet is cut, or its header or a name in it is too long")]
    Length,
    /// The header is not one.
    #[error("the header is malformed")]
    Header,
}

/// Encodes a packet.
pub(crate) fn encode(tags: Tags, header: &Header, payload: &[u8]) -> Result<Vec<u8>, PacketError> {
    if !header.has_short_names() {
        return Err(PacketError::Length);
    }
    let header = bincode::serde::encode_to_vec(header, LIMITED).map_err(|_| PacketError::Header)?;
    if PREFIX + header.len() > HEADER_BYTES {
        return Err(PacketError::Length);
    }
    let size = PREFIX + header.len() + payload.len();
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| PacketError::Length);
    let mut bytes = Vec::with_capacity(size);
    bytes.push(PROTOCOL);
    bytes.extend(length(size - START)?.to_le_bytes());
    for tag in [tags.epoch, tags.seen, tags.sequence] {
        bytes.extend(tag.to_le_bytes());
    }
    bytes.extend(length(header.len())?.to_le_bytes());
    bytes.extend(header);
    bytes.extend(payload);
    Ok(bytes)
}

impl<'a> Packet<'a> {
    /// Decodes a packet.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (version, rest) = bytes.split_first().ok_or(PacketError::Length)?;
        if *version != PROTOCOL {
            return Err(PacketError::Version(*version));
        }
        let (length, rest) = size(rest)?;
        if length != rest.len() {
            return Err(PacketError::Length);
        }
        let (epoch, rest) = number(rest)?;
        let (seen, rest) = number(rest)?;
        let (sequence, rest) = number(rest)?;
        let (length, rest) = size(rest)?;
        if length > HEADER_BYTES {
            return Err(PacketError::Length);
        }
        let (header, payload) = rest.split_at_checked(length).ok_or(PacketError::Length)?;
        let (header, read): (Header, usize) =
            bincode::serde::decode_from_slice(header, LIMITED).map_err(|_| PacketError::Header)?;
        if read != length {
            return Err(PacketError::Header);
        }
        if !header.has_short_names() {
            return Err(PacketError::Length);
        }
        Ok(Self { tags: Tags { epoch, seen, sequence }, header, payload })
    }
}

/// Divides bytes into packets that follow each other. What does not say how long it is, or is
/// shorter than it says, is one piece: it is no packet.
pub(crate) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let rest = bytes.get(1..).and_then(|rest| size(rest).ok());
        let end = rest.map_or(bytes.len(), |(length, _)| START.saturating_add(length));
        let (packet, rest) = bytes.split_at(end.min(bytes.len()));
        bytes = rest;
        (!packet.is_empty()).then_some(packet)
    })
}

fn size(bytes: &[u8]) -> Result<(usize, &[u8]), PacketError> {
    let (size, rest) = bytes.split_first_chunk().ok_or(PacketError::Length)?;
    let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| PacketError::Length)?;
    Ok((size, rest))
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), PacketError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(PacketError::Length)?;
    Ok((u64::from_le_bytes(*number), rest))
}
