//! The options of a job that only its pool and the end of the job need.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The options of a job that decide nothing about when it is leased. A store keeps them as one
/// value.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunOptions {
    /// The time limit of an attempt, if it is not that of the pool.
    pub time_limit: Option<Duration>,
    /// The soft time limit of an attempt, if it is not that of the pool.
    pub soft_time_limit: Option<Duration>,
    /// The kind of the job for the rate limits of the pool.
    pub rate_key: Option<String>,
    /// The trace that the job belongs to, as a W3C `traceparent`. The library does not read it.
    pub traceparent: Option<String>,
    /// How long the job is kept when it is dead; without end if there is none. Zero removes it at
    /// once.
    pub retain_dead: Option<Duration>,
}

impl RunOptions {
    /// Returns `true` if no option is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
