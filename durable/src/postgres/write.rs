//! Writes what has changed, one statement for all rows of a kind.

use tokio_postgres::types::ToSql;

use super::rows::{self, int, millis, time};
use super::session::Query;
use crate::error::StoreError;
use crate::memory::Changes;
use crate::payload::Payload;
use crate::record::JobRecord;

/// The server gives each job its number, in the order of the arrays.
const INSERT: &str = "INSERT INTO jobs (queue, state, attempt, epoch, priority, submitted, due, \
    expires, started, ended, retained_until, first_due, key, unique_key, unique_over, unique_period, \
    at_most_once, retention, attempts, lost_attempts, progress_done, progress_total, forgiven, history, \
    tag, version, codec, body, output_tag, output_version, output_codec, output_body, options) \
    SELECT queue, state, attempt, epoch, priority, submitted, due, expires, started, ended, \
    retained_until, first_due, key, unique_key, unique_over, unique_period, at_most_once, retention, \
    attempts, lost_attempts, progress_done, progress_total, forgiven, history::json, tag, version, \
    codec, body, output_tag, output_version, output_codec, output_body, options::json \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], \
    $7::text[], $8::boolean[], $9::bigint[], $10::boolean[], $11::bigint[], $12::bigint[], \
    $13::bigint[], $14::text[], $15::bigint[], $16::text[], $17::bytea[], $18::text[], \
    $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], \
    $25::bigint[], $26::bigint[], $27::bigint[], $28::text[], $29::text[], $30::bigint[], \
    $31::text[], $32::bytea[], $33::text[]) \
    AS new (queue, priority, submitted, first_due, retention, key, unique_key, unique_over, \
    unique_period, at_most_once, attempts, lost_attempts, forgiven, tag, version, codec, body, \
    state, attempt, epoch, due, expires, started, ended, retained_until, progress_done, \
    progress_total, history, output_tag, output_version, output_codec, output_body, options) \
    RETURNING id";

const UPDATE: &str = "UPDATE jobs AS j SET state = c.state, attempt = c.attempt, epoch = c.epoch, \
    due = c.due, expires = c.expires, started = c.started, ended = c.ended, \
    retained_until = c.retained_until, progress_done = c.progress_done, \
    progress_total = c.progress_total, history = c.history::json, output_tag = c.output_tag, \
    output_version = c.output_version, output_codec = c.output_codec, output_body = c.output_body, \
    forgiven = c.forgiven \
    FROM unnest($1::bigint[], $2::bigint[], \
    $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], \
    $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], \
    $16::text[], $17::bytea[]) \
    AS c (id, forgiven, state, attempt, epoch, due, expires, started, ended, retained_until, \
    progress_done, progress_total, history, output_tag, output_version, output_codec, output_body) \
    WHERE j.id = c.id";

/// The statements that a process needs first.
pub(super) const FIRST: &[&str] = &[INSERT, UPDATE];

const REMOVE: &str = "DELETE FROM jobs WHERE id = ANY ($1)";

const PAUSE: &str = "INSERT INTO queues SELECT * FROM unnest($1::text[], $2::boolean[]) \
    ON CONFLICT (name) DO UPDATE SET paused = excluded.paused";

const ERASE_EVENTS: &str =
    "DELETE FROM events WHERE journal = ANY (ARRAY(SELECT id FROM journals WHERE name = ANY ($1)))";

const ERASE_SNAPSHOTS: &str = "UPDATE journals SET snapshot_sequence = NULL, snapshot_tag = NULL, \
    snapshot_version = NULL, snapshot_codec = NULL, snapshot_body = NULL WHERE name = ANY ($1)";

const HEADS: &str = "UPDATE journals AS j SET writer = c.writer, sequence = c.sequence \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (name, writer, sequence) \
    WHERE j.name = c.name";

