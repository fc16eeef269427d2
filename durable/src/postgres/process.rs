//! The processes that share a store: their epochs, their heartbeats, and their ends.
//!
//! A process has a row, and each of its sessions holds a lock in share mode that ends with the
//! session. A process has ended when its row is gone. Another process removes it when the heartbeat
//! is older than the lease, or when no session holds the lock any more: the kernel of a process
//! that was killed closes its connections at once. A server that has started since has no sessions,
//! which says nothing.

use std::time::Duration;

use tokio_postgres::{Error, SimpleQueryMessage};

use super::rows::{int, uint};
use super::schema::latest;
use super::session::{Query, Session};
use crate::record::Epoch;

/// The locks of a process: it lives, and it writes.
const SHARE_LIFE: &str =
    "SELECT pg_advisory_lock_shared(hashtextextended('perennial ' || current_schema(), $1))";
const LOCK_WRITER: &str =
    "SELECT pg_advisory_lock(hashtextextended('perennial writer ' || current_schema(), $1))";

/// The session of the writer before may still be about to commit.
const END_OTHER_WRITERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks, \
    (SELECT hashtextextended('perennial writer ' || current_schema(), $1) AS lock) AS writer \
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND pid <> pg_backend_pid() \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND classid::bigint = (lock >> 32) & 4294967295 AND objid::bigint = lock & 4294967295";

const BEGIN: &str = "INSERT INTO processes (epoch, started, heartbeat, lease, server_started) \
    VALUES ($1, clock_timestamp(), clock_timestamp(), $2::bigint * interval '1 millisecond', \
    pg_postmaster_start_time())";

/// As [`WITHOUT_SESSION`], [`END`] and [`NOTIFY`], at the start of a process.
const END_WITHOUT_SESSION: &str = "WITH ended AS (DELETE FROM processes WHERE epoch = ANY (ARRAY( \
    SELECT epoch FROM processes WHERE epoch <> $1 AND server_started = pg_postmaster_start_time() \
    AND pg_try_advisory_xact_lock(hashtextextended('perennial ' || current_schema(), epoch)) \
    ORDER BY epoch FOR UPDATE SKIP LOCKED)) RETURNING epoch) \
    SELECT pg_notify(current_schema(), 'ended ' || $1::bigint) FROM ended LIMIT 1";

/// The statements that a session needs when a process begins.
pub(super) const FIRST: &[&str] = &[SHARE_LIFE, BEGIN, END_WITHOUT_SESSION];
pub(super) const FIRST_OF_WRITER: &[&str] = &[END_OTHER_WRITERS, LOCK_WRITER, SHARE_LIFE];

const BEAT: &str = "UPDATE processes SET heartbeat = clock_timestamp(), \
    server_started = pg_postmaster_start_time() WHERE epoch = $1";

/// A process within a transaction is skipped: it lives, or its session ends soon.
const END_SILENT: &str = "DELETE FROM processes WHERE epoch = ANY (ARRAY( \
    SELECT epoch FROM processes WHERE epoch <> $1 AND heartbeat + lease < clock_timestamp() \
    ORDER BY epoch FOR UPDATE SKIP LOCKED)) RETURNING epoch";

/// The lock is free until the end of this statement if it is taken here.
const WITHOUT_SESSION: &str = "SELECT epoch FROM processes \
    WHERE epoch <> $1 AND server_started = pg_postmaster_start_time() \
    AND pg_try_advisory_xact_lock(hashtextextended('perennial ' || current_schema(), epoch))";

const END: &str = "DELETE FROM processes WHERE epoch = ANY (ARRAY( \
    SELECT epoch FROM processes WHERE epoch = ANY ($1) ORDER BY epoch FOR UPDATE SKIP LOCKED)) \
    RETURNING epoch";

const ALL: &str = "SELECT epoch FROM processes";

const NOTIFY: &str = "SELECT pg_notify(current_schema(), $1)";

/// What a notification says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Notice {
    /// A batch that adds was committed.
    Changed,
    /// The epoch of a process has ended.
    Ended,
}

impl Notice {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Ended => "ended",
        }
    }
}

