//! What a node has written: one file for each boot, which is only appended to.
//!
//! Each line is written before what it tells of goes on. So a process that is killed has written
//! all that others may know of.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::message::{Hashed, Stamp};

/// What a boot tells of itself. Nodes are named, boots have the text of their id.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The first line: this boot.
    Boot(String),
    /// A message is about to be sent to a node.
    Sending { to: String, number: u64 },
    /// A call was answered.
    Acknowledged { to: String, number: u64, file: Option<usize>, hashed: Option<Hashed> },
    /// A message was not handled, for this reason.
    Refused { to: String, number: u64, reason: String },
    /// A call has failed, and may have been handled.
    Unknown { to: String, number: u64, reason: String },
    /// The hasher handles a message of another boot.
    Handled(Stamp),
    /// A monitor has begun, of the hasher of a boot.
    Monitoring { monitor: u64, of: String },
    /// A monitor has ended.
    Ended { monitor: u64, reason: String },
    /// There is a connection to a boot.
    Up(String),
    /// The connection to a boot is lost.
    Down(String),
    /// Packets to a boot are lost.
    Lost { to: String, packets: u64 },
    /// A message of a node did not reach the hasher, for this reason.
    NotDelivered { from: String, reason: String },
}

/// An entry, and when it was written, in microseconds since 1970.
pub type Line = (u64, Entry);

/// The journal of this boot.
#[derive(Debug)]
pub struct Journal(Mutex<File>);

impl Journal {
    /// Begins the journal of a boot.
    pub fn create(folder: &Path, boot: &str) -> io::Result<Self> {
        let name = format!("{}.{SUFFIX}", boot.replace('/', "."));
        let file = File::options().append(true).create_new(true).open(folder.join(name))?;
        let journal = Self(Mutex::new(file));
        journal.note(Entry::Boot(boot.to_owned()));
        Ok(journal)
    }

    /// Appends an entry. The process ends if that fails: its account would be wrong.
    pub fn note(&self, entry: Entry) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line: Line = (micros(), entry);
        let written = serde_json::to_string(&line).map_err(io::Error::from);
        if let Err(error) = written.and_then(|line| file.write_all(format!("{line}\n").as_bytes())) {
            print_error!("chaos: the journal cannot be written: {error}");
            process::exit(2);
        }
    }
}

const SUFFIX: &str = "jsonl";

/// Returns the time, in microseconds since 1970.
pub fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The journal of a boot, read.
#[derive(Clone, Debug, Default)]
pub struct BootJournal {
    pub boot: String,
    pub lines: Vec<Line>,
}

impl BootJournal {
    /// Returns the node.
    pub fn node(&self) -> &str {
        node_of(&self.boot)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().map(|(_, entry)| entry)
    }
}

/// Returns the node of a boot.
pub fn node_of(boot: &str) -> &str {
    boot.split_once('/').map_or(boot, |(node, _)| node)
}

/// Reads all journals of a folder, older boots first. The second list says what cannot be read.
pub fn read_all(folder: &Path) -> io::Result<(Vec<BootJournal>, Vec<String>)> {
    let (mut journals, mut broken) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX) {
            let text = fs::read_to_string(&path)?;
            // A boot that was killed before its first line has done nothing.
            journals.extend(read(&text, &mut broken));
        }
    }
    journals.sort_by(|a, b| a.boot.cmp(&b.boot));
    Ok((journals, broken))
}

/// Reads a journal. A last line without an end was cut off by a kill.
pub fn read(text: &str, broken: &mut Vec<String>) -> Option<BootJournal> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = Vec::new();
    for line in whole.lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(line) => lines.push(line),
            Err(error) => broken.push(format!("{error}: {line}")),
        }
    }
    let (_, Entry::Boot(boot)) = lines.first()? else {
        broken.push("a journal does not begin with its boot".to_owned());
        return None;
    };
    Some(BootJournal { boot: boot.clone(), lines })
}
