//! What a supervisor is told, through its mailbox.

use std::sync::Arc;

use perennial_actors::host::{End, Parent};
use perennial_actors::{Address, Reply};

use crate::engine::{Event, Key, Run};
use crate::error::ChildError;

/// Something for a supervisor to deal with.
pub(crate) enum News {
    /// The init of a child returned.
    Started(Key, Run),
    /// A child is gone.
    Ended(Key, Run, End),
    /// The try that was put off is due.
    Retry { key: Key, generation: u32 },
    /// A deadline has passed.
    Tick,
    /// Somebody wants something.
    Request(Request),
}

/// What may be asked of a supervisor.
pub(crate) enum Request {
    /// Stop a child, and leave it down.
    Terminate(Arc<str>, Reply<Result<(), ChildError>>),
    /// Start a child that is down.
    Restart(Arc<str>, Reply<Result<(), ChildError>>),
}

/// How children report to their supervisor: through its address, whichever incarnation of it lives.
pub(super) struct Inbox(Address<News>);

impl Inbox {
    pub(super) const fn new(address: Address<News>) -> Self {
        Self(address)
    }

    /// Puts news in. The mailbox is unbounded; if it is closed, the tree is gone and nobody has to know any more.
    pub(super) fn put(&self, news: News) {
        let _ = self.0.cast(news);
    }
}

/// A start of a child as one number: its key and its run.
pub(super) const fn pack(key: Key, run: Run) -> u64 {
    (key.0 as u64) << 32 | run.0 as u64
}

const fn unpack(number: u64) -> (Key, Run) {
    (Key((number >> 32) as u32), Run(number as u32))
}

impl Parent for Inbox {
    fn started(&self, number: u64) {
        let (key, run) = unpack(number);
        self.put(News::Started(key, run));
    }

    fn ended(&self, number: u64, end: End) {
        let (key, run) = unpack(number);
        self.put(News::Ended(key, run, end));
    }
}

impl News {
    /// The event that it is for the engine, or the request.
    pub(super) fn into_event(self) -> Result<Event, Request> {
        Ok(match self {
            Self::Started(key, run) => Event::Started { key, run },
            Self::Ended(key, run, End { reason, started: true, .. }) => Event::Ended { key, run, reason },
            Self::Ended(key, run, End { reason, .. }) => Event::StartFailed { key, run, reason },
            Self::Retry { key, generation } => Event::Retry { key, generation },
            Self::Tick => Event::Tick,
            Self::Request(request) => return Err(request),
        })
    }
}
