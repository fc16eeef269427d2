//! Types that are stored, under a stable name and a version.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Bincode, Codec, DecodeError, EncodeError, Json};
use crate::payload::Payload;

/// A type whose values are stored: under a name that outlives renames of the type, with a version.
///
/// A type that changes gets the next [`VERSION`](Self::VERSION), and [`upcast`](Self::upcast) reads
/// the earlier ones. A version that is not known is an error with the reason.
///
/// # Examples
///
/// ```
/// use perennial_durable::{Bincode, DecodeError, OldPayload, Wire, decode, encode};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct MailV1 { to: String }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Mail { to: String, urgent: bool }
///
/// impl Wire for MailV1 {
///     const TAG: &'static str = "shop.mail";
/// }
///
/// impl Wire for Mail {
///     const TAG: &'static str = "shop.mail";
///     const VERSION: u32 = 2;
///     fn upcast(old: &OldPayload<'_>) -> Result<Self, DecodeError> {
///         match old.version() {
///             1 => old.decode().map(|MailV1 { to }| Mail { to, urgent: false }),
///             _ => Err(old.unknown_version::<Self>()),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stored = encode::<_, Bincode>(&MailV1 { to: "ann".to_owned() })?;
/// let mail: Mail = decode(&stored)?;
/// assert_eq!(mail, Mail { to: "ann".to_owned(), urgent: false });
/// assert!(decode::<MailV1>(&encode::<_, Bincode>(&mail)?).is_err(), "a newer version");
/// # Ok(())
/// # }
/// ```
pub trait Wire: Serialize + DeserializeOwned + Sized {
    /// The name of the type in stores. It must never change.
    const TAG: &'static str;

    /// The version of the type; the first is 1.
    const VERSION: u32 = 1;

    /// Makes a value from one of an earlier version.
    ///
    /// # Errors
    ///
    /// The version is not known, or the bytes are not those of such a value. The default knows no
    /// earlier version.
    fn upcast(old: &OldPayload<'_>) -> Result<Self, DecodeError> {
        Err(old.unknown_version::<Self>())
    }
}

/// The payload of an earlier version of a type.
#[derive(Clone, Copy, Debug)]
pub struct OldPayload<'a>(&'a Payload);

impl OldPayload<'_> {
    /// Returns the version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.0.version
    }

    /// Decodes a value of the type that the earlier version was.
    ///
    /// # Errors
    ///
    /// The bytes are not those of such a value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        decode_bytes(self.0)
    }

    /// Returns the error that the version is not known.
    #[must_use]
    pub fn unknown_version<T: Wire>(&self) -> DecodeError {
        DecodeError::UnknownVersion { tag: T::TAG.to_owned(), found: self.0.version, known: T::VERSION }
    }
}

/// Encodes a value by a codec.
///
/// # Errors
///
/// The value cannot be encoded, or is too large.
pub fn encode<T: Wire, C: Codec>(value: &T) -> Result<Payload, EncodeError> {
    Ok(Payload {
        tag: T::TAG.to_owned(),
        version: T::VERSION,
        codec: C::NAME.to_owned(),
        bytes: C::encode(value)?,
    })
}

/// Decodes a value by the codec that encoded it: [`Bincode`] or [`Json`].
///
/// # Errors
///
/// The payload is of another type, of a version or codec that is not known, or damaged.
pub fn decode<T: Wire>(payload: &Payload) -> Result<T, DecodeError> {
    if payload.tag != T::TAG {
        let (expected, found) = (T::TAG.to_owned(), payload.tag.clone());
        return Err(DecodeError::WrongType { expected, found });
    }
    let old = OldPayload(payload);
    match payload.version {
        version if version == T::VERSION => old.decode(),
        version if version < T::VERSION => T::upcast(&old),
        _ => Err(old.unknown_version::<T>()),
    }
}

fn decode_bytes<T: DeserializeOwned>(payload: &Payload) -> Result<T, DecodeError> {
    match payload.codec.as_str() {
        Bincode::NAME => Bincode::decode(&payload.bytes),
        Json::NAME => Json::decode(&payload.bytes),
        other => Err(DecodeError::UnknownCodec(other.to_owned())),
    }
}

macro_rules! primitive {
    ($($type:ty => $tag:literal),*) => {
        $(impl Wire for $type {
            const TAG: &'static str = $tag;
        })*
    };
}

primitive!(
    () => "unit", bool => "bool", u8 => "u8", u16 => "u16", u32 => "u32", u64 => "u64",
    i8 => "i8", i16 => "i16", i32 => "i32", i64 => "i64", f64 => "f64", String => "string",
    Vec<u8> => "bytes"
);
