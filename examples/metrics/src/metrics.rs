//! A service that serves its metrics and its health: `/metrics` for Prometheus, `/livez` and
//! `/readyz` for Kubernetes. It scrapes itself while a child that matters goes down and comes back.
//!
//! ```text
//! cargo run --release --package perennial-example-metrics --example metrics
//! cargo run --release --package perennial-example-metrics --example metrics -- metrics.txt
//! ```
//!
//! With the name of a file, the last scrape is written there.

#[macro_use]
#[path = "../../support/output.rs"]
mod output;

#[cfg(test)]
mod everything;
#[cfg(test)]
mod queries;

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, serve};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use perennial::operations::{Health, HealthCheck, Metrics};
use perennial::pool::Pool;
use perennial::prelude::*;
use perennial::{App, Backoff, SupervisorHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The bounds of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 8] = [0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0];

/// The time for which the database is down after a crash.
const BACKOFF: Duration = Duration::from_millis(500);

enum Msg {
    Query(Reply<u64>),
    Crash,
}

struct Database;

impl Actor for Database {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Query(reply) => reply.send(42),
            Msg::Crash => return Err("the connection was lost".into()),
        }
        Ok(())
    }
}

/// Returns the routes.
fn routes(check: HealthCheck, metrics: Metrics, exporter: PrometheusHandle) -> Router {
    let live = check.clone();
    let answer = |is_well: bool, health: Health| {
        let code = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (code, format!("{health}\n"))
    };
    let livez = move || async move {
        let health = live.check().await;
        answer(health.is_live(), health)
    };
    let readyz = move || async move {
        let health = check.check().await;
        answer(health.is_ready(), health)
    };
    let scrape = move || async move {
        metrics.collect();
        exporter.run_upkeep();
        exporter.render()
    };
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(scrape))
}

/// Asks the server as a kubelet or Prometheus does. Returns the code and the body.
async fn ask(port: u16, path: &str) -> Result<(u16, String), Box<dyn Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer has a head")?;
    let code = head.split(' ').nth(1).ok_or("a head has a code")?.parse()?;
    Ok((code, body.to_owned()))
}

/// Waits until the server answers with this code.
async fn wait_for(port: u16, path: &str, code: u16) -> Result<String, Box<dyn Error>> {
    loop {
        let (seen, body) = ask(port, path).await?;
        if seen == code {
            return Ok(body);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Starts the tree. The metrics are its first child, so that they count to the end.
async fn start(
    system: &System,
    metrics: &Metrics,
) -> Result<(Address<Msg>, App<SupervisorHandle>), Box<dyn Error>> {
    let database = Child::new::<Database>("database", ()).backoff(Backoff::new(BACKOFF, BACKOFF));
    let address = database.address();
    let squares = Pool::from_fn("squares", 2, |number: &u64| {
        let number = *number;
        async move { Ok::<u64, std::io::Error>(number * number) }
    });
    let jobs = squares.handle();
    let app = Supervisor::new("app").child(metrics.child("metrics")).child(database).child(squares);
    let app = app.start(system).await?;
    for number in 0..10 {
        assert_eq!(jobs.submit(number).await?.await?, number * number);
    }
    assert_eq!(address.call(Msg::Query).await?, 42);
    Ok((address, app))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    let system = System::new();
    let metrics = Metrics::of(&system);
    let (database, app) = start(&system, &metrics).await?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let server =
        tokio::spawn(serve(listener, routes(HealthCheck::of(&app), metrics, exporter)).into_future());

    assert_eq!(ask(port, "/livez").await?.0, 200);
    assert_eq!(ask(port, "/readyz").await?.0, 200);
    database.cast(Msg::Crash)?;
    let reasons = wait_for(port, "/readyz", 503).await?;
    print_line!("/readyz says 503: {}", reasons.trim());
    assert!(reasons.contains("app/database"), "{reasons}");
    assert_eq!(ask(port, "/livez").await?.0, 200, "the tree heals itself");
    wait_for(port, "/readyz", 200).await?;
    print_line!("/readyz says 200 again");

    let (code, scrape) = ask(port, "/metrics").await?;
    assert_eq!(code, 200);
    let restarts = r#"perennial_restarts_total{supervisor="app",child="database",reason="failed"} 1"#;
    for series in [restarts, r#"perennial_jobs_total{pool="app/squares",outcome="completed"} 10"#] {
        print_line!("{series}");
        assert!(scrape.lines().any(|line| line == series), "{series}");
    }
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(file, &scrape)?;
    }
    assert!(app.shutdown().await.is_clean());
    server.abort();
    Ok(())
}
