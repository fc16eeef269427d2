//! The routes that act. Each needs the token, and each attempt is in the audit log.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{json, problem};
use super::body::body;
use super::guard::{Peer, authorize};
use crate::actions::{
    self, ActorAction, DeadJobs, JobAction, PoolAction, act_on_dead_jobs, act_on_job, act_on_pool,
};
use crate::api::{self, ActionOutcome, Problem, ProblemKind};
use crate::pools::KnownPool;
use crate::site::Site;

/// The client of an action, and what it asks for.
pub(super) struct ActionAttempt {
    site: Arc<Site>,
    peer: Peer,
    path: String,
    /// The actor, pool, queue or job.
    target: Option<String>,
}

pub(super) type Outcome = Result<ActionOutcome, Problem>;

/// The body of an action on an actor.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActorRequest {
    /// The incarnation that is meant.
    incarnation: Option<u32>,
    /// The text of a debug message.
    text: Option<String>,
}

/// The body of an action that needs nothing more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoBody {}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolRequest {
    size: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadJobsRequest {
    ids: Option<Vec<u64>>,
    filter: Option<TextFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFilter {
    contains: String,
}

pub(super) async fn actor(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((identity, action)): Path<(u64, String)>,
    request: Request,
) -> Response {
    attempt(site, peer, identity, request, async |attempt: &mut ActionAttempt, request: ActorRequest| {
        let actor = attempt.site.actor(identity).ok_or_else(|| Problem::not_found("actor"))?;
        let lives = actor.pid().map(perennial_actors::Pid::incarnation);
        if request.incarnation.is_some_and(|meant| lives != Some(meant)) {
            return Err(Problem::conflict("another incarnation lives, or none"));
        }
        if action == "debug" {
            let text = request.text.ok_or_else(|| Problem::new(ProblemKind::Invalid, "`text` is missing"))?;
            let site = attempt.site.clone();
            return attempt.compute(move || site.shared.config.debug.send(identity, &text)).await;
        }
        let action = ActorAction::named(&action).ok_or_else(|| Problem::not_found("action"))?;
        actions::act(attempt.site.system(), &actor, action).await
    })
    .await
}

pub(super) async fn pool(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((pool, action)): Path<(u64, String)>,
    request: Request,
) -> Response {
    attempt(site, peer, pool, request, async |attempt: &mut ActionAttempt, request: PoolRequest| {
        let pool = attempt.pool(pool)?;
        let action = match (&*action, request.size) {
            ("pause", _) => PoolAction::Pause,
            ("resume", _) => PoolAction::Resume,
            ("resize", Some(size)) => PoolAction::Resize(size),
            ("resize", None) => return Err(Problem::new(ProblemKind::Invalid, "`size` is missing")),
            ("rolling-restart", _) => PoolAction::RollingRestart,
            ("drain", _) => PoolAction::Drain,
            _ => return Err(Problem::not_found("action")),
        };
        act_on_pool(&pool, action).await
    })
    .await
}

pub(super) async fn job(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((pool, job, action)): Path<(u64, u64, String)>,
    request: Request,
) -> Response {
    attempt(site, peer, pool, request, async |attempt: &mut ActionAttempt, _: PoolRequest| {
        let pool = attempt.pool(pool)?;
        let action = JobAction::named(&action).ok_or_else(|| Problem::not_found("action"))?;
        attempt.compute(move || act_on_job(&pool, job, action)).await
    })
    .await
}

pub(super) async fn dead_jobs(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((pool, action)): Path<(u64, String)>,
    request: Request,
) -> Response {
    attempt(site, peer, pool, request, async |attempt: &mut ActionAttempt, request: DeadJobsRequest| {
        let pool = attempt.pool(pool)?;
        let action = JobAction::named(&action).ok_or_else(|| Problem::not_found("action"))?;
        let jobs = match (request.ids, request.filter) {
            (Some(ids), None) => DeadJobs::Ids(ids),
            (None, Some(filter)) => DeadJobs::Containing(filter.contains),
            _ => return Err(Problem::new(ProblemKind::Invalid, "either `ids` or `filter` is needed")),
        };
        attempt.compute(move || act_on_dead_jobs(&pool, jobs, action)).await
    })
    .await
}

/// Sends a dead letter again.
pub(super) async fn resend_dead_letter(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<u64>,
    request: Request,
) -> Response {
    attempt_on(site, peer, None, request, async |attempt: &mut ActionAttempt, _: NoBody| {
        let site = attempt.site.clone();
        let find = move || {
            let letter = api::letter_with_id(&site.operations, id);
            letter.ok_or_else(|| Problem::not_found("dead letter"))
        };
        let letter = attempt.compute(find).await?;
        attempt.target = Some(letter.label.to_string());
        let site = attempt.site.clone();
        attempt.compute(move || site.shared.config.letters.resend(&letter)).await
    })
    .await
}

/// Attempts an action on the actor or pool with an identity.
async fn attempt<B: DeserializeOwned + Default>(
    site: Arc<Site>,
    peer: Peer,
    identity: u64,
    request: Request,
    act: impl AsyncFnOnce(&mut ActionAttempt, B) -> Outcome,
) -> Response {
    let target = site.actor(identity).and_then(|actor| actor.label()).map(|label| label.to_string());
    attempt_on(site, peer, target, request, act).await
}

/// Checks the token, reads the body, acts, and writes the audit log.
pub(super) async fn attempt_on<B: DeserializeOwned + Default>(
    site: Arc<Site>,
    peer: Peer,
    target: Option<String>,
    request: Request,
    act: impl AsyncFnOnce(&mut ActionAttempt, B) -> Outcome,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut attempt = ActionAttempt { site, peer, path, target };
    let outcome = match authorize(&attempt.site.shared.config, request.headers()) {
        Ok(()) => match body(request).await {
            Ok(body) => act(&mut attempt, body).await,
            Err(refused) => Err(refused),
        },
        Err(kind) => Err(Problem::new(kind, "the action needs the token")),
    };
    attempt.finish(outcome)
}

impl ActionAttempt {
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    fn pool(&self, identity: u64) -> Result<Arc<KnownPool>, Problem> {
        self.site.shared.pools.find(identity).ok_or_else(|| Problem::not_found("known pool"))
    }

    /// Runs what calls users' code on a thread for that.
    async fn compute<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = || Err(Problem::new(ProblemKind::Internal, "the action panicked"));
        self.site.compute(act).await.unwrap_or_else(failed)
    }

    /// Writes the audit log, and answers.
    fn finish(self, outcome: Outcome) -> Response {
        self.site.shared.audit.add(&self.path, self.target.as_deref(), &outcome, self.peer.0);
        match outcome {
            Ok(outcome) if outcome.done => json(StatusCode::OK, &outcome),
            Ok(outcome) => json(StatusCode::ACCEPTED, &outcome),
            Err(Problem { error, detail }) => problem(error, detail),
        }
    }
}
