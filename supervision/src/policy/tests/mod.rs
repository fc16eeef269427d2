//! The settings alone: what each value means, and which are impossible.

mod backoff;
mod child;
mod conditions;
mod limits;
