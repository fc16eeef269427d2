//! A map from ascending numbers to values, in the order of the numbers.
//!
//! Nearly all values are added at the end, and any value may be removed. A hundred thousand members
//! of one group may end at once, and each of them is removed alone. So a removal leaves a gap, and
//! gaps are removed when there are more of them than values. Every operation costs O(log n),
//! amortised. While no number is missing, a value is found in O(1).
//!
//! A B-tree would be half empty when it is filled in order, and takes as much memory for one value
//! as for eleven. Here the only value of a map takes none: it is in the map itself. A few values
//! are in one `buffer`, many in `chunks`, so that a large map is never copied, and is freed piece
//! by piece.

mod buffer;
mod chunks;
mod map;
#[cfg(test)]
mod tests;

pub use map::SeqMap;
