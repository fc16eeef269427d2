//! The routes that only read.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use perennial_operations::WaitGraph;
use perennial_registry::Registry;
use perennial_supervision::pool::PoolInfo;
use serde::Serialize;

use super::answer::{json, problem, refused};
use super::body::body;
use super::guard::authorize;
use super::query::{Parameters, RowsRequest};
use crate::actions::allowed;
use crate::api::{self, ActorCard, EventFilter, Problem, ProblemKind, Session, View, Window};
use crate::pools::JobsFilter;
use crate::site::Site;

/// The number of events that a card of an actor has.
const CARD_EVENTS: usize = 50;

/// Answers with what `read` makes of a snapshot, on a thread for that.
async fn answer<T: Serialize + Send + 'static>(
    site: Arc<Site>,
    read: impl FnOnce(&Arc<Site>, &View) -> Result<T, Problem> + Send + 'static,
) -> Response {
    let Some(view) = site.view().await else { return no_answer() };
    answer_without_view(site, move |site| read(site, &view)).await
}

/// Like `answer`, for what needs no snapshot.
pub(super) async fn answer_without_view<T: Serialize + Send + 'static>(
    site: Arc<Site>,
    read: impl FnOnce(&Arc<Site>) -> Result<T, Problem> + Send + 'static,
) -> Response {
    let reader = site.clone();
    let read = move || match read(&reader) {
        Ok(value) => json(StatusCode::OK, &value),
        Err(problem) => refused(problem),
    };
    site.compute(read).await.unwrap_or_else(no_answer)
}

/// Answers with what was found. A long list is written down on a thread for that.
pub(super) async fn answer_found<T: Serialize + Send + 'static>(
    site: Arc<Site>,
    found: Result<T, Problem>,
) -> Response {
    match found {
        Ok(found) => answer_without_view(site, |_| Ok(found)).await,
        Err(problem) => refused(problem),
    }
}

fn no_answer() -> Response {
    problem(ProblemKind::Internal, "the answer could not be made")
}

/// Answers with a list of which the parameters name a part.
async fn listed<T: Serialize + Send + 'static>(
    site: Arc<Site>,
    uri: &Uri,
    read: impl FnOnce(&View, &Parameters, Window) -> Result<T, Problem> + Send + 'static,
) -> Response {
    match Parameters::of(uri) {
        Ok(parameters) => answer(site, move |_, view| read(view, &parameters, parameters.window())).await,
        Err(problem) => refused(problem),
    }
}

pub(super) async fn session(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let shared = &site.shared;
    let session = Session {
        boot: shared.boot.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        actions: shared.config.token.is_some(),
        authorized: authorize(&shared.config, &headers).is_ok(),
        started_at_millis: shared.started_at_millis,
    };
    json(StatusCode::OK, &session)
}

pub(super) async fn overview(State(site): State<Arc<Site>>) -> Response {
    let health = site.health().await;
    answer(site, move |_, view| Ok(api::overview(view, health.to_vec()))).await
}

pub(super) async fn tree(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    listed(site, &uri, |view, parameters, window| api::children(view, parameters.parent, window)).await
}

pub(super) async fn tree_rows(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    rows(site, RowsRequest::of(&uri)).await
}

/// Answers like [`tree_rows`], to a request with a body.
pub(super) async fn tree_rows_of_body(State(site): State<Arc<Site>>, request: Request) -> Response {
    rows(site, body(request).await).await
}

async fn rows(site: Arc<Site>, asked: Result<RowsRequest, Problem>) -> Response {
    match asked {
        Ok(asked) => {
            let rows = move |_: &_, view: &View| {
                Ok(api::tree_rows(view, &asked.expansion, asked.q.as_deref(), asked.window()))
            };
            answer(site, rows).await
        }
        Err(problem) => refused(problem),
    }
}

pub(super) async fn actors(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    listed(site, &uri, |view, parameters, window| {
        Ok(api::actor_rows(view, parameters.sort.unwrap_or_default(), parameters.q.as_deref(), window))
    })
    .await
}

pub(super) async fn actor(State(site): State<Arc<Site>>, Path(identity): Path<u64>) -> Response {
    answer(site, move |site, view| card(site, view, identity)).await
}

fn card(site: &Arc<Site>, view: &View, identity: u64) -> Result<ActorCard, Problem> {
    let mut card = api::card(view, identity).ok_or_else(|| Problem::not_found("actor"))?;
    if let Some(actor) = site.actor(identity) {
        card.message_type = actor.message_type().to_owned();
        card.handle_times = site.handle_times(identity);
    }
    let history = site.operations.history();
    (card.events, card.last_crash) = api::of_actor(&history, identity, CARD_EVENTS);
    card.actions = allowed(&card, site.shared.config.debug.has(identity));
    Ok(card)
}

pub(super) async fn events(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    answer_without_view(site, move |site| {
        let parameters = Parameters::of(&uri)?;
        let (after, limit) = (parameters.after()?, parameters.window().limit());
        let filter = EventFilter { kind: parameters.kind, text: parameters.q, identity: parameters.identity };
        Ok(api::event_page(&site.operations, &filter, after, parameters.before, limit))
    })
    .await
}

