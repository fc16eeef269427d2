//! The identity of a job.

use std::fmt;

/// The number of a job in its pool, in submission order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JobId(pub(super) u64);

impl JobId {
    /// Returns the id with this number, which another [`as_u64`](Self::as_u64) returned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_supervision::pool::JobId;
    /// assert_eq!(JobId::from_u64(7).as_u64(), 7);
    /// ```
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
