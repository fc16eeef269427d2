//! The engine alone: tables of its rules, single cases, and random traces, some of them against a
//! model of OTP's supervisor.

mod added_children;
mod batches;
mod cases;
mod changes;
mod conditions;
mod conformance;
mod deferred;
mod draining;
mod engine_state;
mod first_starts;
mod immediate_sim;
mod intensity;
mod liveness;
mod model;
mod random_checks;
mod random_sim;
mod renewals;
mod request_queues;
mod requests_table;
mod rule_records;
mod start_limits;
mod stepped_sim;
mod table;
mod tasks;
mod traces;
mod world;
