//! What a tree is to be: checked once, before anything runs.
//!
//! A [`Child`] says how one actor is started, restarted, watched and stopped; a [`Supervisor`](crate::Supervisor) says the same of a
//! group, and may be a child itself. The identity of a child, with its mailbox, its address and its name, is made with its spec and lives
//! as long as that: so its address can be had before anything runs, and survives every restart of every supervisor
//! above it.
//!
//! ```
//! use perennial_supervision::{Child, Restart, Shutdown, Supervisor};
//! # use perennial_actors::{Actor, Context, ExitReason};
//! # struct Worker;
//! # impl Actor for Worker {
//! #     type Msg = ();
//! #     type Args = ();
//! #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Worker) }
//! #     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
//! # }
//!
//! let worker = Child::new::<Worker>("worker", ()).restart(Restart::Transient).shutdown(Shutdown::BrutalKill);
//! let address = worker.address();
//! assert!(address.cast(()).is_err(), "nobody is due to serve it yet");
//!
//! let twins = Supervisor::new("twins")
//!     .child(Child::new::<Worker>("share", ()))
//!     .child(Child::new::<Worker>("share", ()));
//! assert!(twins.check().is_err(), "two children have one id");
//! ```

mod actor_node;
mod child;
mod children;
mod error;
mod once;
mod probe;
mod supervisor;

pub use child::{Child, ChildSpec};
pub use children::IntoChildren;
pub use error::SpecError;
pub use once::ChildOnce;
pub use probe::Probe;
pub(crate) use supervisor::SupervisorSpec;
