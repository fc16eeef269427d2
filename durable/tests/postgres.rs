//! The store in a server keeps the promises of stores.

mod support;
#[path = "support/postgres.rs"]
mod postgres;

use perennial_durable::conformance::run;
use postgres::server;

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    let Some(server) = server() else { return };
    let report = run(|| server.opener()).await;
    assert!(report.is_passed(), "{report}");
}
