//! The page and its modules, and what probes and scrapers ask for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use perennial_actors::host::catch_panic;

use super::answer::{of_type, problem};
use crate::api::{ProblemKind, TreeHealth};
use crate::assets;
use crate::site::Site;

const TEXT: &str = "text/plain; charset=utf-8";

pub(super) async fn index() -> Response {
    serve("index.html")
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    serve(&name)
}

fn serve(name: &str) -> Response {
    match assets::find(name) {
        Some((content_type, body)) => of_type(content_type, StatusCode::OK, body),
        None => not_found(),
    }
}

fn not_found() -> Response {
    problem(ProblemKind::NotFound, "there is no such page")
}

pub(super) async fn fallback() -> Response {
    not_found()
}

pub(super) async fn no_such_method() -> Response {
    problem(ProblemKind::MethodNotAllowed, "the route has no such method")
}

pub(super) async fn openapi() -> Response {
    of_type("application/json", StatusCode::OK, assets::OPENAPI)
}

pub(super) async fn livez(State(site): State<Arc<Site>>) -> Response {
    probe(&site, |tree| tree.live).await
}

pub(super) async fn readyz(State(site): State<Arc<Site>>) -> Response {
    probe(&site, |tree| tree.ready).await
}

/// Answers a probe: a line for each tree.
async fn probe(site: &Site, is_well: impl Fn(&TreeHealth) -> bool) -> Response {
    let trees = site.health().await;
    let all = trees.iter().all(is_well);
    let line = |health: &TreeHealth| match &health.tree {
        Some(tree) => format!("{tree}: {}\n", health.text),
        None => format!("{}\n", health.text),
    };
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    of_type(TEXT, status, trees.iter().map(line).collect::<String>())
}

pub(super) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let Some(render) = site.shared.config.metrics.clone() else { return not_found() };
    match site.compute(move || catch_panic(None, || render())).await {
        Some(Ok(text)) => of_type("text/plain; version=0.0.4; charset=utf-8", StatusCode::OK, text),
        _ => problem(ProblemKind::Internal, "the metrics could not be rendered"),
    }
}
