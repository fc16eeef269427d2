//! The lines in the pipes of a worker process.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::jobs::{hex, unhex};
use super::process::Line;

/// What the client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Store a job for this file, and say how it ended.
    File(PathBuf),
    /// Say how the job with this number ended. An earlier process has acknowledged it.
    Await(u64),
}

/// What the worker process says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The store is open. This is the number of the process.
    Up(u64),
    /// So many jobs of the killed process run again, this long after the start of the process.
    Rescued(u64, Duration),
    /// The job of a file is acknowledged.
    Stored(u64, PathBuf),
    /// A worker has begun with a file.
    Started(PathBuf),
    /// The outcome of a job is acknowledged, with the checksum.
    Done(u64, String),
    /// There is no outcome of a job, for this reason.
    Lost(u64, String),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", name(path)),
            Self::Await(job) => write!(f, "await {job}"),
        }
    }
}

impl Request {
    pub fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("file", path) => Some(Self::File(path_of(path)?)),
            ("await", job) => Some(Self::Await(job.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(epoch) => write!(f, "up {epoch}"),
            Self::Rescued(jobs, time) => write!(f, "rescued {jobs} {}", time.as_micros()),
            Self::Stored(job, path) => write!(f, "stored {job} {}", name(path)),
            Self::Started(path) => write!(f, "started {}", name(path)),
            Self::Done(job, sum) => write!(f, "done {job} {sum}"),
            Self::Lost(job, reason) => write!(f, "lost {job} {}", reason.replace('\n', " ")),
        }
    }
}

impl Line for Answer {
    fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ')?;
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(match verb {
            "up" => Self::Up(first.parse().ok()?),
            "rescued" => Self::Rescued(first.parse().ok()?, Duration::from_micros(second.parse().ok()?)),
            "stored" => Self::Stored(first.parse().ok()?, path_of(second)?),
            "started" => Self::Started(path_of(first)?),
            "done" => Self::Done(first.parse().ok()?, second.to_owned()),
            "lost" => Self::Lost(first.parse().ok()?, second.to_owned()),
            _ => return None,
        })
    }
}

fn name(path: &Path) -> String {
    hex(path.as_os_str().as_bytes())
}

fn path_of(name: &str) -> Option<PathBuf> {
    Some(OsString::from_vec(unhex(name)?).into())
}
