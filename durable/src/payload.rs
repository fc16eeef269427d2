//! A value as bytes, with what is needed to read it again in years.

use serde::{Deserialize, Serialize};

/// An encoded value: its type, the version of that type, the codec, and the bytes.
///
/// Payloads are made by [`encode`](crate::encode) and read by [`decode`](crate::decode).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The [stable name](crate::Wire::TAG) of the type.
    pub tag: String,
    /// The [version](crate::Wire::VERSION) of the type that was encoded.
    pub version: u32,
    /// The [name](crate::Codec::NAME) of the codec.
    pub codec: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}
