//! Three processes on this machine, each with an actor, and a fourth one that calls them. One is
//! killed, one is frozen, one is cut off. The names and the calls heal by themselves, and a table
//! says what happened and how long it took. The fourth one reads the trees of the others.
//!
//! ```text
//! cargo run --release --features cluster --example cluster
//! ```
//!
//! All connections are encrypted. The certificates are made on the spot, for this run.

mod certificates;
#[macro_use]
#[path = "../../support/output.rs"]
mod output;
mod member;
mod relay;
mod watcher;

use std::env;
use std::error::Error;
use std::time::Duration;

use perennial::cluster::Wire;
use perennial::prelude::*;
use serde::{Deserialize, Serialize};

/// What a till is asked: how many sales this incarnation has seen.
#[derive(Serialize, Deserialize)]
struct Sale(Reply<u64>);

impl Wire for Sale {
    const TAG: &'static str = "example.sale";
}

/// The name of the till on each node.
const TILL: Name<Sale> = Name::new("till");

/// How long a node may be silent.
const LEASE: Duration = Duration::from_secs(1);

/// The name of the node that watches.
const OFFICE: &str = "office";

/// The names of the members.
const MEMBERS: [&str; 3] = ["shop-1", "shop-2", "shop-3"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["member", name, certificates, peers] => member::run(name, certificates, peers).await,
        _ => watcher::run().await,
    }
}
