//! The routes of durable stores, their queues and jobs.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::guard::Peer;
use super::query;
use super::reads::answer_found;
use super::writes::{ActionAttempt, NoBody, attempt_on};
use crate::actions::JobAction;
use crate::api::{ActionOutcome, DurableJobState, Problem, Window};
use crate::site::Site;
use crate::stores::{JobsQuery, KnownStore};

/// The part of a list of jobs that a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobParameters {
    state: Option<DurableJobState>,
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn stores(State(site): State<Arc<Site>>) -> Response {
    let rows = site.shared.stores.rows().await;
    answer_found(site, Ok(rows)).await
}

pub(super) async fn jobs(
    State(site): State<Arc<Site>>,
    Path((store, queue)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let page = page(&site, &store, queue, &uri).await;
    answer_found(site, page).await
}

async fn page(site: &Site, store: &str, queue: String, uri: &Uri) -> Result<impl Serialize + use<>, Problem> {
    let JobParameters { state, after, limit } = query::parse(uri)?;
    let limit = Window::new(None, limit).limit();
    find(site, store)?.jobs(JobsQuery { queue, state, after, limit }).await
}

pub(super) async fn job(State(site): State<Arc<Site>>, Path((store, job)): Path<(String, u64)>) -> Response {
    let found = match find(&site, &store) {
        Ok(store) => store.job(job).await,
        Err(unknown) => Err(unknown),
    };
    answer_found(site, found).await
}

pub(super) async fn act_on_job(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((store, job, action)): Path<(String, u64, String)>,
    request: Request,
) -> Response {
    let target = Some(format!("{store}/jobs/{job}"));
    attempt_on(site, peer, target, request, async |attempt: &mut ActionAttempt, _: NoBody| {
        let action = JobAction::named(&action).ok_or_else(|| Problem::not_found("action"))?;
        find(attempt.site(), &store)?.act(job, action).await.map(|()| ActionOutcome::done())
    })
    .await
}

pub(super) async fn act_on_queue(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((store, queue, action)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let target = Some(format!("{store}/{queue}"));
    attempt_on(site, peer, target, request, async |attempt: &mut ActionAttempt, _: NoBody| {
        let paused = match &*action {
            "pause" => true,
            "resume" => false,
            _ => return Err(Problem::not_found("action")),
        };
        find(attempt.site(), &store)?.set_paused(queue, paused).await.map(|()| ActionOutcome::done())
    })
    .await
}

fn find(site: &Site, store: &str) -> Result<Arc<KnownStore>, Problem> {
    site.shared.stores.find(store).ok_or_else(|| Problem::not_found("store"))
}
