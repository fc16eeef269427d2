//! The messages of which a node wants to know what became of them, by the numbers under which it
//! sent them.
//!
//! An entry ends with its last answer, with a refusal, with the wish of the sender, or with the
//! connection; each of its parts leaves it once, whatever packets arrive.

use std::collections::BTreeMap;

/// A table of messages. `R` is the other end of a reply in the message, `S` tells the sender what
/// became of the whole.
#[derive(Debug)]
pub(crate) struct Pending<R, S> {
    entries: BTreeMap<u64, Entry<R, S>>,
    latest: u64,
}

#[derive(Debug)]
pub(crate) struct Entry<R, S> {
    pub(crate) replies: Vec<Option<R>>,
    pub(crate) report: Option<S>,
}

impl<R, S> Pending<R, S> {
    pub(crate) const fn new() -> Self {
        Self { entries: BTreeMap::new(), latest: 0 }
    }

    /// Returns the number of the next message that is added.
    pub(crate) const fn next_id(&self) -> u64 {
        self.latest + 1
    }

    /// Adds a message. Returns its number, which is used once.
    pub(crate) fn insert(&mut self, replies: Vec<R>, report: Option<S>) -> u64 {
        self.latest += 1;
        let replies = replies.into_iter().map(Some).collect();
        self.entries.insert(self.latest, Entry { replies, report });
        self.latest
    }

    /// Takes the reply whose answer has come, and the report with the last one.
    pub(crate) fn answered(&mut self, id: u64, index: u32) -> Option<(R, Option<S>)> {
        self.take(id, index, false)
    }

    /// Takes the reply that was dropped, and what tells the sender why.
    pub(crate) fn dropped(&mut self, id: u64, index: u32) -> Option<(R, Option<S>)> {
        self.take(id, index, true)
    }

    fn take(&mut self, id: u64, index: u32, with_report: bool) -> Option<(R, Option<S>)> {
        let entry = self.entries.get_mut(&id)?;
        let reply = entry.replies.get_mut(usize::try_from(index).ok()?)?.take()?;
        let is_last = entry.replies.iter().all(Option::is_none);
        let report = if with_report || is_last { entry.report.take() } else { None };
        if is_last {
            self.entries.remove(&id);
        }
        Some((reply, report))
    }

    /// Takes what tells the sender that its message is in the mailbox.
    pub(crate) fn accepted(&mut self, id: u64) -> Option<S> {
        let entry = self.entries.get_mut(&id)?;
        let report = entry.report.take();
        if entry.replies.iter().all(Option::is_none) {
            self.entries.remove(&id);
        }
        report
    }

    /// Takes what tells the sender what becomes of a message.
    pub(crate) fn take_report(&mut self, id: u64) -> Option<S> {
        self.entries.get_mut(&id)?.report.take()
    }

    /// Takes the report and the replies that nothing waits for any more. The second is `true` if
    /// nothing is left of the entry.
    pub(crate) fn cancel(&mut self, id: u64, is_closed: impl Fn(&R) -> bool) -> (Option<Entry<R, S>>, bool) {
        let Some(entry) = self.entries.get_mut(&id) else { return (None, false) };
        let report = entry.report.take();
        let closed = entry.replies.iter_mut().map(|reply| reply.take_if(|reply| is_closed(reply)));
        let replies = closed.collect();
        let is_over = entry.replies.iter().all(Option::is_none);
        if is_over {
            self.entries.remove(&id);
        }
        (Some(Entry { replies, report }), is_over)
    }

    /// Takes the whole entry.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Entry<R, S>> {
        self.entries.remove(&id)
    }

    /// Takes all entries: the connection is lost.
    pub(crate) fn drain(&mut self) -> Vec<Entry<R, S>> {
        std::mem::take(&mut self.entries).into_values().collect()
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
