//! A console for a running system: a page in the browser, and the JSON API below it.
//!
//! # Problem
//!
//! A tree that heals itself looks the same from outside whether nothing happens or everything
//! crashes once a second. Logs tell it afterwards, line by line.
//!
//! # Model
//!
//! The console is a child of the tree that it shows. It serves what `perennial-operations`
//! observes: the tree, the actors, crashes with their causes, dead letters, pools, names, calls
//! that wait, and how far a shutdown has come. The page gets its data from the [API](api), as any
//! other client can. `/openapi.json` describes the API.
//!
//! Place it first among its siblings: then it starts before them, sees how they start, is stopped
//! after them, and shows how they stop.
//!
//! # Guarantees
//!
//! - **Nothing happens while nothing asks**: the observation records events, as any
//!   [`Operations`](perennial_operations::Operations) does. A snapshot is taken when a client asks,
//!   and one is shared by all clients that ask within a quarter of a second.
//! - **No gap**: the events belong to the [`Console`] and not to its incarnation. A client resumes
//!   after a restart of the console where it was. It is told when it speaks to another process.
//! - **Read-only by default**: an action needs the [token](Console::token), and is in the audit log
//!   whether it succeeds or not.
//! - **Local by default**: an address that others can reach is refused unless
//!   [remote](Console::allow_remote) clients are allowed and there is a token. Foreign names in
//!   `Host` and foreign pages in `Origin` are refused.
//! - **Bounded**: connections, streams, bodies, headers and times have limits. A client that does
//!   not read is dropped, and never waited for.
//!
//! # Example
//!
//! ```
//! use perennial_actors::System;
//! use perennial_console::Console;
//! use perennial_supervision::Supervisor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let console = Console::at("127.0.0.1:0");
//! let url = console.url();
//! let app = Supervisor::new("app").child(console).start(&System::new()).await?;
//! assert!(url.get().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! A public page. It speaks HTTP without TLS: use a tunnel, or a proxy that adds it.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod actions;
pub mod api;
mod asked;
mod assets;
mod cached;
mod config;
mod console;
mod error;
mod http;
mod nodes;
mod pools;
mod server;
mod site;
mod stores;
mod while_read;

pub use console::{Console, ConsoleUrl};
pub use error::ConsoleError;
