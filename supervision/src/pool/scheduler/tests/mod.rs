//! Tests of the scheduler and its parts.

mod key_rates;
mod kinds;
mod model;
mod ops;
mod plain;
mod priority_queue;
mod rate;
mod readiness;
mod retention;
mod rollout;
mod rollout_downtime;
mod rollout_limit;
mod rollout_resize;
mod rollout_world;
mod routing;
mod scale;
mod scheduler;
mod scheduler_state;
mod started;
mod traces;
