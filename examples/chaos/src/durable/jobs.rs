//! The jobs of the worker process, and their results.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use perennial::durable::Wire;
use serde::{Deserialize, Serialize};

use super::super::files::{self, Digest};
use super::super::journal::Outcome;

/// A file whose checksum is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileJob {
    path: Vec<u8>,
}

impl Wire for FileJob {
    const TAG: &'static str = "chaos.file";
}

impl FileJob {
    pub fn new(path: &Path) -> Self {
        Self { path: path.as_os_str().as_bytes().to_owned() }
    }

    pub fn path(&self) -> PathBuf {
        OsString::from_vec(self.path.clone()).into()
    }

    /// Returns a name of the file that is text, whatever its path is.
    pub fn key(&self) -> String {
        hex(&self.path)
    }

    /// Computes the checksum. It blocks.
    pub fn compute(&self, epoch: u64) -> FileResult {
        let digest = files::digest(&self.path()).map(|digest| (digest.sum, digest.bytes));
        FileResult { digest: digest.map_err(|error| error.to_string()), epoch }
    }
}

/// The result of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileResult {
    digest: Result<([u8; 32], u64), String>,
    /// The number of the process that computed it.
    pub epoch: u64,
}

impl Wire for FileResult {
    const TAG: &'static str = "chaos.result";
}

impl FileResult {
    /// Makes the result of a file whose checksum was not computed.
    pub fn unread(reason: &str, epoch: u64) -> Self {
        Self { digest: Err(reason.to_owned()), epoch }
    }

    pub fn outcome(&self) -> Outcome {
        match &self.digest {
            Ok((sum, bytes)) => Outcome::Hashed(Digest { sum: *sum, bytes: *bytes }),
            Err(error) => Outcome::Failed(error.clone()),
        }
    }

    /// Returns the checksum as text without spaces.
    pub fn sum(&self) -> String {
        self.digest.as_ref().map_or_else(|_| "unread".to_owned(), |(sum, _)| hex(sum))
    }
}

/// Returns bytes as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the bytes of a text that [`hex`] has made.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    if text.len() % 2 == 0 { (0..text.len()).step_by(2).map(pair).collect() } else { None }
}
