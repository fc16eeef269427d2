//! Topics: a message that one actor publishes is delivered to all subscribers.
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_registry::{Registry, SlowSubscriberPolicy, Topic};
//!
//! #[derive(Clone)]
//! struct Price(u64);
//!
//! const PRICES: Topic<Price> = Topic::new("prices");
//!
//! enum Msg { Price(Price), Last(Reply<u64>) }
//!
//! impl From<Price> for Msg {
//!     fn from(price: Price) -> Self { Msg::Price(price) }
//! }
//!
//! struct Ticker(u64);
//!
//! impl Actor for Ticker {
//!     type Msg = Msg;
//!     type Args = ();
//!     async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         let prices = Registry::of(ctx.system()).topic(PRICES);
//!         prices.subscribe(&ctx.address(), SlowSubscriberPolicy::Skip);
//!         Ok(Ticker(0))
//!     }
//!     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
//!         match msg {
//!             Msg::Price(Price(price)) => self.0 = price,
//!             Msg::Last(reply) => reply.send(self.0),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let ticker = system.spawn::<Ticker>(()).await?;
//! let report = Registry::of(&system).topic(PRICES).publish(&Price(42));
//! assert_eq!((report.delivered, report.skipped), (1, 0));
//! assert_eq!(ticker.call(Msg::Last).await?, 42);
//! # Ok(())
//! # }
//! ```

mod publishing;
mod subscriber;

pub(crate) use publishing::Topics;
pub use publishing::{PublishReport, TopicHandle};
pub use subscriber::SlowSubscriberPolicy;
