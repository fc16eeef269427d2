//! Codecs: how values become bytes.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::depth::{Failure, FirstFailure, Limited, MAX_DEPTH};

/// The limit of one value, in bytes: 16 MiB.
pub const MAX_BYTES: usize = 16 << 20;

/// How values become bytes and bytes become values.
pub trait Codec: Send + Sync + 'static {
    /// The name that is stored with the bytes. It must never change.
    const NAME: &'static str;

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// The value cannot be encoded, or is [too large](MAX_BYTES).
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError>;

    /// Decodes a value from all of the bytes. No input makes it panic.
    ///
    /// # Errors
    ///
    /// The bytes are not those of such a value, or there are more of them.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError>;
}

/// A value that cannot be encoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoded value has more bytes than [`MAX_BYTES`].
    #[error("the value has {bytes} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// The number of bytes.
        bytes: usize,
    },
    /// The codec refused the value.
    #[error("the value cannot be encoded: {0}")]
    Refused(String),
}

/// Bytes that cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are of another type.
    #[error("a value of type {found} is not of type {expected}")]
    WrongType {
        /// The tag of the type that was asked for.
        expected: String,
        /// The tag that is stored.
        found: String,
    },
    /// The bytes are of a version of the type that this program does not know.
    #[error("version {found} of {tag} is not known; the latest known is {known}")]
    UnknownVersion {
        /// The tag of the type.
        tag: String,
        /// The version that is stored.
        found: u32,
        /// The latest version that is known.
        known: u32,
    },
    /// The bytes were written by a codec that this program does not know.
    #[error("the codec {0} is not known")]
    UnknownCodec(String),
    /// Bytes are left after the value.
    #[error("{left} bytes are left after the value")]
    TrailingBytes {
        /// The number of bytes.
        left: usize,
    },
    /// The value has more than 128 levels of sequences, maps, enums and options. [`Json`] reports
    /// that as [`Malformed`](Self::Malformed).
    #[error("the value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The bytes are not those of a value of the type.
    #[error("the bytes are not a value of the type: {0}")]
    Malformed(String),
}

/// Compact bytes: [bincode](https://docs.rs/bincode) 2 in its standard configuration, with a limit.
///
/// It stores no names of fields: a type that changes gets the next
/// [version](crate::Wire::VERSION). serde's `flatten`, `skip`, `tag` and `untagged` are not
/// supported. A value of a recursive type is decoded if it has at most 128 levels of sequences,
/// maps, enums and options: each level takes stack, and bytes from elsewhere may claim any number.
/// A deeper value can be encoded, as with [`Json`], and not be decoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

impl Codec for Bincode {
    const NAME: &'static str = "bincode2";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
        let bytes = bincode::serde::encode_to_vec(value, bincode::config::standard())
            .map_err(|error| EncodeError::Refused(error.to_string()))?;
        within_limit(bytes)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        let limited = bincode::config::standard().with_limit::<MAX_BYTES>();
        let failure = FirstFailure::default();
        let seed = Limited::new(PhantomData::<T>, &failure);
        let decoded = bincode::serde::seed_decode_from_slice(seed, bytes, limited);
        let (value, read) = decoded.map_err(|error| match failure.take() {
            Some(Failure::TooDeep) => DecodeError::TooDeep,
            Some(Failure::Malformed(text)) => DecodeError::Malformed(text),
            None => DecodeError::Malformed(error.to_string()),
        })?;
        match bytes.len().saturating_sub(read) {
            0 => Ok(value),
            left => Err(DecodeError::TrailingBytes { left }),
        }
    }
}

/// Text that people can read, with the names of fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
        let bytes = serde_json::to_vec(value).map_err(|error| EncodeError::Refused(error.to_string()))?;
        within_limit(bytes)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        serde_json::from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
    }
}

fn within_limit(bytes: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
    match bytes.len() {
        len if len > MAX_BYTES => Err(EncodeError::TooLarge { bytes: len }),
        _ => Ok(bytes),
    }
}
