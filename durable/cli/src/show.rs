//! The output: tables for people, JSON for programs. No text of a job changes the terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use perennial_durable::inspect::{escape, payload_text};
use perennial_durable::{AttemptRecord, JobId, JobRecord, Payload, QueueInfo, RecordState};
use serde_json::{Value, json};

use super::time::shown;

/// The most characters of a payload or an error in a table.
const WIDTH: usize = 60;

/// Lists jobs, one a line.
pub fn list(records: &[JobRecord], is_json: bool) -> String {
    if is_json {
        return lines(&records.iter().map(job_json).collect::<Vec<_>>());
    }
    let head = ["ID", "QUEUE", "STATE", "ATTEMPT", "SUBMITTED", "JOB", "LAST FAILURE"].map(str::to_owned);
    let rows = records.iter().map(|record| {
        [
            record.id.to_string(),
            escape(&record.job.queue),
            record.state.to_string(),
            format!("{}", record.attempt),
            shown(record.submitted),
            short(&payload_text(&record.job.payload)),
            short(&failure(record.history.last())),
        ]
    });
    table(&[head].into_iter().chain(rows).collect::<Vec<_>>())
}

/// Shows jobs with all that is known.
pub fn jobs(records: &[JobRecord], missing: &[JobId], is_json: bool) -> String {
    if is_json {
        let missing = missing.iter().map(|id| json!({ "id": id.0, "missing": true }));
        return lines(&records.iter().map(job_json).chain(missing).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for record in records {
        // Writing to a text does not fail.
        let _ = write_job(&mut text, record);
    }
    for id in missing {
        let _ = writeln!(text, "job {id}: there is no such job");
    }
    text
}

fn write_job(text: &mut String, record: &JobRecord) -> std::fmt::Result {
    let JobRecord { id, job, state, attempt, .. } = record;
    writeln!(text, "job {id}")?;
    writeln!(text, "  queue      {}", escape(&job.queue))?;
    writeln!(text, "  state      {state}")?;
    writeln!(
        text,
        "  attempts   {attempt}, of which {} may fail and {} be lost",
        job.attempts, job.lost_attempts
    )?;
    writeln!(text, "  submitted  {}", shown(record.submitted))?;
    writeln!(text, "  due        {}", shown(record.due))?;
    for (name, time) in [("started", record.started), ("ended", record.ended), ("expires", job.expires)] {
        if let Some(time) = time {
            writeln!(text, "  {name:<9}  {}", shown(time))?;
        }
    }
    if let Some(key) = &job.key {
        writeln!(text, "  key        {}", escape(key))?;
    }
    if let Some(unique) = &job.unique {
        writeln!(text, "  unique     {}", escape(&unique.key))?;
    }
    if job.at_most_once {
        writeln!(text, "  at most once")?;
    }
    if let Some(trace) = &job.options.traceparent {
        writeln!(text, "  trace      {}", escape(trace))?;
    }
    if let Some(progress) = record.progress {
        writeln!(text, "  progress   {} of {}", progress.done, progress.total)?;
    }
    writeln!(text, "  payload    {}", payload(&job.payload))?;
    if let Some(output) = &record.output {
        writeln!(text, "  output     {}", payload(output))?;
    }
    for attempt in &record.history {
        let AttemptRecord { number, epoch, started, ended, .. } = attempt;
        let (started, ended, failure) = (shown(*started), shown(*ended), failure(Some(attempt)));
        let failure = if failure.is_empty() { "completed".to_owned() } else { failure };
        writeln!(text, "  attempt {number}  process {}, {started} to {ended}: {failure}", epoch.0)?;
    }
    Ok(())
}

fn payload(payload: &Payload) -> String {
    format!("{} version {}: {}", escape(&payload.tag), payload.version, payload_text(payload))
}

/// Shows the queues.
pub fn stats(queues: &BTreeMap<String, QueueInfo>, is_json: bool) -> String {
    if is_json {
        let queues = queues.iter().map(|(name, info)| {
            let jobs = RecordState::ALL.map(|state| (state.name().to_owned(), info.count(state).into()));
            let jobs: serde_json::Map<String, Value> = jobs.into_iter().collect();
            json!({ "queue": name, "paused": info.paused, "jobs": jobs })
        });
        return lines(&queues.collect::<Vec<_>>());
    }
    let states = RecordState::ALL.map(|state| state.name().to_uppercase());
    let head: Vec<String> = ["QUEUE".to_owned(), "PAUSED".to_owned()].into_iter().chain(states).collect();
    let rows = queues.iter().map(|(name, info)| {
        let paused = if info.paused { "yes" } else { "no" };
        let counts = RecordState::ALL.map(|state| info.count(state).to_string());
        [escape(name), paused.to_owned()].into_iter().chain(counts).collect()
    });
    table(&[head].into_iter().chain(rows).collect::<Vec<_>>())
}

/// Shows what was changed.
pub fn changed(verb: &str, changed: &[JobId], unchanged: &[JobId], is_dry: bool, is_json: bool) -> String {
    let numbers = |ids: &[JobId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    if is_json {
        let object = json!({ verb: numbers(changed), "unchanged": numbers(unchanged), "dry_run": is_dry });
        return format!("{object}\n");
    }
    let would = if is_dry { "would be " } else { "" };
    let mut text = String::new();
    for id in changed {
        let _ = writeln!(text, "job {id} {would}{verb}");
    }
    for id in unchanged {
        let _ = writeln!(text, "job {id} is not there, or in no state to be {verb}");
    }
    let count = changed.len();
    let _ = writeln!(text, "{count} job{} {would}{verb}", if count == 1 { "" } else { "s" });
    text
}

/// Shows that a queue was paused or resumed.
pub fn paused(queue: &str, paused: bool, is_json: bool) -> String {
    match (is_json, paused) {
        (true, _) => format!("{}\n", json!({ "queue": queue, "paused": paused })),
        (false, true) => format!("queue {} is paused\n", escape(queue)),
        (false, false) => format!("queue {} is resumed\n", escape(queue)),
    }
}

fn failure(attempt: Option<&AttemptRecord>) -> String {
    let failure = attempt.and_then(|attempt| attempt.failure.as_ref());
    failure.map_or_else(String::new, |failure| escape(&failure.to_string()))
}

fn job_json(record: &JobRecord) -> Value {
    let payload = |payload: &Payload| {
        let Payload { tag, version, codec, .. } = payload;
        json!({ "tag": tag, "version": version, "codec": codec, "text": payload_text(payload) })
    };
    let attempts: Vec<Value> = record
        .history
        .iter()
        .map(|attempt| {
            let failure = attempt.failure.as_ref().map(ToString::to_string);
            let (started, ended) = (attempt.started.0, attempt.ended.0);
            json!({ "number": attempt.number, "process": attempt.epoch.0, "started": started, "ended": ended, "failure": failure })
        })
        .collect();
    let time = |time: Option<perennial_durable::Timestamp>| time.map(|time| time.0);
    json!({
        "id": record.id.0,
        "queue": record.job.queue,
        "state": record.state.name(),
        "attempt": record.attempt,
        "priority": record.job.priority,
        "key": record.job.key,
        "traceparent": record.job.options.traceparent,
        "at_most_once": record.job.at_most_once,
        "submitted": record.submitted.0,
        "due": record.due.0,
        "started": time(record.started),
        "ended": time(record.ended),
        "progress": record.progress,
        "payload": payload(&record.job.payload),
        "output": record.output.as_ref().map(payload),
        "attempts": attempts,
    })
}

/// Returns values, one a line.
fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn short(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 3).chain("...".chars()).collect()
}

/// Returns rows with columns that are aligned. The last column is as long as it is.
fn table<R: AsRef<[String]>>(rows: &[R]) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