/// Each event gets the next position, in the order of the arrays.
const APPEND: &str = "INSERT INTO events (journal, sequence, tag, version, codec, body) \
    SELECT j.id, n.sequence, n.tag, n.version, n.codec, n.body \
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bytea[]) \
    WITH ORDINALITY AS n (name, sequence, tag, version, codec, body, place) \
    JOIN journals AS j ON j.name = n.name ORDER BY n.place";

const SNAPSHOTS: &str = "UPDATE journals AS j SET snapshot_sequence = n.sequence, snapshot_tag = n.tag, \
    snapshot_version = n.version, snapshot_codec = n.codec, snapshot_body = n.body \
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bytea[]) \
    AS n (name, sequence, tag, version, codec, body) WHERE j.name = n.name";

/// Returns the statements that write changes, and how many rows each has to change. The first one
/// stores the new jobs, if there are any, and returns their numbers.
pub(super) fn queries<'a>(changes: &Changes<'a>) -> Result<Vec<(Query<'a>, usize)>, StoreError> {
    let mut queries = Vec::new();
    if !changes.inserted.is_empty() {
        queries.push((insert(&changes.inserted)?, changes.inserted.len()));
    }
    if !changes.updated.is_empty() {
        queries.push((update(&changes.updated)?, changes.updated.len()));
    }
    if !changes.removed.is_empty() {
        let ids: Vec<i64> = changes.removed.iter().map(|id| int(id.0)).collect();
        queries.push((Query::new(REMOVE).bind(ids), changes.removed.len()));
    }
    if !changes.paused.is_empty() {
        let (queues, paused): (Vec<&str>, Vec<bool>) = changes.paused.iter().copied().unzip();
        queries.push((Query::new(PAUSE).bind(queues).bind(paused), changes.paused.len()));
    }
    journals(changes, &mut queries);
    Ok(queries)
}

fn journals<'a>(changes: &Changes<'a>, queries: &mut Vec<(Query<'a>, usize)>) {
    if !changes.erased.is_empty() {
        let names = || changes.erased.clone();
        // However many events there were.
        queries.push((Query::new(ERASE_EVENTS).bind(names()), usize::MAX));
        queries.push((Query::new(ERASE_SNAPSHOTS).bind(names()), changes.erased.len()));
    }
    if !changes.heads.is_empty() {
        let column = |of: fn(&crate::engine::JournalHead) -> u64| -> Vec<i64> {
            changes.heads.iter().map(|(_, head)| int(of(head))).collect()
        };
        let names: Vec<&str> = changes.heads.iter().map(|(name, _)| *name).collect();
        let query = Query::new(HEADS).bind(names);
        let query = query.bind(column(|head| head.writer)).bind(column(|head| head.sequence));
        queries.push((query, changes.heads.len()));
    }
    if !changes.events.is_empty() {
        let events = changes.events.iter();
        let rows = events.map(|event| (event.journal.as_str(), event.sequence, &event.payload));
        queries.push((with_payloads(APPEND, &rows.collect::<Vec<_>>()), changes.events.len()));
    }
    if !changes.snapshots.is_empty() {
        let snapshots = changes.snapshots.iter();
        let rows = snapshots.map(|(name, snapshot)| (*name, snapshot.sequence, &snapshot.state));
        queries.push((with_payloads(SNAPSHOTS, &rows.collect::<Vec<_>>()), changes.snapshots.len()));
    }
}

fn with_payloads<'a>(sql: &'static str, rows: &[(&'a str, u64, &'a Payload)]) -> Query<'a> {
    let names: Vec<&str> = rows.iter().map(|(name, ..)| *name).collect();
    let sequences: Vec<i64> = rows.iter().map(|(_, sequence, _)| int(*sequence)).collect();
    let payloads: Vec<&Payload> = rows.iter().map(|(.., payload)| *payload).collect();
    let query = Query::new(sql).bind(names).bind(sequences);
    bind_payloads(query, &payloads)
}

