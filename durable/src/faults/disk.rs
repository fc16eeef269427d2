//! The disk of the store that fails: a log of bytes, of which a part is synced.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::codec::{Bincode, Codec, EncodeError};
use crate::memory::MemoryState;
use crate::record::Epoch;

/// One entry of the log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A process has opened the store, and all others have ended.
    Opened,
    Committed(Epoch, Batch),
}

/// The bytes of the length and of the checksum before each entry.
const HEAD: usize = 16;

/// A log in memory. Only its synced part is certain to outlive the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    bytes: Vec<u8>,
    synced: usize,
}

impl Disk {
    /// Writes an entry and returns the length of the log with it.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<usize, EncodeError> {
        let body = Bincode::encode(entry)?;
        let length: u64 = body.len().try_into().unwrap_or(u64::MAX);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(checksum(&body).to_le_bytes());
        self.bytes.extend(body);
        Ok(self.bytes.len())
    }

    /// Makes the log certain up to a length.
    pub(super) fn sync(&mut self, length: usize) {
        self.synced = self.synced.max(length).min(self.bytes.len());
    }

    /// Returns how many bytes are not synced.
    pub(super) const fn unsynced(&self) -> usize {
        self.bytes.len() - self.synced
    }

    /// Keeps only this many of the bytes that are not synced, which may end within an entry.
    pub(super) fn tear(&mut self, kept: usize) {
        self.bytes.truncate(self.synced.saturating_add(kept));
    }

    /// Reads the whole entries, drops what is torn after them, and returns what they add up to. All
    /// of the rest is synced then.
    pub(super) fn recover(&mut self) -> MemoryState {
        let mut state = MemoryState::default();
        let mut whole = 0;
        while let Some((entry, length)) = read(&self.bytes[whole..]) {
            replay(&mut state, &entry);
            whole += length;
        }
        self.bytes.truncate(whole);
        self.synced = whole;
        state
    }
}

fn replay(state: &mut MemoryState, entry: &Entry) {
    match entry {
        Entry::Opened => {
            state.end_epochs();
            state.begin_epoch();
        }
        Entry::Committed(epoch, batch) => {
            // A batch with a conflict was not written.
            let _ = state.apply(batch.now, &batch.ops, *epoch);
        }
    }
}

/// Reads the first entry and returns it with its length, or `None` if it is not whole.
pub(super) fn read(bytes: &[u8]) -> Option<(Entry, usize)> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length)?;
    if checksum(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    Some((Bincode::decode(body).ok()?, HEAD + length))
}

/// The hash FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
