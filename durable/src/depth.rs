//! A limit on how deep a value is nested. Decoding a value uses stack for each level, and a format
//! without such a limit has a few bytes for one: enough of them would end the process.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

/// The most levels of a value.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a value cannot be decoded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It has more levels.
    TooDeep,
    /// The text of the error at the place where it was found.
    Malformed(String),
}

/// The first failure of a value.
///
/// It is kept beside the errors that the decoder returns, which have no text. A type that is behind
/// a trait object hands errors on as texts at each level, and bincode escapes those that it gets:
/// the text of a failure would double with each level.
#[derive(Default)]
pub(crate) struct FirstFailure(Cell<Option<Failure>>);

impl FirstFailure {
    pub(crate) fn take(&self) -> Option<Failure> {
        self.0.take()
    }

    /// Keeps a failure, unless there was one. Returns what the decoder returns for it.
    fn keep<E: Error>(&self, failure: impl FnOnce() -> Failure) -> E {
        let first = self.0.take().unwrap_or_else(failure);
        self.0.set(Some(first));
        E::custom("")
    }

    #[cold]
    fn keep_error<E: Error>(&self, error: &E) -> E {
        self.keep(|| Failure::Malformed(error.to_string()))
    }
}

/// A part of a decoder or of a value, and the levels that may follow below it.
pub(crate) struct Limited<'a, T> {
    inner: T,
    left: usize,
    failure: &'a FirstFailure,
}

impl<'a, T> Limited<'a, T> {
    pub(crate) const fn new(inner: T, failure: &'a FirstFailure) -> Self {
        Self { inner, left: MAX_DEPTH, failure }
    }

    /// Returns another part at the same level.
    const fn with<U>(&self, inner: U) -> Limited<'a, U> {
        Limited { inner, left: self.left, failure: self.failure }
    }

    /// Returns what receives a value one level below.
    fn below<V, E: Error>(&self, visitor: V) -> Result<Limited<'a, V>, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| self.failure.keep(|| Failure::TooDeep))?;
        Ok(Limited { inner: visitor, left, failure: self.failure })
    }
}

/// Values that have no further level. Their failures are kept by what they are in.
macro_rules! flat {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* visitor)
        }
    )* };
}

/// Values with values in them, whose number is that of their type. The inner ones count themselves.
macro_rules! fixed {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.with(visitor);
            self.inner.$method($($name,)* visitor).map_err(|error| self.failure.keep_error(&error))
        }
    )* };
}

/// Values that have others in them or not. A type with a derived decoder that contains itself does
/// so behind one of these: no value of it would have an end otherwise.
macro_rules! counted {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.below(visitor)?;
            self.inner.$method($($name,)* visitor).map_err(|error| self.failure.keep_error(&error))
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Limited<'_, D> {
    type Error = D::Error;

    flat! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_unit()
        deserialize_identifier() deserialize_any() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
    }

    fixed! {
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    counted! {
        deserialize_option()
        deserialize_seq()
        deserialize_map()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Limited<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, decoder: D) -> Result<V::Value, D::Error> {
        let decoder = self.with(decoder);
        self.inner.visit_some(decoder)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, decoder: D) -> Result<V::Value, D::Error> {
        let decoder = self.with(decoder);
        self.inner.visit_newtype_struct(decoder)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        let items = self.with(items);
        self.inner.visit_seq(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let entries = self.with(entries);
        self.inner.visit_map(entries)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        let variant = self.with(variant);
        self.inner.visit_enum(variant)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Limited<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<S::Value, D::Error> {
        let decoder = self.with(decoder);
        self.inner.deserialize(decoder)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Limited<'a, A> {
    type Error = A::Error;
    type Variant = Limited<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let Self { inner, left, failure } = self;
        let (value, variant) = inner.variant_seed(seed)?;
        Ok((value, Limited { inner: variant, left, failure }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
