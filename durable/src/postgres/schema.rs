//! The tables in the database, by version, and how they are brought up to date.

use tokio_postgres::{Client, Error};

use super::errors::{failed, store_error};
use crate::error::OpenError;

/// The steps from each version to the next. The number of steps is the latest version. A step that
/// was published never changes.
pub(super) const STEPS: [&str; 1] = [VERSION_1];

/// Times are milliseconds since 1970, and periods milliseconds. The heartbeats are of the clock of
/// the server.
///
/// A queue is a table that is always being rewritten: it is vacuumed early.
const VERSION_1: &str = "
CREATE TABLE meta (
    name text PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO meta VALUES ('version', 0);

CREATE SEQUENCE epochs;
CREATE TABLE processes (
    epoch bigint PRIMARY KEY,
    started timestamptz NOT NULL,
    heartbeat timestamptz NOT NULL,
    lease interval NOT NULL,
    server_started timestamptz NOT NULL
);

CREATE TABLE queues (
    name text PRIMARY KEY,
    paused boolean NOT NULL
);

CREATE SEQUENCE job_numbers;
CREATE TABLE jobs (
    id bigint PRIMARY KEY DEFAULT nextval('job_numbers'),
    queue text NOT NULL,
    state text NOT NULL,
    attempt bigint NOT NULL,
    epoch bigint,
    priority bigint NOT NULL,
    submitted bigint NOT NULL,
    due bigint NOT NULL,
    expires bigint,
    started bigint,
    ended bigint,
    retained_until bigint,
    first_due bigint NOT NULL,
    key text,
    unique_key text,
    unique_over boolean,
    unique_period bigint,
    at_most_once boolean NOT NULL,
    retention bigint NOT NULL,
    attempts bigint NOT NULL,
    lost_attempts bigint NOT NULL,
    progress_done bigint,
    progress_total bigint,
    forgiven bigint NOT NULL,
    history json NOT NULL,
    tag text NOT NULL,
    version bigint NOT NULL,
    codec text NOT NULL,
    body bytea NOT NULL,
    output_tag text,
    output_version bigint,
    output_codec text,
    output_body bytea,
    options json
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX jobs_queued ON jobs (queue, priority DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_delayed ON jobs (queue, due) WHERE state = 'delayed';
CREATE INDEX jobs_running ON jobs (queue, id) WHERE state = 'running';
CREATE INDEX jobs_expiring ON jobs (queue, expires) WHERE state = 'queued' AND expires IS NOT NULL;
CREATE INDEX jobs_over ON jobs (queue, state) WHERE ended IS NOT NULL;
CREATE INDEX jobs_retained ON jobs (retained_until) WHERE retained_until IS NOT NULL;
CREATE INDEX jobs_keyed ON jobs (queue, hashtextextended(key, 0), priority DESC, id)
    WHERE key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX jobs_unique ON jobs (queue, hashtextextended(unique_key, 0)) WHERE unique_key IS NOT NULL;

CREATE SEQUENCE event_positions;
CREATE TABLE journals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    writer bigint NOT NULL,
    sequence bigint NOT NULL,
    snapshot_sequence bigint,
    snapshot_tag text,
    snapshot_version bigint,
    snapshot_codec text,
    snapshot_body bytea
);

CREATE TABLE events (
    position bigint PRIMARY KEY DEFAULT nextval('event_positions'),
    journal bigint NOT NULL,
    sequence bigint NOT NULL,
    tag text NOT NULL,
    version bigint NOT NULL,
    codec text NOT NULL,
    body bytea NOT NULL
);
CREATE UNIQUE INDEX events_sequence ON events (journal, sequence);
";

/// Returns an identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the latest version.
pub(super) fn latest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Checks that the schema is up to date, and changes nothing.
pub(super) async fn check_schema(client: &Client, schema: &str) -> Result<(), OpenError> {
    let known = latest();
    let reason = match version(client, schema).await? {
        Some(found) if found > known => return Err(OpenError::NewerSchema { found, known }),
        Some(found) if found == known => return Ok(()),
        Some(found) => format!("its version is {found}, and becomes {known} when a program opens it"),
        None => "it has no tables".to_owned(),
    };
    Err(not_a_store(schema, reason))
}

/// Brings the schema up to date, as one transaction. One process at a time does it.
pub(super) async fn migrate(client: &Client, schema: &str) -> Result<(), OpenError> {
    let shown = |error: Error| failed(&error);
    client.batch_execute("BEGIN").await.map_err(shown)?;
    let migrated = migrate_within(client, schema).await;
    let end = if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await.map_err(shown)?;
    migrated
}

async fn migrate_within(client: &Client, schema: &str) -> Result<(), OpenError> {
    let shown = |error: Error| failed(&error);
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('perennial schema ' || $1, 0))";
    client.execute(lock, &[&schema]).await.map_err(shown)?;
    let found = client.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&quoted(schema)]).await;
    let is_there: bool = found.map_err(shown)?.get(0);
    if !is_there {
        client.batch_execute(&format!("CREATE SCHEMA {}", quoted(schema))).await.map_err(shown)?;
    }
    let found = version(client, schema).await?.unwrap_or_default();
    let known = latest();
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        client.batch_execute(step).await.map_err(shown)?;
    }
    if found < known {
        let sql = "UPDATE meta SET value = $1 WHERE name = 'version'";
        client.execute(sql, &[&known]).await.map_err(shown)?;
    }
    Ok(())
}

fn not_a_store(schema: &str, reason: String) -> OpenError {
    OpenError::NotAStore { path: format!("the schema {schema}"), reason }
}

/// Returns the version of the tables, or `None` if there are none.
async fn version(client: &Client, schema: &str) -> Result<Option<i64>, OpenError> {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace($1) \
        AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')";
    let tables = client.query(tables, &[&quoted(schema)]).await.map_err(|error| failed(&error))?;
    if tables.is_empty() {
        return Ok(None);
    }
    let has_ours = ["meta", "processes", "jobs"]
        .iter()
        .all(|name| tables.iter().any(|row| row.try_get(0).is_ok_and(|found: &str| found == *name)));
    if !has_ours {
        return Err(not_a_store(schema, "it has tables of another program".to_owned()));
    }
    let found = client.query_opt("SELECT value FROM meta WHERE name = 'version'", &[]).await;
    let shown = |error: Error| not_a_store(schema, store_error(&error).to_string());
    let row = found.map_err(shown)?.ok_or_else(|| not_a_store(schema, "it has no version".to_owned()))?;
    row.try_get(0).map(Some).map_err(shown)
}
