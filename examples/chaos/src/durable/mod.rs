//! The demo with jobs that outlive its process: `--durable STORE --kill-process N`.
//!
//! The checksums are computed by a durable pool in a process of its own, the *worker process*. It
//! is killed with SIGKILL again and again, and started again with the same store. This process is
//! its client and the checker: it asks for files, keeps an account of every answer, and reads the
//! store at the end.
//!
//! The modules, from the outside in:
//!
//! - [`run`]: the run. [`kills`]: when the worker process is killed, from the seed. [`drive`]:
//!   starts and kills it. [`process`]: a worker process and its pipes. [`protocol`]: the lines in
//!   them.
//! - [`worker`]: what the worker process does. [`jobs`]: its jobs and their results. [`rescue`]:
//!   how long it takes until the jobs of the killed process run again. [`sabotage`]: stores that
//!   break their promises.
//! - [`account`]: what was acknowledged. [`verify`]: the checks of the store against it.
//!   [`report`]: the result.

mod account;
pub mod drive;
mod jobs;
pub mod kills;
pub mod process;
mod protocol;
mod report;
mod rescue;
mod run;
pub mod sabotage;
pub mod store;
#[cfg(test)]
mod tests;
mod verify;
mod worker;

pub use run::run;
pub use worker::work;
