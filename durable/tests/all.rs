//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod actor;
mod actor_callbacks;
mod actor_every_await;
mod actor_faults;
mod decoders;
mod event_feed;
mod faults;
mod kill;
mod memory;
mod pool;
mod pool_batches;
mod pool_by_filter;
mod pool_faults;
mod pool_kill;
mod pool_metrics;
mod pool_options;
mod pool_progress;
mod pool_schedules;
mod pool_traces;
mod postgres;
mod postgres_faults;
mod postgres_kill;
mod postgres_locks;
mod postgres_processes;
mod postgres_server;
mod postgres_shared;
mod postgres_tls;
mod postgres_writers;
mod sqlite;
mod sqlite_attach;
mod sqlite_transactions;
mod support;
