//! Sends spans to a collector, and takes a trace along with a durable job.

use std::collections::HashMap;
use std::error::Error;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The field of W3C's trace context that a durable job keeps.
const TRACEPARENT: &str = "traceparent";

/// Sends the spans of handlers and jobs, and those of this program, to the collector at `endpoint`.
///
/// The provider sends what is left when it is shut down.
///
/// # Errors
///
/// Fails if the endpoint is no URL, or if the program has a subscriber already.
pub fn to(endpoint: &str) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let wanted = Targets::new()
        .with_target("perennial::handler", Level::DEBUG)
        .with_target("perennial::pool", Level::INFO)
        .with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("perennial"));
    tracing_subscriber::registry().with(layer.with_filter(wanted)).try_init()?;
    Ok(provider)
}

/// Returns the current span as a `traceparent`.
pub fn traceparent() -> Option<String> {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut fields);
    fields.remove(TRACEPARENT)
}

/// Links the current span to the span of a `traceparent`.
pub fn link_to(traceparent: &str) {
    let fields = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let linked = TraceContextPropagator::new().extract(&fields);
    Span::current().add_link(linked.span().span_context().clone());
}
