//! The routes of the nodes of a cluster.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;

use super::answer::refused;
use super::body::body;
use super::query::{Parameters, RowsRequest};
use super::reads::{answer_found, answer_without_view};
use crate::api::{self, NodeView, Page, Problem};
use crate::site::Site;

pub(super) async fn nodes(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let listed = list(&site, &uri).await;
    answer_found(site, listed).await
}

async fn list(site: &Site, uri: &Uri) -> Result<impl Serialize + use<>, Problem> {
    let parameters = Parameters::of(uri)?;
    let Some(nodes) = &site.shared.nodes else { return Ok(Page::default()) };
    let (all, text) = (nodes.list().await?, parameters.q.as_deref().unwrap_or_default());
    Ok(api::nodes(&all, text, parameters.window(), site.operations.events().last()))
}

pub(super) async fn names(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let listed = list_names(&site, &uri).await;
    answer_found(site, listed).await
}

async fn list_names(site: &Site, uri: &Uri) -> Result<impl Serialize + use<>, Problem> {
    let parameters = Parameters::of(uri)?;
    let Some(nodes) = &site.shared.nodes else { return Ok(Page::default()) };
    let (window, text) = (parameters.window(), parameters.q.unwrap_or_default());
    let part = nodes.names(text, window.offset(), window.limit()).await?;
    Ok(api::placed_names(part, window, site.operations.events().last()))
}

pub(super) async fn tree_rows(State(site): State<Arc<Site>>, Path(node): Path<String>, uri: Uri) -> Response {
    rows(site, &node, RowsRequest::of(&uri)).await
}

/// Answers like [`tree_rows`], to a request with a body.
pub(super) async fn tree_rows_of_body(
    State(site): State<Arc<Site>>,
    Path(node): Path<String>,
    request: Request,
) -> Response {
    rows(site, &node, body(request).await).await
}

async fn rows(site: Arc<Site>, node: &str, asked: Result<RowsRequest, Problem>) -> Response {
    match read_trees(&site, node, asked).await {
        Ok((trees, asked)) => {
            let rows = move |_: &_| Ok(trees.rows(&asked.expansion, asked.q.as_deref(), asked.window()));
            answer_without_view(site, rows).await
        }
        Err(problem) => refused(problem),
    }
}

async fn read_trees(
    site: &Site,
    node: &str,
    asked: Result<RowsRequest, Problem>,
) -> Result<(Arc<NodeView>, RowsRequest), Problem> {
    let asked = asked?;
    let nodes = site.shared.nodes.as_ref().ok_or_else(|| Problem::not_found("node"))?;
    Ok((nodes.trees(node).await?, asked))
}
