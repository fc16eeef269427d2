//! A group of batches as one transaction: loaded, applied in memory, and written back.

use std::collections::BTreeMap;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

use super::errors::{is_lost, is_retried, store_error};
use super::load::Load;
use super::plan::{Needs, Part, Unit, units};
use super::rows::{int, number};
use super::session::{Answer, Query, Session};
use super::write;
use crate::batch::{Applied, Batch, Conflict};
use crate::error::{CommitErrorKind, StoreError};
use crate::memory::{Changes, Workspace};
use crate::record::{Epoch, JobId};

/// What became of one batch.
pub(super) type Outcome = Result<Vec<Applied>, CommitErrorKind>;

/// What became of one part of a batch.
type PartOutcome = Result<Vec<Applied>, (usize, Conflict)>;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The process is not ended as long as a transaction holds this lock. It is an error that the
/// process has ended already: what was sent with this statement is not committed then.
const LIVES: &str =
    "SELECT 1 / (SELECT count(*) FROM (SELECT FROM processes WHERE epoch = $1 FOR KEY SHARE) AS own)";

const COMMIT: &str = "COMMIT";

/// The first provisional number. The server gives none that is so great.
const FIRST_PROVISIONAL: u64 = 1 << 63;

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
        // No other statement divides.
        if error.code() == Some(&SqlState::DIVISION_BY_ZERO) {
            return StoreError::EpochEnded.into();
        }
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
    let committed = Transaction::new(session, epoch, is_attached).run(batches).await;
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
    /// What the latest unit has changed. It is sent with what the next one loads.
    unwritten: Option<Workspace>,
    /// The numbers of new jobs, by the provisional ones that they had until the server stored them.
    numbers: BTreeMap<JobId, JobId>,
    next_provisional: u64,
}

impl<'a> Transaction<'a> {
    const fn new(session: &'a Session, epoch: Epoch, is_attached: bool) -> Self {
        Self {
            session,
            epoch,
            is_attached,
            has_begun: false,
            unwritten: None,
            numbers: BTreeMap::new(),
            next_provisional: FIRST_PROVISIONAL,
        }
    }

    async fn run(&mut self, batches: &[&Batch]) -> Result<Vec<Outcome>, Aborted> {
        let mut outcomes: Vec<Outcome> = batches.iter().map(|_| Ok(Vec::new())).collect();
        for unit in units(batches) {
            match unit {
                Unit::Plain(parts) => self.apply_parts(parts, &mut outcomes).await?,
                Unit::Stepwise(at) => {
                    if let (Some(batch), Some(outcome)) = (batches.get(at), outcomes.get_mut(at)) {
                        *outcome = self.apply_stepwise(batch).await?;
                    }
                }
            }
        }
        self.commit().await?;
        outcomes.iter_mut().flatten().flatten().for_each(|applied| self.number(applied));
        Ok(outcomes)
    }

    /// Replaces a provisional number.
    fn number(&self, applied: &mut Applied) {
        if let Applied::Enqueued(id) | Applied::Existing(id) = applied
            && let Some(number) = self.numbers.get(id)
        {
            *id = *number;
        }
    }

    /// Applies parts of batches. What follows a conflict in its batch is not applied.
    async fn apply_parts(
        &mut self,
        mut parts: Vec<Part<'_>>,
        outcomes: &mut [Outcome],
    ) -> Result<(), Aborted> {
        parts.retain(|part| outcomes.get(part.batch).is_some_and(Result::is_ok));
        for (part, applied) in parts.iter().zip(self.apply(&parts).await?) {
            let Some(outcome) = outcomes.get_mut(part.batch) else { continue };
            match (applied, outcome.as_mut()) {
                (Ok(applied), Ok(effects)) => effects.extend(applied),
                (Err((op, conflict)), _) => *outcome = Err(CommitErrorKind::Conflict { op, conflict }),
                (Ok(_), Err(_)) => {}
            }
        }
        Ok(())
    }

