//! The ends of the journals that were written lately, so that an append need not look them up.

use std::collections::HashMap;

use rusqlite::{Connection, Error, OptionalExtension, params};

use super::rows::{int, uint};
use crate::engine::JournalHead;
use crate::payload::Payload;

/// The most journals that are known.
const MAX_JOURNALS: usize = 8192;

const HEAD: &str = "SELECT id, writer, (SELECT coalesce(max(sequence), 0) FROM events \
    WHERE journal = journals.id) FROM journals WHERE name = ?1";

const LAST_POSITION: &str = "SELECT max(value, (SELECT coalesce(max(position), 0) FROM events)) \
    FROM meta WHERE name = 'last_event'";

/// Stores the last position, so that the one of a removed event is not given again.
const KEEP_POSITION: &str = "UPDATE meta SET value = ?1 WHERE name = 'last_event' AND value < ?1";

const APPEND: &str = "INSERT OR FAIL INTO events VALUES (?, ?, ?, ?, ?, ?, ?)";

struct JournalEnd {
    name: String,
    id: i64,
    head: JournalHead,
}

/// The ends of journals that this process has read and written. They are forgotten when a
/// transaction is rolled back, and when another process has written.
#[derive(Default)]
pub(super) struct Journals {
    known: Vec<JournalEnd>,
    by_name: HashMap<String, usize>,
    /// The one that was used last: the steps of a batch are mostly of one journal.
    latest: usize,
    /// The latest position that was ever given to an event.
    position: Option<i64>,
    /// The `data_version` of the connection that this is of.
    version: Option<i64>,
    /// The version was compared in this transaction.
    is_current: bool,
}

impl Journals {
    /// Begins a transaction.
    pub(super) const fn begin(&mut self) {
        self.is_current = false;
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn head(
        &mut self,
        connection: &Connection,
        journal: &str,
    ) -> Result<Option<JournalHead>, Error> {
        Ok(self.known(connection, journal)?.map(|known| known.head))
    }

    /// Stores a number of a writer. The sequence number is that of the latest event.
    pub(super) fn set_head(
        &mut self,
        connection: &Connection,
        journal: &str,
        head: JournalHead,
    ) -> Result<(), Error> {
        if let Some(known) = self.known(connection, journal)? {
            if known.head.writer != head.writer {
                let sql = "UPDATE journals SET writer = ?2 WHERE id = ?1";
                connection.prepare_cached(sql)?.execute([known.id, int(head.writer)])?;
            }
            known.head = head;
            return Ok(());
        }
        let sql = "INSERT INTO journals (name, writer) VALUES (?1, ?2)";
        let id = connection.prepare_cached(sql)?.insert(params![journal, int(head.writer)])?;
        self.add(JournalEnd { name: journal.to_owned(), id, head });
        Ok(())
    }

    /// Stores the next event of a journal that exists.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        journal: &str,
        sequence: u64,
        event: &Payload,
    ) -> Result<(), Error> {
        let known = self.known(connection, journal)?.ok_or(Error::QueryReturnedNoRows)?;
        known.head.sequence = sequence;
        let id = known.id;
        let position = self.last_position(connection)? + 1;
        let mut append = connection.prepare_cached(APPEND)?;
        // Its places have no names, because each name is looked up at each event.
        append.raw_bind_parameter(1, position)?;
        append.raw_bind_parameter(2, id)?;
        append.raw_bind_parameter(3, int(sequence))?;
        append.raw_bind_parameter(4, &event.tag)?;
        append.raw_bind_parameter(5, event.version)?;
        append.raw_bind_parameter(6, &event.codec)?;
        append.raw_bind_parameter(7, &event.bytes)?;
        append.raw_execute()?;
        self.position = Some(position);
        Ok(())
    }

    /// Removes the events and the snapshot of a journal.
    pub(super) fn erase(&mut self, connection: &Connection, journal: &str) -> Result<(), Error> {
        let last = self.last_position(connection)?;
        let Some(known) = self.known(connection, journal)? else { return Ok(()) };
        connection.prepare_cached(KEEP_POSITION)?.execute([last])?;
        connection.prepare_cached("DELETE FROM events WHERE journal = ?1")?.execute([known.id])?;
        let sql = "UPDATE journals SET snapshot_sequence = NULL, snapshot_tag = NULL, \
            snapshot_version = NULL, snapshot_codec = NULL, snapshot_body = NULL WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([known.id])?;
        known.head.sequence = 0;
        Ok(())
    }

    fn known(&mut self, connection: &Connection, journal: &str) -> Result<Option<&mut JournalEnd>, Error> {
        self.check(connection)?;
        if self.known.get(self.latest).is_none_or(|latest| latest.name != journal) {
            if let Some(index) = self.by_name.get(journal) {
                self.latest = *index;
            } else {
                let known = |row: &rusqlite::Row<'_>| {
                    let head = JournalHead { writer: uint(row.get(1)?), sequence: uint(row.get(2)?) };
                    Ok(JournalEnd { name: journal.to_owned(), id: row.get(0)?, head })
                };
                let known = connection.prepare_cached(HEAD)?.query_row([journal], known).optional()?;
                let Some(known) = known else { return Ok(None) };
                self.add(known);
            }
        }
        Ok(self.known.get_mut(self.latest))
    }

    fn add(&mut self, known: JournalEnd) {
        if self.known.len() >= MAX_JOURNALS {
            self.known.clear();
            self.by_name.clear();
        }
        self.latest = self.known.len();
        self.by_name.insert(known.name.clone(), self.latest);
        self.known.push(known);
    }

    fn last_position(&mut self, connection: &Connection) -> Result<i64, Error> {
        self.check(connection)?;
        if let Some(position) = self.position {
            return Ok(position);
        }
        let position = connection.prepare_cached(LAST_POSITION)?.query_row([], |row| row.get(0))?;
        self.position = Some(position);
        Ok(position)
    }

    /// Forgets all if another process, or another connection, has written.
    fn check(&mut self, connection: &Connection) -> Result<(), Error> {
        if self.is_current {
            return Ok(());
        }
        let sql = "PRAGMA data_version";
        let version = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        if self.version != Some(version) {
            self.forget();
            self.version = Some(version);
        }
        self.is_current = true;
        Ok(())
    }
}
