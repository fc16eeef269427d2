//! Exports the spans of actors and durable jobs to OpenTelemetry.
//!
//! An order goes through two actors and a durable job. Each handler has a span, which is linked to
//! the span of its sender. The job keeps the trace of its submission, and links its span to it.
//!
//! ```text
//! buy ◀── handle Shop ◀── handle Packer ◀── job invoices
//! ```

pub mod collector;
pub mod export;
pub mod shop;
