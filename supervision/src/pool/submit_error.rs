//! The error of a submission.

use std::error::Error;
use std::fmt;

use perennial_actors::host::{Carried, CarriesValue};

/// The reason why a job was not accepted, with the job.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SubmitError<J> {
    /// The queue is full.
    Full(J),
    /// The pool accepts no more jobs.
    Closed(J),
}

impl<J> SubmitError<J> {
    /// Returns the job that was not accepted.
    ///
    #[doc = pool_example!(r"squares.stop(PoolShutdown::Drain).await;
let refused = squares.submit(7).try_submit().unwrap_err();
assert_eq!(refused.into_job(), 7);")]
    pub fn into_job(self) -> J {
        match self {
            Self::Full(job) | Self::Closed(job) => job,
        }
    }
}

impl<J> fmt::Debug for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<J> fmt::Display for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the pool is full",
            Self::Closed(_) => "the pool accepts no more jobs",
        })
    }
}

impl<J: 'static> Error for SubmitError<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<J: 'static> CarriesValue for SubmitError<J> {
    type Bare = SubmitError<()>;

    fn into_bare(self) -> SubmitError<()> {
        match self {
            Self::Full(_) => SubmitError::Full(()),
            Self::Closed(_) => SubmitError::Closed(()),
        }
    }
}
