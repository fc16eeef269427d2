//! HTTP: the routes, what each of them answers, and what keeps foreign clients out.

mod answer;
mod body;
mod events;
mod guard;
mod nodes;
mod pages;
mod query;
mod reads;
mod routes;
mod stores;
mod timed;
mod writes;

pub(crate) use guard::Peer;
pub(crate) use routes::routes;
pub(crate) use timed::TimedStream;