pub(super) async fn crashes(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    answer_without_view(site, move |site| {
        let parameters = Parameters::of(&uri)?;
        let (crashes, last) = (site.operations.crashes(), site.operations.events().last());
        Ok(api::crash_rows(crashes, parameters.q.as_deref(), parameters.window(), last))
    })
    .await
}

pub(super) async fn crash(State(site): State<Arc<Site>>, Path(sequence): Path<u64>) -> Response {
    answer_without_view(site, move |site| {
        site.operations.crash_report(sequence).ok_or_else(|| Problem::not_found("crash"))
    })
    .await
}

pub(super) async fn dead_letters(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    answer_without_view(site, move |site| {
        let parameters = Parameters::of(&uri)?;
        let history = site.operations.history();
        let last = history.last().map_or(0, |event| event.sequence);
        let (kind, text) = (parameters.kind.as_deref(), parameters.q.as_deref());
        let letters = &site.shared.config.letters;
        let can_resend = |letter: &_| letters.has(letter);
        Ok(api::letter_rows(&history, kind, text, (parameters.window(), last), can_resend))
    })
    .await
}

pub(super) async fn pools(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    answer(site, move |site, view| {
        let window = Parameters::of(&uri)?.window();
        let pools = &view.snapshot.figures.pools;
        Ok(window.of(pools, view.sequence(), |pool| api::pool_row(view, pool, known(site, pool))))
    })
    .await
}

/// Returns what only the handle of a pool tells: the number of dead jobs, and whether it is paused.
fn known(site: &Site, pool: &PoolInfo) -> Option<(usize, bool)> {
    let known = site.shared.pools.find(pool.status.supervisor.identity())?;
    Some((known.count_dead(), known.is_paused()))
}

pub(super) async fn pool(State(site): State<Arc<Site>>, Path(identity): Path<u64>) -> Response {
    answer(site, move |site, view| {
        let mut pools = view.snapshot.figures.pools.iter();
        let pool = pools.find(|pool| pool.status.supervisor.identity() == identity);
        let pool = pool.ok_or_else(|| Problem::not_found("pool"))?;
        Ok(api::pool_row(view, pool, known(site, pool)))
    })
    .await
}

pub(super) async fn jobs(State(site): State<Arc<Site>>, Path(pool): Path<u64>, uri: Uri) -> Response {
    answer_without_view(site, move |site| {
        let parameters = Parameters::of(&uri)?;
        let pool = site.shared.pools.find(pool).ok_or_else(|| Problem::not_found("known pool"))?;
        let text = parameters.q.as_deref().unwrap_or_default().to_lowercase();
        let jobs = pool.jobs(&JobsFilter { state: parameters.state, text });
        Ok(parameters.window().of(&jobs, site.operations.events().last(), Clone::clone))
    })
    .await
}

pub(super) async fn job(State(site): State<Arc<Site>>, Path((pool, job)): Path<(u64, u64)>) -> Response {
    answer_without_view(site, move |site| {
        let pool = site.shared.pools.find(pool).ok_or_else(|| Problem::not_found("known pool"))?;
        pool.job(job).ok_or_else(|| Problem::not_found("job"))
    })
    .await
}

pub(super) async fn names(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    listed(site, &uri, |view, parameters, window| Ok(api::names(view, parameters.q.as_deref(), window))).await
}

pub(super) async fn keys(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let parameters = match Parameters::of(&uri) {
        Ok(parameters) => parameters,
        Err(problem) => return refused(problem),
    };
    // A search reads all keys. It has the permit until it ends, as it does when its client goes.
    let searching = match &parameters.q {
        Some(_) => site.searching.clone().acquire_owned().await.ok(),
        None => None,
    };
    answer(site, move |site, view| {
        let registry = Registry::of(site.system());
        let page = api::keys(view, registry, parameters.q.as_deref(), parameters.window());
        drop(searching);
        Ok(page)
    })
    .await
}

pub(super) async fn groups(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    listed(site, &uri, |view, parameters, window| Ok(api::groups(view, parameters.q.as_deref(), window)))
        .await
}

pub(super) async fn topics(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    listed(site, &uri, |view, parameters, window| Ok(api::topics(view, parameters.q.as_deref(), window)))
        .await
}

pub(super) async fn waits(State(site): State<Arc<Site>>) -> Response {
    let reader = site.clone();
    let read = move || json(StatusCode::OK, &WaitGraph::of(&reader.watch_calls(), Duration::ZERO));
    site.compute(read).await.unwrap_or_else(no_answer)
}

pub(super) async fn shutdown(State(site): State<Arc<Site>>) -> Response {
    answer(site, |_, view| Ok(api::stopping(view))).await
}

pub(super) async fn audit(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    answer_without_view(site, move |site| {
        let window = Parameters::of(&uri)?.window();
        let entries = site.shared.audit.entries();
        let last = entries.first().map_or(0, |entry| entry.number);
        Ok(window.of(&entries, last, Clone::clone))
    })
    .await
}
