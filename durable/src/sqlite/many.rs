//! Statements for many rows: each run of one opens the table and its indexes once.

use rusqlite::types::ToSql;
use rusqlite::{CachedStatement, Connection, Error};

/// The powers of two from 1 to 64.
const POWERS: usize = 7;

/// A statement in several lengths. The number of its rows is a power of two, so that any number of
/// rows needs few statements.
pub(super) struct Many<'a> {
    /// Returns the text for a number of rows.
    sql: fn(usize) -> String,
    max_rows: usize,
    /// From their first use on, by power: the cache reads the text of a statement to find it.
    statements: [Option<CachedStatement<'a>>; POWERS],
}

impl<'a> Many<'a> {
    /// Makes a statement for up to so many rows, at most 64.
    pub(super) const fn new(max_rows: usize, sql: fn(usize) -> String) -> Self {
        Self { sql, max_rows, statements: [const { None }; POWERS] }
    }

    /// Runs the statement for all rows. The closure binds some of them. Returns how many rows were
    /// changed.
    pub(super) fn run<T>(
        &mut self,
        connection: &'a Connection,
        mut rows: &[T],
        mut bind: impl FnMut(&mut CachedStatement<'a>, &[T]) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut changed = 0;
        while let Some(power) = rows.len().min(self.max_rows).checked_ilog2() {
            let (now, later) = rows.split_at(1 << power);
            let Some(place) = self.statements.get_mut(power as usize) else { break };
            let statement = match place {
                Some(statement) => statement,
                empty => empty.insert(connection.prepare_cached(&(self.sql)(now.len()))?),
            };
            bind(statement, now)?;
            changed += statement.raw_execute()?;
            rows = later;
        }
        Ok(changed)
    }
}

/// Returns places for so many values.
pub(super) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// The places of a statement, which are bound one after the other.
pub(super) struct Places<'s, 'a> {
    statement: &'s mut CachedStatement<'a>,
    bound: usize,
}

impl<'s, 'a> Places<'s, 'a> {
    pub(super) const fn of(statement: &'s mut CachedStatement<'a>) -> Self {
        Self { statement, bound: 0 }
    }

    /// Binds the next place.
    pub(super) fn bind(&mut self, value: impl ToSql) -> Result<(), Error> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)
    }
}