/// Returns a number that no process and no attached store has, or `None` if the tables are not up
/// to date. It is one round trip, and an error if there are no tables.
pub(super) async fn next_epoch(session: &Session) -> Result<Option<Epoch>, Error> {
    let sql = format!(
        "SELECT nextval('epochs') FROM meta WHERE name = 'version' AND value = {} \
        AND to_regclass('jobs') IS NOT NULL AND to_regclass('processes') IS NOT NULL",
        latest()
    );
    let answer = session.client.simple_query(&sql).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok().map(Epoch),
        _ => None,
    }))
}

/// Begins an epoch. The processes without a session have ended.
pub(super) async fn begin(session: &Session, epoch: Epoch, lease: Duration) -> Result<(), Error> {
    let number = int(epoch.0);
    let millis: i64 = lease.as_millis().try_into().unwrap_or(i64::MAX);
    // The lock is there before the row, so that no other finds the row without it.
    let steps = [
        Query::new(SHARE_LIFE).bind(number),
        Query::new(BEGIN).bind(number).bind(millis),
        Query::new(END_WITHOUT_SESSION).bind(number),
    ];
    session.send(&steps).await.map(drop)
}

/// Marks a session as one of the process.
pub(super) async fn share_life(session: &Session, epoch: Epoch) -> Result<(), Error> {
    session.query(Query::new(SHARE_LIFE).bind(int(epoch.0))).await.map(drop)
}

/// Makes a session the only one of the process that writes. All that the one before has done is
/// there or undone then.
pub(super) async fn become_writer(session: &Session, epoch: Epoch) -> Result<(), Error> {
    let steps = [END_OTHER_WRITERS, LOCK_WRITER, SHARE_LIFE].map(|sql| Query::new(sql).bind(int(epoch.0)));
    session.send(&steps).await.map(drop)
}

/// Returns `false` if the process has ended.
pub(super) async fn beat(session: &Session, epoch: Epoch) -> Result<bool, Error> {
    let answers = session.send(&[Query::new(BEAT).bind(int(epoch.0))]).await?;
    Ok(answers.first().is_some_and(|answer| answer.changed == 1))
}

/// Ends the other processes whose heartbeats have stopped.
pub(super) async fn end_silent(session: &Session, epoch: Epoch) -> Result<(), Error> {
    let ended = session.query(Query::new(END_SILENT).bind(int(epoch.0))).await?;
    if ended.is_empty() { Ok(()) } else { notify(session, Notice::Ended, None).await }
}

/// Returns the other processes of which no session is left.
pub(super) async fn without_session(session: &Session, epoch: Epoch) -> Result<Vec<Epoch>, Error> {
    epochs(session, Query::new(WITHOUT_SESSION).bind(int(epoch.0))).await
}

/// Ends processes.
pub(super) async fn end(session: &Session, ended: &[Epoch]) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = ended.iter().map(|epoch| int(epoch.0)).collect();
    session.send(&[Query::new(END).bind(numbers), notification(Notice::Ended, None)]).await.map(drop)
}

/// Returns the processes that live.
pub(super) async fn all(session: &Session) -> Result<Vec<Epoch>, Error> {
    epochs(session, Query::new(ALL)).await
}

async fn epochs(session: &Session, query: Query<'_>) -> Result<Vec<Epoch>, Error> {
    let rows = session.query(query).await?;
    rows.iter().map(|row| row.try_get(0).map(|epoch| Epoch(uint(epoch)))).collect()
}

/// Tells all processes but the sender.
pub(super) async fn notify(session: &Session, notice: Notice, sender: Option<Epoch>) -> Result<(), Error> {
    session.query(notification(notice, sender)).await.map(drop)
}

fn notification(notice: Notice, sender: Option<Epoch>) -> Query<'static> {
    let payload = format!("{} {}", notice.name(), sender.map_or(0, |epoch| epoch.0));
    Query::new(NOTIFY).bind(payload)
}

/// Returns what a notification says, unless this process has sent it.
pub(super) fn heard(payload: &str, epoch: Epoch) -> Option<Notice> {
    let (name, sender) = payload.split_once(' ')?;
    if sender.parse() == Ok(epoch.0) {
        return None;
    }
    [Notice::Changed, Notice::Ended].into_iter().find(|notice| notice.name() == name)
}
