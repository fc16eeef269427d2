//! What nodes send to each other.

use perennial::Group;
use perennial::cluster::Wire;
use perennial::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::files::Digest;
use super::super::journal::Outcome;

/// The name of the hasher on each node.
pub const HASHER: Name<Job> = Name::new("hasher");

/// The group of all hashers.
pub const HASHERS: Group<Job> = Group::new("hashers");

/// The number of a message in the stream from one boot to one node. It counts casts and calls.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Stamp {
    /// The boot that has sent it.
    pub from: String,
    pub number: u64,
}

/// A message to a hasher. Files have the numbers that they have in the list of the run.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Says which file comes next. It has no answer.
    Announce(Stamp, Option<usize>),
    /// Asks for the checksum of a file, or for an answer without one.
    Hash(Stamp, Option<usize>, Reply<Option<Hashed>>),
    /// Asks for the boot.
    Boot(Reply<String>),
}

impl Wire for Job {
    const TAG: &'static str = "chaos.job";
}

/// The checksum of a file and its length, or why it could not be read.
pub type Hashed = Result<([u8; 32], u64), String>;

/// Returns a checksum as the other runs record it.
pub fn outcome(hashed: &Hashed) -> Outcome {
    match hashed {
        Ok((sum, bytes)) => Outcome::Hashed(Digest { sum: *sum, bytes: *bytes }),
        Err(error) => Outcome::Failed(error.clone()),
    }
}
