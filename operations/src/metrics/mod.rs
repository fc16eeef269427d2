//! What is observed, as metrics of the facade `metrics`.

mod catalog;
mod child;
mod collector;
mod events;
mod handlers;
mod jobs;
mod labels;
mod processes;
mod publish;
mod series;
mod state;
mod tally;

pub use catalog::{MetricInfo, MetricKind};
pub use collector::Metrics;
