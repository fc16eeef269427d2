//! The commands.

use std::collections::BTreeSet;

use perennial_durable::inspect::{JobChange, Selection, set_paused};
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    CommitError, CommitErrorKind, JobId, JobRecord, OpenError, RecordState, Store, StoreError, Timestamp,
};

use super::options::{Command, Options};
use super::{Ended, show};

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
        Command::List => show::list(&selection.find(store, Timestamp::now()).await?, *json),
        Command::Stats => {
            let queues = match &selection.queue {
                Some(queue) => [(queue.clone(), store.queue(queue).await?)].into(),
                None => store.queues().await?,
            };
            show::stats(&queues, *json)
        }
        Command::Show(ids) => return shown(store, ids, *json).await,
        Command::Change(how, ids) => return change(store, options, ids, *how).await,
        Command::Pause { queue, paused } => {
            set_paused(store, queue, *paused, Timestamp::now()).await.map_err(reason)?;
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

/// Changes the jobs that are named or selected, and are in a state for it.
async fn change(
    store: &dyn Store,
    options: &Options,
    ids: &[JobId],
    change: JobChange,
) -> Result<Ended, StoreError> {
    let (wanted, mut unchanged) = if ids.is_empty() {
        (selected(store, &options.selection, change).await?, Vec::new())
    } else {
        let mut wanted = Vec::new();
        let mut others = Vec::new();
        for id in ids {
            let found = store.job(*id).await?.filter(|record| change.applies_to(record.state));
            if found.is_some() { wanted.push(*id) } else { others.push(*id) }
        }
        (wanted, others)
    };
    let changed = if options.dry_run {
        wanted
    } else {
        // A job may have begun or ended meanwhile.
        let changed = change.apply(store, &wanted, Timestamp::now()).await.map_err(reason)?;
        let known: BTreeSet<JobId> = changed.iter().copied().collect();
        unchanged.extend(wanted.into_iter().filter(|id| !known.contains(id)));
        changed
    };
    let code = if ids.is_empty() || unchanged.is_empty() { 0 } else { NOT_THERE };
    let verb = match change {
        JobChange::Retry => "retried",
        JobChange::Cancel => "cancelled",
        _ => "dropped",
    };
    Ok(Ended { text: show::changed(verb, &changed, &unchanged, options.dry_run, options.json), code })
}

async fn selected(
    store: &dyn Store,
    selection: &Selection,
    change: JobChange,
) -> Result<Vec<JobId>, StoreError> {
    let asked = &selection.states;
    let states = RecordState::ALL.into_iter().filter(|state| change.applies_to(*state));
    let states: Vec<_> = states.filter(|state| asked.is_empty() || asked.contains(state)).collect();
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let found = Selection { states, ..selection.clone() }.find(store, Timestamp::now()).await?;
    Ok(found.iter().map(|record: &JobRecord| record.id).collect())
}

fn reason(error: CommitError) -> StoreError {
    match error.kind {
        CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error) => error,
        other => StoreError::Failed(format!("{other:?}")),
    }
}
