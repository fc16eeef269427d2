//! Groups: actors that are found together under one name. OTP's `pg`.
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_registry::{Group, Registry};
//!
//! const RESIZERS: Group<Reply<u64>> = Group::new("resizers");
//!
//! struct Resizer;
//!
//! impl Actor for Resizer {
//!     type Msg = Reply<u64>;
//!     type Args = ();
//!     async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         Registry::of(ctx.system()).group(RESIZERS).join(&ctx.address())?;
//!         Ok(Resizer)
//!     }
//!     async fn handle(
//!         &mut self,
//!         reply: Reply<u64>,
//!         ctx: &mut Context<Self>,
//!     ) -> Result<(), ExitReason> {
//!         Ok(reply.send(ctx.pid().identity()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let (one, other) = (system.spawn::<Resizer>(()).await?, system.spawn::<Resizer>(()).await?);
//! let resizers = Registry::of(&system).group(RESIZERS);
//! assert_eq!(resizers.members(), [one.clone(), other]);
//!
//! let (first, second) = (resizers.round_robin(), resizers.round_robin());
//! assert!(first.is_some() && second.is_some() && first != second);
//! one.kill()?;
//! one.monitor().await;
//! assert_eq!(resizers.members().len(), 1);
//! # Ok(())
//! # }
//! ```

mod broadcast;
mod entry;
mod members;
mod monitor;

pub use broadcast::BroadcastReport;
pub use members::GroupHandle;
pub(crate) use members::Groups;
pub use monitor::{GroupChange, GroupInfo, GroupMonitor};
