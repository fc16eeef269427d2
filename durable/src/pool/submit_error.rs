//! The error of a durable submission.

use std::error::Error;
use std::fmt;

use perennial_actors::host::{Carried, CarriesValue};

use crate::codec::EncodeError;
use crate::error::StoreError;

/// The reason why a job was not stored, with the job.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum DurableSubmitError<J> {
    /// The job cannot be encoded. It is not stored.
    Encode(J, EncodeError),
    /// The store failed. The job is not stored.
    NotStored(J, StoreError),
    /// The store failed during the commit. The job may be stored, or not. A job with a
    /// [unique](super::DurableSubmission::unique) key can be submitted again without harm.
    Unknown(J, StoreError),
}

impl<J> DurableSubmitError<J> {
    /// Returns the job.
    pub fn into_job(self) -> J {
        match self {
            Self::Encode(job, _) | Self::NotStored(job, _) | Self::Unknown(job, _) => job,
        }
    }
}

impl<J> fmt::Debug for DurableSubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(_, error) => f.debug_tuple("Encode").field(error).finish_non_exhaustive(),
            Self::NotStored(_, error) => f.debug_tuple("NotStored").field(error).finish_non_exhaustive(),
            Self::Unknown(_, error) => f.debug_tuple("Unknown").field(error).finish_non_exhaustive(),
        }
    }
}

impl<J> fmt::Display for DurableSubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(_, error) => write!(f, "the job is not stored: {error}"),
            Self::NotStored(_, error) => write!(f, "the job is not stored: {error}"),
            Self::Unknown(_, error) => write!(f, "it is unknown if the job is stored: {error}"),
        }
    }
}

impl<J: 'static> Error for DurableSubmitError<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<J: 'static> CarriesValue for DurableSubmitError<J> {
    type Bare = DurableSubmitError<()>;

    fn into_bare(self) -> DurableSubmitError<()> {
        match self {
            Self::Encode(_, error) => DurableSubmitError::Encode((), error),
            Self::NotStored(_, error) => DurableSubmitError::NotStored((), error),
            Self::Unknown(_, error) => DurableSubmitError::Unknown((), error),
        }
    }
}
