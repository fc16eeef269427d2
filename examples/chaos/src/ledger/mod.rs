//! Transfers between durable accounts: `--scenario ledger --durable STORE --kill-process N`.
//!
//! Each account is an event-sourced actor in a process of its own, the *worker process*, which is
//! killed with SIGKILL again and again. The account of the sender stores that money was sent,
//! together with a job of a durable pool. That job has the account of the receiver store that it
//! was received. This process is the client and the checker: it notes every answer, and reads the
//! journals of all accounts at the end.
//!
//! The modules, from the outside in:
//!
//! - [`run`]: the run. [`client`]: what is asked for, from the seed, and what was answered.
//!   [`protocol`]: the lines in the pipes.
//! - [`worker`]: what the worker process does. [`account`]: the actors. [`faults`]: kills and
//!   abandons incarnations of them. [`fences`]: notices what the store refuses of those.
//!   [`sabotage`]: stores that break their promises.
//! - [`verify`]: the checks of the journals against the answers. [`report`]: the result.

mod account;
mod client;
mod faults;
mod fences;
mod protocol;
mod report;
mod run;
mod sabotage;
#[cfg(test)]
mod tests;
mod verify;
mod worker;

pub use run::run;
pub use worker::work;
