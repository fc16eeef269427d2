//! The tables of the file, by version.

/// Marks the file as one of this library: `perd` as a number.
pub(super) const APPLICATION: i64 = 0x7065_7264;

/// The steps from each version to the next. The number of steps is the latest version. A step that
/// was published never changes.
pub(super) const STEPS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

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

/// Jobs in narrow tables. What was submitted is written once, and a job is in one of the three
/// other tables: a lease and an end move it. The view has the columns of the earlier table.
///
/// The number of an epoch in an ended job means that its first attempt has completed, and that its
/// history is made of the columns. It is as serde writes it.
const VERSION_3: &str = "
CREATE TABLE submitted_jobs (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    due INTEGER NOT NULL,
    expires INTEGER,
    key TEXT,
    unique_key TEXT,
    unique_over INTEGER,
    unique_period INTEGER,
    at_most_once INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lost_attempts INTEGER NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    codec TEXT NOT NULL,
    body BLOB NOT NULL,
    options TEXT
) STRICT;

CREATE TABLE waiting_jobs (
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    id INTEGER NOT NULL,
    key TEXT,
    retention INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started INTEGER,
    progress_done INTEGER,
    progress_total INTEGER,
    forgiven INTEGER NOT NULL,
    history TEXT,
    PRIMARY KEY (queue, state, priority DESC, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE running_jobs (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    key TEXT,
    retention INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER,
    started INTEGER,
    progress_done INTEGER,
    progress_total INTEGER,
    forgiven INTEGER NOT NULL,
    history TEXT
) STRICT;

CREATE TABLE ended_jobs (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER,
    started INTEGER,
    ended INTEGER,
    retained_until INTEGER,
    progress_done INTEGER,
    progress_total INTEGER,
    forgiven INTEGER NOT NULL,
    history TEXT,
    output_tag TEXT,
    output_version INTEGER,
    output_codec TEXT,
    output_body BLOB
) STRICT;

INSERT INTO submitted_jobs SELECT id, queue, priority, submitted, first_due, expires, key, unique_key,
    unique_over, unique_period, at_most_once, retention, attempts, lost_attempts, tag, version, codec,
    body, options FROM jobs;
INSERT INTO waiting_jobs SELECT queue, state, priority, id, key, retention, due, attempt, started,
    progress_done, progress_total, forgiven, nullif(history, '[]')
    FROM jobs WHERE state IN ('queued', 'delayed');
INSERT INTO running_jobs SELECT id, queue, key, retention, due, attempt, epoch, started, progress_done,
    progress_total, forgiven, nullif(history, '[]') FROM jobs WHERE state = 'running';
INSERT INTO ended_jobs SELECT id, queue, state, due, attempt, NULL, started, ended, retained_until,
    progress_done, progress_total, forgiven, nullif(history, '[]'), output_tag, output_version,
    output_codec, output_body FROM jobs WHERE state NOT IN ('queued', 'delayed', 'running');
INSERT INTO meta VALUES
    ('last_job', (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'jobs'));
DROP TABLE jobs;

CREATE INDEX submitted_unique ON submitted_jobs (queue, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX waiting_delayed ON waiting_jobs (queue, due) WHERE state = 'delayed';
CREATE INDEX waiting_keyed ON waiting_jobs (queue, key, state, priority, id) WHERE key IS NOT NULL;
CREATE INDEX running_keyed ON running_jobs (queue, key) WHERE key IS NOT NULL;
CREATE INDEX ended_states ON ended_jobs (queue, state);
CREATE INDEX ended_retained ON ended_jobs (retained_until) WHERE retained_until IS NOT NULL;

CREATE VIEW jobs AS
SELECT w.id, w.queue, w.state, w.attempt, CAST(NULL AS INTEGER) AS epoch, w.priority, s.submitted,
    w.due, s.expires, w.started, CAST(NULL AS INTEGER) AS ended, CAST(NULL AS INTEGER) AS retained_until,
    s.due AS first_due, s.key, s.unique_key, s.unique_over, s.unique_period, s.at_most_once,
    s.retention, s.attempts, s.lost_attempts, w.progress_done, w.progress_total, w.forgiven,
    CAST(coalesce(w.history, '[]') AS TEXT) AS history, s.tag, s.version, s.codec, s.body,
    CAST(NULL AS TEXT) AS output_tag, CAST(NULL AS INTEGER) AS output_version,
    CAST(NULL AS TEXT) AS output_codec, CAST(NULL AS BLOB) AS output_body, s.options
FROM waiting_jobs AS w CROSS JOIN submitted_jobs AS s ON s.id = w.id
WHERE w.state IN ('queued', 'delayed')
UNION ALL
SELECT r.id, r.queue, CAST('running' AS TEXT), r.attempt, r.epoch, s.priority, s.submitted, r.due,
    s.expires, r.started, CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), s.due, s.key, s.unique_key,
    s.unique_over, s.unique_period, s.at_most_once, s.retention, s.attempts, s.lost_attempts,
    r.progress_done, r.progress_total, r.forgiven, CAST(coalesce(r.history, '[]') AS TEXT), s.tag,
    s.version, s.codec, s.body, CAST(NULL AS TEXT), CAST(NULL AS INTEGER), CAST(NULL AS TEXT),
    CAST(NULL AS BLOB), s.options
FROM running_jobs AS r CROSS JOIN submitted_jobs AS s ON s.id = r.id
UNION ALL
SELECT e.id, e.queue, e.state, e.attempt, CAST(NULL AS INTEGER), s.priority, s.submitted, e.due,
    s.expires, e.started, e.ended, e.retained_until, s.due, s.key, s.unique_key, s.unique_over,
    s.unique_period, s.at_most_once, s.retention, s.attempts, s.lost_attempts, e.progress_done,
    e.progress_total, e.forgiven, CAST(CASE WHEN e.epoch IS NULL THEN coalesce(e.history, '[]')
    ELSE '[{\"number\":' || e.attempt || ',\"epoch\":' || e.epoch || ',\"started\":' || e.started ||
    ',\"ended\":' || e.ended || ',\"failure\":null,\"progress\":null}]' END AS TEXT), s.tag, s.version,
    s.codec, s.body, e.output_tag, e.output_version, e.output_codec, e.output_body, s.options
FROM ended_jobs AS e CROSS JOIN submitted_jobs AS s ON s.id = e.id;
";

/// Events without `AUTOINCREMENT`, whose counter takes as long as the event itself. The sequence
/// number of a journal is that of its latest event, and is not stored a second time. `last_event`
/// is the last position when events were erased.
///
/// Nothing is renamed or altered: SQLite checks every view and trigger of the file then, and those
/// of users may be stale.
const VERSION_4: &str = "
INSERT INTO meta VALUES
    ('last_event', (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'));

CREATE TABLE perennial_events_3 AS SELECT * FROM events;
DROP TABLE events;
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    codec TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO events SELECT position, journal, sequence, tag, version, codec, body
    FROM perennial_events_3 ORDER BY position;
DROP TABLE perennial_events_3;
CREATE UNIQUE INDEX events_sequence ON events (journal, sequence);

CREATE TABLE perennial_journals_3 AS SELECT * FROM journals;
DROP TABLE journals;
CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    writer INTEGER NOT NULL,
    snapshot_sequence INTEGER,
    snapshot_tag TEXT,
    snapshot_version INTEGER,
    snapshot_codec TEXT,
    snapshot_body BLOB
) STRICT;
INSERT INTO journals SELECT id, name, writer, snapshot_sequence, snapshot_tag, snapshot_version,
    snapshot_codec, snapshot_body FROM perennial_journals_3;
DROP TABLE perennial_journals_3;
";