    /// Loads what parts need, and applies them.
    async fn apply(&mut self, parts: &[Part<'_>]) -> Result<Vec<PartOutcome>, Aborted> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let needs = Needs::of(parts);
        let (queries, loading) = Load::of(&needs);
        // It begins the transaction also if it loads nothing: what became of a commit that is sent
        // to a session that has ended would not be known.
        let answers = self.exchange(queries).await?;
        let mut workspace = loading.workspace(&answers, self.provisional(&needs))?;
        let applied = parts.iter().map(|part| workspace.apply(part.now, part.ops, self.epoch)).collect();
        self.unwritten = Some(workspace);
        Ok(applied)
    }

    /// Applies the operations of a batch one by one, or undoes all of them.
    async fn apply_stepwise(&mut self, batch: &Batch) -> Result<Outcome, Aborted> {
        self.exchange(vec![Query::new("SAVEPOINT batch")]).await?;
        let mut effects = Vec::with_capacity(batch.ops.len());
        for (index, ops) in batch.ops.chunks(1).enumerate() {
            let step = Part { batch: 0, now: batch.now, ops };
            match self.apply(&[step]).await?.pop() {
                Some(Ok(applied)) => effects.extend(applied),
                Some(Err((_, conflict))) => {
                    self.unwritten = None;
                    self.session.client.batch_execute("ROLLBACK TO batch; RELEASE batch").await?;
                    return Ok(Err(CommitErrorKind::Conflict { op: index, conflict }));
                }
                None => {}
            }
        }
        self.exchange(vec![Query::new("RELEASE batch")]).await?;
        Ok(Ok(effects))
    }

    /// Returns a number for each new job that no operation names.
    fn provisional(&mut self, needs: &Needs<'_>) -> Vec<JobId> {
        let numbers = (self.next_provisional..).map(JobId).filter(|id| !needs.jobs.contains(id));
        let numbers: Vec<JobId> = numbers.take(needs.new_jobs).collect();
        self.next_provisional = numbers.last().map_or(self.next_provisional, |id| id.0 + 1);
        numbers
    }

    /// Writes what has changed, and runs statements that load. The first begin the transaction.
    async fn exchange(&mut self, queries: Vec<Query<'_>>) -> Result<Vec<Vec<Row>>, Aborted> {
        let workspace = self.unwritten.take();
        let changes = workspace.as_ref().map(Workspace::changes).unwrap_or_default();
        let (writes, expected): (Vec<_>, Vec<_>) = write::queries(&changes)?.into_iter().unzip();
        let mut all = self.begin();
        let (begins, written) = (all.len(), all.len() + writes.len());
        all.extend(writes);
        all.extend(queries);
        let mut answers = self.session.send(&all).await?;
        self.has_begun = true;
        let loaded = answers.split_off(written);
        self.check(&changes, &answers.split_off(begins), &expected)?;
        Ok(loaded.into_iter().map(|answer| answer.rows).collect())
    }

    /// Writes what has changed, and commits. The commit is sent with it, and does not happen if any
    /// of it fails.
    async fn commit(&mut self) -> Result<(), Aborted> {
        if !self.has_begun {
            self.exchange(Vec::new()).await?;
        }
        let workspace = self.unwritten.take();
        let changes = workspace.as_ref().map(Workspace::changes).unwrap_or_default();
        let (mut all, expected): (Vec<_>, Vec<_>) = write::queries(&changes)?.into_iter().unzip();
        all.push(Query::new(COMMIT));
        match self.session.send(&all).await {
            Ok(answers) => self.check(&changes, &answers, &expected).map_err(Aborted::Unknown),
            Err(error) if is_lost(&error) => Err(Aborted::Unknown(store_error(&error))),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the statements that begin the transaction, unless it has begun.
    fn begin(&self) -> Vec<Query<'static>> {
        if self.has_begun {
            return Vec::new();
        }
        let begin = Query::new(BEGIN);
        if self.is_attached { vec![begin] } else { vec![begin, Query::new(LIVES).bind(int(self.epoch.0))] }
    }

    /// Checks how many rows were changed, and keeps the numbers of the new jobs.
    fn check(
        &mut self,
        changes: &Changes<'_>,
        answers: &[Answer],
        expected: &[usize],
    ) -> Result<(), StoreError> {
        let is_wrong = |(answer, expected): (&Answer, &usize)| {
            *expected != usize::MAX && usize::try_from(answer.changed) != Ok(*expected)
        };
        if answers.iter().zip(expected).any(is_wrong) {
            return Err(StoreError::Corrupt("a row that was locked is not there".to_owned()));
        }
        let rows = answers.first().map_or(&[][..], |answer| &answer.rows);
        for (record, row) in changes.inserted.iter().zip(rows) {
            self.numbers.insert(record.id, JobId(number(row, 0)?));
        }
        Ok(())
    }
}
