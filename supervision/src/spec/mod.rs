//! The spec of a supervision tree. A tree is checked as a whole before anything starts.
//!
//! A [`Child`] says how one actor is started, restarted, checked for liveness and stopped. A
//! [`Supervisor`](crate::Supervisor) says the same for a group of children, and can be a child
//! itself. The identity of a child is created with its spec, and lives as long as the spec does. It
//! consists of its mailbox, its address and its name. The address is therefore available before the
//! tree starts, and stays valid across every restart of the child and of the supervisors above it.
//!
//! ```
//! use perennial_supervision::{Child, Restart, Shutdown, Supervisor};
//! # use perennial_actors::{Actor, Context, ExitReason};
//! # struct Worker;
//! # impl Actor for Worker {
//! #     type Msg = ();
//! #     type Args = ();
//! #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Worker) }
//! #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
//! #         Ok(())
//! #     }
//! # }
//!
//! let worker = Child::new::<Worker>("worker", ())
//!     .restart(Restart::Transient)
//!     .shutdown(Shutdown::BrutalKill);
//! let address = worker.address();
//! assert!(address.cast(()).is_err(), "its tree has not started");
//!
//! let invalid = Supervisor::new("app")
//!     .child(Child::new::<Worker>("worker", ()))
//!     .child(Child::new::<Worker>("worker", ()));
//! assert!(invalid.check().is_err(), "two children have the same id");
//! ```

mod actor_node;
mod check;
mod child;
mod error;
mod liveness;
mod once;
mod probe;
mod restart_rules;
mod supervisor;

pub use check::CheckResult;
pub(crate) use check::{AbortOnDrop, CheckRunner};
pub use child::{Child, ChildSpec};
pub use error::SpecError;
pub use once::ChildOnce;
pub(crate) use probe::Answer;
pub use probe::Probe;
pub use supervisor::IntoChildren;
pub(crate) use supervisor::SupervisorSpec;
