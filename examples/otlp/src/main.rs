//! Buys something, and exports the spans of it.
//!
//! ```text
//! cargo run --manifest-path examples/otlp/Cargo.toml
//! ```
//!
//! The spans go to a collector in this program, which checks their links. With
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` they go to another one, for example to
//! `http://localhost:4318/v1/traces`.

use std::env;
use std::error::Error;

use otlp::collector::Collector;
use otlp::{export, shop};
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let collector = Collector::start()?;
    let elsewhere = env::var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let provider = export::to(elsewhere.as_ref().unwrap_or(&collector.endpoint()))?;
    assert_eq!(Runtime::new()?.block_on(shop::buy())?, 6);
    provider.shutdown()?;
    if elsewhere.is_err() {
        collector.received().assert_linked();
    }
    Ok(())
}
