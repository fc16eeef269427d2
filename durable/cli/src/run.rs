//! The commands.

use perennial_durable::inspect::Selection;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Applied, Batch, CommitErrorKind, JobId, JobRecord, Op, OpenError, RecordState, Store, StoreError,
};

use super::options::{Command, Options};
use super::time::now;
use super::{Ended, show};

/// The most operations of one commit.
const BATCH: usize = 100;

/// A named job that is not there, or is in no state for the command.
const NOT_THERE: u8 = 1;

/// Runs a command.
///
/// # Errors
///
/// The store cannot be opened, or failed.
pub async fn run(options: &Options) -> Result<Ended, String> {
    if !options.is_server() {
        let opened = SqliteStore::attach(&options.store);
        return run_on(opened, &options.store, options).await;
    }
    #[cfg(feature = "postgres")]
    {
        let mut builder = perennial_durable::postgres::PostgresStore::builder(&options.store);
        if let Some(schema) = &options.schema {
            builder = builder.schema(schema);
        }
        // An address may have a password.
        run_on(builder.attach().await, "the server", options).await
    }
    #[cfg(not(feature = "postgres"))]
    Err("a server needs the feature postgres, without which this program was built".to_owned())
}

async fn run_on<S: Store>(
    opened: Result<S, OpenError>,
    name: &str,
    options: &Options,
) -> Result<Ended, String> {
    let store = opened.map_err(|error| error.to_string())?;
    command(&store, options).await.map_err(|error| format!("{name}: {error}"))
}

async fn command(store: &dyn Store, options: &Options) -> Result<Ended, StoreError> {
    let Options { selection, json, .. } = options;
    let text = match &options.command {
        Command::List => show::list(&selection.find(store, now()).await?, *json),
        Command::Stats => {
            let queues = match &selection.queue {
                Some(queue) => [(queue.clone(), store.queue(queue).await?)].into(),
                None => store.queues().await?,
            };
            show::stats(&queues, *json)
        }
        Command::Show(ids) => return shown(store, ids, *json).await,
        Command::Retry(ids) => return change(store, options, ids, Op::Retry, is_retried).await,
        Command::Cancel(ids) => return change(store, options, ids, Op::Cancel, is_cancelled).await,
        Command::Drop(ids) => return change(store, options, ids, Op::Remove, is_dropped).await,
        Command::Pause { queue, paused } => {
            commit(store, vec![Op::Pause { queue: queue.clone(), paused: *paused }]).await?;
            show::paused(queue, *paused, *json)
        }
    };
    Ok(Ended { text, code: 0 })
}

async fn shown(store: &dyn Store, ids: &[JobId], json: bool) -> Result<Ended, StoreError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match store.job(*id).await? {
            Some(record) => found.push(record),
            None => missing.push(*id),
        }
    }
    let code = if missing.is_empty() { 0 } else { NOT_THERE };
    Ok(Ended { text: show::jobs(&found, &missing, json), code })
}

const fn is_retried(state: RecordState) -> bool {
    state.is_over() && !matches!(state, RecordState::Completed)
}

const fn is_cancelled(state: RecordState) -> bool {
    !state.is_over()
}

const fn is_dropped(state: RecordState) -> bool {
    !matches!(state, RecordState::Running)
}

/// Changes the jobs that are named or selected, and are in a state for it.
async fn change(
    store: &dyn Store,
    options: &Options,
    ids: &[JobId],
    op: fn(JobId) -> Op,
    is_changed: fn(RecordState) -> bool,
) -> Result<Ended, StoreError> {
    let (wanted, mut unchanged) = if ids.is_empty() {
        (selected(store, &options.selection, is_changed).await?, Vec::new())
    } else {
        let mut wanted = Vec::new();
        let mut others = Vec::new();
        for id in ids {
            let found = store.job(*id).await?.filter(|record| is_changed(record.state));
            if found.is_some() { wanted.push(*id) } else { others.push(*id) }
        }
        (wanted, others)
    };
    let mut changed = Vec::new();
    for some in wanted.chunks(BATCH) {
        if options.dry_run {
            changed.extend(some);
            continue;
        }
        // A job may have begun or ended meanwhile.
        let applied = commit(store, some.iter().map(|id| op(*id)).collect()).await?;
        for (id, applied) in some.iter().zip(applied) {
            if applied == Applied::Changed(true) { changed.push(*id) } else { unchanged.push(*id) }
        }
    }
    let code = if ids.is_empty() || unchanged.is_empty() { 0 } else { NOT_THERE };
    let verb = match options.command {
        Command::Retry(_) => "retried",
        Command::Cancel(_) => "cancelled",
        _ => "dropped",
    };
    Ok(Ended { text: show::changed(verb, &changed, &unchanged, options.dry_run, options.json), code })
}

async fn selected(
    store: &dyn Store,
    selection: &Selection,
    is_changed: fn(RecordState) -> bool,
) -> Result<Vec<JobId>, StoreError> {
    let asked = &selection.states;
    let states = RecordState::ALL.into_iter().filter(|state| is_changed(*state));
    let states: Vec<_> = states.filter(|state| asked.is_empty() || asked.contains(state)).collect();
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let found = Selection { states, ..selection.clone() }.find(store, now()).await?;
    Ok(found.iter().map(|record: &JobRecord| record.id).collect())
}

async fn commit(store: &dyn Store, ops: Vec<Op>) -> Result<Vec<Applied>, StoreError> {
    let committed = store.commit(Batch { now: now(), ops }).await;
    committed.map_err(|error| match error.kind {
        CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error) => error,
        other => StoreError::Failed(format!("{other:?}")),
    })
}
