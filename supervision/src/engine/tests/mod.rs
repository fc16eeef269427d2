//! The engine by itself: tables of its rules, whole cases, and traces against a model of OTP.

mod batches;
mod calm;
mod cases;
mod conformance;
mod deferred;
mod draining;
mod intensity;
mod lines;
mod model;
mod renewals;
mod requests_table;
mod slow;
mod storm;
mod table;
mod tasks;
mod traces;
