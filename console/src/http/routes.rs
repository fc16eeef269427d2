//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::{events, guard, nodes, pages, reads, stores, writes};
use crate::site::Site;

/// Returns the routes. `/openapi.json` describes each of them.
pub(crate) fn routes(site: Arc<Site>) -> Router {
    let api = Router::new()
        .route("/session", get(reads::session))
        .route("/overview", get(reads::overview))
        .route("/tree", get(reads::tree))
        .route("/tree/rows", get(reads::tree_rows).post(reads::tree_rows_of_body))
        .route("/processes", get(reads::actors))
        .route("/processes/{identity}", get(reads::actor))
        .route("/processes/{identity}/{action}", post(writes::actor))
        .route("/events", get(reads::events))
        .route("/events/stream", get(events::stream))
        .route("/crashes", get(reads::crashes))
        .route("/crashes/{sequence}", get(reads::crash))
        .route("/dead-letters", get(reads::dead_letters))
        .route("/dead-letters/{id}/resend", post(writes::resend_dead_letter))
        .route("/pools", get(reads::pools))
        .route("/pools/{identity}", get(reads::pool))
        .route("/pools/{identity}/{action}", post(writes::pool))
        .route("/pools/{identity}/jobs", get(reads::jobs))
        .route("/pools/{identity}/jobs/{job}", get(reads::job))
        .route("/pools/{identity}/jobs/{job}/{action}", post(writes::job))
        .route("/pools/{identity}/dead-jobs/{action}", post(writes::dead_jobs))
        .route("/stores", get(stores::stores))
        .route("/stores/{store}/queues/{queue}/jobs", get(stores::jobs))
        .route("/stores/{store}/queues/{queue}/{action}", post(stores::act_on_queue))
        .route("/stores/{store}/jobs/{job}", get(stores::job))
        .route("/stores/{store}/jobs/{job}/{action}", post(stores::act_on_job))
        .route("/nodes", get(nodes::nodes))
        .route("/nodes/names", get(nodes::names))
        .route("/nodes/{node}/tree/rows", get(nodes::tree_rows).post(nodes::tree_rows_of_body))
        .route("/names", get(reads::names))
        .route("/keys", get(reads::keys))
        .route("/groups", get(reads::groups))
        .route("/topics", get(reads::topics))
        .route("/waits", get(reads::waits))
        .route("/shutdown", get(reads::shutdown))
        .route("/audit", get(reads::audit));
    Router::new()
        .route("/", get(pages::index))
        .route("/assets/{*name}", get(pages::asset))
        .route("/openapi.json", get(pages::openapi))
        .route("/metrics", get(pages::metrics))
        .route("/livez", get(pages::livez))
        .route("/readyz", get(pages::readyz))
        .nest("/api/v1", api)
        .fallback(pages::fallback)
        .method_not_allowed_fallback(pages::no_such_method)
        .layer(from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}
