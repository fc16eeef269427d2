//! The messages of the workers, and their addresses by slot: slots are added while the pool runs,
//! and none is removed.

use perennial_actors::Address;
use perennial_actors::host::sync::{AtomicUsize, OnceLock, Ordering};

/// The messages of a worker.
pub(crate) enum WorkerMsg {
    /// A job may be available.
    Wake,
    /// Continues running jobs, as a message from the worker to itself.
    Run,
    /// The thread of the worker is free again.
    Freed,
    /// The worker has its maximum age.
    Aged,
}

/// The number of chunks of added slots. Each is twice as long as the one before it, so that they
/// suffice for the greatest number of workers.
const CHUNKS: usize = 32;

/// A chunk of the addresses of added slots.
type Chunk = Box<[OnceLock<Address<WorkerMsg>>]>;

/// The addresses of the workers. Reading takes no lock, and costs nothing more in a pool that has
/// not grown.
pub(crate) struct Addresses {
    /// The slots with which the pool was made.
    first: OnceLock<Box<[Address<WorkerMsg>]>>,
    /// The slots that were added later. Chunk `n` has 2^n of them.
    added: [OnceLock<Chunk>; CHUNKS],
    added_len: AtomicUsize,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        let added = std::array::from_fn(|_| OnceLock::new());
        Self { first: OnceLock::new(), added, added_len: AtomicUsize::new(0) }
    }

    /// Sets the first addresses. Only the first call has an effect.
    pub(crate) fn set_first(&self, first: Box<[Address<WorkerMsg>]>) {
        let _ = self.first.set(first);
    }

    /// Returns the number of slots: 0 before the pool becomes part of a tree.
    pub(crate) fn len(&self) -> usize {
        self.first().len() + self.added_len.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Address<WorkerMsg>> {
        let first = self.first();
        first.get(slot).or_else(|| self.get_added(slot - first.len()))
    }

    fn first(&self) -> &[Address<WorkerMsg>] {
        self.first.get().map_or(&[], |first| first)
    }

    #[cold]
    fn get_added(&self, index: usize) -> Option<&Address<WorkerMsg>> {
        let (chunk, place) = place_of(index)?;
        self.added.get(chunk)?.get()?.get(place)?.get()
    }

    /// Adds a slot. Calls must not overlap. Returns `false` if there are too many.
    pub(crate) fn push(&self, address: Address<WorkerMsg>) -> bool {
        let index = self.added_len.load(Ordering::Relaxed);
        let Some((chunk, place)) = place_of(index) else { return false };
        let Some(chunk_lock) = self.added.get(chunk) else { return false };
        let chunk = chunk_lock.get_or_init(|| {
            let empty = std::iter::repeat_with(OnceLock::new);
            empty.take(1 << chunk).collect()
        });
        let is_set = chunk.get(place).is_some_and(|lock| lock.set(address).is_ok());
        if is_set {
            self.added_len.store(index + 1, Ordering::Release);
        }
        is_set
    }
}

/// Returns the chunk of an added slot, and its place in that chunk.
pub(crate) fn place_of(index: usize) -> Option<(usize, usize)> {
    let nth = index.checked_add(1)?;
    let chunk = nth.ilog2();
    Some((chunk as usize, nth - (1 << chunk)))
}
