//! Walking a folder and hashing a file, without actors. The workers and the final check share it.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

/// The SHA-256 of a file, and its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest {
    pub sum: [u8; 32],
    pub bytes: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An entry of a walk.
#[derive(Debug)]
pub enum Found {
    File(PathBuf),
    /// A symbolic link, a socket, a device ...
    Special,
    /// A folder that cannot be read, or an entry that has vanished.
    Failed(PathBuf, String),
}

/// The folder to walk, and what to leave out of it.
#[derive(Clone, Debug)]
pub struct Scope {
    pub folder: PathBuf,
    /// Folders with a `CACHEDIR.TAG` are not entered.
    pub skip_caches: bool,
    /// The device and inode of each file that this run writes.
    pub outputs: HashSet<(u64, u64)>,
    /// The store that this run writes, and files whose names begin with its name are its parts.
    pub store: Option<PathBuf>,
}

impl Scope {
    /// Returns every entry below the folder, in the order of the names. Symbolic links are not
    /// followed.
    pub fn walk(&self) -> impl Iterator<Item = Found> {
        let entries = WalkDir::new(&self.folder).sort_by_file_name().into_iter();
        let entries = entries.filter_entry(|entry| !(self.skip_caches && is_cache(entry)));
        entries.filter_map(|entry| match entry {
            Ok(entry) => self.classify(entry),
            Err(error) => {
                let path = error.path().unwrap_or(&self.folder).to_owned();
                let text = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                Some(Found::Failed(path, text))
            }
        })
    }

    /// Returns how many files there are, counted up to `most`.
    pub fn count(&self, most: usize) -> usize {
        self.walk().filter(|found| matches!(found, Found::File(_))).take(most).count()
    }

    fn classify(&self, entry: DirEntry) -> Option<Found> {
        if entry.file_type().is_dir() {
            return None;
        }
        if !entry.file_type().is_file() {
            return Some(Found::Special);
        }
        let is_output =
            !self.outputs.is_empty() && entry.metadata().is_ok_and(|data| self.outputs.contains(&id(&data)));
        (!is_output && !self.is_store(entry.path())).then(|| Found::File(entry.into_path()))
    }

    /// The parts of a store come and go during the run.
    fn is_store(&self, path: &Path) -> bool {
        let Some((name, store)) = self.store.as_deref().and_then(|store| Some((store.file_name()?, store)))
        else {
            return false;
        };
        let found = path.file_name().map(|found| found.as_bytes()).unwrap_or_default();
        let is_part = found.strip_prefix(name.as_bytes()).is_some_and(|rest| STORE_PARTS.contains(&rest));
        is_part && folder_of(path) == folder_of(store)
    }
}

/// What follows the name of a store in the names of its files.
const STORE_PARTS: [&[u8]; 4] = [b"", b"-wal", b"-shm", b"-lock"];

fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).canonicalize().ok()
}

fn is_cache(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() && entry.path().join("CACHEDIR.TAG").is_file()
}

/// Returns the device and inode of a file, which identify it under any name.
pub fn id(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// Returns when a file or its metadata last changed, in nanoseconds since the epoch.
pub fn changed_at(path: &Path) -> Option<i128> {
    let data = fs::symlink_metadata(path).ok()?;
    Some(i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec()))
}

/// A file that is being hashed, and the buffer it is read into.
pub struct Hashing {
    file: File,
    sum: Sha256,
    bytes: u64,
    buffer: Vec<u8>,
}

/// How many bytes are read at once.
const BUFFER: usize = 256 * 1024;

/// How many bytes are hashed without a check of the fault point.
const STRIDE: u64 = 4 * 1024 * 1024;

/// The state of a file after a stride.
pub enum Progress {
    More(Hashing),
    Done(Digest),
}

impl Hashing {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, sum: Sha256::new(), bytes: 0, buffer: vec![0; BUFFER] })
    }

    /// Hashes the next [`STRIDE`] bytes.
    pub fn hash_stride(mut self) -> io::Result<Progress> {
        let stop_at = self.bytes + STRIDE;
        while self.bytes < stop_at {
            match self.file.read(&mut self.buffer) {
                Ok(0) => {
                    return Ok(Progress::Done(Digest { sum: self.sum.finalize().into(), bytes: self.bytes }));
                }
                Ok(length) => {
                    self.sum.update(&self.buffer[..length]);
                    self.bytes += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::More(self))
    }
}

/// Hashes a whole file. It blocks.
pub fn digest(path: &Path) -> io::Result<Digest> {
    let mut hashing = Hashing::open(path)?;
    loop {
        match hashing.hash_stride()? {
            Progress::More(more) => hashing = more,
            Progress::Done(digest) => return Ok(digest),
        }
    }
}
