//! Indexes a folder while being attacked, and proves that nothing was lost.
//!
//! A pool in a tree of supervisors computes the SHA-256 of every regular file below a folder, while an injector
//! panics, fails and kills workers and supervisors in it. What was in work at a crash is done again; every file ends in the
//! result exactly once; at the end a plain sequential pass without any actor checks all of it.
//!
//! ```text
//! cargo run --release --example chaos
//! cargo run --release --example chaos -- --input DIR --manifest FILE --seed 7 && sha256sum -c FILE
//! ```
//!
//! Exit codes: 0 all held, 1 an invariant was violated, 2 bad usage, 3 done, but some input could not be read.

#![expect(unreachable_pub, reason = "in a program, pub says what the other modules may use")]

#[macro_use]
#[path = "support/output.rs"]
mod output;
#[path = "chaos/mod.rs"]
mod demo;

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main()
}
