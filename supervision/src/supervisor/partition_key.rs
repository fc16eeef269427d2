//! Keys that select a partition.

/// A key that selects a partition: its number modulo the number of partitions.
///
/// The number of a key is the same in every process and on every machine, unlike a hash of
/// `std::hash`. The number of an integer is its absolute value, as in Elixir. The number of a
/// string or of bytes is their 64-bit FNV-1a hash.
pub trait PartitionKey {
    /// Returns the number of this key.
    fn number(&self) -> u64;
}

macro_rules! integers_are_keys {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl PartitionKey for $unsigned {
            fn number(&self) -> u64 {
                *self as u64
            }
        }

        impl PartitionKey for $signed {
            fn number(&self) -> u64 {
                self.unsigned_abs() as u64
            }
        }
    )*};
}

integers_are_keys! { u8, i8; u16, i16; u32, i32; u64, i64; usize, isize; }

impl PartitionKey for [u8] {
    fn number(&self) -> u64 {
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.iter().fold(0xcbf2_9ce4_8422_2325, hash)
    }
}

impl PartitionKey for str {
    fn number(&self) -> u64 {
        self.as_bytes().number()
    }
}

impl PartitionKey for String {
    fn number(&self) -> u64 {
        self.as_bytes().number()
    }
}

impl<K: PartitionKey + ?Sized> PartitionKey for &K {
    fn number(&self) -> u64 {
        (**self).number()
    }
}
