//! Metrics: what happens, and what is counted of it.

mod actors;
mod bounds;
mod documented;
mod handlers;
mod messages;
mod pools;
mod published;
mod recorded;
mod registry;
mod supervisors;
mod unit;
