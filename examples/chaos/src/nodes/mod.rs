//! The demo on several nodes: `--nodes N`.
//!
//! Each node is a process of its own. It hands its share of the files to the hashers of the other
//! nodes, by casts and calls with numbers, and writes down what it sends, handles and notices. This
//! process starts them, kills, freezes and cuts them off, and checks what they have written.
//!
//! The modules, from the outside in:
//!
//! - [`run`]: the run. [`plan`]: the faults, from the seed. [`injector`]: carries the plan out.
//!   [`fleet`]: the processes, and the network between them. [`process`]: one of the processes.
//!   [`relay`]: the network between two of them. [`certificates`]: what they are known by.
//! - [`member`]: what a node process does. [`config`]: what it is told. [`message`]: what nodes
//!   send to each other. [`sender`]: hands out files. [`hasher`]: hashes those of others.
//!   [`sabotage`]: deliveries that break a promise. [`observer`]: monitors and events.
//! - [`journal`]: what the nodes have written. [`verify`]: the checks of it. [`accounts`]: those of
//!   packets. [`recovery`]: how long it took until calls were answered again. [`report`]: the
//!   result.

mod accounts;
#[path = "../../../cluster/src/certificates.rs"]
mod certificates;
mod config;
mod fleet;
mod hasher;
mod injector;
mod journal;
mod member;
mod message;
mod observer;
mod plan;
mod process;
mod recovery;
mod relay;
mod report;
mod run;
mod sabotage;
mod sender;
#[cfg(test)]
mod tests;
mod verify;

pub use member::work;
pub use run::run;
