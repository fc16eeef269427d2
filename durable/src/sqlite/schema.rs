//! The tables of the file, by version.

/// Marks the file as one of this library: `perd` as a number.
pub(super) const APPLICATION: i64 = 0x7065_7264;

/// The steps from each version to the next. The number of steps is the latest version. A step that
/// was published never changes.
pub(super) const STEPS: [&str; 2] = [VERSION_1, VERSION_2];

/// Times are milliseconds since 1970, and periods milliseconds.
const VERSION_1: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', 0);

CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER,
    priority INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    due INTEGER NOT NULL,
    expires INTEGER,
    started INTEGER,
    ended INTEGER,
    retained_until INTEGER,
    first_due INTEGER NOT NULL,
    key TEXT,
    unique_key TEXT,
    unique_over INTEGER,
    unique_period INTEGER,
    at_most_once INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lost_attempts INTEGER NOT NULL,
    progress_done INTEGER,
    progress_total INTEGER,
    forgiven INTEGER NOT NULL,
    history TEXT NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    codec TEXT NOT NULL,
    body BLOB NOT NULL,
    output_tag TEXT,
    output_version INTEGER,
    output_codec TEXT,
    output_body BLOB
) STRICT;
CREATE INDEX jobs_queued ON jobs (queue, priority DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_delayed ON jobs (queue, due) WHERE state = 'delayed';
CREATE INDEX jobs_running ON jobs (queue, id) WHERE state = 'running';
CREATE INDEX jobs_over ON jobs (queue, state) WHERE ended IS NOT NULL;
CREATE INDEX jobs_retained ON jobs (retained_until) WHERE retained_until IS NOT NULL;
CREATE INDEX jobs_keyed ON jobs (queue, key, state, priority, id) WHERE key IS NOT NULL;
CREATE INDEX jobs_unique ON jobs (queue, unique_key) WHERE unique_key IS NOT NULL;

CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    writer INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    snapshot_sequence INTEGER,
    snapshot_tag TEXT,
    snapshot_version INTEGER,
    snapshot_codec TEXT,
    snapshot_body BLOB
) STRICT;

CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    journal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    codec TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_sequence ON events (journal, sequence);
";

/// The [`RunOptions`](crate::RunOptions) of a job as JSON; `NULL` if none is set.
const VERSION_2: &str = "
ALTER TABLE jobs ADD COLUMN options TEXT;
";
