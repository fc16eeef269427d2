//! Walking a folder and hashing a file: the work itself, without any actor. The workers and the final check share it.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

/// The SHA-256 of a file, and how long it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest {
    sum: [u8; 32],
    pub bytes: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a walk comes across.
#[derive(Debug)]
pub enum Found {
    File(PathBuf),
    /// A symbolic link, a socket, a device ...
    Special,
    /// A folder that cannot be read, or something that is gone again.
    Failed(PathBuf, String),
}

/// Which folder to walk, and what to leave out.
#[derive(Clone, Debug)]
pub struct Scope {
    pub folder: PathBuf,
    /// Folders with a `CACHEDIR.TAG` are not entered.
    pub skip_caches: bool,
    /// Device and inode of the files that this very run writes.
    pub outputs: HashSet<(u64, u64)>,
}

impl Scope {
    /// Everything below the folder, in the order of the names. Symbolic links are not followed.
    pub fn walk(&self) -> impl Iterator<Item = Found> {
        let entries = WalkDir::new(&self.folder).sort_by_file_name().into_iter();
        let entries = entries.filter_entry(|entry| !(self.skip_caches && is_cache(entry)));
        entries.filter_map(|entry| match entry {
            Ok(entry) => self.look_at(entry),
            Err(error) => {
                let path = error.path().unwrap_or(&self.folder).to_owned();
                let text = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                Some(Found::Failed(path, text))
            }
        })
    }

    fn look_at(&self, entry: DirEntry) -> Option<Found> {
        if entry.file_type().is_dir() {
            return None;
        }
        if !entry.file_type().is_file() {
            return Some(Found::Special);
        }
        let is_output =
            !self.outputs.is_empty() && entry.metadata().is_ok_and(|data| self.outputs.contains(&id(&data)));
        (!is_output).then(|| Found::File(entry.into_path()))
    }
}

fn is_cache(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() && entry.path().join("CACHEDIR.TAG").is_file()
}

/// Device and inode: which file it is, whatever it is called.
pub fn id(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// When a file, or what is known of it, changed last: nanoseconds since the epoch.
pub fn changed_at(path: &Path) -> Option<i128> {
    let data = fs::symlink_metadata(path).ok()?;
    Some(i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec()))
}

/// A file that is being hashed, piece by piece, in a piece of memory of its own.
pub struct Hashing {
    file: File,
    sum: Sha256,
    bytes: u64,
    piece: Vec<u8>,
}

/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// How much of a file is hashed between two looks at anything else.
const STRIDE: u64 = 4 * 1024 * 1024;

/// How far a file is.
pub enum Progress {
    More(Hashing),
    Done(Digest),
}

impl Hashing {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, sum: Sha256::new(), bytes: 0, piece: vec![0; PIECE] })
    }

    /// Hashes on for a while.
    pub fn go_on(mut self) -> io::Result<Progress> {
        let stop_at = self.bytes + STRIDE;
        while self.bytes < stop_at {
            match self.file.read(&mut self.piece) {
                Ok(0) => {
                    return Ok(Progress::Done(Digest { sum: self.sum.finalize().into(), bytes: self.bytes }));
                }
                Ok(length) => {
                    self.sum.update(&self.piece[..length]);
                    self.bytes += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::More(self))
    }
}

/// Hashes a whole file, waiting for it.
pub fn digest(path: &Path) -> io::Result<Digest> {
    let mut hashing = Hashing::open(path)?;
    loop {
        match hashing.go_on()? {
            Progress::More(more) => hashing = more,
            Progress::Done(digest) => return Ok(digest),
        }
    }
}
