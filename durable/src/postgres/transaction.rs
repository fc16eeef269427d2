//! A group of batches as one transaction: loaded, applied in memory, and written back.

use tokio_postgres::{Error, Row};

use super::errors::{is_lost, is_retried, store_error};
use super::load::Load;
use super::plan::{Needs, Unit, units};
use super::rows::int;
use super::session::{Query, Session};
use super::write;
use crate::batch::{Applied, Batch};
use crate::error::{CommitErrorKind, StoreError};
use crate::record::Epoch;

/// What became of one batch.
pub(super) type Outcome = Result<Vec<Applied>, CommitErrorKind>;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The process is not ended as long as a transaction holds this lock.
const LIVES: &str = "SELECT 1 FROM processes WHERE epoch = $1 FOR KEY SHARE";

const COMMIT: &str = "COMMIT";

/// The statements of every transaction.
pub(super) const FIRST: &[&str] = &[BEGIN, LIVES, COMMIT];

/// The reason why a transaction was not committed.
#[derive(Debug)]
pub(super) enum Aborted {
    /// Nothing was applied.
    RolledBack {
        error: StoreError,
        /// The session has ended.
        is_lost: bool,
        /// The same may succeed at once.
        is_retried: bool,
    },
    /// The connection broke during the commit.
    Unknown(StoreError),
}

impl From<Error> for Aborted {
    fn from(error: Error) -> Self {
        let (is_lost, is_retried) = (is_lost(&error), is_retried(&error));
        Self::RolledBack { error: store_error(&error), is_lost, is_retried }
    }
}

impl From<StoreError> for Aborted {
    fn from(error: StoreError) -> Self {
        Self::RolledBack { error, is_lost: false, is_retried: false }
    }
}

/// Applies a group as one transaction.
pub(super) async fn commit(
    session: &Session,
    epoch: Epoch,
    is_attached: bool,
    batches: &[&Batch],
) -> Result<Vec<Outcome>, Aborted> {
    let committed = Transaction { session, epoch, is_attached, has_begun: false }.run(batches).await;
    if let Err(Aborted::RolledBack { is_lost: false, .. }) = &committed {
        // Without a transaction, it is a warning.
        session.client.batch_execute("ROLLBACK").await?;
    }
    committed
}

struct Transaction<'a> {
    session: &'a Session,
    epoch: Epoch,
    /// It is that of no process, so it does not end with one.
    is_attached: bool,
    has_begun: bool,
}

impl Transaction<'_> {
    async fn run(&mut self, batches: &[&Batch]) -> Result<Vec<Outcome>, Aborted> {
        let mut outcomes = Vec::with_capacity(batches.len());
        let units = units(batches);
        let last = units.len().saturating_sub(1);
        for (index, unit) in units.into_iter().enumerate() {
            match unit {
                Unit::Plain(range) => {
                    let batches = batches.get(range).unwrap_or_default();
                    outcomes.extend(self.apply(batches, index == last).await?);
                }
                Unit::Stepwise(at) => {
                    if let Some(batch) = batches.get(at) {
                        outcomes.push(self.apply_stepwise(batch).await?);
                    }
                    if index == last {
                        self.apply(&[], true).await?;
                    }
                }
            }
        }
        Ok(outcomes)
    }

    /// Loads, applies and writes some batches, and commits them with all before them if they are
    /// the last.
    async fn apply(&mut self, batches: &[&Batch], is_last: bool) -> Result<Vec<Outcome>, Aborted> {
        let (queries, loading) = Load::of(&Needs::of(batches.iter().copied()));
        let mut workspace = loading.workspace(&self.load(queries).await?)?;
        let outcomes = batches.iter().map(|batch| workspace.apply(batch, self.epoch));
        let conflict = |(op, conflict)| CommitErrorKind::Conflict { op, conflict };
        let outcomes = outcomes.map(|outcome| outcome.map_err(conflict)).collect();
        let (queries, expected): (Vec<_>, Vec<_>) = write::queries(&workspace.changes())?.into_iter().unzip();
        self.write(queries, &expected, is_last).await?;
        Ok(outcomes)
    }

    /// Applies the operations of a batch one by one, or undoes all of them.
    async fn apply_stepwise(&mut self, batch: &Batch) -> Result<Outcome, Aborted> {
        if !self.has_begun {
            self.apply(&[], false).await?;
        }
        self.session.client.batch_execute("SAVEPOINT batch").await?;
        let mut applied = Vec::with_capacity(batch.ops.len());
        for (index, op) in batch.ops.iter().enumerate() {
            let step = Batch::of(batch.now, op.clone());
            match self.apply(&[&step], false).await?.pop() {
                Some(Ok(effects)) => applied.extend(effects),
                Some(Err(CommitErrorKind::Conflict { conflict, .. })) => {
                    self.session.client.batch_execute("ROLLBACK TO batch").await?;
                    return Ok(Err(CommitErrorKind::Conflict { op: index, conflict }));
                }
                Some(Err(other)) => return Ok(Err(other)),
                None => {}
            }
        }
        self.session.client.batch_execute("RELEASE batch").await?;
        Ok(Ok(applied))
    }

    /// Runs statements that load. The first begin the transaction.
    async fn load(&mut self, queries: Vec<Query<'_>>) -> Result<Vec<Vec<Row>>, Aborted> {
        if self.has_begun {
            return Ok(self.session.run(&queries).await?);
        }
        let mut all = vec![Query::new(BEGIN)];
        if !self.is_attached {
            all.push(Query::new(LIVES).bind(int(self.epoch.0)));
        }
        let own = all.len();
        all.extend(queries);
        let mut answers = self.session.run(&all).await?;
        self.has_begun = true;
        if !self.is_attached && answers.get(1).is_none_or(Vec::is_empty) {
            return Err(StoreError::EpochEnded.into());
        }
        Ok(answers.split_off(own))
    }

    async fn write(
        &self,
        mut queries: Vec<Query<'_>>,
        expected: &[usize],
        is_last: bool,
    ) -> Result<(), Aborted> {
        let check = |changed: &[u64]| {
            let is_wrong = |(changed, expected): (&u64, &usize)| {
                *expected != usize::MAX && usize::try_from(*changed) != Ok(*expected)
            };
            changed.iter().zip(expected).any(is_wrong)
        };
        let lost_rows = || StoreError::Corrupt("a row that was locked is not there".to_owned());
        if !is_last {
            let changed = self.session.execute(&queries).await?;
            return if check(&changed) { Err(lost_rows().into()) } else { Ok(()) };
        }
        queries.push(Query::new(COMMIT));
        // The commit is sent with what it commits. It does not happen if any of that fails.
        match self.session.execute(&queries).await {
            Ok(changed) if check(&changed) => Err(Aborted::Unknown(lost_rows())),
            Ok(_) => Ok(()),
            Err(error) if is_lost(&error) => Err(Aborted::Unknown(store_error(&error))),
            Err(error) => Err(error.into()),
        }
    }
}