fn bind_payloads<'a>(query: Query<'a>, payloads: &[&'a Payload]) -> Query<'a> {
    query
        .bind(column(payloads, |payload| payload.tag.as_str()))
        .bind(column(payloads, |payload| i64::from(payload.version)))
        .bind(column(payloads, |payload| payload.codec.as_str()))
        .bind(column(payloads, |payload| payload.bytes.as_slice()))
}

/// Returns a value of each row.
fn column<'a, R: ?Sized, T>(rows: &[&'a R], of: impl Fn(&'a R) -> T) -> Vec<T>
where
    Vec<T>: ToSql + Sync + Send,
{
    rows.iter().map(|row| of(row)).collect()
}

fn insert<'a>(jobs: &[&'a JobRecord]) -> Result<Query<'a>, StoreError> {
    let payloads: Vec<&Payload> = jobs.iter().map(|record| &record.job.payload).collect();
    let unique = |record: &'a JobRecord| record.job.unique.as_ref();
    let query = Query::new(INSERT)
        .bind(column(jobs, |record| record.job.queue.as_str()))
        .bind(column(jobs, |record| i64::from(record.job.priority)))
        .bind(column(jobs, |record| time(record.submitted)))
        .bind(column(jobs, |record| time(record.job.due)))
        .bind(column(jobs, |record| millis(record.job.retention)))
        .bind(column(jobs, |record| record.job.key.as_deref()))
        .bind(column(jobs, |record| unique(record).map(|unique| unique.key.as_str())))
        .bind(column(jobs, |record| unique(record).map(|unique| unique.over_counts)))
        .bind(column(jobs, |record| unique(record).and_then(|unique| unique.period).map(millis)))
        .bind(column(jobs, |record| record.job.at_most_once))
        .bind(column(jobs, |record| i64::from(record.job.attempts)))
        .bind(column(jobs, |record| i64::from(record.job.lost_attempts)))
        .bind(column(jobs, |record| i64::from(record.forgiven)));
    let options = jobs.iter().map(|record| rows::options(&record.job.options));
    let options: Vec<Option<String>> = options.collect::<Result<_, _>>()?;
    Ok(bind_state(bind_payloads(query, &payloads), jobs)?.bind(options))
}

fn update<'a>(jobs: &[&'a JobRecord]) -> Result<Query<'a>, StoreError> {
    let query = Query::new(UPDATE)
        .bind(column(jobs, |record| int(record.id.0)))
        .bind(column(jobs, |record| i64::from(record.forgiven)));
    bind_state(query, jobs)
}

/// Binds what changes of a job.
fn bind_state<'a>(query: Query<'a>, jobs: &[&'a JobRecord]) -> Result<Query<'a>, StoreError> {
    let mut histories = Vec::with_capacity(jobs.len());
    for record in jobs {
        histories.push(rows::json(&record.history)?);
    }
    let output = |record: &'a JobRecord| record.output.as_ref();
    Ok(query
        .bind(column(jobs, |record| record.state.name()))
        .bind(column(jobs, |record| i64::from(record.attempt)))
        .bind(column(jobs, |record| record.epoch.map(|epoch| int(epoch.0))))
        .bind(column(jobs, |record| time(record.due)))
        .bind(column(jobs, |record| record.job.expires.map(time)))
        .bind(column(jobs, |record| record.started.map(time)))
        .bind(column(jobs, |record| record.ended.map(time)))
        .bind(column(jobs, |record| record.retained_until.map(time)))
        .bind(column(jobs, |record| record.progress.map(|progress| int(progress.done))))
        .bind(column(jobs, |record| record.progress.map(|progress| int(progress.total))))
        .bind(histories)
        .bind(column(jobs, |record| output(record).map(|output| output.tag.as_str())))
        .bind(column(jobs, |record| output(record).map(|output| i64::from(output.version))))
        .bind(column(jobs, |record| output(record).map(|output| output.codec.as_str())))
        .bind(column(jobs, |record| output(record).map(|output| output.bytes.as_slice()))))
}
